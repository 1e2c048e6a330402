import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tryParseDigestChallenge } from "../../../src/signaling/message/auth-header.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipRequest, SipResponse } from "../../../src/signaling/message/message.ts";
import { answerChallenge } from "../../harness/sip-peer.ts";
import type { SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let browser: SipPeer;

beforeEach(async () => {
  engine = await TestEngine.start();
  browser = await engine.connect();
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

let cseq = 0;

function send(
  method: string,
  options: {
    readonly user?: string;
    readonly to?: string;
    readonly headers?: readonly HeaderField[];
    readonly peer?: SipPeer;
    readonly cseq?: number;
  } = {},
): SipRequest {
  const peer = options.peer ?? browser;
  const { user = "1001" } = options;
  cseq += 1;
  return peer.request(method, {
    uri: method === "REGISTER" ? `sip:${DOMAIN}` : `sip:1002@${DOMAIN}`,
    from: `<sip:${user}@${DOMAIN}>;tag=f`,
    to: `<sip:${options.to ?? user}@${DOMAIN}>`,
    callId: "the-call-id",
    cseq: options.cseq ?? cseq,
    headers: [
      ["Contact", `${peer.contact};+sip.instance="<urn:uuid:1>"`],
      ...(options.headers ?? []),
    ],
    ...(method === "INVITE" ? { body: sdpOf("offer") } : {}),
  });
}

async function challengeFor(
  method: string,
): Promise<{ request: SipRequest; challenge: SipResponse }> {
  const request = send(method);
  return { request, challenge: await browser.expectResponse(401, method) };
}

function authorization(value: string): readonly HeaderField[] {
  return [["Authorization", value]];
}

describe("RFC 3261 §22, RFC 8760 the challenge at a browser's connection", () => {
  it.each(["REGISTER", "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "BYE"])(
    "%s without credentials gets 401 and leaves no state",
    async (method) => {
      const { challenge } = await challengeFor(method);
      expect(engine.engine.counts).toEqual({ transactions: 0, dialogs: 0, flows: 1 });
      const offered = challenge.headers
        .getAll("WWW-Authenticate")
        .map((value) => tryParseDigestChallenge(value));
      expect(offered.map((each) => each?.algorithm)).toEqual(["MD5", "SHA-256", "MD5"]);
      for (const each of offered) {
        expect(each).toMatchObject({ realm: DOMAIN, qop: ["auth"], isStale: false });
      }
      expect(challenge.toTag).toBeDefined();
    },
  );

  it.each([
    ["MD5", 0],
    ["SHA-256", 1],
  ])("accepts %s", async (_algorithm, index) => {
    const { request, challenge } = await challengeFor("REGISTER");
    const value = answerChallenge(request, challenge, "1001", "secret-1001", { index });
    send("REGISTER", { headers: authorization(value) });
    await browser.expectResponse(200);
  });

  it("accepts short-lived credentials for their user", async () => {
    const { request, challenge } = await challengeFor("REGISTER");
    const value = answerChallenge(request, challenge, "1764000000:1001", "secret-1001");
    send("REGISTER", { headers: authorization(value) });
    await browser.expectResponse(200);
  });

  it("does not challenge the same user on the same connection again", async () => {
    const { request, challenge } = await challengeFor("REGISTER");
    const value = answerChallenge(request, challenge, "1001", "secret-1001");
    send("REGISTER", { headers: authorization(value) });
    await browser.expectResponse(200);
    engine.clock.advance(100_000);
    send("REGISTER");
    await browser.expectResponse(200);
    send("OPTIONS");
    await browser.expectResponse(200, "OPTIONS");
    send("OPTIONS", { user: "1002" });
    await browser.expectResponse(401, "OPTIONS");
    const other = await engine.connect();
    send("REGISTER", { peer: other });
    await other.expectResponse(401);
  });

  it("answers unknown and known users alike", async () => {
    const shapes: string[][] = [];
    for (const user of ["1001", "9999"]) {
      const request = send("REGISTER", { user });
      const challenge = await browser.expectResponse(401);
      send("REGISTER", {
        user,
        headers: authorization(answerChallenge(request, challenge, user, "wrong")),
      });
      const again = await browser.expectResponse(401);
      shapes.push([...again.headers].map(([name, value]) => `${name} ${value.length}`));
      for (const value of again.headers.getAll("WWW-Authenticate")) {
        expect(tryParseDigestChallenge(value)?.isStale).toBe(false);
      }
    }
    expect(shapes[0]).toEqual(shapes[1]);
  });

  it.each<[string, (request: SipRequest, challenge: SipResponse) => string, number]>([
    ["a wrong password", (r, c) => answerChallenge(r, c, "1001", "wrong"), 401],
    [
      "another uri",
      (r, c) => answerChallenge(r, c, "1001", "secret-1001", { uri: "sip:elsewhere.test" }),
      400,
    ],
    [
      "a nonce of somebody else",
      (r, c) =>
        answerChallenge(r, c, "1001", "secret-1001").replace(/nonce="[^"]+"/, 'nonce="abcdef"'),
      401,
    ],
    [
      "no qop",
      (r, c) => answerChallenge(r, c, "1001", "secret-1001").replace(/, qop=auth/, ""),
      401,
    ],
    ["half a header", () => 'Digest username="1001", realm="gateway.test', 401],
    ["another scheme", () => "Basic MTAwMTpzZWNyZXQ=", 401],
  ])("refuses %s", async (_title, make, status) => {
    const { request, challenge } = await challengeFor("REGISTER");
    send("REGISTER", { headers: authorization(make(request, challenge)) });
    await browser.expectResponse(status);
    expect(engine.engine.locations.bindings("1001")).toHaveLength(0);
  });

  it("refuses two credentials for our realm, and reads none of another realm", async () => {
    const { request, challenge } = await challengeFor("REGISTER");
    const value = answerChallenge(request, challenge, "1001", "secret-1001");
    send("REGISTER", { headers: [...authorization(value), ...authorization(value)] });
    await browser.expectResponse(401);
    const foreign = value.replace(DOMAIN, "elsewhere.test");
    send("REGISTER", { headers: [...authorization(foreign), ...authorization(value)] });
    await browser.expectResponse(200);
  });

  it("answers a captured request with stale=true, not with 200", async () => {
    const { request, challenge } = await challengeFor("REGISTER");
    const value = answerChallenge(request, challenge, "1001", "secret-1001");
    send("REGISTER", { headers: authorization(value) });
    await browser.expectResponse(200);
    const attacker = await engine.connect();
    send("REGISTER", { peer: attacker, headers: authorization(value) });
    const refused = await attacker.expectResponse(401);
    const [first] = refused.headers.getAll("WWW-Authenticate");
    expect(tryParseDigestChallenge(first ?? "")?.isStale).toBe(true);
  });

  it("answers a right response to an old nonce with stale=true", async () => {
    const { request, challenge } = await challengeFor("REGISTER");
    engine.clock.advance(60_001);
    for (const [password, isStale] of [
      ["secret-1001", true],
      ["wrong", false],
    ] as const) {
      const value = answerChallenge(request, challenge, "1001", password);
      send("REGISTER", { headers: authorization(value) });
      const refused = await browser.expectResponse(401);
      const [first] = refused.headers.getAll("WWW-Authenticate");
      expect(tryParseDigestChallenge(first ?? "")?.isStale).toBe(isStale);
    }
  });

  it("refuses the address of another user in From and in To (§10.3, §22.1)", async () => {
    const first = send("INVITE", { user: "1002" });
    const challenge = await browser.expectResponse(401);
    const value = answerChallenge(first, challenge, "1001", "secret-1001");
    send("INVITE", { user: "1002", headers: authorization(value) });
    await browser.expectResponse(403);
    expect(engine.invites.unread).toHaveLength(0);

    const { request, challenge: second } = await challengeFor("REGISTER");
    const right = answerChallenge(request, second, "1001", "secret-1001");
    send("REGISTER", { to: "1002", headers: authorization(right) });
    await browser.expectResponse(403);
    expect([...engine.engine.locations.all()]).toHaveLength(0);
  });

  it("blocks whoever guesses, and lets in who was in", async () => {
    const inside = await engine.browser("1002");
    for (let index = 0; index < 20; index += 1) {
      const { request, challenge } = await challengeFor("REGISTER");
      send("REGISTER", {
        headers: authorization(answerChallenge(request, challenge, "1001", `guess ${index}`)),
      });
      await browser.expectResponse(401);
    }
    send("REGISTER");
    await browser.expectResponse(403);
    send("OPTIONS", { user: "1002", peer: inside });
    await inside.expectResponse(200);
    engine.clock.advance(300_000);
    send("REGISTER");
    await browser.expectResponse(401);
  });
});
