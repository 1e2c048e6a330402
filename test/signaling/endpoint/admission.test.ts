import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import { SipRequest } from "../../../src/signaling/message/message.ts";
import type { SipResponse } from "../../../src/signaling/message/message.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { TestEngine, sdpOf } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let pbx: SipPeer;
let stranger: SipPeer;
let warnings: string[];

beforeEach(async () => {
  warnings = [];
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
    logger: { ...silentLogger, warn: (message) => warnings.push(message) },
  });
  engine.adopt(pbx);
  stranger = engine.adopt(await SipPeer.udp(engine.udp, "127.0.0.9"));
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

async function ask(
  peer: SipPeer,
  method: string,
  options: {
    readonly uri?: string;
    readonly headers?: readonly HeaderField[];
    readonly to?: string;
  } = {},
): Promise<SipResponse> {
  const uri = options.uri ?? "sip:1001@gateway.test";
  peer.request(method, {
    uri,
    from: "<sip:5@pbx.test>;tag=f",
    to: options.to ?? "<sip:1001@gateway.test>",
    headers: [["Contact", peer.contact], ...(options.headers ?? [])],
    ...(method === "INVITE" ? { body: sdpOf("offer") } : {}),
  });
  return await peer.receive(
    (message): message is SipResponse => message.kind === "response" && message.statusCode >= 200,
    `a final response to ${method}`,
  );
}

describe("requests from an address that is no trunk's", () => {
  it.each(["INVITE", "OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "BYE", "FROBNICATE"])(
    "%s gets 403, no challenge and no state",
    async (method) => {
      const response = await ask(stranger, method);
      expect(response.statusCode).toBe(403);
      expect(response.headers.has("WWW-Authenticate")).toBe(false);
      expect(engine.engine.counts.transactions).toBe(0);
      expect(engine.invites.unread).toHaveLength(0);
    },
  );

  it("get the same To-tag when they are repeated (RFC 3261 §8.2.7)", async () => {
    const request = stranger.request("INVITE", {
      uri: "sip:1@gateway.test",
      from: "<sip:5@x.test>;tag=f",
      to: "<sip:1@gateway.test>",
    });
    const first = await stranger.expectResponse(403);
    stranger.send(request);
    expect((await stranger.expectResponse(403)).toTag).toBe(first.toTag);
  });

  it("get 481 inside a dialog that does not exist", async () => {
    expect((await ask(stranger, "BYE", { to: "<sip:1@gateway.test>;tag=x" })).statusCode).toBe(481);
    expect(engine.engine.counts.transactions).toBe(0);
  });

  it("are logged, but no more than ten in ten seconds", async () => {
    for (let index = 0; index < 25; index += 1) await ask(stranger, "OPTIONS");
    expect(warnings).toHaveLength(10);
    engine.clock.advance(10_000);
    expect(warnings).toHaveLength(11);
    await ask(stranger, "OPTIONS");
    expect(warnings).toHaveLength(12);
  });
});

describe("RFC 3261 §8.2 requests of a trunk", () => {
  it("OPTIONS is answered with what we can do (§11.2)", async () => {
    const response = await ask(pbx, "OPTIONS");
    expect(response.statusCode).toBe(200);
    expect(response.headers.get("Allow")).toContain("INVITE, ACK, CANCEL, BYE");
    expect(response.headers.get("Accept")).toBe("application/sdp");
    expect(response.headers.has("Supported")).toBe(true);
  });

  it.each<[string, string, HeaderField[], number]>([
    ["REGISTER", "sip:gateway.test", [], 405],
    ["SUBSCRIBE", "sip:1001@gateway.test", [], 405],
    ["MESSAGE", "sip:1001@gateway.test", [], 405],
    ["FROBNICATE", "sip:1001@gateway.test", [], 501],
    ["BYE", "sip:1001@gateway.test", [], 481],
    ["INVITE", "unknown:1001", [], 416],
    ["OPTIONS", "soap.beep://192.0.2.103:3002", [], 416],
    ["INVITE", "sip:1001@gateway.test", [["Require", "100rel, frob"]], 420],
    ["OPTIONS", "sip:1001@gateway.test", [["Require", "frob"]], 420],
    ["INVITE", "sip:1001@gateway.test", [["Accept", "text/plain"]], 406],
    ["INVITE", "sip:1001@gateway.test", [["Contact", "<sip:second@pbx.test>"]], 400],
  ])("%s to %s with %j gets %i", async (method, uri, headers, status) => {
    expect((await ask(pbx, method, { uri, headers })).statusCode).toBe(status);
    expect(engine.invites.unread).toHaveLength(0);
  });

  it("an INVITE without a hop left gets 483", async () => {
    const request = pbx.build("INVITE", {
      uri: "sip:1001@gateway.test",
      from: "<sip:5@pbx.test>;tag=f",
      to: "<sip:1001@gateway.test>",
    });
    const headers = request.headers.with("Max-Forwards", "0");
    pbx.send(new SipRequest("INVITE", request.requestUri, headers));
    await pbx.expectResponse(483);
  });

  it("an INVITE with a To-tag of no dialog gets 481, never a call", async () => {
    const response = await ask(pbx, "INVITE", { to: "<sip:1001@gateway.test>;tag=fake" });
    expect(response.statusCode).toBe(481);
    expect(engine.invites.unread).toHaveLength(0);
  });

  it("a new INVITE gets 503 with Retry-After while draining; live calls go on", async () => {
    pbx.request("INVITE", {
      uri: "sip:1001@gateway.test",
      from: "<sip:5@pbx.test>;tag=live",
      to: "<sip:1001@gateway.test>",
      body: sdpOf("offer"),
    });
    const live = await engine.invites.next();
    engine.engine.drain();
    const refused = await ask(pbx, "INVITE");
    expect(refused.statusCode).toBe(503);
    expect(refused.headers.has("Retry-After")).toBe(true);
    live.invite.progress(180);
    await pbx.expectResponse(180);
    live.invite.reject(486);
    await pbx.expectResponse(486);
    expect((await ask(pbx, "OPTIONS")).statusCode).toBe(200);
  });
});
