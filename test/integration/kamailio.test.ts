import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { SipPeer } from "../harness/sip-peer.ts";
import { Authority } from "../harness/certificates.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { Kamailio } from "../harness/kamailio.ts";
import { freePort } from "../harness/ports.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall, telephoneSdp } from "./desk-call.ts";
import { expectNoFault, liveCalls } from "./support.ts";

// Kamailio 5.6 as the registrar of two telephones of one user: it forks every call to both, stays in
// the way by Record-Route, and is reached over TLS with certificates on both sides.

const NAME = "sip.kamailio.test";

let kamailio: Kamailio;
let gateway: Gateway;
let kitchen: SipPeer;
let study: SipPeer;

beforeAll(async () => {
  const authority = await Authority.make();
  const theirs = await authority.issue(NAME, `DNS:${NAME}`);
  const ours = await authority.issue("gw.test", "DNS:gw.test");
  kamailio = await Kamailio.start(authority, theirs);
  kitchen = await kamailio.telephone("600", "127.0.0.2");
  study = await kamailio.telephone("600", "127.0.0.3");
  const tlsPort = await freePort();
  gateway = await startGateway({
    config: ({ sip }) => ({
      sip: {
        listen: [`udp:127.0.0.1:${sip}`, `tls:127.0.0.1:${tlsPort}`],
        tls: {
          certificate: ours.certificatePath,
          key: ours.keyPath,
          ca: authority.caPath,
        },
      },
      trunks: {
        proxy: {
          peer: `sip:${kamailio.tls.host}:${kamailio.tls.port};transport=tls`,
          tls: { name: NAME },
          ping: "30s",
        },
      },
      dialplan: {
        routes: [
          { name: "colleagues", to: "@users", do: { ring: "@to", timeout: "20s" } },
          { name: "proxy", to: "_6XX", do: { dial: "proxy" } },
        ],
      },
    }),
  });
});

afterEach(async () => {
  await expectNothingLeft(gateway);
  expectNoFault(gateway);
  for (const phone of [kitchen, study]) {
    const names = phone.unread.map((message) =>
      message.kind === "request" ? message.method : `${message.statusCode}`,
    );
    expect(names).toEqual([]);
  }
});

afterAll(async () => {
  await gateway.stop();
  for (const phone of [kitchen, study]) await phone.close();
  await kamailio.stop();
});

/** A web user calls; both telephones have the INVITE and ring. */
async function ringBoth(caller: WsCaller) {
  const call = caller.invite("600");
  const legs = await Promise.all([
    DeskCall.incoming(kitchen, "600"),
    DeskCall.incoming(study, "600"),
  ]);
  for (const leg of legs) leg.respond(180);
  await call.expectResponse(180, "INVITE");
  return { call, first: legs[0], second: legs[1] };
}

describe("Kamailio 5.6 as forking registrar over TLS", () => {
  it("is up by OPTIONS, and known for what it is", async () => {
    await expect
      .poll(async () => JSON.stringify((await gateway.api("/api/v1/trunks")).body))
      .toMatch(/"state":"up".*"proposedProfile":"kamailio"/);
  });

  it("the second telephone answers: the first gets CANCEL, ACK and BYE go by Record-Route", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const { call, first, second } = await ringBoth(caller);
    // Kamailio stands in the way of all that follows, once for each side.
    expect(second.invite.headers.getAll("Record-Route").join()).toMatch(/transport=tls/);
    second.respond(200, { sdp: telephoneSdp("127.0.0.3") });
    const [ack] = await Promise.all([second.expectRequest("ACK"), first.cancelled()]);
    expect(ack.headers.has("Route")).toBe(false);
    expect(ack.headers.list("Via")).toHaveLength(2);
    const answer = await call.answered();
    // Of two forks the browser has seen one dialog.
    expect(answer.toTag).toBeDefined();
    const ended = call.bye();
    const bye = await second.hungUp();
    expect(bye.headers.list("Via")).toHaveLength(2);
    await ended;
    await expectNothingLeft(gateway);
    const [record] = await records(gateway);
    expect(record).toMatchObject({ to: "600", result: "success" });
  });

  it("both answer at once: one has the call, the other gets ACK and BYE", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const { call, first, second } = await ringBoth(caller);
    first.respond(200, { sdp: telephoneSdp("127.0.0.2") });
    second.respond(200, { sdp: telephoneSdp("127.0.0.3") });
    const legs = [first, second];
    await Promise.all(legs.map((leg) => leg.expectRequest("ACK")));
    await call.answered();
    const loser = await Promise.race(
      legs.map(async (leg) => {
        const bye = await leg.expectRequest("BYE");
        leg.peer.respond(bye, 200, { headers: [] });
        return leg;
      }),
    );
    // Kamailio had cancelled it when its 200 came.
    const cancel = await loser.expectRequest("CANCEL");
    loser.peer.respond(cancel, 200, { toTag: "late", headers: [] });
    expect(await liveCalls(gateway)).toHaveLength(1);
    // The race still waits for the winner's BYE, and answers it.
    await call.bye();
  });

  it("a CANCEL that crosses a 200: the telephone gets ACK and BYE, the caller 487", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const { call, first, second } = await ringBoth(caller);
    call.cancel();
    const [cancel, crossed] = await Promise.all([
      first.expectRequest("CANCEL"),
      second.expectRequest("CANCEL"),
    ]);
    // The second one has just been taken off the hook.
    second.respond(200, { sdp: telephoneSdp("127.0.0.3") });
    kitchen.respond(cancel, 200, { toTag: "cancelled", headers: [] });
    study.respond(crossed, 200, { toTag: "cancelled", headers: [] });
    await Promise.all([first.refuse(487), second.expectRequest("ACK").then(() => second.hungUp())]);
    expect((await call.refused()).statusCode).toBe(487);
    await expectNothingLeft(gateway);
    const [record] = await records(gateway);
    expect(record).toMatchObject({ to: "600", result: "client_error" });
  });

  it("a 603 of one ends the ringing of the other, and the caller gets it", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const { call, first, second } = await ringBoth(caller);
    await Promise.all([first.refuse(603), second.cancelled()]);
    expect((await call.refused()).statusCode).toBe(603);
    await expectNothingLeft(gateway);
    const [record] = await records(gateway);
    expect(record).toMatchObject({ to: "600", end: { sipStatus: 603, by: "callee" } });
  });
});
