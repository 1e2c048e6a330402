import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";

import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../src/signaling/message/message.ts";
import { Sipp } from "../harness/sipp.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall } from "./desk-call.ts";
import { callDesk, reasonOf, useOffice, useRecords } from "./support.ts";

const PASSWORD = "trunk-secret";
const REALM = "pbx.example";
const NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c093";

const office = useOffice({
  office: { auth: { username: "gw", password: PASSWORD } },
  desk: { auth: { username: "gw", password: PASSWORD } },
});
const theRecord = useRecords(office);

function challenge(
  name: "WWW-Authenticate" | "Proxy-Authenticate",
  parameters = 'algorithm=MD5, qop="auth"',
  realm = REALM,
): HeaderField {
  return [name, `Digest realm="${realm}", nonce="${NONCE}", ${parameters}`];
}

/** The digest as a PBX computes it, from RFC 7616 §3.4.1 alone. */
function expectRightDigest(request: SipRequest, field: string, algorithm: "md5" | "sha256"): void {
  const value = request.headers.get(field) ?? "";
  const given = (name: string): string =>
    new RegExp(`[ ,]${name}="?([^",]*)"?`).exec(value)?.[1] ?? "";
  const hash = (text: string): string => createHash(algorithm).update(text).digest("hex");
  expect(given("username")).toBe("gw");
  expect(given("realm")).toBe(REALM);
  expect(given("nonce")).toBe(NONCE);
  expect(given("uri")).toBe(request.requestUri);
  const secret = hash(`gw:${REALM}:${PASSWORD}`);
  const what = hash(`${request.method}:${request.requestUri}`);
  const middle = given("qop") === "" ? "" : `${given("nc")}:${given("cnonce")}:auth:`;
  expect(given("response")).toBe(hash(`${secret}:${NONCE}:${middle}${what}`));
}

/** Refuses a request of the gateway's and waits for the ACK of an INVITE. */
async function refuse(
  leg: DeskCall,
  request: SipRequest,
  status: number,
  headers: readonly HeaderField[],
): Promise<void> {
  const toTag = request.toTag === undefined ? { toTag: "challenge" } : {};
  leg.peer.respond(request, status, { ...toTag, headers });
  if (request.method === "INVITE") await leg.expectRequest("ACK");
}

/** Everything that was sent before has been worked on: the gateway works in order. */
async function turn(leg: DeskCall): Promise<void> {
  leg.peer.request("OPTIONS", {
    uri: leg.invite.contact?.uri ?? "",
    from: "<sip:desk@pbx.example>;tag=turn",
    to: "<sip:gateway@pbx.example>",
    headers: [],
  });
  await leg.peer.expectResponse(200, "OPTIONS");
}

describe("a trunk that challenges, with auth", () => {
  it.each([
    ["with qop", ', qop="auth"'],
    ["without qop", ""],
  ])("gets what sipp takes for the right answer, to INVITE and BYE: %s", async (_name, qop) => {
    const { gateway, officePort } = office();
    await using sipp = await Sipp.start({
      scenario: "uas-challenges",
      port: officePort,
      values: { qop },
    });
    await using caller = await WsCaller.signIn(gateway, "1001");
    const call = await caller.call("600");
    await call.bye();
    expect(await sipp.finished()).toMatchObject({ code: 0, successfulCalls: 1, failedCalls: 0 });
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it.each([
    ["MD5 by default", 'qop="auth"', "md5"],
    ["SHA-256", 'algorithm=SHA-256, qop="auth,auth-int"', "sha256"],
    ["without qop", "algorithm=MD5", "md5"],
  ] as const)("gets the right digest: %s", async (_name, parameters, algorithm) => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller, "740");
    const first = leg.invite;
    expect(first.headers.has("Proxy-Authorization")).toBe(false);
    await refuse(leg, first, 407, [challenge("Proxy-Authenticate", parameters)]);
    const second = await leg.expectRequest("INVITE");
    expectRightDigest(second, "Proxy-Authorization", algorithm);
    // RFC 3261 §22.2: the same Call-ID and tag, the next CSeq
    expect(second.callId).toBe(first.callId);
    expect(second.fromTag).toBe(first.fromTag);
    expect(second.cseq.number).toBe(first.cseq.number + 1);
    await refuse(leg, second, 486, []);
    expect((await call.refused()).statusCode).toBe(486);
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 486 } });
  });

  it("that refuses the answer gets no third INVITE; the caller gets 502", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller, "741");
    await refuse(leg, leg.invite, 407, [challenge("Proxy-Authenticate")]);
    const second = await leg.expectRequest("INVITE");
    await refuse(leg, second, 407, [challenge("Proxy-Authenticate")]);
    const response = await call.refused();
    expect(response.statusCode).toBe(502);
    expect(reasonOf(response)).toContain("Q.850;cause=21");
    // A web client would take a challenge for one to itself and ask for a password.
    expect(response.headers.has("Proxy-Authenticate")).toBe(false);
    await turn(leg);
    expect(leg.unread).toEqual([]);
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 502, q850: 21 } });
  });

  it("that says stale is answered once more with the new nonce", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller, "742");
    await refuse(leg, leg.invite, 401, [challenge("WWW-Authenticate")]);
    const second = await leg.expectRequest("INVITE");
    await refuse(leg, second, 401, [challenge("WWW-Authenticate", 'qop="auth", stale=true')]);
    const third = await leg.expectRequest("INVITE");
    expectRightDigest(third, "Authorization", "md5");
    await refuse(leg, third, 404, []);
    expect((await call.refused()).statusCode).toBe(404);
    expect(await theRecord()).toMatchObject({ end: { sipStatus: 404 } });
  });

  it("gets nothing for a challenge to a BYE in a realm that is not the trunk's", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller, "743");
    await leg.answer();
    await call.answered();
    const ended = call.bye();
    const bye = await leg.expectRequest("BYE");
    await refuse(leg, bye, 407, [
      challenge("Proxy-Authenticate", 'qop="auth"', "attacker.example"),
    ]);
    await ended;
    await turn(leg);
    expect(leg.unread).toEqual([]);
    expect(await theRecord()).toMatchObject({ result: "success" });
  });

  it("gets the right digest for a challenge to a BYE in its own realm", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await callDesk(office(), caller, "744");
    await leg.answer();
    await call.answered();
    const ended = call.bye();
    const bye = await leg.expectRequest("BYE");
    await refuse(leg, bye, 407, [challenge("Proxy-Authenticate")]);
    const again = await leg.expectRequest("BYE");
    expectRightDigest(again, "Proxy-Authorization", "md5");
    leg.peer.respond(again, 200, { headers: [] });
    await ended;
    expect(await theRecord()).toMatchObject({ result: "success" });
  });
});

describe("a trunk that challenges, without auth", () => {
  const plain = useOffice();
  const recordOfPlain = useRecords(plain);

  it.each([
    [401, "WWW-Authenticate"],
    [407, "Proxy-Authenticate"],
  ] as const)("gets no digest for its %i, and the caller a 502", async (status, name) => {
    await using caller = await WsCaller.signIn(plain().gateway, "1001");
    const [call, leg] = await callDesk(plain(), caller, "746");
    await refuse(leg, leg.invite, status, [challenge(name)]);
    const response = await call.refused();
    expect(response.statusCode).toBe(502);
    expect(reasonOf(response)).toContain("Q.850;cause=21");
    await turn(leg);
    expect(leg.unread).toEqual([]);
    expect(await recordOfPlain()).toMatchObject({ end: { sipStatus: 502, q850: 21 } });
  });

  it("never sees the digest of the web user", async () => {
    await using caller = await WsCaller.connect(plain().gateway, "1001");
    const call = await caller.inviteWithDigest("747");
    const leg = await DeskCall.incoming(plain().desk, "747");
    expect(leg.invite.headers.has("Authorization")).toBe(false);
    await refuse(leg, leg.invite, 486, []);
    expect((await call.refused()).statusCode).toBe(486);
    expect(await recordOfPlain()).toMatchObject({ end: { sipStatus: 486 } });
  });
});
