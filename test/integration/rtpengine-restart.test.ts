import { chmod, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Gateway, restartGateway } from "../harness/gateway.ts";
import {
  expectNothingLeft,
  killRtpengine,
  lastRecord,
  rtpenginePid,
} from "../harness/gateway-state.ts";
import { descendantsOf } from "../harness/process.ts";
import { makeTemporaryDirectory } from "../harness/temporary.ts";
import { waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall, telephoneSdp } from "./desk-call.ts";
import { expectNextCallWorks, type Office, reasonOf, startOffice, talkToDesk } from "./support.ts";

/** How long the gateway may be without rtpengine after a crash. */
const LIMIT_MS = 2000;

let office: Office;
let directory: string;
let holdFile: string;

/**
 * In front of the real rtpengine stands a program of this name in PATH that waits as long as a file
 * exists: so the time without rtpengine is as long as a test needs it.
 */
async function standInFront(): Promise<Readonly<Record<string, string>>> {
  directory = await makeTemporaryDirectory("rtpengine");
  holdFile = join(directory, "hold");
  const program = join(directory, "rtpengine");
  const lines = [
    "#!/bin/sh",
    `while [ -e "${holdFile}" ]; do sleep 0.02; done`,
    'exec /usr/bin/env PATH="/usr/sbin:/usr/bin:/sbin:/bin" rtpengine "$@"',
    "",
  ];
  await writeFile(program, lines.join("\n"));
  await chmod(program, 0o755);
  return { PATH: `${directory}:${process.env["PATH"] ?? ""}` };
}

beforeAll(async () => {
  office = await startOffice({ gateway: { env: await standInFront() } });
});

afterAll(async () => {
  await office.desk.close();
  await office.gateway.stop();
});

interface Ready {
  readonly status: number;
  readonly body: unknown;
}

async function readyz(gateway: Gateway): Promise<Ready> {
  const { status, body } = await gateway.api("/readyz", { token: "" });
  return { status, body };
}

/** Asks until the gateway is ready, or is not. @returns every answer on the way */
async function untilReady(gateway: Gateway, isReady: boolean): Promise<readonly Ready[]> {
  const answers: Ready[] = [];
  await waitFor(
    async () => {
      const answer = await readyz(gateway);
      answers.push(answer);
      return (answer.status === 200) === isReady;
    },
    { what: `readyz to say ${isReady ? "ready" : "not ready"}`, intervalMs: 1 },
  );
  return answers;
}

describe("the gateway's rtpengine is killed", () => {
  it("between calls: it is back within two seconds and calls work", async () => {
    const { gateway } = office;
    await expectNextCallWorks(gateway);
    const figures: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const before = rtpenginePid(gateway);
      const killedAt = performance.now();
      process.kill(before, "SIGKILL");
      await waitFor(() => rtpenginePid(gateway) !== before, {
        what: "another rtpengine",
        intervalMs: 2,
      });
      await untilReady(gateway, true);
      figures.push(performance.now() - killedAt);
      await expectNextCallWorks(gateway);
    }
    const shown = figures.map((ms) => `${Math.round(ms)} ms`).join(", ");
    console.info(`rtpengine killed: ready again after ${shown}`);
    expect(Math.max(...figures)).toBeLessThan(LIMIT_MS);
    await expectNothingLeft(gateway);
  });

  it("and meanwhile readyz says why, a new call gets 503 with Retry-After", async () => {
    const { gateway, desk } = office;
    await using caller = await WsCaller.signIn(gateway, "1001");
    await writeFile(holdFile, "");
    killRtpengine(gateway);
    await untilReady(gateway, false);
    expect(await readyz(gateway)).toEqual({
      status: 503,
      body: { ready: false, reasons: ["No rtpengine answers."] },
    });
    expect((await gateway.api("/healthz", { token: "" })).status).toBe(200);
    const fromUser = await caller.invite("*43").refused();
    const fromTrunk = await DeskCall.dial(desk, gateway, "*43").refused();
    for (const refusal of [fromUser, fromTrunk]) {
      expect(refusal.statusCode).toBe(503);
      expect(refusal.headers.get("Retry-After")).toBe("5");
      expect(reasonOf(refusal)).toContain("Q.850;cause=47");
    }
    await rm(holdFile);
    await untilReady(gateway, true);
    await expectNextCallWorks(gateway);
    await expectNothingLeft(gateway);
  });

  it("under a live call: the call can still be ended, and the next one works", async () => {
    const { gateway } = office;
    await using caller = await WsCaller.signIn(gateway, "1001");
    const [call, leg] = await talkToDesk(office, caller);
    const before = rtpenginePid(gateway);
    process.kill(before, "SIGKILL");
    await waitFor(() => rtpenginePid(gateway) !== before, { what: "another rtpengine" });
    await untilReady(gateway, true);
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    await expectNothingLeft(gateway);
    expect(await lastRecord(gateway)).toMatchObject({ end: { by: "caller" }, result: "success" });
    await expectNextCallWorks(gateway);
    await expectNothingLeft(gateway);
  });

  it("while a call rings: the answer is told the new place, then the caller is answered", async () => {
    const { gateway, desk } = office;
    await using caller = await WsCaller.signIn(gateway, "1001");
    const call = caller.invite("750");
    const leg = await DeskCall.incoming(desk, "750");
    leg.respond(180);
    await call.expectResponse(180);
    const before = rtpenginePid(gateway);
    process.kill(before, "SIGKILL");
    await waitFor(() => rtpenginePid(gateway) !== before, { what: "another rtpengine" });
    await leg.answer();
    const again = await leg.expectRequest("INVITE");
    expect(call.unread).toEqual([]);
    desk.respond(again, 200, {
      headers: [["Contact", desk.contact]],
      body: telephoneSdp(desk.local.host),
    });
    await leg.expectRequest("ACK");
    await call.answered();
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    await expectNothingLeft(gateway);
    expect(JSON.stringify(await lastRecord(gateway))).toContain("lost while it rang");
    await expectNextCallWorks(gateway);
    await expectNothingLeft(gateway);
  });

  it("is frozen: readyz notices, and it is used again once it answers", async () => {
    const { gateway } = office;
    const pid = rtpenginePid(gateway);
    process.kill(pid, "SIGSTOP");
    const frozenAt = performance.now();
    try {
      await untilReady(gateway, false);
      console.info(
        `rtpengine frozen: noticed after ${Math.round(performance.now() - frozenAt)} ms`,
      );
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await untilReady(gateway, true);
    expect(rtpenginePid(gateway)).toBe(pid);
    await expectNextCallWorks(gateway);
    await expectNothingLeft(gateway);
  });
});

describe("the gateway itself is killed", () => {
  it("takes its rtpengine with it, and another one can start at the same place", async () => {
    const { gateway } = office;
    const family = descendantsOf(gateway.pid).map(({ pid }) => pid);
    expect(family).toContain(rtpenginePid(gateway));
    await gateway.kill();
    await waitFor(() => family.every((pid) => !existsSync(`/proc/${pid}`)), {
      what: "the gateway's children to be gone",
      timeoutMs: 2000,
    });
    await using again = await restartGateway(gateway);
    await expectNextCallWorks(again);
    await expectNothingLeft(again);
  });
});
