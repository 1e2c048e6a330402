import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { rtpengineFacts, type RtpengineFact } from "../../src/media/facts.ts";
import { ManagedRtpengine } from "../../src/media/managed-rtpengine.ts";
import { createMediaEngine } from "../../src/media/media-engine.ts";
import type { Exchange } from "../../src/media/session.ts";
import { freePorts } from "../harness/ports.ts";
import { Child, descendantsOf } from "../harness/process.ts";
import { waitFor } from "../harness/wait.ts";
import { rejectionOf } from "./rejection.ts";
import { chromiumSdp } from "./samples.ts";

const PAIR: Exchange = {
  offerer: { tag: "caller", kind: "webrtc" },
  answerer: { tag: "callee-1", kind: "rtp" },
  branch: "b1",
};

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0)) await action();
});

async function portRange(): Promise<{ readonly min: number; readonly max: number }> {
  const min = await freePorts(100);
  return { min, max: min + 99 };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function managed(
  options: { readonly address?: string; readonly command?: readonly string[] } = {},
): Promise<ManagedRtpengine> {
  const rtpengine = new ManagedRtpengine({
    clock: new SystemClock(),
    logger: silentLogger,
    address: "127.0.0.1",
    ports: await portRange(),
    ...options,
  });
  cleanUp.push(() => rtpengine.stop());
  return rtpengine;
}

describe("the managed rtpengine", () => {
  it("starts, takes calls, comes back within 2 s after a crash, and stops", async () => {
    const clock = new SystemClock();
    const ports = await portRange();
    const facts: RtpengineFact["state"][] = [];
    cleanUp.push(rtpengineFacts.subscribe((fact) => facts.push(fact.state)));
    const rtpengine = new ManagedRtpengine({
      clock,
      logger: silentLogger,
      address: "127.0.0.1",
      ports,
    });
    cleanUp.push(() => rtpengine.stop());
    await rtpengine.start();
    const firstPid = rtpengine.pid;
    if (firstPid === undefined) throw new Error("no pid");

    process.kill(firstPid, "SIGKILL");
    const killedMs = performance.now();
    await waitFor(() => rtpengine.node === undefined, { what: "not ready", intervalMs: 1 });
    await waitFor(() => rtpengine.node?.isUp, { what: "ready again", intervalMs: 5 });
    expect(performance.now() - killedMs).toBeLessThan(2000);
    expect(rtpengine.pid).not.toBe(firstPid);
    expect(facts).toEqual(["up", "down", "restarting", "up"]);

    const secondPid = rtpengine.pid ?? 0;
    await rtpengine.stop();
    expect(isAlive(secondPid)).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it("makes the engine unready between calls, and the next call works", async () => {
    const clock = new SystemClock();
    const engine = createMediaEngine({
      clock,
      logger: silentLogger,
      rtpengine: { kind: "managed", address: "127.0.0.1", ports: await portRange() },
    });
    cleanUp.push(() => engine.stop());
    await engine.start();
    expect(engine.isReady).toBe(true);
    const before = engine.createSession({ policy: "narrow" });
    await before.offer(PAIR, chromiumSdp());
    const nextFact = new Promise<RtpengineFact>((resolve) => {
      cleanUp.push(rtpengineFacts.subscribe(resolve));
    });
    killRtpengine();
    const fact = await nextFact;
    expect(fact.state).toBe("down");
    expect(engine.isReady).toBe(false);
    await expect(before.query()).rejects.toMatchObject({ code: "ERR_OFFHOOK_MEDIA_UNAVAILABLE" });
    await expect(before.close()).resolves.toBeUndefined();
    await waitFor(() => engine.isReady, { what: "ready again" });
    const after = engine.createSession({ policy: "narrow" });
    await expect(after.offer(PAIR, chromiumSdp())).resolves.toContain("m=audio");
    await after.close();
    expect(await engine.sessionCount()).toBe(0);
    await engine.stop();
    expect(engine.isReady).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it("announces the public address behind a 1:1 NAT", async () => {
    const engine = createMediaEngine({
      clock: new SystemClock(),
      logger: silentLogger,
      rtpengine: { kind: "managed", address: "127.0.0.1!198.51.100.7", ports: await portRange() },
    });
    cleanUp.push(() => engine.stop());
    await engine.start();
    const session = engine.createSession({ policy: "narrow" });
    const offer = await session.offer(PAIR, chromiumSdp());
    expect(offer).toContain("c=IN IP4 198.51.100.7\r\n");
    expect(offer).not.toContain("127.0.0.1");
    await session.close();
  });

  it("says how to install a missing program", async () => {
    const rtpengine = await managed({ command: ["/nowhere/rtpengine"] });
    const error = await rejectionOf(rtpengine.start());
    expect(error.code).toBe("ERR_OFFHOOK_MEDIA_NOT_INSTALLED");
    expect(error.message).toContain(
      "sudo apt-get install --yes --no-install-recommends rtpengine-daemon",
    );
  });

  it("gives up on a program that ends at once", async () => {
    const rtpengine = await managed({ command: ["/bin/false"] });
    await expect(rtpengine.start()).rejects.toMatchObject({ code: "ERR_OFFHOOK_MEDIA_START" });
  });

  it("takes a command with a prefix", async () => {
    const rtpengine = await managed({ command: ["env", "LC_ALL=C", "rtpengine"] });
    await rtpengine.start();
    expect(rtpengine.node?.isUp).toBe(true);
  });

  it.each([
    ["an address of another machine", "192.0.2.1", /media\.address/],
    ["a name", "localhost", /not an IP address/],
  ])("refuses %s", async (_what, address, message) => {
    const rtpengine = await managed({ address });
    const error = await rejectionOf(rtpengine.start());
    expect(error.code).toBe("ERR_OFFHOOK_MEDIA_START");
    expect(error.message).toMatch(message);
  });

  it("refuses the ports of another gateway, which rtpengine itself would share in silence", async () => {
    const ports = await portRange();
    const options = { clock: new SystemClock(), logger: silentLogger, address: "127.0.0.1", ports };
    const [first, second] = [new ManagedRtpengine(options), new ManagedRtpengine(options)];
    cleanUp.push(() => first.stop());
    await first.start();
    const error = await rejectionOf(second.start());
    expect(error.code).toBe("ERR_OFFHOOK_MEDIA_START");
    expect(error.message).toContain("media.ports");
    await first.stop();
    await second.start();
    await second.stop();
  });

  it("dies with a gateway that is killed", async () => {
    const ports = await portRange();
    const script = fileURLToPath(new URL("managed-gateway.ts", import.meta.url));
    const gateway = await Child.start(process.execPath, [
      script,
      String(ports.min),
      String(ports.max),
    ]);
    const pid = await gateway.waitForLine((line) => {
      const digits = /^rtpengine (\d+)$/.exec(line)?.[1];
      return digits === undefined ? undefined : Number(digits);
    }, "rtpengine's pid");
    expect(isAlive(pid)).toBe(true);
    gateway.signal("SIGKILL");
    await waitFor(() => !isAlive(pid), { what: "the end of rtpengine", timeoutMs: 3000 });
  });
});

/** Kills the rtpengine that this process started. */
function killRtpengine(): void {
  for (const { pid } of descendantsOf(process.pid)) {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    if (command.includes("rtpengine\0--config-file")) process.kill(pid, "SIGKILL");
  }
}

describe("a port that is taken", () => {
  it("is a MediaError when a service cannot bind its address", async () => {
    const engine = createMediaEngine({
      clock: new SystemClock(),
      logger: silentLogger,
      rtpengine: { kind: "external", nodes: [] },
      serviceAddress: "192.0.2.1",
    });
    await expect(
      engine.createService("echo", { onFinished() {}, onDigit() {} }),
    ).rejects.toMatchObject({ code: "ERR_OFFHOOK_MEDIA_PORT" });
  });
});
