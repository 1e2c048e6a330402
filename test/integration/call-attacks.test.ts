import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { Sipp } from "../harness/sipp.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall } from "./desk-call.ts";
import { liveCalls } from "./support.ts";

// Attacks that a peer, or somebody who has seen the packets, tries inside calls. Each is refused,
// nothing leaves the gateway by it, the call goes on, and it is logged and counted.

const DESK_HOST = "127.0.0.2";
const STRANGER_HOST = "127.0.0.9";
const AUTH = { username: "gw", password: "trunk-secret" };
const PREMIUM = "+499001234567";

let gateway: Gateway;
let desk: SipPeer;
let stranger: SipPeer;
/** Challenges in its own realm; its BYE, and its second call, in another one. */
let leaking: Sipp;
let redirecting: Sipp;
/** Where a redirect or a leak would go to. */
let elsewhere: SipPeer;

beforeAll(async () => {
  desk = await SipPeer.udp(undefined, DESK_HOST);
  stranger = await SipPeer.udp(undefined, STRANGER_HOST);
  elsewhere = await SipPeer.udp(undefined, "127.0.0.8");
  leaking = await Sipp.start({ scenario: "uas-leaks", calls: 0 });
  redirecting = await Sipp.start({
    scenario: "uas-redirects",
    values: {
      contact: `sip:${PREMIUM}@${elsewhere.local.host}:${elsewhere.local.port}`,
    },
    calls: 0,
  });
  gateway = await startGateway({
    config: {
      trunks: {
        desk: { peer: `sip:${DESK_HOST}:${desk.local.port}`, auth: AUTH },
        leaking: { peer: `sip:127.0.0.1:${leaking.address.port}`, auth: AUTH },
        redirecting: { peer: `sip:127.0.0.1:${redirecting.address.port}` },
      },
      dialplan: {
        country: "DE",
        routes: [
          { name: "leaking", to: "_6XX", do: { dial: "leaking" } },
          { name: "desk", to: "_7XX", do: { dial: "desk" } },
          { name: "redirecting", to: "_8XX", do: { dial: "redirecting" } },
          { name: "numbers", to: "_+X.", do: { dial: "desk" } },
        ],
      },
    },
  });
  for (const peer of [desk, stranger]) peer.sendTo(gateway.sip);
});

afterEach(async () => {
  await expectNothingLeft(gateway);
});

afterAll(async () => {
  await gateway.stop();
  for (const peer of [desk, stranger, elsewhere]) await peer.close();
  await leaking.stop();
  await redirecting.stop();
});

/** Attacks of this kind that were counted, and lines of them in the log. */
async function seen(event: string): Promise<{ counted: number; logged: number }> {
  const { body } = await gateway.api("/metrics");
  const found = new RegExp(
    `^offhook_security_events_total\\{event="${event}"\\} ([0-9]+)$`,
    "m",
  ).exec(String(body));
  const logged = gateway.logs().filter(({ fields }) => fields.get("event") === event).length;
  return { counted: Number(found?.[1]), logged };
}

/** Runs an attack; afterwards it stands in the log and in the metrics, so many times. */
async function expectSeen(
  event: string,
  times: number,
  attack: () => Promise<void>,
): Promise<void> {
  const before = await seen(event);
  await attack();
  await waitFor(
    async () => {
      const now = await seen(event);
      const isAll = now.counted - before.counted === times && now.logged - before.logged === times;
      return isAll || undefined;
    },
    { what: `${times} security events ${event}`, detail: () => gateway.child.tail() },
  );
}

describe("digest leak", () => {
  it("a callee that challenges our BYE in a realm of its own gets no digest", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    await expectSeen("foreign-realm", 1, async () => {
      const call = await caller.call("600");
      await call.bye();
      await leaking.waitForMessage("sent", "401", 1);
    });
    await expectNothingLeft(gateway);
    const sent = (await leaking.messages()).filter(({ direction }) => direction === "received");
    const [bye, ...others] = sent.filter(({ what }) => what === "BYE");
    expect(bye?.text).not.toMatch(/authorization/i);
    expect(others).toEqual([]);
    // The call before it was for the trunk's realm, and was answered.
    expect(sent.filter(({ text }) => /^authorization:.*pbx\.example/im.test(text))).not.toEqual([]);
    expect(sent.filter(({ text }) => /attacker\.example/.test(text))).toEqual([]);
  });

  it.each([
    [401, "WWW-Authenticate"],
    [407, "Proxy-Authenticate"],
  ] as const)("a %i of realm B on trunk A gets no digest", async (status, name) => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    await expectSeen("foreign-realm", 1, async () => {
      // The trunk shows its realm first, and then that of somebody else.
      const call = caller.invite("700");
      const leg = await DeskCall.incoming(desk, "700");
      leg.respond(401, {
        headers: [["WWW-Authenticate", 'Digest realm="desk.example", nonce="a", qop="auth"']],
      });
      await leg.expectRequest("ACK");
      const again = await leg.expectRequest("INVITE");
      expect(again.headers.get("Authorization")).toContain('realm="desk.example"');
      desk.respond(again, 486, { toTag: "busy" });
      await leg.expectRequest("ACK");
      await call.refused();
      const second = caller.invite("701");
      const other = await DeskCall.incoming(desk, "701");
      other.respond(status, {
        headers: [[name, 'Digest realm="attacker.example", nonce="b", qop="auth"']],
      });
      await other.expectRequest("ACK");
      expect((await second.refused()).statusCode).toBe(502);
      expect(other.unread).toEqual([]);
    });
  });
});

describe("302 to a premium number", () => {
  it("is not followed: nothing goes there, the caller gets 502, and it is counted", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const call = caller.invite("800");
    expect((await call.refused()).statusCode).toBe(502);
    await expectNothingLeft(gateway);
    expect(elsewhere.unread).toEqual([]);
    expect(desk.unread).toEqual([]);
    const reasons = (): unknown[] =>
      gateway
        .logs()
        .filter(({ fields }) => fields.get("event") === "call-refused")
        .map(({ fields }) => fields.get("reason"));
    await expect.poll(reasons).toEqual(["foreign"]);
    const { body } = await gateway.api("/metrics");
    expect(String(body)).toContain('offhook_calls_refused_total{reason="foreign"} 1');
    // Nor would the plan dial the number for the caller.
    expect((await caller.invite(PREMIUM).refused()).statusCode).toBe(403);
    expect(desk.unread).toEqual([]);
    const [record] = await records(gateway);
    expect(record).toMatchObject({ to: PREMIUM, result: "client_error" });
  });
});

describe("the right tags from another address", () => {
  it("end nothing and move nothing: BYE, re-INVITE, UPDATE, INFO, REFER", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const call = caller.invite("702");
    const leg = await DeskCall.incoming(desk, "702");
    await leg.answer();
    await call.answered();
    await expectSeen("foreign-source", 5, async () => {
      const forged = leg.dialog.from(stranger);
      for (const method of ["BYE", "INVITE", "UPDATE", "INFO", "REFER"]) {
        const isOffer = method === "INVITE" || method === "UPDATE";
        forged.request(method, {
          headers: method === "REFER" ? [["Refer-To", `<sip:${PREMIUM}@attacker.example>`]] : [],
          ...(isOffer && { body: "v=0\r\n" }),
        });
        await stranger.expectResponse(403, method);
      }
    });
    expect(await liveCalls(gateway)).toHaveLength(1);
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    expect(call.unread).toEqual([]);
    expect(leg.unread).toEqual([]);
  });
});

describe("an INVITE with the tag of no dialog", () => {
  it("gets 481 and makes no call", async () => {
    const before = (await records(gateway)).length;
    await expectSeen("unknown-dialog", 1, async () => {
      await using sipp = await Sipp.start({
        scenario: "uac-unknown-dialog",
        remote: gateway.sip,
        localHost: DESK_HOST,
        service: "1001",
      });
      expect(await sipp.finished()).toMatchObject({ code: 0, successfulCalls: 1 });
    });
    expect(await liveCalls(gateway)).toEqual([]);
    expect(await records(gateway)).toHaveLength(before);
  });
});
