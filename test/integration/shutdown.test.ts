import { readFile, writeFile } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";

import { browserSdp } from "../harness/browser-sdp.ts";
import type { Gateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { waitFor, within } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall, telephoneSdp } from "./desk-call.ts";
import {
  callDesk,
  DESK_HOST,
  expectNextCallWorks,
  expectNoFault,
  type Office,
  reasonOf,
  startOffice,
  talkToDesk,
} from "./support.ts";

const open: Office[] = [];

/** A gateway that this test may end. */
async function newOffice(): Promise<Office> {
  const office = await startOffice();
  open.push(office);
  return office;
}

afterEach(async () => {
  for (const { gateway, desk } of open.splice(0)) {
    await desk.close();
    await gateway.stop("SIGKILL");
  }
});

async function exitOf(gateway: Gateway, timeoutMs = 5000) {
  return await within(gateway.child.exited, {
    what: "the gateway to exit",
    timeoutMs,
    detail: () => gateway.child.tail(),
  });
}

/** Sends the signal and waits until the gateway says that it drains. */
async function drain(gateway: Gateway, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  gateway.child.signal(signal);
  await gateway.waitForLog("draining");
}

describe("SIGTERM", () => {
  it("without a call ends the gateway at once, with exit code 0", async () => {
    const { gateway } = await newOffice();
    await using caller = await WsCaller.signIn(gateway, "1001");
    gateway.child.signal("SIGTERM");
    // RFC 6455 §7.4.1: going away
    expect(await caller.closed).toBe(1001);
    expect(await exitOf(gateway)).toEqual({ code: 0, signal: null });
    expect(gateway.logs().at(-1)?.msg).toBe("stopped");
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "as %s, with a call: takes no new one, serves this one to its end, exits with 0",
    async (signal) => {
      const office = await newOffice();
      const { gateway, desk } = office;
      await using caller = await WsCaller.signIn(gateway, "1001");
      const [call, leg] = await talkToDesk(office, caller);
      await drain(gateway, signal);

      const readyz = await gateway.api("/readyz", { token: "" });
      expect(readyz.status).toBe(503);
      expect(readyz.body).toEqual({ ready: false, reasons: ["The gateway is draining."] });
      expect((await gateway.api("/healthz", { token: "" })).status).toBe(200);

      const refusals = [
        await caller.invite("*43").refused(),
        await DeskCall.dial(desk, gateway, "1001").refused(),
      ];
      for (const refusal of refusals) {
        expect(refusal.statusCode).toBe(503);
        expect(Number(refusal.headers.get("Retry-After"))).toBeGreaterThan(0);
      }

      const hold = call.reinvite(browserSdp({ direction: "sendonly", version: 3 }));
      const held = await leg.expectRequest("INVITE");
      expect(held.sdp).toContain("a=sendonly");
      desk.respond(held, 200, {
        body: telephoneSdp(DESK_HOST, { direction: "recvonly", version: 2 }),
      });
      expect((await hold).statusCode).toBe(200);
      await leg.expectRequest("ACK");
      leg.dialog.request("OPTIONS");
      await leg.expectResponse(200, "OPTIONS");

      expect(gateway.child.isRunning).toBe(true);
      const ended = call.bye();
      await leg.hungUp();
      await ended;
      expect(await exitOf(gateway)).toEqual({ code: 0, signal: null });
    },
  );

  it("while a call rings: the call may be answered and ends as it likes", async () => {
    const office = await newOffice();
    await using caller = await WsCaller.signIn(office.gateway, "1001");
    const [call, leg] = await callDesk(office, caller);
    leg.respond(180);
    await call.expectResponse(180);
    await drain(office.gateway);
    await leg.answer();
    await call.answered();
    const ended = leg.bye();
    await call.hungUp();
    await ended;
    expect(await exitOf(office.gateway)).toEqual({ code: 0, signal: null });
  });

  it("a second one hangs up both legs and exits with 0", async () => {
    const office = await newOffice();
    const { gateway, desk } = office;
    await using caller = await WsCaller.signIn(gateway, "1001");
    const [call, leg] = await talkToDesk(office, caller);
    const [ringing, ringingLeg] = await callDesk(office, caller, "701");
    ringingLeg.respond(180);
    await ringing.expectResponse(180);
    await drain(gateway);
    gateway.child.signal("SIGTERM");
    const [byeToUser, byeToDesk, refusal, cancel] = await Promise.all([
      call.expectRequest("BYE"),
      leg.expectRequest("BYE"),
      ringing.expectResponse((status) => status >= 300, "INVITE"),
      ringingLeg.expectRequest("CANCEL"),
    ]);
    expect(refusal.statusCode).toBe(503);
    for (const message of [byeToUser, byeToDesk, refusal, cancel]) {
      expect(reasonOf(message)).toContain("Q.850;cause=41");
    }
    expect(desk.unread.filter((message) => message.kind === "request")).toEqual([]);
    expect(await exitOf(gateway)).toEqual({ code: 0, signal: null });
  });
});

describe("SIGHUP", () => {
  async function reload(gateway: Gateway, yaml: string, event: string): Promise<void> {
    const from = gateway.logs().length;
    await writeFile(gateway.configFile, yaml);
    gateway.child.signal("SIGHUP");
    await gateway.waitForLog(event, { from });
  }

  it("with a broken file keeps the old configuration, and says where the mistake is", async () => {
    const { gateway } = await newOffice();
    const before = await readFile(gateway.configFile, "utf8");
    const from = gateway.logs().length;
    await reload(
      gateway,
      before.replace("domain:", "domian:"),
      "configuration refused, the old one stays",
    );
    const told = gateway.logs().slice(from);
    expect(told.map((line) => line.msg).join("\n")).toMatch(/offhook\.yaml:1:1.*domain/);
    await expectNextCallWorks(gateway);
    await reload(gateway, "{ not yaml", "configuration refused, the old one stays");
    await expectNextCallWorks(gateway);
    await expectNothingLeft(gateway);
  });

  it("with a new user lets that user sign in and be called, and the live call goes on", async () => {
    const office = await newOffice();
    const { gateway } = office;
    await using caller = await WsCaller.signIn(gateway, "1001");
    const [live, liveLeg] = await talkToDesk(office, caller);
    await using early = await WsCaller.connect(gateway, "1003", { password: "third-password" });
    expect((await early.register()).statusCode).toBe(401);

    const before = await readFile(gateway.configFile, "utf8");
    const user = 'users:\n  "1003":\n    name: Cy Fox\n    password: third-password\n';
    await reload(gateway, before.replace("users:\n", user), "configuration reloaded");

    await using third = await WsCaller.connect(gateway, "1003", { password: "third-password" });
    expect((await third.register()).statusCode).toBe(200);
    const call = caller.invite("1003");
    const leg = await third.incoming();
    await leg.answer();
    await call.answered();
    const ended = call.bye();
    await leg.hungUp();
    await ended;

    const liveEnded = live.bye();
    await liveLeg.hungUp();
    await liveEnded;
    await expectNothingLeft(gateway);
    expectNoFault(gateway);
  });

  it("without a user that was there: the user cannot sign in any more", async () => {
    const { gateway } = await newOffice();
    await using before = await WsCaller.signIn(gateway, "1002");
    const text = await readFile(gateway.configFile, "utf8");
    await reload(gateway, text.replace(/ {2}"1002":\n(?: {4}.*\n)+/, ""), "configuration reloaded");
    await using caller = await WsCaller.connect(gateway, "1002");
    expect((await caller.register()).statusCode).toBe(401);
    expect(before.isOpen).toBe(true);
    await expectNextCallWorks(gateway, "1001");
    await waitFor(async () => (await gateway.api("/api/v1/calls")).status === 200, {
      what: "the API to answer",
    });
  });
});
