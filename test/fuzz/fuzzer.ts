import { createHash } from "node:crypto";
import type { Coverage } from "./coverage.ts";
import { mutate } from "./mutate.ts";
import type { Pantry } from "./mutate.ts";
import { Random } from "./random.ts";

/** A parser under test. */
export interface Target {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  /** Words of its language. */
  readonly words: readonly string[];
  /** Octets that an input has at most. */
  readonly maxOctets: number;
  /**
   * Parses, and checks what must hold for whatever is accepted. The parser's own error is caught
   * in here: anything that comes out is a finding.
   */
  run(octets: Buffer): void;
}

/** An input that a target cannot stand. */
export interface Finding {
  readonly what: "exception" | "slow";
  /** The same for the same fault. */
  readonly signature: string;
  readonly detail: string;
  /** Minimised. */
  readonly octets: Buffer;
}

export interface FuzzOptions {
  readonly target: Target;
  readonly coverage: Coverage;
  readonly seed: number;
  /** Ends after so many milliseconds or so many inputs, whichever comes first. */
  readonly forMs: number;
  readonly inputs?: number;
}

export interface FuzzReport {
  readonly inputs: number;
  readonly elapsedMs: number;
  /** Inputs that reached something new, seeds included. */
  readonly kept: number;
  /** Characters of source that have run. */
  readonly covered: number;
  /** The slowest input of all, in milliseconds, best of five. */
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
}

/** No input may take longer. */
export const MAX_MS = 20;
const BATCH = 200;
const MAX_FINDINGS = 20;
/** A finding is made smaller for as long. */
const MINIMISE_MS = 3000;
/** Looked at again when it took this long. */
const SUSPECT_MS = 2;

/**
 * Changes inputs at random and keeps those that reach code that nothing had reached before. One
 * seed makes one sequence of inputs. Coverage is asked for after each batch, as that is dear, and
 * a batch that reached something new is run again one by one.
 */
export function fuzz(options: FuzzOptions): FuzzReport {
  const { target, coverage, seed, forMs, inputs: limit = Infinity } = options;
  const random = new Random(seed);
  const corpus: Buffer[] = [];
  const findings = new Map<string, Finding>();
  const startedAt = performance.now();
  let inputs = 0;
  let slowestMs = 0;
  const pantry: Pantry = {
    random,
    words: target.words.map((word) => Buffer.from(word, "latin1")),
    other: () => choose(corpus, random),
    maxOctets: target.maxOctets,
  };

  const attempt = (octets: Buffer): void => {
    inputs += 1;
    const result = observe(target, octets);
    slowestMs = Math.max(slowestMs, result.ms);
    const { fault } = result;
    if (fault === undefined || findings.has(fault.signature)) return;
    if (findings.size < MAX_FINDINGS)
      findings.set(fault.signature, minimise(target, octets, fault));
  };
  const runBatch = (batch: readonly Buffer[]): void => {
    for (const octets of batch) attempt(octets);
    if (!coverage.look(false)) return;
    for (const octets of batch) {
      observe(target, octets);
      if (coverage.look(true)) corpus.push(octets);
    }
  };

  // Small ones first: a large one stays only when it reaches what no small one does.
  runBatch(target.seeds.toSorted((left, right) => left.length - right.length));
  if (corpus.length === 0) corpus.push(...target.seeds);
  const isOver = (): boolean => performance.now() - startedAt >= forMs || inputs >= limit;
  while (!isOver()) {
    const batch: Buffer[] = [];
    while (batch.length < BATCH) batch.push(mutate(choose(corpus, random), pantry));
    runBatch(batch);
  }
  return {
    inputs,
    elapsedMs: performance.now() - startedAt,
    kept: corpus.length,
    covered: coverage.count,
    slowestMs,
    findings: [...findings.values()],
  };
}

/** What is wrong with one input, if anything; its octets are not minimised. */
export function faultOf(target: Target, octets: Buffer): Omit<Finding, "octets"> | undefined {
  return observe(target, octets).fault;
}

/** The name of a finding's file: the same input has the same name. */
export function crasherName(target: Target, finding: Finding): string {
  const hash = createHash("sha256").update(finding.octets).digest("hex").slice(0, 12);
  return `${target.name}-${finding.what}-${hash}.dat`;
}

/**
 * The newest inputs are chosen as often as all others together: they lead to new places. Of two
 * the smaller one, mostly: many small inputs see more than a few large ones.
 */
function choose(corpus: readonly Buffer[], random: Random): Buffer {
  const from = random.oneIn(2) ? corpus.slice(-16) : corpus;
  const [left, right] = [random.pick(from), random.pick(from)];
  if (random.oneIn(8)) return left;
  return left.length < right.length ? left : right;
}

interface Observation {
  readonly ms: number;
  readonly fault: Omit<Finding, "octets"> | undefined;
}

function observe(target: Target, octets: Buffer): Observation {
  let ms = Infinity;
  // The best of five, and only for what looks slow at first. This thread's own time: a machine that
  // is busy with something else is not the parser's fault.
  for (let round = 0; round < 5 && ms > SUSPECT_MS; round += 1) {
    const before = process.threadCpuUsage();
    try {
      target.run(octets);
    } catch (error) {
      return { ms: 0, fault: exceptionOf(error) };
    }
    const { user, system } = process.threadCpuUsage(before);
    ms = Math.min(ms, (user + system) / 1000);
  }
  if (ms <= MAX_MS) return { ms, fault: undefined };
  const detail = `${octets.length} octets took ${ms.toFixed(1)} ms`;
  return { ms, fault: { what: "slow", signature: "slow", detail } };
}

function exceptionOf(error: unknown): Omit<Finding, "octets"> {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const where = stack.split("\n").find((line) => line.trimStart().startsWith("at ")) ?? "";
  const kind = error instanceof Error ? error.name : typeof error;
  return { what: "exception", signature: `${kind} ${where.trim()}`, detail: stack };
}

/** Takes out whatever the fault does not need, in pieces that become smaller. */
function minimise(target: Target, octets: Buffer, fault: Omit<Finding, "octets">): Finding {
  let best = octets;
  let kept = fault;
  const until = performance.now() + MINIMISE_MS;
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let start = 0; start < best.length && performance.now() < until;) {
      const shorter = Buffer.concat([best.subarray(0, start), best.subarray(start + size)]);
      const now = observe(target, shorter).fault;
      if (now?.signature === fault.signature) {
        best = shorter;
        kept = now;
      } else {
        start += size;
      }
    }
  }
  return { ...kept, octets: best };
}
