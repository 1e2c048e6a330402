import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

import { within } from "./wait.ts";

/**
 * Real programs as children of a test. Each is ended by its pid; none survives its test file, a
 * failing test, or even a killed test runner: the kernel ends a child when its parent goes
 * (`setpriv --pdeathsig`, part of Debian's util-linux).
 */

/** How a process ended. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** For messages; default: the command. */
  readonly name?: string;
  readonly cwd?: string;
  /** Added to this process's environment; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const MAX_LINES = 50_000;
const OUTPUT_GRACE_MS = 200;
const live = new Set<Child>();

/** A running program with its output line by line. Both streams arrive in one list. */
export class Child implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Settles when the process has ended and its own output is read. */
  readonly exited: Promise<ExitStatus>;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();
  #status: ExitStatus | undefined;

  /** @throws when the program cannot be started */
  static async start(
    command: string,
    args: readonly string[],
    options: StartOptions = {},
  ): Promise<Child> {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    return new Child(options.name ?? command, child);
  }

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#process = child;
    if (child.pid === undefined) throw new Error(`${name} has no pid`);
    this.pid = child.pid;
    live.add(this);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      let rest = "";
      stream.setEncoding("utf8");
      stream.on("data", (chunk: string) => {
        const pieces = (rest + chunk).split("\n");
        rest = pieces.pop() ?? "";
        for (const piece of pieces) this.#accept(piece);
      });
      stream.on("end", () => {
        if (rest !== "") this.#accept(rest);
      });
    }
    this.exited = new Promise((resolve) => {
      const settle = (code: number | null, signal: NodeJS.Signals | null): void => {
        live.delete(this);
        resolve({ code, signal });
      };
      child.once("close", settle);
      child.once("exit", (code, signal) => {
        this.#status = { code, signal };
        // Its own children may hold the output open for as long as they live.
        setTimeout(settle, OUTPUT_GRACE_MS, code, signal);
      });
    });
  }

  get isRunning(): boolean {
    return this.#status === undefined;
  }

  /** Every line so far, both streams, in order of arrival. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** @returns a function that ends the subscription */
  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * The first line, past or future, for which `match` gives a value.
   *
   * @throws when the process ends first, with its last lines
   * @throws {WaitTimeout} when the time is up
   */
  async waitForLine<Value>(
    match: (line: string) => Value | undefined,
    what: string,
    timeoutMs = 15_000,
  ): Promise<Value> {
    for (const line of this.#lines) {
      const value = match(line);
      if (value !== undefined) return value;
    }
    let unsubscribe: () => void = () => undefined;
    const found = new Promise<Value>((resolve, reject) => {
      unsubscribe = this.onLine((line) => {
        const value = match(line);
        if (value !== undefined) resolve(value);
      });
      void this.exited.then((status) => {
        const how = status.signal ?? `code ${String(status.code)}`;
        reject(new Error(`${this.name} ended (${how}) before ${what}\n${this.tail()}`));
      });
    });
    try {
      return await within(found, { what, timeoutMs, detail: () => this.tail() });
    } finally {
      unsubscribe();
    }
  }

  /** The last lines of output, for an error message. */
  tail(count = 30): string {
    return this.#lines.slice(-count).join("\n");
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#process.kill(signal);
  }

  /** Asks the process to end, and after `graceMs` makes it end. Safe to call twice. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 5000): Promise<ExitStatus> {
    const family = descendantsOf(this.pid);
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    const status = await this.exited;
    clearTimeout(timer);
    endLeftovers(family);
    return status;
  }

  /** Ends the process at once, as a crash would; its own children live on until the test ends. */
  async kill(): Promise<ExitStatus> {
    for (const member of descendantsOf(this.pid)) orphans.push(member);
    this.signal("SIGKILL");
    return await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #accept(line: string): void {
    if (this.#lines.length < MAX_LINES) this.#lines.push(line);
    for (const listener of this.#listeners) listener(line);
  }
}

/** A process told apart from a later one with the same pid by when it started. */
interface Relative {
  readonly pid: number;
  readonly startedAt: string;
}

const orphans: Relative[] = [];

function startedAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // proc(5): starttime is field 22; field 2 is the name, in brackets, and may hold spaces.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** Every process below `pid`, children before grandchildren. */
export function descendantsOf(pid: number): readonly Relative[] {
  const found: Relative[] = [];
  const waiting = [pid];
  for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop()) {
    let text = "";
    try {
      text = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8");
    } catch {
      continue;
    }
    for (const word of text.split(" ").filter((part) => part !== "")) {
      const child = Number(word);
      const started = startedAt(child);
      if (started === undefined) continue;
      found.push({ pid: child, startedAt: started });
      waiting.push(child);
    }
  }
  return found;
}

function endLeftovers(family: readonly Relative[]): void {
  for (const { pid, startedAt: started } of family) {
    if (startedAt(pid) !== started) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended between the look and the signal.
    }
  }
}

/** Ends every program that is still running and what it left behind. */
export async function endAll(): Promise<void> {
  await Promise.all([...live].map((child) => child.stop("SIGTERM", 2000)));
  endLeftovers(orphans.splice(0));
}

if (process.env["VITEST"] !== undefined) {
  const { afterAll } = await import("vitest");
  afterAll(endAll);
}
