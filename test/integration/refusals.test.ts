import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";

import { type Gateway, PASSWORDS } from "../harness/gateway.ts";
import { metric, records } from "../harness/gateway-state.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { Sipp } from "../harness/sipp.ts";
import { seededRandom } from "../harness/udp-relay.ts";
import { within } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall } from "./desk-call.ts";
import { expectNextCallWorks, expectNoFault, liveCalls, talkToDesk, useOffice } from "./support.ts";

/** No trunk's address and no user's. */
const STRANGER_HOST = "127.0.0.9";
/** Where passwords are guessed from; it is blocked afterwards. */
const GUESSER_HOST = "127.0.0.66";

const office = useOffice({
  // The guessers come from other loopback addresses, which are exempt by default.
  sections: { limits: { exempt: ["127.0.0.1", STRANGER_HOST] } },
});
let stranger: SipPeer;

beforeAll(async () => {
  stranger = await SipPeer.udp(office().gateway.sip, STRANGER_HOST);
});

afterAll(async () => {
  await stranger.close();
});

afterEach(async () => {
  const { gateway, desk } = office();
  await expectNextCallWorks(gateway);
  const fromTrunk = DeskCall.dial(desk, gateway, "*43");
  await fromTrunk.answered();
  await fromTrunk.bye();
  expectNoFault(gateway);
});

/** Signs in over HTTP from an address. */
async function signIn(
  gateway: Gateway,
  body: object,
  localAddress: string,
): Promise<{ readonly status: number; readonly retryAfter: string | undefined }> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest(
      `${gateway.httpUrl}/api/v1/session`,
      { method: "POST", localAddress, headers: { "Content-Type": "application/json" } },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        response.once("end", () => {
          resolve({ status, retryAfter: response.headers["retry-after"] });
        });
      },
    );
    request.once("error", reject);
    request.end(JSON.stringify(body));
  });
}

/** The HTTP status with which a WebSocket upgrade is refused; 101 when it is not. */
async function upgrade(
  url: string,
  protocol: string | undefined,
  origin?: string,
): Promise<number> {
  const options = origin === undefined ? {} : { origin };
  const socket =
    protocol === undefined ? new WebSocket(url, options) : new WebSocket(url, protocol, options);
  try {
    return await new Promise((resolve, reject) => {
      socket.once("open", () => resolve(101));
      socket.once("unexpected-response", (_request, response) => {
        resolve(response.statusCode ?? 0);
      });
      socket.once("error", reject);
    });
  } finally {
    socket.on("error", () => {});
    socket.terminate();
  }
}

describe("who has not proved to be a user", () => {
  it("does not sign in over HTTP with a wrong password", async () => {
    const { gateway } = office();
    const wrong = await signIn(gateway, { user: "1001", password: "guess" }, "127.0.0.1");
    expect(wrong.status).toBe(401);
    const nobody = await signIn(gateway, { user: "9999", password: "guess" }, "127.0.0.1");
    expect(nobody.status).toBe(401);
    const right = { user: "1001", password: PASSWORDS["1001"] };
    expect((await signIn(gateway, right, "127.0.0.1")).status).toBe(200);
  });

  it("does not register with a wrong password", async () => {
    const { gateway } = office();
    await using caller = await WsCaller.connect(gateway, "1001", { password: "guess" });
    expect((await caller.register()).statusCode).toBe(401);
    const { body } = await gateway.api("/api/v1/registrations");
    expect(body).toMatchObject({ items: [] });
  });

  it("does not call without a digest", async () => {
    const { gateway } = office();
    const before = await records(gateway);
    await using caller = await WsCaller.connect(gateway, "1001");
    const response = await caller.invite("*43").refused();
    expect(response.statusCode).toBe(401);
    expect(response.headers.getAll("WWW-Authenticate")[0]).toMatch(/^Digest .*realm="localhost"/);
    expect(await records(gateway)).toHaveLength(before.length);
  });

  it("does not call as somebody else", async () => {
    const { gateway, desk } = office();
    await using caller = await WsCaller.signIn(gateway, "1001");
    // Another user, a number, and a name that does not exist: none of them is hers.
    for (const fromUser of ["1002", "+4930123456", "nobody"]) {
      const challenge = await caller.invite("700", { fromUser }).refused();
      expect(challenge.statusCode).toBe(401);
      const spoofed = await caller.inviteWithDigest("700", { fromUser });
      expect((await spoofed.refused()).statusCode).toBe(403);
    }
    expect(desk.unread.filter((message) => message.kind === "request")).toEqual([]);
  });

  it("does not register as somebody else", async () => {
    const { gateway } = office();
    await using thief = await WsCaller.connect(gateway, "1002", { password: PASSWORDS["1001"] });
    expect((await thief.register()).statusCode).toBe(401);
    await using caller = await WsCaller.signIn(gateway, "1001");
    await using phone = await WsCaller.signIn(gateway, "1002");
    const call = caller.invite("1002");
    const leg = await phone.incoming();
    await leg.refuse(486);
    expect((await call.refused()).statusCode).toBe(486);
  });
});

describe("GET /ws", () => {
  it.each([
    ["a page of another site", "https://evil.example"],
    ["another port of this host", "http://127.0.0.1:1"],
    ["a sandboxed page", "null"],
  ])("refuses %s with 403", async (_who, origin) => {
    expect(await upgrade(office().gateway.wsUrl, "sip", origin)).toBe(403);
  });

  it("takes its own page", async () => {
    const { gateway } = office();
    expect(await upgrade(gateway.wsUrl, "sip", gateway.httpUrl)).toBe(101);
  });

  it.each([undefined, "chat"])("refuses the subprotocol %s with 400", async (protocol) => {
    expect(await upgrade(office().gateway.wsUrl, protocol)).toBe(400);
  });

  it("closes with 1009 on a frame of 1 MiB", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    caller.sendRaw(Buffer.alloc(1024 * 1024, "x"));
    expect(await caller.closed).toBe(1009);
  });

  it("goes on after frames that are no SIP", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const random = seededRandom(7);
    for (let count = 0; count < 50; count += 1) {
      caller.sendRaw(randomBytes(1 + Math.floor(random() * 4000)));
    }
    caller.sendRaw("INVITE sip:*43@localhost SIP/2.0\r\nVia: ");
    caller.sendRaw("INVITE sip:*43@localhost SIP/2.0\r\n\r\n");
    caller.sendRaw(`OPTIONS sip:localhost SIP/2.0\r\n${"X: y\r\n".repeat(9000)}\r\n`);
    const call = await caller.call("*43");
    await call.bye();
  });
});

describe("an address that is no trunk's", () => {
  it("cannot call: sipp gets 403 and no call begins", async () => {
    const { gateway } = office();
    const before = await records(gateway);
    await using sipp = await Sipp.start({
      scenario: "uac-refused",
      remote: gateway.sip,
      service: "1001",
      localHost: STRANGER_HOST,
    });
    await sipp.finished();
    expect(await sipp.received()).toEqual(["403"]);
    expect(await liveCalls(gateway)).toEqual([]);
    expect(await records(gateway)).toHaveLength(before.length);
  });

  it.each(["OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE"])("gets 403 for %s", (method) =>
    expectStrangerGets(method, 403),
  );

  it("gets 481 for a BYE of no call", async () => {
    stranger.request("BYE", {
      uri: "sip:1001@localhost",
      from: "<sip:a@localhost>;tag=a",
      to: "<sip:b@localhost>;tag=b",
    });
    await stranger.expectResponse(481, "BYE");
  });

  it("cannot end a call with the right tags", async () => {
    await using caller = await WsCaller.signIn(office().gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    const forged = leg.dialog.from(stranger);
    for (const method of ["BYE", "INVITE", "UPDATE", "INFO"]) {
      forged.request(method);
      await stranger.expectResponse(403, method);
    }
    await expectStillTalking();
    const ended = call.bye();
    await leg.hungUp();
    await ended;
    expect(call.unread).toEqual([]);
    expect(leg.unread).toEqual([]);
  });

  it("cannot cancel a call that rings", async () => {
    const { gateway, desk } = office();
    await using callee = await WsCaller.signIn(gateway, "1002");
    const call = DeskCall.dial(desk, gateway, "1002");
    const leg = await callee.incoming();
    leg.ring();
    await call.expectResponse(180, "INVITE");
    stranger.request("CANCEL", {
      uri: call.invite.requestUri,
      from: call.invite.headers.get("From") ?? "",
      to: call.invite.headers.get("To") ?? "",
      callId: call.invite.callId,
      branch: call.invite.topmostVia.branch ?? "",
      headers: [],
    });
    await stranger.expectResponse(481, "CANCEL");
    await leg.answer();
    await call.answered();
    const ended = call.bye();
    await leg.hungUp();
    await ended;
  });
});

async function expectStrangerGets(method: string, status: number): Promise<void> {
  stranger.request(method, {
    uri: "sip:1001@localhost",
    from: "<sip:1001@localhost>;tag=stranger",
    to: "<sip:1001@localhost>",
  });
  await stranger.expectResponse(status, method);
}

async function expectStillTalking(): Promise<void> {
  const { body } = await office().gateway.api("/api/v1/calls");
  expect(body).toMatchObject({ items: [{ state: "connected" }] });
}

describe("another user of the same gateway", () => {
  it("cannot end a call with the right tags", async () => {
    const { gateway } = office();
    await using caller = await WsCaller.signIn(gateway, "1001");
    await using thief = await WsCaller.signIn(gateway, "1002");
    await using desktop = await WsCaller.signIn(gateway, "1001");
    const [call, leg] = await talkToDesk(office(), caller);
    for (const other of [thief, desktop]) {
      const forged = other.resume(call);
      forged.request("BYE");
      const response = await forged.expectResponse((status) => status >= 200, "BYE");
      expect([403, 481]).toContain(response.statusCode);
    }
    await expectStillTalking();
    const ended = call.bye();
    await leg.hungUp();
    await ended;
  });

  it("cannot end a call that her browser has lost the connection of", async () => {
    const { gateway } = office();
    await using caller = await WsCaller.signIn(gateway, "1001");
    await using thief = await WsCaller.signIn(gateway, "1002");
    const [call, leg] = await talkToDesk(office(), caller);
    await caller.cut();
    const forged = thief.resume(call);
    forged.request("BYE");
    expect((await forged.expectResponse((status) => status >= 200, "BYE")).statusCode).toBe(403);
    await expectStillTalking();
    await leg.bye();
  });
});

describe("garbage", () => {
  const INVITE = [
    "INVITE sip:1001@localhost SIP/2.0",
    "Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKgarbage",
    "Max-Forwards: 70",
    "From: <sip:a@127.0.0.2>;tag=a",
    "To: <sip:1001@localhost>",
    "Call-ID: garbage",
    "CSeq: 1 INVITE",
    "Contact: <sip:a@127.0.0.2>",
    "Content-Length: 400",
    "",
    "v=0",
  ].join("\r\n");

  /** Sends datagrams to the SIP port, some from a trunk's address. */
  async function send(datagrams: Iterable<Buffer>, host: string): Promise<void> {
    const to = office().gateway.sip;
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => {
      socket.bind(0, host, resolve);
    });
    socket.on("error", () => {});
    for (const datagram of datagrams) {
      await new Promise((resolve) => {
        socket.send(datagram, to.port, to.host, resolve);
      });
    }
    socket.close();
  }

  function* randomDatagrams(count: number): Generator<Buffer> {
    const random = seededRandom(42);
    for (let index = 0; index < count; index += 1) {
      yield randomBytes(1 + Math.floor(random() * 1500));
    }
  }

  /** An INVITE with some of its octets changed. */
  function* mutations(count: number): Generator<Buffer> {
    const random = seededRandom(43);
    for (let index = 0; index < count; index += 1) {
      const octets = Buffer.from(INVITE);
      for (let changes = 0; changes < 6; changes += 1) {
        octets[Math.floor(random() * octets.length)] = Math.floor(random() * 256);
      }
      yield octets;
    }
  }

  it.each([STRANGER_HOST, "127.0.0.2"])("on UDP from %s is survived", async (host) => {
    await send(randomDatagrams(500), host);
    await send(
      Array.from(INVITE, (_octet, length) => Buffer.from(INVITE.slice(0, length))),
      host,
    );
    await send(mutations(500), host);
    // The largest datagram that IPv4 carries.
    await send([Buffer.alloc(65_507, "A"), Buffer.from(INVITE.padEnd(65_507, "A"))], host);
    await send([Buffer.alloc(0), Buffer.alloc(65_507), Buffer.from("\r\n\r\n")], host);
  });

  it("on the HTTP port is survived", async () => {
    const { port } = new URL(office().gateway.httpUrl);
    const pieces = [
      randomBytes(4000),
      Buffer.from(INVITE),
      Buffer.from(
        "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      ),
      Buffer.from(`GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`),
    ];
    for (const piece of pieces) await sendToHttp(Number(port), piece);
  });

  /** Sends octets over TCP and waits until the gateway has closed the connection. */
  async function sendToHttp(port: number, octets: Buffer): Promise<void> {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.write(octets);
    const closed = new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
    });
    await within(closed, { what: "the gateway to close the connection" }).finally(() => {
      socket.destroy();
    });
  }

  it("leaves no transaction behind that a stranger has paid nothing for", async () => {
    const { gateway } = office();
    const before = await metric(gateway, "offhook_sip_transactions");
    for (let count = 0; count < 100; count += 1) {
      stranger.request("INVITE", {
        uri: "sip:1001@localhost",
        from: `<sip:a@localhost>;tag=${count}`,
        to: "<sip:1001@localhost>",
      });
    }
    for (let count = 0; count < 100; count += 1) await stranger.expectResponse(403, "INVITE");
    expect(await metric(gateway, "offhook_sip_transactions")).toBeLessThanOrEqual(before);
  });
});

describe("guessing passwords", () => {
  it("over HTTP ends in 429, for the guesser alone", async () => {
    const { gateway } = office();
    let last = await signIn(gateway, { user: "nobody-1", password: "x" }, GUESSER_HOST);
    for (let count = 0; count < 30 && last.status === 401; count += 1) {
      last = await signIn(gateway, { user: `nobody-${count}`, password: "x" }, GUESSER_HOST);
    }
    expect(last.status).toBe(429);
    expect(Number(last.retryAfter)).toBeGreaterThan(0);
    const right = { user: "1001", password: PASSWORDS["1001"] };
    expect((await signIn(gateway, right, GUESSER_HOST)).status).toBe(429);
    expect((await signIn(gateway, right, "127.0.0.1")).status).toBe(200);
  });

  it("over SIP ends in 403, also for the right password", async () => {
    const { gateway } = office();
    const localAddress = "127.0.0.67";
    await using guesser = await WsCaller.connect(gateway, "1002", { localAddress });
    let status = 401;
    for (let count = 0; count < 30 && status === 401; count += 1) {
      status = (await guesser.register({ password: `guess-${count}` })).statusCode;
    }
    expect(status).toBe(403);
    expect((await guesser.register()).statusCode).toBe(403);
    await using elsewhere = await WsCaller.connect(gateway, "1001", { localAddress });
    expect((await elsewhere.register()).statusCode).toBe(403);
  });
});
