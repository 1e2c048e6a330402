import { afterAll, describe, expect, it } from "vitest";

import { Drachtio, hasDrachtio } from "../harness/drachtio.ts";
import type { Gateway, LogLine } from "../harness/gateway.ts";
import { waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { Carrier, useDrachtioOffice } from "./drachtio-office.ts";
import { callDesk, callUser, expectNoFault, reasonOf, talkToDesk, talkToUser } from "./support.ts";

let carrier: Carrier | undefined;
/** A registrar that keeps its first answer to itself. */
let slow: Carrier | undefined;
let isSilent = true;

const office = useDrachtioOffice({ sections: { media: { music: "off" } } }, async () => {
  carrier = await Carrier.registrar("127.0.0.3");
  slow = await Carrier.start("127.0.0.4", (request, peer) => {
    if (request.method === "REGISTER" && isSilent) return;
    const contact = `${request.headers.get("Contact") ?? peer.contact};expires=60`;
    peer.respond(request, 200, { toTag: "s", headers: [["Contact", contact]] });
  });
  return { carrier: carrier.trunk, slow: slow.trunk };
});

afterAll(async () => {
  await carrier?.stop();
  await slow?.stop();
  if (hasDrachtio) expectNoFault(office().gateway);
});

const signIn = (user: "1001" | "1002"): Promise<WsCaller> =>
  WsCaller.signIn(office().gateway, user);

/** The gateway is connected, once more, to the server that it reaches by the relay. */
async function connectedAgain(gateway: Gateway, from: number): Promise<LogLine> {
  const { port } = office().relay.address;
  const isMeant = ({ msg, fields }: LogLine): boolean =>
    msg === "drachtio-server is connected" && fields.get("server") === `127.0.0.1:${port}`;
  return await gateway.waitForLog(isMeant, { from, timeoutMs: 20_000 });
}

async function isRegistered(gateway: Gateway, trunk: string): Promise<boolean> {
  const { body } = await gateway.api("/api/v1/trunks");
  const { items } = body as {
    readonly items: readonly { id: string; registration?: { state: string } }[];
  };
  return items.find(({ id }) => id === trunk)?.registration?.state === "registered";
}

describe("the connection to drachtio-server is cut while a REGISTER waits for its answer", () => {
  it("another one goes out within seconds, not after the pause of a registrar that fails", async () => {
    const { gateway, relay } = office();
    const asked = (): boolean =>
      slow?.requests.some(({ method }) => method === "REGISTER") ?? false;
    await waitFor(asked, { what: "the REGISTER" });
    expect(await isRegistered(gateway, "slow")).toBe(false);
    const from = gateway.logs().length;
    isSilent = false;
    relay.cut();
    await connectedAgain(gateway, from);
    // RFC 5626 §4.5 would have it wait for 30 to 60 s.
    await waitFor(() => isRegistered(gateway, "slow"), {
      what: "the registration",
      timeoutMs: 20_000,
    });
  });
});

describe("a drachtio-server goes away", () => {
  it("calls end, new ones go over the next, and over the first when it is back", async () => {
    const { desk, first, gateway, second } = office();
    await waitFor(() => isRegistered(gateway, "carrier"), {
      what: "the carrier's trunk to be registered",
    });
    await using ann = await signIn("1001");
    await using bob = await signIn("1002");
    const [call, lost] = await talkToDesk(office(), ann);
    const from = gateway.logs().length;
    await first.kill();
    await call.hungUp();
    desk.sendTo(second.sip);
    const [next, leg] = await talkToDesk(office(), ann);
    expect(leg.invite.contact?.sipUri.port).toBe(second.sip.port);
    const [incoming, atBob] = await talkToUser(office(), bob);
    // The carrier's calls must find the way that is left.
    const isMoved = (): boolean =>
      carrier?.requests.some(
        ({ headers, contact }) =>
          headers.has("Authorization") && contact?.sipUri.port === second.sip.port,
      ) ?? false;
    await waitFor(isMoved, { what: "the registration by way of the second", timeoutMs: 20_000 });
    office().first = await Drachtio.start({
      adminPort: first.admin.port,
      sipPort: first.sip.port,
    });
    await connectedAgain(gateway, from);
    // What is going on over the second goes on.
    await next.bye();
    await leg.hungUp();
    await incoming.bye();
    await atBob.hungUp();
    // The new server knows nothing of the old one's call, and ends it all the same.
    desk.sendTo(first.sip);
    expect(reasonOf(await lost.hungUp())).toContain("cause=503");
    const [again, atDesk] = await talkToDesk(office(), ann);
    expect(atDesk.invite.contact?.sipUri.port).toBe(first.sip.port);
    await again.bye();
    await atDesk.hungUp();
  });
});

describe("the connection to drachtio-server is cut", () => {
  it("while two talk: both are hung up, and the next call works", async () => {
    const { gateway, relay } = office();
    await using ann = await signIn("1001");
    const [call, leg] = await talkToDesk(office(), ann);
    const from = gateway.logs().length;
    relay.cut();
    await call.hungUp();
    // The server still has the dialog; it is told as soon as that can be.
    const bye = await leg.hungUp();
    expect(reasonOf(bye)).toContain("cause=503");
    await connectedAgain(gateway, from);
    const [next, atDesk] = await talkToDesk(office(), ann);
    await next.bye();
    await atDesk.hungUp();
  });

  it("while the far end rings: it is given up, and the caller is told", async () => {
    const { gateway, relay } = office();
    await using ann = await signIn("1001");
    const [call, ringing] = await callDesk(office(), ann);
    ringing.respond(180);
    await call.expectResponse(180);
    const from = gateway.logs().length;
    relay.cut();
    expect((await call.refused()).statusCode).toBeGreaterThanOrEqual(500);
    await ringing.cancelled();
    await connectedAgain(gateway, from);
  });

  it("while a browser rings: it stops, and the far end gets 503", async () => {
    const { gateway, relay } = office();
    await using ann = await signIn("1001");
    const [desk, atAnn] = await callUser(office(), ann);
    atAnn.ring();
    await desk.expectResponse(180, "INVITE");
    const from = gateway.logs().length;
    relay.cut();
    await atAnn.cancelled();
    expect((await desk.refused()).statusCode).toBe(503);
    await connectedAgain(gateway, from);
  });
});
