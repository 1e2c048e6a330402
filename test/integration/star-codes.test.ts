import { afterAll, describe, expect, it } from "vitest";

import { PASSWORDS, restartGateway, startGateway } from "../harness/gateway.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall } from "./desk-call.ts";
import { expectNoFault, useOffice } from "./support.ts";

const office = useOffice({
  plan: { country: "DE" },
  desk: { diversion: "both", trust: true },
  sections: {
    users: {
      "1001": { name: "Ann Lee", password: PASSWORDS["1001"], numbers: ["+493012345601"] },
      "1002": { name: "Bob Ray", password: PASSWORDS["1002"], numbers: ["+493012345602"] },
    },
  },
});

afterAll(() => {
  expectNoFault(office().gateway);
});

const signIn = (user: "1001" | "1002"): Promise<WsCaller> =>
  WsCaller.signIn(office().gateway, user);

/** Dials a code; the answer says that it was carried out. */
async function dial(phone: WsCaller, code: string): Promise<void> {
  const call = await phone.call(code);
  await call.bye();
}

const settingsOf = async (user: string): Promise<unknown> =>
  (await office().gateway.api(`/api/v1/users/${user}`)).body;

const invitesAt = ({ frames }: WsCaller): number =>
  frames.filter(({ direction, text }) => direction === "received" && text.startsWith("INVITE "))
    .length;

describe("star codes", () => {
  it("do not disturb: set at one telephone it holds for all, and callers find the user busy", async () => {
    await using ann = await signIn("1001");
    await using bob = await signIn("1002");
    await using second = await signIn("1002");
    await dial(bob, "*78");
    expect(await settingsOf("1002")).toMatchObject({ doNotDisturb: true });
    expect((await ann.invite("1002").refused()).statusCode).toBe(486);
    expect([bob, second].map(invitesAt)).toEqual([0, 0]);
    // Texts are not calls.
    const text = ann.ask("MESSAGE", "1002", { body: "later?", contentType: "text/plain" });
    await Promise.all([bob.text(), second.text()]);
    expect((await ann.told(text)).statusCode).toBe(200);
    // RFC 5806 §4.1, RFC 4458: who forwards while that is on says so.
    await dial(bob, "*90701");
    const forwarded = ann.invite("1002");
    const leg = await DeskCall.incoming(office().desk, "701");
    expect(leg.invite.headers.get("Diversion")).toContain(";reason=do-not-disturb");
    expect(leg.invite.headers.getAll("History-Info").join()).toContain("cause=404");
    await leg.refuse(480);
    await forwarded.refused();
    await dial(bob, "*91");
    await dial(second, "*79");
    const call = ann.invite("1002");
    const [one, other] = await Promise.all([bob.incoming(), second.incoming()]);
    other.ring();
    one.accept();
    await call.answered();
    await other.cancelled();
    await call.bye();
    await one.hungUp();
  });

  it("forwards: as that user, with Diversion, and nowhere that the plan forbids", async () => {
    const { gateway, desk } = office();
    await using ann = await signIn("1001");
    await using bob = await signIn("1002");
    await dial(bob, "*90701");
    await dial(bob, "*92702");
    await dial(bob, "*72999");
    expect(await settingsOf("1002")).toMatchObject({
      doNotDisturb: false,
      forward: { busy: { number: "701", on: true }, noAnswer: { number: "702", on: true } },
    });
    expect(await settingsOf("1002")).not.toHaveProperty("forward.always");
    const call = ann.invite("1002");
    const ringing = await bob.incoming();
    await ringing.refuse(486);
    const leg = await DeskCall.incoming(desk, "701");
    expect(leg.invite.headers.get("Diversion")).toMatch(/^<sip:\+493012345602@.*;reason=user-busy/);
    expect(leg.invite.headers.get("From")).toContain("+493012345602");
    expect(leg.invite.headers.get("History-Info")).toContain("+493012345602");
    await leg.answer();
    await call.answered();
    await call.bye();
    await leg.hungUp();
    await bob.cut();
    const unreachable = ann.invite("1002");
    const second = await DeskCall.incoming(desk, "702");
    await second.refuse(480);
    expect((await unreachable.refused()).statusCode).toBe(480);
    const off = { forward: { busy: null, noAnswer: null } };
    const cleared = await gateway.api("/api/v1/users/1002", { method: "POST", body: off });
    expect(cleared.body).toMatchObject({ forward: {} });
  });

  it("a circle of users ends with 482", async () => {
    const { gateway } = office();
    await using ann = await signIn("1001");
    const set = async (user: string, forward: unknown): Promise<number> =>
      (await gateway.api(`/api/v1/users/${user}`, { method: "POST", body: { forward } })).status;
    await dial(ann, "*721002");
    expect(await set("1002", { always: { number: "1001" } })).toBe(200);
    expect(await set("1002", { always: { number: "1002" } })).toBe(409);
    const call = DeskCall.dial(office().desk, gateway, "1001");
    expect((await call.refused()).statusCode).toBe(482);
    await dial(ann, "*73");
    expect(await settingsOf("1001")).toMatchObject({
      forward: { always: { number: "1002", on: false } },
    });
    expect(await set("1002", { always: null })).toBe(200);
  });

  it("what was set is there after a crash", async () => {
    const first = await startGateway();
    await using ann = await WsCaller.signIn(first, "1001");
    await dial(ann, "*78");
    await first.kill();
    await using second = await restartGateway(first);
    const { body } = await second.api("/api/v1/users/1001");
    expect(body).toMatchObject({ doNotDisturb: true });
  });
});
