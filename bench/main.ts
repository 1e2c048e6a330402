import { spawnSync } from "node:child_process";
import { dialplanLines, measureDialplan } from "./dialplan.ts";
import { describeMachine, hasProgram, missingPackages } from "./machine.ts";
import { measureMedia } from "./media.ts";
import { measureParsers } from "./parsers.ts";
import { formatLive, targetsOf, table, writeReport } from "./report.ts";
import type { Results } from "./report.ts";
import { measureCalls, measureLiveCalls, measureMemory, measureTransactions } from "./stages.ts";
import type { Effort } from "./stages.ts";

/**
 * `npm run bench`: measures parsers and the whole gateway beside Debian's Kamailio, and writes
 * docs/performance.md; it takes 40 minutes. `-- --quick` takes a minute, prints and writes nothing.
 * `-- live` measures what a call costs beside many others and many transactions, and prints it.
 * `-- media` measures what rtpengine costs, `auto` against `opus`.
 */

const FULL: Effort = {
  idleUsers: [100, 1000, 5000],
  points: [
    { users: 1000, perSecond: 50 },
    { users: 1000, perSecond: 100 },
    { users: 1000, perSecond: 200, rounds: 12 },
    { users: 100, perSecond: 200 },
    { users: 5000, perSecond: 200 },
    // Last: where it is too much, calls are lost, and the peers remember them.
    { users: 1000, perSecond: 400 },
  ],
  rateSeconds: 6,
  warmUpCalls: 4000,
  liveCalls: [100, 1000, 5000],
  liveSeconds: 5,
  transactions: [0, 10_000, 30_000],
  rounds: 3,
  liveRounds: 12,
  transactionMs: 33_000,
  settleMs: 12_000,
};
const QUICK: Effort = {
  idleUsers: [200],
  points: [
    { users: 200, perSecond: 50 },
    { users: 100, perSecond: 100 },
    { users: 200, perSecond: 100 },
  ],
  rateSeconds: 2,
  warmUpCalls: 200,
  liveCalls: [50, 150],
  liveSeconds: 1,
  transactions: [0, 1000],
  rounds: 1,
  liveRounds: 1,
  transactionMs: 0,
  settleMs: 500,
};
const OWN_NETWORK = "OFFHOOK_BENCH_IN_OWN_NETWORK";

/** `npm run bench -- live`: 17 minutes. @returns the exit code */
async function printLive(effort: Effort): Promise<number> {
  const transactions = await measureTransactions(effort, say);
  const live = await measureLiveCalls(effort, say);
  for (const line of formatLive({ live, transactions })) print(line);
  return 0;
}

/** `npm run bench -- media`: half a minute. @returns the exit code */
async function printMedia(): Promise<number> {
  for (const line of await measureMedia()) process.stdout.write(`${line}\n`);
  return 0;
}

/** @returns the exit code */
async function main(): Promise<number> {
  if (process.argv.includes("dialplan")) return printDialplan();
  if (process.argv.includes("media")) return printMedia();
  const missing = missingPackages();
  if (missing.length > 0) {
    complain(`Missing: ${missing.join(", ")}. Install as root, then start again:\n`);
    complain(
      `  apt-get update && apt-get install -y --no-install-recommends ${missing.join(" ")}\n`,
    );
    return 1;
  }
  if (process.env[OWN_NETWORK] === undefined) return inOwnNetwork();
  const isQuick = process.argv.includes("--quick");
  const effort = isQuick ? QUICK : FULL;
  const startedMs = performance.now();
  if (process.argv.includes("live")) return printLive(effort);
  say("parsers");
  const parsers = measureParsers(
    isQuick ? { roundMs: 150, rounds: 3 } : { roundMs: 400, rounds: 5 },
  );
  say("calls");
  const calls = await measureCalls(effort, say);
  say("transactions");
  const transactions = await measureTransactions(effort, say);
  say("idle users");
  const memory = await measureMemory(effort, say);
  say("live calls");
  const live = await measureLiveCalls(effort, say);
  const date = new Date().toISOString().slice(0, 10);
  const results: Results = {
    date,
    machine: describeMachine(),
    parsers,
    memory,
    calls,
    transactions,
    live,
  };
  print("");
  for (const line of table(["what", "target", "here", ""], targetsOf(results), "left")) print(line);
  print("");
  if (isQuick) print("--quick: nothing has warmed up, so this shows mistakes rather than figures.");
  else for (const file of writeReport(results)) print(`wrote ${file}`);
  print(`${Math.round((performance.now() - startedMs) / 1000)} seconds`);
  return 0;
}

/** Runs this program again where only a loopback interface exists: no port is taken there. */
function inOwnNetwork(): number {
  if (!hasProgram("unshare")) {
    complain("unshare is missing: it is part of Debian's util-linux.");
    return 1;
  }
  const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const script = 'PATH="$PATH:/usr/sbin:/sbin"; ip link set lo up && exec "$@"';
  const { status } = spawnSync(
    "unshare",
    [
      ...asRoot,
      "--net",
      "--",
      "sh",
      "-c",
      script,
      "sh",
      process.execPath,
      ...process.argv.slice(1),
    ],
    { stdio: "inherit", env: { ...process.env, [OWN_NETWORK]: "yes" } },
  );
  return status ?? 1;
}

/** `-- dialplan`: the decisions alone, which need no peer. */
function printDialplan(): number {
  for (const line of dialplanLines(measureDialplan([10, 1000, 100_000]))) print(line);
  return 0;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exitCode = await main();
