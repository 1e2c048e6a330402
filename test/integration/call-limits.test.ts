import { describe, expect, it } from "vitest";

import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { Sipp } from "../harness/sipp.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall } from "./desk-call.ts";
import { reasonOf, useOffice } from "./support.ts";

const office = useOffice({
  sections: { limits: { "max-calls": 3, "max-calls-per-user": 2 } },
  desk: { "max-calls": 1 },
  routes: [{ name: "desk, then office", to: "_78X", do: { dial: ["desk", "office"] } }],
});

describe("limits.max-calls-per-user", () => {
  it("refuses one call more with 403, and takes it once another has ended", async () => {
    const { gateway } = office();
    await using caller = await WsCaller.signIn(gateway, "1001");
    const first = await caller.call("*43");
    const second = await caller.call("*43");
    const refusal = await caller.invite("*43").refused();
    expect(refusal.statusCode).toBe(403);
    expect(reasonOf(refusal)).toContain("Q.850;cause=55");
    await first.bye();
    const third = await caller.call("*43");
    await Promise.all([second.bye(), third.bye()]);
  });

  it("counts all browsers of a user together", async () => {
    const { gateway } = office();
    await using desktop = await WsCaller.signIn(gateway, "1001");
    await using laptop = await WsCaller.signIn(gateway, "1001");
    const calls = [await desktop.call("*43"), await laptop.call("*43")];
    expect((await laptop.invite("*43").refused()).statusCode).toBe(403);
    await Promise.all(calls.map((call) => call.bye()));
  });

  it("gives the place back of a call that came to nothing", async () => {
    const { gateway, desk } = office();
    await using caller = await WsCaller.signIn(gateway, "1001");
    for (const number of ["701", "702", "703", "704"]) {
      const call = caller.invite(number);
      await (await DeskCall.incoming(desk, number)).refuse(486);
      expect((await call.refused()).statusCode).toBe(486);
    }
    for (const number of ["705", "706", "707"]) {
      const call = caller.invite(number);
      const leg = await DeskCall.incoming(desk, number);
      leg.respond(180);
      await call.expectResponse(180);
      call.cancel();
      await leg.cancelled();
      expect((await call.refused()).statusCode).toBe(487);
    }
  });
});

describe("limits.max-calls", () => {
  it("refuses one call more with 503 and Retry-After, from users and from trunks", async () => {
    const { gateway, desk } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    await using bob = await WsCaller.signIn(gateway, "1002");
    const calls = [await ann.call("*43"), await ann.call("*43"), await bob.call("*43")];
    const refusal = await bob.invite("*43").refused();
    expect(refusal.statusCode).toBe(503);
    expect(refusal.headers.get("Retry-After")).toBe("5");
    expect(reasonOf(refusal)).toContain("Q.850;cause=42");
    expect((await DeskCall.dial(desk, gateway, "*43").refused()).statusCode).toBe(503);
    await Promise.all(calls.map((call) => call.bye()));
    await expectNothingLeft(gateway);
    const next = DeskCall.dial(desk, gateway, "*43");
    await next.answered();
    await next.bye();
  });
});

describe("max-calls of a trunk", () => {
  it("holds for calls in both directions together", async () => {
    const { gateway, desk } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    await using bob = await WsCaller.signIn(gateway, "1002");
    const outgoing = ann.invite("710");
    const leg = await DeskCall.incoming(desk, "710");
    leg.respond(180);
    const refusal = await bob.invite("711").refused();
    expect(refusal.statusCode).toBe(503);
    expect(reasonOf(refusal)).toContain("Q.850;cause=34");
    const incoming = DeskCall.dial(desk, gateway, "*43");
    expect((await incoming.refused()).statusCode).toBe(503);
    await leg.answer();
    await outgoing.answered();
    const { body } = await gateway.api("/api/v1/trunks");
    expect(JSON.stringify(body)).toMatch(/"id":"desk".*"liveCalls":1,"maxCalls":1/);
    const ended = outgoing.bye();
    await leg.hungUp();
    await ended;
    await expectNothingLeft(gateway);

    const taken = DeskCall.dial(desk, gateway, "*43");
    await taken.answered();
    expect((await bob.invite("712").refused()).statusCode).toBe(503);
    await taken.bye();
  });

  it("sends the call to the next trunk of the route", async () => {
    const { gateway, desk, officePort } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    await using bob = await WsCaller.signIn(gateway, "1002");
    const first = ann.invite("720");
    const leg = await DeskCall.incoming(desk, "720");
    await leg.answer();
    await first.answered();
    await using peer = await Sipp.start({ scenario: "uas-busy", port: officePort });
    const refusal = await bob.invite("781").refused();
    expect(refusal.statusCode).toBe(486);
    expect(await peer.received()).toContain("INVITE");
    await expect
      .poll(async () => (await records(gateway, 1))[0])
      .toMatchObject({ legs: [{ tag: "caller" }, { kind: "trunk", id: "office" }] });
    await leg.bye();
    await first.hungUp();
  });
});
