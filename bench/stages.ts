import { setTimeout as delay } from "node:timers/promises";
import type { LoadReply, Subject } from "./load/generator.ts";
import { Bench } from "./programs.ts";
import type { GatewayUnderTest } from "./programs.ts";

/** How much is measured. */
export interface Effort {
  readonly idleUsers: readonly number[];
  readonly rates: readonly number[];
  readonly rateSeconds: number;
  readonly warmUpSeconds: number;
  readonly liveCalls: readonly number[];
  readonly liveSeconds: number;
  /** Each figure is taken so often, and the one with the least CPU time counts. */
  readonly rounds: number;
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

export interface CallFigures {
  /** `direct`: no gateway between the caller and the trunk. */
  readonly gateway: string;
  readonly perSecond: number;
  readonly started: number;
  readonly completed: number;
  /** CPU milliseconds per completed call. */
  readonly cpuMs: number;
  readonly rtpengineCpuMs: number;
  readonly ringing: Percentiles;
  readonly answer: Percentiles;
}

export interface LiveFigures {
  readonly gateway: string;
  readonly live: number;
  readonly cpuMs: number;
  readonly pssKilobytes: number;
  /** Live SIP transactions at the end, where the gateway tells. */
  readonly transactions: number | undefined;
}

/** Says what is going on. */
export type Progress = (text: string) => void;

const WARM_UP_PER_SECOND = 100;
const HOLD_MS = 1000;
const RATE_USERS = 1000;
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

/** Whole calls at several rates, the same rate by each gateway in turn. */
export async function measureCalls(effort: Effort, say: Progress): Promise<CallFigures[]> {
  await using bench = await Bench.start({ rtpengines: 1 });
  const direct: Subject = { kind: "direct", port: bench.trunkPort };
  await bench.load({ do: "users", subject: direct, users: 1 });
  for (const gateway of bench.gateways) {
    const users = Math.min(RATE_USERS, Math.max(...effort.idleUsers));
    await bench.load({ do: "users", subject: subjectOf(gateway), users });
    await warmUp(bench, gateway, effort);
  }
  const figures: CallFigures[] = [];
  for (const perSecond of effort.rates) {
    const calls = perSecond * effort.rateSeconds;
    const load = { do: "calls", perSecond, calls, holdMs: HOLD_MS } as const;
    const reply = await bench.load({ ...load, subject: direct });
    figures.push(callFigures("direct", perSecond, reply, 0, 0));
    const best = new Map<string, CallFigures>();
    for (let round = 0; round < effort.rounds; round += 1) {
      for (const gateway of bench.gateways) {
        const cpuBefore = gateway.cpuMs();
        const rtpengineBefore = bench.rtpengineCpuMs();
        const answer = await bench.load({ ...load, subject: subjectOf(gateway) });
        const cpu = gateway.cpuMs() - cpuBefore;
        const rtpengineCpu = bench.rtpengineCpuMs() - rtpengineBefore;
        const figure = callFigures(gateway.name, perSecond, answer, cpu, rtpengineCpu);
        if (figure.cpuMs < (best.get(gateway.name)?.cpuMs ?? Infinity)) {
          best.set(gateway.name, figure);
        }
        say(
          `${gateway.name}: ${perSecond} calls/s, ${figure.completed} of ${figure.started} completed, ` +
            `${figure.cpuMs.toFixed(2)} ms CPU a call, ringing after ${figure.ringing.p50.toFixed(2)} ms`,
        );
        for (const fault of answer.faults) say(fault);
      }
    }
    figures.push(...best.values());
  }
  return figures;
}

/** What a call costs while many others are up. */
export async function measureLiveCalls(effort: Effort, say: Progress): Promise<LiveFigures[]> {
  await using bench = await Bench.start({ rtpengines: 2 });
  const figures: LiveFigures[] = [];
  for (const gateway of bench.gateways) {
    const subject = subjectOf(gateway);
    await bench.load({ do: "users", subject, users: LIVE_USERS });
    await warmUp(bench, gateway, effort);
    let live = 0;
    for (const wanted of effort.liveCalls) {
      const calls = wanted - live;
      await bench.load({ do: "calls", subject, perSecond: 150, calls, holdMs: undefined });
      live = wanted;
      let best = Infinity;
      for (let round = 0; round < effort.rounds; round += 1) {
        const before = gateway.cpuMs();
        const reply = await bench.load({
          do: "calls",
          subject,
          perSecond: LIVE_PER_SECOND,
          calls: LIVE_PER_SECOND * effort.liveSeconds,
          holdMs: HOLD_MS,
        });
        const cpuMs = (gateway.cpuMs() - before) / reply.counts.completed;
        best = Math.min(best, cpuMs);
        say(`${gateway.name}: ${live} calls up, ${cpuMs.toFixed(2)} ms CPU a call`);
        for (const fault of reply.faults) say(fault);
      }
      figures.push({
        gateway: gateway.name,
        live,
        cpuMs: best,
        pssKilobytes: gateway.pssKilobytes(),
        transactions: await gateway.metric("offhook_sip_transactions"),
      });
    }
    await bench.load({ do: "hang up", perSecond: 400 });
    await bench.load({ do: "users", subject, users: 0 });
  }
  return figures;
}

/** Lets both allocate and compile what they will need; not measured. */
async function warmUp(bench: Bench, gateway: GatewayUnderTest, effort: Effort): Promise<void> {
  await bench.load({
    do: "calls",
    subject: subjectOf(gateway),
    perSecond: WARM_UP_PER_SECOND,
    calls: WARM_UP_PER_SECOND * effort.warmUpSeconds,
    holdMs: 500,
  });
}

function subjectOf(gateway: GatewayUnderTest): Subject {
  return { kind: "gateway", port: gateway.port };
}

function callFigures(
  gateway: string,
  perSecond: number,
  reply: LoadReply,
  cpuMs: number,
  rtpengineCpuMs: number,
): CallFigures {
  const { started, completed } = reply.counts;
  return {
    gateway,
    perSecond,
    started,
    completed,
    cpuMs: cpuMs / completed,
    rtpengineCpuMs: rtpengineCpuMs / completed,
    ringing: percentiles(reply.ringing),
    answer: percentiles(reply.answer),
  };
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
