import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { browserSdp } from "../harness/browser-sdp.ts";
import { NODE_FLAGS } from "../../scripts/setup/node-flags.mjs";
import { type Gateway, startGateway, type YamlValue } from "../harness/gateway.ts";
import { Child, descendantsOf } from "../harness/process.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import type { OutgoingCall } from "../harness/ws-call.ts";
import { WsCaller } from "../harness/ws-caller.ts";

/** The reliability page's flood: FreeSWITCH 1.10 died of it (CVE-2021-41145). */
export interface FloodOptions {
  readonly perSecond: number;
  readonly seconds: number;
  /** Calls that are up meanwhile. */
  readonly calls: number;
  /** More of `limits`. */
  readonly limits?: Readonly<Record<string, YamlValue>>;
  say?(text: string): void;
}

export interface FloodReport {
  readonly sent: number;
  /** Resident memory of the gateway's own process, in kB: before, and the most from then on. */
  readonly beforeKilobytes: number;
  readonly mostKilobytes: number;
  /** Milliseconds from the connection to the 200, of each real user who came meanwhile. */
  readonly registerMs: readonly number[];
  /** Milliseconds to the answer of the trunk's OPTIONS, on the socket that is flooded. */
  readonly trunkMs: readonly number[];
  /** Live calls at the end, and those of them that could be hung up. */
  readonly callsLeft: number;
  readonly callsHungUp: number;
  /** Of the requests, by cause. */
  readonly dropped: number;
  readonly transactions: number;
}

const TRUNK_HOST = "127.0.0.2";

/** Floods a gateway that has calls up, and looks what becomes of it. */
export async function flood(options: FloodOptions): Promise<FloodReport> {
  const { perSecond, seconds, calls: wanted, say = () => {} } = options;
  const trunk = await SipPeer.udp(undefined, TRUNK_HOST);
  await using gateway = await startGateway({
    nodeFlags: NODE_FLAGS,
    config: {
      trunks: { office: { peer: `sip:${TRUNK_HOST}:${trunk.local.port}` } },
      dialplan: { routes: [{ name: "echo", to: "*43", do: "echo" }] },
      limits: {
        overload: "off",
        exempt: [],
        "max-calls-per-user": wanted,
        requests: { burst: 2000 },
        ...options.limits,
      },
    },
  });
  trunk.sendTo(gateway.sip);
  preferTo(gateway.pid);
  preferTo(process.pid);
  const callers = [
    await WsCaller.signIn(gateway, "1001"),
    await WsCaller.signIn(gateway, "1002"),
  ] as const;
  const calls: OutgoingCall[] = [];
  for (let index = 0; index < wanted; index += 1) {
    // On hold: a call without sound would be ended before the flood is over.
    const sdp = browserSdp({ direction: "inactive" });
    calls.push(await callers[index % 2 === 0 ? 0 : 1].call("*43", { sdp }));
  }
  // What it allocates once, it allocates now.
  await runSender(gateway, perSecond, Math.min(1.5, seconds));
  await delay(1000);
  const beforeKilobytes = rssOf(gateway);
  let mostKilobytes = beforeKilobytes;
  const registerMs: number[] = [];
  const trunkMs: number[] = [];
  say(`${calls.length} calls are up, ${beforeKilobytes} kB`);

  const end = new AbortController();
  const watch = async (): Promise<void> => {
    while (!end.signal.aborted) {
      registerMs.push(await timeOf(() => registerOnce(gateway)));
      trunkMs.push(await askFromTrunk(trunk));
      mostKilobytes = Math.max(mostKilobytes, rssOf(gateway));
      await delay(Math.min(1000, seconds * 50));
    }
  };
  const sending = async (): Promise<number> => {
    try {
      return await runSender(gateway, perSecond, seconds);
    } finally {
      end.abort();
    }
  };
  const [sent] = await Promise.all([sending(), watch()]);
  mostKilobytes = Math.max(mostKilobytes, rssOf(gateway));
  const live = await gateway.api("/api/v1/calls?limit=1000");
  const callsLeft = JSON.stringify(live.body).split('"state":"connected"').length - 1;
  const { body } = await gateway.api("/metrics");
  let callsHungUp = 0;
  for (const call of calls) {
    await call.bye();
    callsHungUp += 1;
  }
  for (const caller of callers) await caller.cut();
  await trunk.close();
  return {
    sent,
    beforeKilobytes,
    mostKilobytes,
    registerMs,
    trunkMs,
    callsLeft,
    callsHungUp,
    dropped: sumOf(String(body), "offhook_sip_dropped_total"),
    transactions: sumOf(String(body), "offhook_sip_transactions"),
  };
}

/**
 * What else the machine does shall not be measured: the flood is to get no more of the processor than
 * it takes. A program goes before others with all its threads and all that it has started: a gateway
 * that waits for its collector or for rtpengine is slow too. Without the right to do so it is left as
 * it is.
 */
export function preferTo(pid: number): void {
  for (const member of [pid, ...descendantsOf(pid).map((relative) => relative.pid)]) {
    for (const task of readdirSync(`/proc/${member}/task`)) {
      try {
        setPriority(Number(task), -15);
      } catch {
        // Not root, or the thread has just ended.
      }
    }
  }
}

async function runSender(gateway: Gateway, perSecond: number, seconds: number): Promise<number> {
  const { host, port } = gateway.sip;
  const program = join(import.meta.dirname, "flood-sender.ts");
  const args = [program, host, String(port), String(perSecond), String(seconds)];
  const child = await Child.start(process.execPath, args, {
    name: "flood",
    cwd: import.meta.dirname,
    env: { NODE_OPTIONS: undefined },
  });
  const text = await child.waitForLine(
    (line) => /^sent (\d+)/.exec(line)?.[1],
    "its end",
    (3 * seconds + 20) * 1000,
  );
  await child.stop("SIGTERM", 3000);
  return Number(text);
}

async function registerOnce(gateway: Gateway): Promise<void> {
  await using caller = await WsCaller.signIn(gateway, "1002");
  await caller.cut();
}

/** Asks again and again, as a PBX does: the kernel drops what a full socket cannot hold. */
async function askFromTrunk(trunk: SipPeer): Promise<number> {
  const request = trunk.request("OPTIONS", {
    uri: "sip:localhost",
    from: "<sip:pbx@localhost>;tag=t",
    to: "<sip:localhost>",
  });
  const answered = new AbortController();
  const again = async (): Promise<void> => {
    for (let time = 0; time < 14 && !answered.signal.aborted; time += 1) {
      await delay(200);
      if (!answered.signal.aborted) trunk.send(request);
    }
  };
  const retransmitted = again();
  try {
    return await timeOf(() => trunk.expectResponse(200));
  } finally {
    answered.abort();
    await retransmitted;
    trunk.drain();
  }
}

/** Milliseconds. */
async function timeOf(action: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await action();
  return Math.round(performance.now() - startedMs);
}

/**
 * Resident memory of the process alone, in kB. Not its share of what it shares: that grows whenever
 * another Node ends.
 */
function rssOf(gateway: Gateway): number {
  const status = readFileSync(`/proc/${gateway.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
}

/** The sum of all series of a name. */
function sumOf(page: string, name: string): number {
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
