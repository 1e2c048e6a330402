import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { LoadReply, Subject } from "./load/generator.ts";
import { machineCpuMs } from "./process-figures.ts";
import { Bench } from "./programs.ts";
import type { GatewayUnderTest } from "./programs.ts";

/** What calls are measured at. */
export interface CallPoint {
  readonly users: number;
  readonly perSecond: number;
  /** Instead of the usual number: for what a target is about. */
  readonly rounds?: number;
}

/** How much is measured. */
export interface Effort {
  readonly idleUsers: readonly number[];
  /** What the calls are measured at: how many a second, by how many signed-in users. */
  readonly points: readonly CallPoint[];
  readonly rateSeconds: number;
  /** Calls through each gateway before anything counts: compilers and caches are warm then. */
  readonly warmUpCalls: number;
  readonly liveCalls: readonly number[];
  readonly liveSeconds: number;
  /** SIP transactions that others have left behind. */
  readonly transactions: readonly number[];
  /** Each figure is taken so often, all gateways in turn; the mean counts. */
  readonly rounds: number;
  /** The same with many calls up, and many transactions: the collector marks them now and then. */
  readonly liveRounds: number;
  /** How long a SIP transaction is remembered: 64·T1 and a little. */
  readonly transactionMs: number;
  /** How long a gateway is left alone before its memory is read. */
  readonly settleMs: number;
}

/** Milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface MemoryFigures {
  readonly gateway: string;
  readonly users: number;
  /** PSS of the gateway with nobody signed in, in kB. */
  readonly baseKilobytes: number;
  readonly kilobytesPerUser: number;
}

/** CPU milliseconds per completed call, over the rounds; each has as many calls. */
export interface Cost {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

export interface CallFigures {
  /** `direct`: no gateway between the caller and the trunk. */
  readonly gateway: string;
  readonly users: number;
  readonly perSecond: number;
  /** Of all rounds. */
  readonly started: number;
  readonly completed: number;
  readonly cpu: Cost;
  readonly rtpengineCpu: Cost;
  /** Of the calls of all rounds. */
  readonly ringing: Percentiles;
  readonly answer: Percentiles;
}

export interface LiveFigures {
  readonly gateway: string;
  readonly live: number;
  readonly cpu: Cost;
  readonly pssKilobytes: number;
  /** Live SIP transactions at the end, where the gateway tells. */
  readonly transactions: number | undefined;
}

export interface TransactionFigures {
  /** Those that were left behind. */
  readonly waiting: number;
  /** All that the gateway had when the calls began. */
  readonly transactions: number | undefined;
  readonly cpu: Cost;
}

/** What the calls have cost, and how much of the machine others took meanwhile. */
export interface CallStage {
  readonly figures: readonly CallFigures[];
  /** Of the CPU time of all cores, 0 to 1. */
  readonly othersShare: number;
}

/** Says what is going on. */
export type Progress = (text: string) => void;

const WARM_UP_PER_SECOND = 150;
const HOLD_MS = 1000;
const OPTIONS_PER_SECOND = 4000;
const LIVE_USERS = 500;
const LIVE_PER_SECOND = 100;

/** Memory of signed-in web users who do nothing. */
export async function measureMemory(effort: Effort, say: Progress): Promise<MemoryFigures[]> {
  await using bench = await Bench.start({ rtpengines: 1 });
  const figures: MemoryFigures[] = [];
  await delay(effort.settleMs);
  const bases = bench.gateways.map((gateway) => gateway.pssKilobytes());
  for (const users of effort.idleUsers) {
    for (const gateway of bench.gateways) {
      await bench.load({ do: "users", subject: subjectOf(gateway), users });
    }
    await delay(effort.settleMs);
    for (const [index, gateway] of bench.gateways.entries()) {
      const baseKilobytes = bases[index] ?? 0;
      const kilobytesPerUser = (gateway.pssKilobytes() - baseKilobytes) / users;
      figures.push({ gateway: gateway.name, users, baseKilobytes, kilobytesPerUser });
      say(`${gateway.name}: ${users} users, ${kilobytesPerUser.toFixed(1)} kB each`);
    }
  }
  return figures;
}

/** Whole calls, the same ones through each gateway in turn, and so round by round. */
export async function measureCalls(effort: Effort, say: Progress): Promise<CallStage> {
  await using bench = await Bench.start({ rtpengines: 1, withAll: true });
  const direct: Subject = { kind: "direct", port: bench.trunkPort };
  await bench.load({ do: "users", subject: direct, users: 1 });
  await warmUp(bench, direct, effort);
  const figures: CallFigures[] = [];
  const before = { machine: machineCpuMs(), own: bench.ownCpuMs(), atMs: performance.now() };
  let users = 0;
  for (const point of effort.points) {
    if (point.users !== users) {
      for (const gateway of bench.gateways) {
        const subject = subjectOf(gateway);
        await bench.load({ do: "users", subject, users: point.users });
        if (users === 0) await warmUp(bench, subject, effort);
      }
      users = point.users;
    }
    figures.push(...(await measurePoint(bench, direct, point, effort, say)));
  }
  const machineMs = machineCpuMs() - before.machine;
  const ownMs = bench.ownCpuMs() - before.own;
  const availableMs = (performance.now() - before.atMs) * availableParallelism();
  return { figures, othersShare: Math.max(0, machineMs - ownMs) / availableMs };
}

async function measurePoint(
  bench: Bench,
  direct: Subject,
  point: CallPoint,
  effort: Effort,
  say: Progress,
): Promise<CallFigures[]> {
  const { users, perSecond, rounds = effort.rounds } = point;
  const calls = perSecond * effort.rateSeconds;
  const load = { do: "calls", perSecond, calls, holdMs: HOLD_MS } as const;
  const runs = new Map<string, Run[]>([["direct", []]]);
  for (const { name } of bench.gateways) runs.set(name, []);
  const turns = [...bench.gateways];
  for (let round = 0; round < rounds; round += 1) {
    runs.get("direct")?.push({
      reply: await bench.load({ ...load, subject: direct }),
      cpuMs: 0,
      rtpengineCpuMs: 0,
    });
    for (const gateway of turns) {
      const cpuBefore = gateway.cpuMs();
      const rtpengineBefore = bench.rtpengineCpuMs();
      const reply = await bench.load({ ...load, subject: subjectOf(gateway) });
      const { completed, started } = reply.counts;
      const cpuMs = (gateway.cpuMs() - cpuBefore) / completed;
      const rtpengineCpuMs = (bench.rtpengineCpuMs() - rtpengineBefore) / completed;
      runs.get(gateway.name)?.push({ reply, cpuMs, rtpengineCpuMs });
      say(
        `${gateway.name}: ${users} users, ${perSecond} calls/s, ${completed} of ${started} ` +
          `completed, ${cpuMs.toFixed(2)} ms CPU a call`,
      );
      for (const fault of reply.faults) say(fault);
      if (completed < started) await bench.clear();
    }
    // Whoever goes first is another one each time.
    turns.push(...turns.splice(0, 1));
  }
  return [...runs].map(([gateway, all]) => callFigures(gateway, users, perSecond, all));
}

/** What a call costs while many others are up. */
export async function measureLiveCalls(effort: Effort, say: Progress): Promise<LiveFigures[]> {
  await using bench = await Bench.start({ rtpengines: 2 });
  const figures: LiveFigures[] = [];
  for (const gateway of bench.gateways) {
    const subject = subjectOf(gateway);
    await bench.load({ do: "users", subject, users: LIVE_USERS });
    await warmUp(bench, subject, effort);
    let live = 0;
    for (const wanted of effort.liveCalls) {
      const calls = wanted - live;
      await bench.load({ do: "calls", subject, perSecond: 150, calls, holdMs: undefined });
      live = wanted;
      // What has set them up is no part of what they cost while they are up.
      await delay(effort.transactionMs);
      const costs: number[] = [];
      for (let round = 0; round < effort.liveRounds; round += 1) {
        costs.push(await costOfCalls(bench, gateway, effort, say));
        say(`${gateway.name}: ${live} calls up, ${costs.at(-1)?.toFixed(2)} ms CPU a call`);
      }
      figures.push({
        gateway: gateway.name,
        live,
        cpu: costOf(costs),
        pssKilobytes: gateway.pssKilobytes(),
        transactions: await gateway.metric("offhook_sip_transactions"),
      });
    }
    await bench.load({ do: "hang up", subject, perSecond: 400 });
    await bench.load({ do: "users", subject, users: 0 });
  }
  return figures;
}

/**
 * What a call costs while the gateway remembers requests of others, answered long ago (RFC 3261
 * §17.2.2: 32 s over UDP). Kamailio answers the same requests without a transaction.
 */
export async function measureTransactions(
  effort: Effort,
  say: Progress,
): Promise<TransactionFigures[]> {
  await using bench = await Bench.start({ rtpengines: 1 });
  const gateway = bench.gateways.find(({ name }) => name === "offhook");
  if (gateway === undefined) return [];
  await bench.load({ do: "users", subject: subjectOf(gateway), users: LIVE_USERS });
  await warmUp(bench, subjectOf(gateway), effort);
  const figures: TransactionFigures[] = [];
  for (const waiting of effort.transactions) {
    // Those of before are over.
    if (figures.length > 0) await delay(effort.transactionMs);
    const { counts } = await bench.load({
      do: "options",
      port: gateway.sipPort,
      perSecond: OPTIONS_PER_SECOND,
      requests: waiting,
    });
    const transactions = await gateway.metric("offhook_sip_transactions");
    say(`offhook: ${counts.completed} of ${waiting} requests answered, ${transactions} remembered`);
    const costs: number[] = [];
    for (let round = 0; round < effort.liveRounds; round += 1) {
      costs.push(await costOfCalls(bench, gateway, effort, say));
      say(`offhook: ${costs.at(-1)?.toFixed(2)} ms CPU a call`);
    }
    figures.push({ waiting, transactions, cpu: costOf(costs) });
  }
  return figures;
}

/** @returns CPU milliseconds of the signaling per completed call */
async function costOfCalls(
  bench: Bench,
  gateway: GatewayUnderTest,
  effort: Effort,
  say: Progress,
): Promise<number> {
  const before = gateway.cpuMs();
  const reply = await bench.load({
    do: "calls",
    subject: subjectOf(gateway),
    perSecond: LIVE_PER_SECOND,
    calls: LIVE_PER_SECOND * effort.liveSeconds,
    holdMs: HOLD_MS,
  });
  for (const fault of reply.faults) say(fault);
  return (gateway.cpuMs() - before) / reply.counts.completed;
}

/** The same for every gateway, and for none; not measured. */
async function warmUp(bench: Bench, subject: Subject, effort: Effort): Promise<void> {
  await bench.load({
    do: "calls",
    subject,
    perSecond: WARM_UP_PER_SECOND,
    calls: effort.warmUpCalls,
    holdMs: 500,
  });
}

function subjectOf(gateway: GatewayUnderTest): Subject {
  return { kind: "gateway", port: gateway.port };
}

/** One round of one gateway; CPU time is per completed call. */
interface Run {
  readonly reply: LoadReply;
  readonly cpuMs: number;
  readonly rtpengineCpuMs: number;
}

function callFigures(
  gateway: string,
  users: number,
  perSecond: number,
  runs: readonly Run[],
): CallFigures {
  return {
    gateway,
    users,
    perSecond,
    started: runs.reduce((sum, { reply }) => sum + reply.counts.started, 0),
    completed: runs.reduce((sum, { reply }) => sum + reply.counts.completed, 0),
    cpu: costOf(runs.map(({ cpuMs }) => cpuMs)),
    rtpengineCpu: costOf(runs.map(({ rtpengineCpuMs }) => rtpengineCpuMs)),
    ringing: percentiles(runs.flatMap(({ reply }) => reply.ringing)),
    answer: percentiles(runs.flatMap(({ reply }) => reply.answer)),
  };
}

function costOf(values: readonly number[]): Cost {
  const sorted = values.toSorted((left, right) => left - right);
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    least: sorted[0] ?? Number.NaN,
    most: sorted.at(-1) ?? Number.NaN,
  };
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
