import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestResponse } from "../../src/signaling/auth/digest.ts";
import { SipRequest } from "../../src/signaling/message/message.ts";
import type { SipResponse } from "../../src/signaling/message/message.ts";
import { OutgoingLog, TestEngine, sdpOf } from "../harness/signaling-engine.ts";
import type { DialogLog } from "../harness/signaling-engine.ts";
import { PeerDialog, SipPeer, answerChallenge } from "../harness/sip-peer.ts";
import { corpus } from "../signaling/message/corpus.ts";
import { buildOptions, exchange, signIn } from "./exchange.ts";
import { udpLine, webSocketLine } from "./line.ts";
import type { Line } from "./line.ts";

/** Files that mean something only beside a call, a registration or a challenge. */

const DOMAIN = "gw.test";
const KNOWN_CALL_ID = "known-callid@gw";
const TRUNK_HOST = "127.0.44.11";
const PASSWORD = "secret-1000";

let engine: TestEngine;
let pbx: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp(undefined, TRUNK_HOST);
  engine = await TestEngine.start({
    domain: DOMAIN,
    trunks: [
      {
        id: "office",
        peer: `sip:${TRUNK_HOST}:${pbx.local.port}`,
        auth: { username: "gw", password: "trunk-secret" },
      },
    ],
    credentials: {
      find: (username) =>
        ["1000", "1001"].includes(username)
          ? { userId: username, password: `secret-${username}` }
          : undefined,
    },
  });
  engine.adopt(pbx);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

/** A file with its placeholders and other words replaced. */
function fill(name: string, words: Readonly<Record<string, string>> = {}): Buffer {
  const [file] = corpus(`gateway-attacks/${name}`);
  if (file === undefined) throw new Error(`${name} is not there`);
  let text = file.octets.toString("latin1");
  for (const [word, value] of Object.entries(words)) {
    if (!text.includes(word)) throw new Error(`${name} has no ${word}`);
    text = text.replaceAll(word, value);
  }
  return Buffer.from(text, "latin1");
}

/** Sends octets from an address, with an OPTIONS behind them, and gives the final statuses. */
async function sendFrom(
  host: string,
  octets: Buffer,
  isAnswered = true,
): Promise<readonly number[]> {
  const open = (): Promise<Line> => udpLine({ host, port: 0 }, engine.udp);
  const line = await open();
  const asker = { user: "1000", domain: DOMAIN };
  const { statuses } = await exchange({ line, octets, asker, isAnswered, reopen: open });
  await line.close();
  return statuses;
}

interface Call {
  readonly invite: SipRequest;
  readonly log: DialogLog;
  readonly far: PeerDialog;
  readonly localTag: string;
}

/** A call that the trunk has placed, with the Call-ID and the From tag of the files. */
async function knownCall(callId = KNOWN_CALL_ID): Promise<Call> {
  const invite = pbx.request("INVITE", {
    uri: "sip:2000@gw.test",
    from: "<sip:1000@gw.test>;tag=f1",
    to: "<sip:2000@gw.test>",
    callId,
    body: sdpOf("offer"),
  });
  const log = (await engine.invites.next()).accept(sdpOf("answer"));
  const accepted = await pbx.expectResponse(200, "INVITE");
  const far = PeerDialog.asCaller(pbx, invite, accepted);
  far.request("ACK", { cseq: 1 });
  await log.expect("confirmed");
  return { invite, log, far, localTag: accepted.toTag ?? "" };
}

/** The call goes on: an INFO still reaches it, and it ends as it should. */
async function expectStillUp({ log, far }: Call): Promise<void> {
  far.request("INFO", { contentType: "application/x", body: "x" });
  (await log.expect("request")).request.respond(200);
  await pbx.expectResponse(200, "INFO");
  far.request("BYE");
  await pbx.expectResponse(200, "BYE");
  await log.expect("bye");
}

/** An INVITE of ours that the trunk has and has not answered. */
async function ownInvite(): Promise<{ readonly log: OutgoingLog; readonly invite: SipRequest }> {
  const log = new OutgoingLog();
  engine.engine.invite(
    {
      target: { kind: "trunk", trunkId: "office", number: "5" },
      from: { user: "1000" },
      to: { user: "5" },
      sdp: sdpOf("offer"),
    },
    log,
  );
  return { log, invite: await pbx.expectRequest("INVITE") };
}

describe("RFC 3261 §12.2.2, §9.2 forged requests beside a real call", () => {
  it("dialog-01: a BYE with other tags gets 481, and the call goes on", async () => {
    const call = await knownCall();
    expect(await sendFrom(TRUNK_HOST, fill("dialog-01"))).toEqual([481]);
    await expectStillUp(call);
  });

  it("dialog-03: a CANCEL with another branch gets 481, and the INVITE goes on", async () => {
    pbx.request("INVITE", {
      uri: "sip:2000@gw.test",
      from: "<sip:1000@gw.test>;tag=f1",
      to: "<sip:2000@gw.test>",
      callId: KNOWN_CALL_ID,
      body: sdpOf("offer"),
    });
    const invite = await engine.invites.next();
    expect(await sendFrom(TRUNK_HOST, fill("dialog-03"))).toEqual([481]);
    expect(invite.cancelled.unread).toEqual([]);
    invite.invite.reject(486);
    pbx.request("ACK", {
      uri: "sip:2000@gw.test",
      from: "<sip:1000@gw.test>;tag=f1",
      to: (await pbx.expectResponse(486)).headers.get("To") ?? "",
      callId: KNOWN_CALL_ID,
      branch: invite.invite.request.topmostVia.branch ?? "",
    });
  });

  it("dialog-05: a CSeq that is lower gets 500, and the call goes on", async () => {
    const call = await knownCall("atk091@192.0.2.10");
    const octets = fill("dialog-05", { "tag=t1": `tag=${call.localTag}` });
    expect(await sendFrom(TRUNK_HOST, octets)).toEqual([500]);
    await expectStillUp(call);
  });

  it.each(["127.0.44.12", "127.0.44.13"])(
    "dialog-09: a re-INVITE with right tags from %s gets 403 or 481, and moves no media",
    async (host) => {
      const call = await knownCall("call-of-the-trunk");
      const octets = fill("dialog-09", { GWTAG: call.localTag, GWCALLID: "call-of-the-trunk" });
      const [status] = await sendFrom(host, octets);
      expect([403, 481]).toContain(status);
      expect(call.log.events.unread).toEqual([]);
      await expectStillUp(call);
    },
  );
});

describe("RFC 3261 §8.1.3.3, §17.1.3 forged responses to an INVITE of ours", () => {
  it.each(["dialog-07", "syntax-03"])("%s is dropped, and the INVITE goes on", async (name) => {
    const { log, invite } = await ownInvite();
    const octets = fill(name, {
      GWVIA: `${invite.topmostVia.host}:${invite.topmostVia.port}`,
      GWBRANCH: invite.topmostVia.branch ?? "",
    });
    expect(await sendFrom(TRUNK_HOST, octets, false)).toEqual([]);
    expect(log.events.unread).toEqual([]);
    pbx.respond(invite, 486, { toTag: "busy" });
    await pbx.expectRequest("ACK");
    expect((await log.expect("failed")).failure.reason.sipStatus).toBe(486);
  });

  it("auth-15: no credentials leave for a 407 of the user's leg (SIP digest leak)", async () => {
    const browser = await engine.connect();
    await browser.register({ user: "1000", password: PASSWORD, domain: DOMAIN, instance: "urn:a" });
    const [binding] = engine.engine.locations.bindings("1000");
    if (binding === undefined) throw new Error("there is no binding");
    const log = new OutgoingLog();
    engine.engine.invite(
      {
        target: { kind: "binding", binding },
        from: { user: "2000" },
        to: { user: "1000" },
        sdp: sdpOf("offer"),
      },
      log,
    );
    const invite = await browser.expectRequest("INVITE");
    browser.respond(invite, 200, { toTag: "x1", body: sdpOf("answer") });
    await browser.expectRequest("ACK");
    (await log.expect("accepted")).log.dialog.bye();
    const bye = await browser.expectRequest("BYE");
    browser.respond(bye, 407, {
      headers: [["Proxy-Authenticate", 'Digest realm="carrier.test",nonce="8B05",algorithm=MD5']],
    });
    await signedProbe(browser);
    expect(browser.unread).toEqual([]);
    expect(fill("auth-15").toString()).toContain('Proxy-Authenticate: Digest realm="carrier.test"');
  });
});

/** Comes back only when everything before it has been worked off. */
async function signedProbe(browser: SipPeer): Promise<void> {
  browser.request("OPTIONS", {
    uri: `sip:${DOMAIN}`,
    from: `<sip:1000@${DOMAIN}>;tag=p`,
    to: `<sip:${DOMAIN}>`,
  });
  await browser.expectResponse(200, "OPTIONS");
}

/** A stranger's request, and a challenge for it. */
async function challenged(line: Line): Promise<{
  readonly request: SipRequest;
  readonly challenge: SipResponse;
  readonly nonce: string;
}> {
  const request = buildOptions(line, { user: "1000", domain: DOMAIN });
  const peer = await engine.connect();
  peer.send(request);
  const challenge = await peer.expectResponse(401);
  const nonce = /nonce="([^"]+)"/.exec(challenge.headers.get("WWW-Authenticate") ?? "")?.[1] ?? "";
  return { request, challenge, nonce };
}

async function sendOverWebSocket(octets: Buffer, signedInAs?: string): Promise<readonly number[]> {
  const asker = { user: "1000", domain: DOMAIN };
  const open = (): Promise<Line> => webSocketLine(engine.webSocketUrl);
  const line = await open();
  if (signedInAs !== undefined) {
    await signIn(line, { ...asker, user: signedInAs }, `secret-${signedInAs}`);
  }
  const { statuses } = await exchange({ line, octets, asker, isAnswered: true, reopen: open });
  await line.close();
  return statuses;
}

describe("RFC 3261 §22 and RFC 7616: credentials that are not for this request", () => {
  it("auth-05: right credentials with another digest-uri get 400", async () => {
    const line = await webSocketLine(engine.webSocketUrl);
    const { nonce } = await challenged(line);
    await line.close();
    const response = digestResponse({
      algorithm: "MD5",
      username: "1000",
      realm: DOMAIN,
      password: PASSWORD,
      nonce,
      nonceCount: "00000001",
      cnonce: "c",
      method: "INVITE",
      uri: "sip:elsewhere",
    });
    const octets = fill("auth-05", {
      NONCE: nonce,
      'response="RESP"': `response="${response}",qop=auth,nc=00000001,cnonce="c"`,
    });
    expect(await sendOverWebSocket(octets)).toEqual([400]);
    expect(engine.invites.unread).toEqual([]);
  });

  it("identity-03: 403 for a From of another user with one's own credentials", async () => {
    const line = await webSocketLine(engine.webSocketUrl);
    const { request, challenge } = await challenged(line);
    await line.close();
    const uri = "sip:2000@gw.test";
    const invite = new SipRequest("INVITE", uri, request.headers);
    const authorization = answerChallenge(invite, challenge, "1000", PASSWORD);
    const octets = fill("identity-03", {
      "Content-Type:": `Authorization: ${authorization}\r\nContent-Type:`,
    });
    expect(await sendOverWebSocket(octets)).toEqual([403]);
    expect(engine.invites.unread).toEqual([]);
  });

  it("identity-03: 401 for a From of another user on one's own connection", async () => {
    expect(await sendOverWebSocket(fill("identity-03"), "1000")).toEqual([401]);
    expect(engine.invites.unread).toEqual([]);
  });

  it("auth-11: an unknown user is answered as a known one is", async () => {
    const shapes: unknown[] = [];
    for (const user of ["7777777", "1000"]) {
      const line = await webSocketLine(engine.webSocketUrl);
      const octets = fill("auth-11", { "7777777": user });
      const open = (): Promise<Line> => webSocketLine(engine.webSocketUrl);
      const asker = { user: "1000", domain: DOMAIN };
      const { responses } = await exchange({ line, octets, asker, isAnswered: true, reopen: open });
      await line.close();
      shapes.push(
        responses.map((response) => [
          response.statusCode,
          response.reasonPhrase,
          [...response.headers].map(([name, value]) =>
            /^(?:From|To)$/.test(name) ? name : [name, value.length],
          ),
        ]),
      );
    }
    expect(shapes[0]).toEqual(shapes[1]);
  });
});

describe("RFC 3261 §19.1.5 a Contact that would like to say more", () => {
  it.each([
    ["inject-05", {}],
    ["route-03", { "To: <sip:2000@": "To: <sip:1000@" }],
  ])("%s: a call to it has no header of it, and uses the connection", async (name, words) => {
    const browser = await engine.connect();
    await browser.register({ user: "1000", password: PASSWORD, domain: DOMAIN, expires: 0 });
    browser.sendOctets(fill(name, words));
    await browser.expectResponse(200, "REGISTER");
    const [binding] = engine.engine.locations.bindings("1000");
    if (binding === undefined) throw new Error("there is no binding");
    const log = new OutgoingLog();
    engine.engine.invite(
      {
        target: { kind: "binding", binding },
        from: { user: "2000" },
        to: { user: "1000" },
        sdp: sdpOf("offer"),
      },
      log,
    );
    const invite = await browser.expectRequest("INVITE");
    expect(invite.requestUri).not.toContain("?");
    expect(invite.headers.has("Route")).toBe(false);
    expect(invite.headers.has("Subject")).toBe(false);
    expect(invite.headers.has("X-Injected")).toBe(false);
    browser.respond(invite, 486, { toTag: "busy" });
    await browser.expectRequest("ACK");
    await log.expect("failed");
  });
});
