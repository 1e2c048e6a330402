import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { LoadCommand, LoadReply } from "../../bench/load/generator.ts";
import { type Schedule, scheduleOf } from "../../bench/process-figures.ts";
import { NODE_FLAGS } from "../../scripts/setup/node-flags.mjs";
import { startGateway, type YamlValue } from "../harness/gateway.ts";
import { freePort } from "../harness/ports.ts";
import { Child, descendantsOf } from "../harness/process.ts";
import { preferTo } from "./flood.ts";

/** What the gateway still gets done when three times as much comes as it can do. */
export interface OverloadReport {
  /** Completed calls a second at the best rate that was tried. */
  readonly peak: number;
  /** The same while three times as many came. */
  readonly goodput: number;
  /** Refused with 503 meanwhile. */
  readonly refused: number;
  /** From the end of the load to the end of the overload. */
  readonly recoveredMs: number;
}

const BENCH = join(import.meta.dirname, "../../bench");
const RATES = [100, 150, 200, 300, 400, 500, 600, 800];
const RATE_SECONDS = 6;
const OVERLOAD_SECONDS = 20;
const HOLD_MS = 500;

/** Finds the most calls a second that are completed, then brings three times as many. */
export async function overload(options: {
  readonly users: number;
  say(text: string): void;
}): Promise<OverloadReport> {
  const { users: count } = options;
  const trunkPort = await freePort();
  const sipp = await Child.start(
    "sipp",
    ["-sf", join(BENCH, "sipp/uas.xml"), "-i", "127.0.0.1", "-p", String(trunkPort), "-nostdin"],
    { name: "sipp", cwd: import.meta.dirname },
  );
  const users = Object.fromEntries(
    Array.from({ length: count }, (_, index): [string, YamlValue] => [
      `u${index}`,
      { name: `User ${index}`, password: `secret-${index}` },
    ]),
  );
  await using gateway = await startGateway({
    nodeFlags: NODE_FLAGS,
    config: {
      domain: "bench.example.com",
      users,
      media: { ports: "20000-59999" },
      trunks: { trunk: { peer: `sip:127.0.0.1:${trunkPort};transport=udp` } },
      dialplan: { country: "DE", routes: [{ name: "out", to: "_+X.", do: { dial: "trunk" } }] },
      limits: {
        overload: { delay: "100ms" },
        "max-calls": 100_000,
        "max-calls-per-user": 10_000,
        "max-calls-per-second": 100_000,
        "max-connections-per-second": 10_000,
      },
    },
  });
  const generator = fork(join(BENCH, "load/generator.ts"));
  for (const pid of [gateway.pid, sipp.pid, generator.pid ?? 0]) preferTo(pid);
  const load = async (command: LoadCommand): Promise<LoadReply> => {
    generator.send(command);
    const [reply] = (await once(generator, "message")) as [LoadReply];
    if (reply.error !== undefined) throw new Error(`The load generator failed: ${reply.error}`);
    return reply;
  };
  const subject = { kind: "gateway", port: gateway.ports.http } as const;
  const metric = async (name: string): Promise<number> => {
    const { body } = await gateway.api("/metrics");
    const line = String(body)
      .split("\n")
      .find((text) => text.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
  };
  const programs = new Map([
    ["gateway", gateway.pid],
    ["rtpengine", descendantsOf(gateway.pid)[0]?.pid ?? 0],
    ["callers", generator.pid ?? 0],
    ["trunk", sipp.pid],
  ]);
  const schedules = (): Schedule[] => [...programs.values()].map(scheduleOf);
  const call = async (perSecond: number, seconds: number): Promise<number> => {
    const calls = perSecond * seconds;
    const before = schedules();
    const startedMs = performance.now();
    const reply = await load({ do: "calls", subject, perSecond, calls, holdMs: HOLD_MS });
    const tookMs = performance.now() - startedMs;
    const after = schedules();
    const { counts, answer } = reply;
    // What is completed after the load has ended has taken longer: that is no rate of its own.
    const rate = (1000 * counts.completed) / Math.max(1000 * seconds, tookMs - HOLD_MS);
    const cpu = [...programs.keys()].map((name, at) => {
      const share = (key: keyof Schedule): string =>
        `${Math.round((100 * ((after[at]?.[key] ?? 0) - (before[at]?.[key] ?? 0))) / tookMs)} %`;
      return `${name} ${share("cpuMs")} (waited ${share("waitMs")})`;
    });
    options.say(
      `${perSecond} calls/s: ${counts.completed} of ${counts.started} completed, ` +
        `${Math.round(rate)} a second, ${counts.refused} refused, ` +
        `${counts.started - counts.completed - counts.refused} lost; ` +
        `answered after ${Math.round(middleOf(answer))} ms; CPU: ${cpu.join(", ")}`,
    );
    return rate;
  };
  const untilCalm = async (): Promise<void> => {
    while ((await metric("offhook_overloaded")) !== 0) await delay(100);
  };
  try {
    await load({ do: "users", subject, users: count });
    // Compiled, and its memory taken, before it is measured.
    await call(100, 15);
    let peak = 0;
    for (const rate of RATES) {
      const completed = await call(rate, RATE_SECONDS);
      if (completed < peak) break;
      peak = completed;
    }
    await untilCalm();
    const refusals = 'offhook_sip_dropped_total{cause="overload"}';
    const before = await metric(refusals);
    const goodput = await call(Math.round(3 * peak), OVERLOAD_SECONDS);
    const endedMs = performance.now();
    const refused = (await metric(refusals)) - before;
    await untilCalm();
    return {
      peak: Math.round(peak),
      goodput: Math.round(goodput),
      refused,
      recoveredMs: Math.round(performance.now() - endedMs),
    };
  } finally {
    generator.disconnect();
    await sipp.stop("SIGTERM", 3000);
  }
}

function middleOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}
