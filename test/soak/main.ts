/**
 * `npm run soak -- flood | overload | reconnect | clienthello | endings`: what takes too long for `npm test`, in a network of
 * its own. Prints the figures, and ends with 1 when one of them is not what it must be.
 */
import { spawnSync } from "node:child_process";

const OWN_NETWORK = "OFFHOOK_SOAK_IN_OWN_NETWORK";

/** A figure and what it must be. */
interface Target {
  readonly what: string;
  readonly isMet: boolean;
}

const STAGES: Readonly<Record<string, () => Promise<readonly Target[]>>> = {
  flood: async () => {
    const { flood } = await import("./flood.ts");
    const options = { perSecond: 2000, seconds: 90, calls: 20, say };
    const report = await flood({ ...options, limits: { overload: { delay: "100ms" } } });
    const grown = report.mostKilobytes - report.beforeKilobytes;
    const slowest = Math.max(...report.registerMs);
    say(JSON.stringify(report));
    return [
      { what: `memory: ${grown} kB more, at most 20000`, isMet: grown <= 20_000 },
      { what: `calls: ${report.callsLeft} of 20 left`, isMet: report.callsLeft === 20 },
      { what: `a real user registers in ${slowest} ms, at most 2000`, isMet: slowest <= 2000 },
      { what: `${report.sent} requests sent`, isMet: report.sent === 180_000 },
    ];
  },
  overload: async () => {
    const { overload } = await import("./overload.ts");
    const { peak, goodput, recoveredMs, refused } = await overload({ users: 300, say });
    const percent = Math.round((100 * goodput) / peak);
    say(JSON.stringify({ peak, goodput, refused, recoveredMs }));
    return [
      {
        what: `at 3 times ${peak} calls/s ${goodput} a second completed: ${percent} %, at least 80`,
        isMet: percent >= 80,
      },
      {
        what: `overload over after ${recoveredMs} ms, at most 10000`,
        isMet: recoveredMs <= 10_000,
      },
    ];
  },
  reconnect: async () => {
    const { reconnect } = await import("./reconnect.ts");
    const limits = { overload: { delay: "100ms" } };
    const report = await reconnect({ clients: 2000, calls: 20, limits, say });
    say(JSON.stringify(report));
    return [
      { what: `all are in after ${report.allMs} ms, at most 60000`, isMet: report.allMs <= 60_000 },
      { what: `${report.registrations} registrations`, isMet: report.registrations === 2001 },
      { what: `calls: ${report.callsLeft} of 20 left`, isMet: report.callsLeft === 20 },
      { what: `event loop p99 ${report.loopMs} ms, below 200`, isMet: report.loopMs < 200 },
    ];
  },
  endings: async () => {
    const { endings } = await import("./endings.ts");
    const report = await endings({ calls: 1000, say });
    say(JSON.stringify(report));
    const { sessionsLeft, callsLeft, emptyAfterSeconds } = report;
    return [
      {
        what: `${sessionsLeft} sessions in rtpengine, after ${emptyAfterSeconds ?? "more than 60"} s`,
        isMet: sessionsLeft === 0,
      },
      { what: `${callsLeft} calls in the gateway`, isMet: callsLeft === 0 },
    ];
  },
  clienthello: async () => {
    const { clientHello } = await import("./client-hello.ts");
    const calls = Number(process.env["OFFHOOK_SOAK_CALLS"] ?? 50);
    const report = await clientHello({ calls, say });
    say(JSON.stringify(report));
    return [
      { what: `sound in ${report.heard} of ${calls} calls`, isMet: report.heard === calls },
      { what: `after ${report.slowestMs} ms at most, 5000`, isMet: report.slowestMs <= 5000 },
    ];
  },
};

async function main(): Promise<number> {
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => STAGES[name] === undefined);
  if (unknown.length > 0) {
    process.stderr.write(`There is no ${unknown.join(", ")}: ${Object.keys(STAGES).join(", ")}\n`);
    return 2;
  }
  if (process.env[OWN_NETWORK] === undefined) return inOwnNetwork();
  let isGood = true;
  for (const name of names.length === 0 ? Object.keys(STAGES) : names) {
    say(`${name} …`);
    for (const { what, isMet } of (await STAGES[name]?.()) ?? []) {
      say(`${isMet ? "✓" : "✗"} ${what}`);
      isGood &&= isMet;
    }
  }
  return isGood ? 0 : 1;
}

/** Runs this program again where only a loopback interface exists: no port is taken there. */
function inOwnNetwork(): number {
  const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const script = 'PATH="$PATH:/usr/sbin:/sbin"; ip link set lo up && exec "$@"';
  const { status, error } = spawnSync(
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
    { stdio: "inherit", env: { ...process.env, [OWN_NETWORK]: "1" } },
  );
  if (error !== undefined) process.stderr.write(`${error.message}\n`);
  return status ?? 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main();
