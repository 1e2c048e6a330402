import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestResponse } from "../../../src/signaling/auth/digest.ts";
import { tryParseDigestCredentials } from "../../../src/signaling/message/auth-header.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipRequest, SipResponse } from "../../../src/signaling/message/message.ts";
import type { IncomingInvite } from "../../../src/signaling/engine.ts";
import type { PassThroughTerms } from "../../../src/signaling/pass-through.ts";
import { answerChallenge, SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, OutgoingLog, sdpOf, TestEngine } from "../../harness/signaling-engine.ts";
import { waitFor } from "../../harness/wait.ts";

const KEY = Buffer.alloc(32, 7);
const QUESTION =
  'Digest realm="pbx", nonce="1764/n", opaque="o,p", algorithm=MD5, qop="auth,auth-int"';
const INSTANCE = "urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128";

let engine: TestEngine;
let pbx: SipPeer;
let cseq = 0;
/** Calls of browsers that the test has not answered. */
const open: IncomingInvite[] = [];

async function start(
  terms: Partial<PassThroughTerms> = {},
  trunk: { readonly auth?: { readonly username: string; readonly password: string } } = {},
): Promise<void> {
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "pbx", peer: `sip:127.0.0.1:${pbx.local.port}`, ...trunk }],
    engine: {
      registrar: { maxBindings: 3 },
      passThrough: {
        trunkId: "pbx",
        contact: "gateway",
        registersPerSecond: 1000,
        maxExpiresSeconds: 600,
        key: KEY,
        isOwnUser: (userId) => userId === "1001",
        ...terms,
      },
    },
  });
  engine.adopt(pbx);
  cseq = 0;
}

beforeEach(async () => {
  await start();
});

afterEach(async () => {
  for (const invite of open.splice(0)) invite.reject(486);
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

interface RegisterParts {
  readonly user?: string;
  readonly to?: string;
  readonly contact?: string;
  readonly expires?: number;
  readonly uri?: string;
  readonly more?: readonly HeaderField[];
}

/** Sends a REGISTER as a browser writes it; time goes on until its turn. */
function sendRegister(browser: SipPeer, parts: RegisterParts = {}): SipRequest {
  const { user = "2001", more = [], expires = 300, uri = `sip:${DOMAIN}` } = parts;
  const aor = `<sip:${user}@${DOMAIN}>`;
  cseq += 1;
  const request = browser.request("REGISTER", {
    uri,
    from: `${aor};tag=f`,
    to: parts.to ?? aor,
    callId: `of-the-browser-${browser.sentBy}`,
    cseq,
    headers: [
      ["Contact", parts.contact ?? browser.registerContact({ instance: INSTANCE, regId: 1 })],
      ["Supported", "outbound, path"],
      ["Expires", String(expires)],
      ...more,
    ],
  });
  return request;
}

async function atPbx(): Promise<SipRequest> {
  return await waitFor(
    () => {
      engine.clock.advance(2);
      return pbx.unread.some((message) => message.kind === "request")
        ? pbx.expectRequest("REGISTER")
        : undefined;
    },
    { what: "a REGISTER at the PBX", timeoutMs: 3000, intervalMs: 2 },
  );
}

function accept(request: SipRequest, expires = request.expires ?? 0): void {
  const contact = request.headers.get("Contact");
  pbx.respond(request, 200, {
    toTag: "p",
    headers: [
      ["Contact", "<sip:another@192.0.2.99:5060>;expires=77"],
      ...(contact === undefined || contact === "*" || expires === 0
        ? []
        : [["Contact", `${contact};expires=${expires}`] as const]),
      ["Service-Route", "<sip:inner.pbx.example;lr>"],
    ],
  });
}

async function response(browser: SipPeer): Promise<SipResponse> {
  return await browser.receive(
    (message): message is SipResponse => message.kind === "response",
    "a response",
  );
}

/** Registers as a browser does at a PBX that asks for the password. @returns what the PBX got last */
async function register(browser: SipPeer, parts: RegisterParts = {}): Promise<SipRequest> {
  const first = sendRegister(browser, parts);
  pbx.respond(await atPbx(), 401, { toTag: "c", headers: [["WWW-Authenticate", QUESTION]] });
  const challenge = await response(browser);
  const digest = answerChallenge(first, challenge, parts.user ?? "2001", "pbx-secret");
  sendRegister(browser, { ...parts, more: [["Authorization", digest]] });
  const request = await atPbx();
  accept(request);
  expect((await response(browser)).statusCode).toBe(200);
  return request;
}

describe("a REGISTER that passes through", () => {
  it("brings challenge and credentials across unchanged, and nothing else", async () => {
    const browser = await engine.connect();
    const sent = sendRegister(browser);
    const first = await atPbx();
    expect(first.requestUri).toBe(sent.requestUri);
    expect(first.from.uri).toBe(`sip:2001@${DOMAIN}`);
    expect(first.to.uri).toBe(`sip:2001@${DOMAIN}`);
    expect(first.expires).toBe(300);
    expect(first.callId).not.toBe(sent.callId);
    expect(first.fromTag).not.toBe("f");
    expect(first.headers.get("Contact")).toMatch(
      new RegExp(`^<sip:[A-Za-z0-9_-]{22}@127\\.0\\.0\\.1:${engine.udp.port};ow>$`),
    );
    for (const name of ["Path", "Supported", "Authorization"]) {
      expect(first.headers.has(name), name).toBe(false);
    }
    pbx.respond(first, 401, {
      toTag: "c",
      headers: [
        ["WWW-Authenticate", QUESTION],
        ["WWW-Authenticate", 'Digest realm="pbx", nonce="s", algorithm=SHA-256, qop="auth"'],
        ["X-Inner", "10.0.0.1"],
      ],
    });
    const challenge = await response(browser);
    expect(challenge.statusCode).toBe(401);
    expect(challenge.headers.getAll("WWW-Authenticate")).toEqual([
      QUESTION,
      'Digest realm="pbx", nonce="s", algorithm=SHA-256, qop="auth"',
    ]);
    expect(challenge.headers.has("X-Inner")).toBe(false);

    const digest = answerChallenge(sent, challenge, "2001", "pbx-secret");
    sendRegister(browser, { more: [["Authorization", digest]] });
    const second = await atPbx();
    expect(second.headers.getAll("Authorization")).toEqual([digest]);
    // RFC 3261 §10.2: the same Call-ID, a higher CSeq; and the nonce may be tied to the tag.
    expect([second.callId, second.fromTag, second.cseq.number]).toEqual([
      first.callId,
      first.fromTag,
      2,
    ]);
    const given = tryParseDigestCredentials(digest);
    const isRight =
      given?.response ===
      digestResponse({
        algorithm: "MD5",
        username: "2001",
        realm: "pbx",
        password: "pbx-secret",
        nonce: given?.nonce ?? "",
        nonceCount: given?.nc ?? "",
        cnonce: given?.cnonce ?? "",
        method: "REGISTER",
        uri: second.requestUri,
      });
    expect(isRight, "the digest is that of the request that the PBX has").toBe(true);

    accept(second);
    const ok = await response(browser);
    expect(ok.statusCode).toBe(200);
    expect(ok.headers.has("Service-Route")).toBe(false);
    // One contact: its own, shorter than the PBX's 300 by a part that differs.
    expect(ok.headers.getAll("Contact")).toHaveLength(1);
    expect(ok.contact?.uri).toBe(sent.contact?.uri);
    const seconds = Number(ok.contact?.params.get("expires"));
    expect(seconds).toBeGreaterThanOrEqual(255);
    expect(seconds).toBeLessThan(300);
    expect([...engine.engine.locations.bindings("2001")]).toHaveLength(1);
  });

  it("asks for what the browser asks, and is granted no more than the cap", async () => {
    const browser = await engine.connect();
    sendRegister(browser, { expires: 7200 });
    const request = await atPbx();
    expect(request.expires).toBe(7200);
    accept(request, 3600);
    const seconds = Number((await response(browser)).contact?.params.get("expires"));
    expect(seconds).toBeGreaterThanOrEqual(510);
    expect(seconds).toBeLessThanOrEqual(600);
  });

  it("takes what the PBX grants, though the gateway's own users may not", async () => {
    const browser = await engine.connect();
    sendRegister(browser, { expires: 20 });
    accept(await atPbx());
    const ok = await response(browser);
    expect(Number(ok.contact?.params.get("expires"))).toBeLessThanOrEqual(20);
  });

  it.each([
    [423, [["Min-Expires", "1800"]]],
    [403, []],
    [503, [["Retry-After", "99"]]],
    [407, [["Proxy-Authenticate", QUESTION]]],
  ] as const)("brings a %i across", async (status, headers) => {
    const browser = await engine.connect();
    sendRegister(browser);
    pbx.respond(await atPbx(), status, { toTag: "x", headers });
    const answer = await response(browser);
    expect(answer.statusCode).toBe(status);
    for (const [name, value] of headers) expect(answer.headers.get(name)).toBe(value);
    expect(engine.engine.locations.bindings("2001")).toEqual([]);
  });

  it("follows no redirect", async () => {
    const browser = await engine.connect();
    sendRegister(browser);
    const headers: readonly HeaderField[] = [["Contact", "<sip:192.0.2.66>"]];
    pbx.respond(await atPbx(), 302, { toTag: "x", headers });
    const answer = await response(browser);
    expect(answer.statusCode).toBe(502);
    expect(answer.headers.has("Contact")).toBe(false);
  });

  it("answers with Retry-After when the PBX says nothing", async () => {
    const browser = await engine.connect();
    sendRegister(browser);
    await atPbx();
    engine.clock.advance(12_000);
    const answer = await response(browser);
    expect(answer.statusCode).toBe(504);
    expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThanOrEqual(10);
  });

  it("unregisters, one contact and all", async () => {
    const browser = await engine.connect();
    await register(browser);
    sendRegister(browser, { expires: 0 });
    const one = await atPbx();
    expect(one.expires).toBe(0);
    accept(one);
    expect((await response(browser)).statusCode).toBe(200);
    expect(engine.engine.locations.bindings("2001")).toEqual([]);

    await register(browser);
    sendRegister(browser, { expires: 0, contact: "*" });
    const all = await atPbx();
    expect(all.headers.getAll("Contact")).toEqual(["*"]);
    accept(all);
    expect((await response(browser)).statusCode).toBe(200);
    expect(engine.engine.locations.bindings("2001")).toEqual([]);
  });

  it("is refused here when it could not be right", async () => {
    const browser = await engine.connect();
    for (const [parts, status] of [
      [{ to: `<sip:2002@${DOMAIN}>` }, 403],
      [{ to: "<sip:2001@elsewhere.test>" }, 404],
      [{ uri: "sip:elsewhere.test" }, 404],
      [{ contact: "<sip:a@b.invalid>, <sip:c@d.invalid>" }, 403],
      [{ contact: "*" }, 400],
    ] as const) {
      sendRegister(browser, parts);
      expect((await response(browser)).statusCode, JSON.stringify(parts)).toBe(status);
    }
    expect(pbx.unread).toEqual([]);
  });

  it("leaves the gateway's own users to the gateway", async () => {
    const browser = await engine.browser("1001");
    expect(engine.engine.locations.bindings("1001")).toHaveLength(1);
    expect(pbx.unread).toEqual([]);
    await browser.close();
  });

  it("keeps its contact when the browser comes back on another connection", async () => {
    const before = await register(await engine.connect());
    const again = await engine.connect();
    const after = await register(again);
    expect(after.contact?.uri).toBe(before.contact?.uri);
    const other = await engine.connect();
    const contact = other.registerContact({ instance: "urn:uuid:another", regId: 1 });
    expect((await register(other, { contact })).contact?.uri).not.toBe(before.contact?.uri);
  });

  it("counts wrong passwords, and shuts the door after too many", async () => {
    const browser = await engine.connect();
    const digest = 'Digest username="2001", realm="pbx", nonce="n", uri="sip:x", response="0"';
    for (let count = 0; count < 20; count += 1) {
      sendRegister(browser, { more: [["Authorization", digest]] });
      const headers: readonly HeaderField[] = [["WWW-Authenticate", QUESTION]];
      pbx.respond(await atPbx(), 401, { toTag: "c", headers });
      expect((await response(browser)).statusCode).toBe(401);
    }
    sendRegister(browser);
    const refusal = await response(browser);
    expect([refusal.statusCode, refusal.reasonPhrase]).toEqual([403, "Too many failed attempts"]);
  });

  it("ends here what the PBX does not want any more", async () => {
    const browser = await engine.connect();
    await register(browser);
    sendRegister(browser);
    pbx.respond(await atPbx(), 403, { toTag: "x" });
    expect((await response(browser)).statusCode).toBe(403);
    expect(engine.engine.locations.bindings("2001")).toEqual([]);
    browser.request("INVITE", {
      uri: `sip:600@${DOMAIN}`,
      from: `<sip:2001@${DOMAIN}>;tag=i`,
      to: `<sip:600@${DOMAIN}>`,
      body: sdpOf("1"),
    });
    expect((await browser.expectResponse(403, "INVITE")).reasonPhrase).toBe("Register first");
  });
});

describe("with a Path (RFC 3327)", () => {
  it("gives the PBX the browser's Contact and the way to it", async () => {
    await engine.stop();
    await start({ contact: "path" });
    const browser = await engine.connect();
    const request = await register(browser);
    expect(request.headers.get("Contact")).toBe(
      `${browser.contact};+sip.instance="<${INSTANCE}>";reg-id=1`,
    );
    const path = request.headers.get("Path") ?? "";
    expect(path).toMatch(/^<sip:[A-Za-z0-9_-]{22}@127\.0\.0\.1:\d+;ow;lr;ob>$/);
    expect(request.headers.get("Supported")).toBe("path, outbound");

    const invite = (): void => {
      pbx.request("INVITE", {
        uri: browser.contact.slice(1, -1),
        from: "<sip:600@pbx.test>;tag=i",
        to: `<sip:2001@${DOMAIN}>`,
        headers: [
          ["Route", path],
          ["Contact", pbx.contact],
        ],
        body: sdpOf("1"),
      });
    };
    invite();
    const { invite: incoming } = await engine.invites.next("the PBX's call");
    expect(incoming.calledInstance).toEqual({ userId: "2001", instanceId: INSTANCE });
    incoming.reject(486);
    await browser.close();
    await waitFor(() => engine.engine.locations.bindings("2001").length === 0 || undefined, {
      what: "the binding to go with its connection",
      timeoutMs: 3000,
    });
    invite();
    expect((await pbx.expectResponse(430, "INVITE")).statusCode).toBe(430);
  });
});

describe("the contact at the PBX", () => {
  async function ask(method: "OPTIONS" | "INVITE", uri: string): Promise<number> {
    pbx.drain();
    pbx.request(method, {
      uri,
      from: "<sip:600@pbx.test>;tag=i",
      to: `<sip:2001@${DOMAIN}>`,
      ...(method === "INVITE" ? { body: sdpOf("1") } : {}),
    });
    const answer = await pbx.receive(
      (message): message is SipResponse =>
        message.kind === "response" && message.statusCode > 100 && message.cseq.method === method,
      `the answer to ${method}`,
    );
    return answer.statusCode;
  }

  it("answers OPTIONS at once, and says when its browser is away", async () => {
    const browser = await engine.connect();
    const contact = (await register(browser)).contact?.uri ?? "";
    expect(await ask("OPTIONS", contact)).toBe(200);
    expect(browser.unread).toEqual([]);
    await browser.close();
    await waitFor(() => engine.engine.locations.bindings("2001").length === 0 || undefined, {
      what: "the binding to go with its connection",
      timeoutMs: 3000,
    });
    expect(await ask("OPTIONS", contact)).toBe(480);
    expect(await ask("INVITE", contact)).toBe(480);
    // What the PBX holds has run out.
    engine.clock.advance(301_000);
    expect(await ask("OPTIONS", contact)).toBe(404);
    expect(await ask("INVITE", contact.replace(/:[^@]+@/, ":AAAAAAAAAAAAAAAAAAAAAA@"))).toBe(404);
  });

  it("answers a PBX that asks before it has said that the contact is there", async () => {
    const browser = await engine.connect();
    sendRegister(browser);
    const request = await atPbx();
    expect(await ask("OPTIONS", request.contact?.uri ?? "")).toBe(200);
    pbx.respond(request, 403, { toTag: "x" });
    expect((await response(browser)).statusCode).toBe(403);
    expect(await ask("OPTIONS", request.contact?.uri ?? "")).toBe(404);
  });

  it("leads a call to exactly its browser", async () => {
    const first = await engine.connect();
    await register(first);
    const second = await engine.connect();
    const contact = second.registerContact({ instance: "urn:uuid:second", regId: 1 });
    const uri = (await register(second, { contact })).contact?.uri ?? "";
    pbx.request("INVITE", {
      uri,
      from: '"Six" <sip:600@pbx.test>;tag=i',
      to: `<sip:2001@${DOMAIN}>`,
      body: sdpOf("1"),
    });
    const { invite } = await engine.invites.next("the PBX's call");
    expect(invite).toMatchObject({
      isToContact: true,
      calledNumber: "2001",
      calledInstance: { userId: "2001", instanceId: "urn:uuid:second" },
    });
    invite.reject(486);
  });
});

describe("a call of a user of the PBX", () => {
  function dial(browser: SipPeer, more: readonly HeaderField[] = []): SipRequest {
    return browser.request("INVITE", {
      uri: `sip:600@${DOMAIN};user=phone`,
      from: `<sip:2001@${DOMAIN}>;tag=i`,
      to: `<sip:600@${DOMAIN}>`,
      headers: [["Contact", browser.contact], ...more],
      body: sdpOf("1"),
    });
  }

  /** The browser's call, until the test has seen what became of it. */
  async function onward(number: string): Promise<OutgoingLog> {
    const { invite } = await engine.invites.next("the browser's call");
    open.push(invite);
    const log = new OutgoingLog();
    engine.engine.invite(
      {
        target: { kind: "trunk", trunkId: "pbx", number },
        from: { user: "+4930111" },
        to: { user: number },
        sdp: sdpOf("2"),
        onBehalfOf: invite,
      },
      log,
    );
    return log;
  }

  it("needs a registration", async () => {
    const browser = await engine.connect();
    dial(browser);
    expect((await browser.expectResponse(403, "INVITE")).reasonPhrase).toBe("Register first");
    await register(browser);
    dial(browser);
    (await engine.invites.next("the call")).invite.reject(486);
    expect((await browser.expectResponse(486, "INVITE")).statusCode).toBe(486);
  });

  it("goes there as its address-of-record, and the challenge is told to the caller", async () => {
    const browser = await engine.connect();
    await register(browser);
    const answer = 'Digest username="2001", realm="pbx", nonce="n", uri="x", response="1"';
    const sent = dial(browser, [["Proxy-Authorization", answer]]);
    const log = await onward("600");
    const invite = await pbx.expectRequest("INVITE");
    expect(invite.requestUri).toBe(sent.requestUri);
    expect(invite.from.uri).toBe(`sip:2001@${DOMAIN}`);
    expect(invite.headers.getAll("Proxy-Authorization")).toEqual([answer]);
    pbx.respond(invite, 407, { toTag: "c", headers: [["Proxy-Authenticate", QUESTION]] });
    await pbx.expectRequest("ACK");
    const { failure } = await log.expect("failed");
    expect(failure.challenge).toEqual([["Proxy-Authenticate", QUESTION]]);
  });

  it("tells the caller no challenge of another realm: it is a callee's, not the PBX's", async () => {
    const browser = await engine.connect();
    await register(browser);
    dial(browser);
    const log = await onward("600");
    const invite = await pbx.expectRequest("INVITE");
    const headers: readonly HeaderField[] = [
      ["Proxy-Authenticate", 'Digest realm="callee", nonce="n", qop="auth"'],
    ];
    pbx.respond(invite, 407, { toTag: "c", headers });
    await pbx.expectRequest("ACK");
    expect((await log.expect("failed")).failure.challenge).toBeUndefined();
  });

  it("shows a rewritten number, and no credentials to another trunk", async () => {
    const browser = await engine.connect();
    await register(browser);
    dial(browser);
    await onward("0049600");
    const invite = await pbx.expectRequest("INVITE");
    expect(invite.requestUri).toBe(`sip:0049600@${DOMAIN}`);
    pbx.respond(invite, 486, { toTag: "b" });
    await pbx.expectRequest("ACK");
  });

  it("is answered for by the trunk that has credentials, and tells the caller nothing", async () => {
    await engine.stop();
    await start({}, { auth: { username: "gw", password: "trunk" } });
    const browser = await engine.connect();
    await register(browser);
    dial(browser, [["Proxy-Authorization", 'Digest username="2001", realm="pbx"']]);
    const log = await onward("600");
    const invite = await pbx.expectRequest("INVITE");
    expect(invite.headers.has("Proxy-Authorization")).toBe(false);
    pbx.respond(invite, 407, { toTag: "c", headers: [["Proxy-Authenticate", QUESTION]] });
    await pbx.expectRequest("ACK");
    const again = await pbx.expectRequest("INVITE");
    expect(again.headers.get("Proxy-Authorization")).toContain('username="gw"');
    pbx.respond(again, 407, { toTag: "c", headers: [["Proxy-Authenticate", QUESTION]] });
    await pbx.expectRequest("ACK");
    expect((await log.expect("failed")).failure.challenge).toBeUndefined();
  });
});

describe("the pace", () => {
  it("keeps to the rate, lets answers to challenges go first, and never loses one", async () => {
    await engine.stop();
    await start({ registersPerSecond: 2 });
    const browsers = await Promise.all([0, 1, 2, 3].map(() => engine.connect()));
    for (const [index, browser] of browsers.entries()) {
      const contact = browser.registerContact({ instance: `urn:uuid:${index}`, regId: 1 });
      const more: readonly HeaderField[] =
        index === 3 ? [["Authorization", 'Digest username="2003", realm="pbx"']] : [];
      sendRegister(browser, { user: `200${index}`, contact, more });
    }
    const seen: string[] = [];
    const startedMs = engine.clock.monotonicMs();
    while (seen.length < 4) {
      const request = await atPbx();
      seen.push(request.from.sipUri.user ?? "");
      accept(request);
    }
    // The first went at once; then each half a second.
    expect(engine.clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(1500);
    expect(new Set(seen).size).toBe(4);
    for (const browser of browsers) expect((await response(browser)).statusCode).toBe(200);
  });

  it("answers a refresh itself while the PBX is silent and still holds the contact", async () => {
    const browser = await engine.connect();
    const stranger = await engine.connect();
    await register(browser);
    const contact = stranger.registerContact({ instance: "urn:uuid:s", regId: 1 });
    sendRegister(stranger, { user: "2009", contact });
    await atPbx();
    engine.clock.advance(12_000);
    expect((await response(stranger)).statusCode).toBe(504);
    pbx.drain();
    sendRegister(browser);
    const ok = await response(browser);
    expect(ok.statusCode).toBe(200);
    // Of the 288 s that the PBX still promises, a part.
    const seconds = Number(ok.contact?.params.get("expires"));
    expect(seconds).toBeGreaterThanOrEqual(140);
    expect(seconds).toBeLessThanOrEqual(216);
    expect(pbx.unread).toEqual([]);
    // A connection that the PBX has not let in gets nothing of that.
    sendRegister(stranger, { user: "2001" });
    await atPbx();
    engine.clock.advance(12_000);
    expect((await response(stranger)).statusCode).toBe(504);
  });
});

describe("a password that the PBX checks", () => {
  it.each([
    ["right", 200],
    ["wrong", 401],
    ["wrong", 403],
    ["unknown", 400],
    ["unavailable", 503],
  ] as const)("is %s after %i", async (verdict, status) => {
    const asked = engine.engine.checkPassword("2001", "pbx-secret");
    pbx.respond(await atPbx(), 401, { toTag: "c", headers: [["WWW-Authenticate", QUESTION]] });
    const second = await atPbx();
    expect(second.headers.has("Contact")).toBe(false);
    expect(second.headers.get("Authorization")).toContain('username="2001"');
    const headers: readonly HeaderField[] = status === 401 ? [["WWW-Authenticate", QUESTION]] : [];
    pbx.respond(second, status, { toTag: "c", headers });
    expect(await asked).toBe(verdict);
  });

  it("is no matter of the PBX for a user of the gateway", () => {
    expect(engine.engine.checkPassword("1001", "x")).toBeUndefined();
  });
});
