import { createHash } from "node:crypto";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import type { EngineTrunk } from "../../../src/signaling/embedded-engine.ts";
import { tryParseDigestCredentials } from "../../../src/signaling/message/auth-header.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { registrationFacts } from "../../../src/signaling/trunk/channels.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import { StreamListener } from "../../harness/stream-peer.ts";
import { waitFor } from "../../harness/wait.ts";

const ACCOUNT = { username: "gw", password: "secret", expiresSeconds: 300 };
/** When it is refreshed: random is 0.5. */
const REFRESH_MS = 232_500;
const QUESTION = 'Digest realm="pbx", nonce="n", qop="auth"';

let engine: TestEngine;
let registrar: SipPeer;
/** Of a trunk that is asked with OPTIONS for ever: some questions are open at the end. */
let pingMs = 0;

async function start(
  more: Partial<EngineTrunk> = {},
  others: (port: number) => readonly EngineTrunk[] = () => [],
): Promise<void> {
  registrar = await SipPeer.udp();
  const { port } = registrar.local;
  engine = await TestEngine.start({
    isOnTcp: true,
    trunks: [
      { id: "t", peer: `sip:127.0.0.1:${port}`, register: ACCOUNT, ...more },
      ...others(port),
    ],
  });
  engine.adopt(registrar);
}

/** Takes the binding away and ends; nothing may be left. */
afterEach(async () => {
  engine.engine.drain();
  registrar.drain();
  await waitFor(
    () => {
      for (const message of registrar.unread) {
        if (message.kind === "request" && message.method === "REGISTER") {
          registrar.respond(message, 200, { toTag: "bye" });
        }
      }
      registrar.drain();
      if (state().state === "off") return true;
      engine.clock.advance(500);
      return undefined;
    },
    { what: "the registration to be off", timeoutMs: 5000, intervalMs: 5 },
  );
  const transactions: unknown = pingMs === 0 ? 0 : expect.any(Number);
  expect(await engine.stop()).toEqual({ transactions, dialogs: 0 });
  pingMs = 0;
  expect(engine.clock.pendingTimers).toBe(0);
});

function state(id = "t") {
  const view = engine.engine.trunkRegistration(id);
  if (view === undefined) throw new Error(`${id} does not register`);
  return view;
}

async function until(name: string, id = "t"): Promise<ReturnType<typeof state>> {
  return await waitFor(() => (state(id).state === name ? state(id) : undefined), {
    what: `the registration to be ${name}`,
    timeoutMs: 3000,
    intervalMs: 2,
    detail: () => JSON.stringify(state(id)),
  });
}

function accept(request: SipRequest, headers?: readonly HeaderField[]): void {
  const contact = request.headers.get("Contact") ?? "";
  registrar.respond(request, 200, {
    toTag: "r",
    headers: headers ?? [["Contact", `${contact};expires=${request.expires ?? 0}`]],
  });
}

function challenge(request: SipRequest, value = QUESTION, status = 401): void {
  const name = status === 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
  registrar.respond(request, status, { toTag: "c", headers: [[name, value]] });
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

async function next(): Promise<SipRequest> {
  return await registrar.expectRequest("REGISTER");
}

async function registered(): Promise<SipRequest> {
  const request = await next();
  accept(request);
  await until("registered");
  return request;
}

/** Nothing more has been sent: the engine works in order, and answers this last. */
async function expectQuiet(): Promise<void> {
  registrar.request("OPTIONS", {
    uri: "sip:gateway.test",
    from: "<sip:a@pbx.test>;tag=o",
    to: "<sip:b@gateway.test>",
  });
  await registrar.expectResponse(200, "OPTIONS");
  expect(registrar.unread).toEqual([]);
}

describe("RFC 3261 §10.2 the REGISTER of a trunk", () => {
  it("names the account, answers the challenge, and is refreshed before it runs out", async () => {
    await start();
    const first = await next();
    const { port } = registrar.local;
    expect(first.requestUri).toBe(`sip:127.0.0.1:${port}`);
    expect(first.to.uri).toBe("sip:gw@127.0.0.1");
    expect(first.from.uri).toBe(first.to.uri);
    expect(first.expires).toBe(300);
    expect(first.contact?.sipUri).toMatchObject({ user: "gw", host: "127.0.0.1" });
    expect(first.contact?.sipUri.port).toBe(engine.udp.port);
    expect(first.headers.has("Authorization")).toBe(false);
    expect(state().state).toBe("registering");
    challenge(first);

    const second = await next();
    expect(second.callId).toBe(first.callId);
    expect(second.cseq.number).toBe(first.cseq.number + 1);
    expect(second.contact?.uri).toBe(first.contact?.uri);
    const given = tryParseDigestCredentials(second.headers.get("Authorization") ?? "");
    const middle = `n:${given?.nc}:${given?.cnonce}:auth`;
    const what = md5(`REGISTER:sip:127.0.0.1:${port}`);
    expect(given?.response).toBe(md5(`${md5("gw:pbx:secret")}:${middle}:${what}`));
    accept(second);
    const { expiresAtMs } = await until("registered");
    expect(expiresAtMs).toBe(engine.clock.wallMs() + 300_000);

    // 77.5 % of 300 s
    engine.clock.advance(REFRESH_MS - 1);
    await expectQuiet();
    engine.clock.advance(1);
    const third = await next();
    expect(third.callId).toBe(first.callId);
    expect(third.cseq.number).toBe(second.cseq.number + 1);
    expect(state().state).toBe("registered");
    accept(third);
  });

  it.each([
    ["of our Contact", (own: string) => [["Contact", `${own};expires=60`]], 60],
    [
      "of our Contact among others",
      (own: string) => [
        ["Contact", "<sip:other@192.0.2.9>;expires=900"],
        ["Contact", `${own};expires=70`],
      ],
      70,
    ],
    [
      "of our Contact as a NAT changed it",
      (own: string) => [
        ["Contact", `<sip:other@192.0.2.9>;expires=900`],
        ["Contact", `${own.replace("127.0.0.1", "192.0.2.1")};expires=80`],
      ],
      80,
    ],
    ["of Expires", () => [["Expires", "90"]], 90],
    ["that was asked for", () => [], 300],
  ] as [string, (own: string) => HeaderField[], number][])(
    "lasts for the time %s",
    async (_name, headers, seconds) => {
      await start();
      const request = await next();
      accept(request, headers(request.headers.get("Contact") ?? ""));
      const { expiresAtMs = 0 } = await until("registered");
      expect(expiresAtMs - engine.clock.wallMs()).toBe(seconds * 1000);
    },
  );

  it("§10.2.8 asks for Min-Expires after a 423, and goes on asking for it", async () => {
    await start();
    const first = await next();
    challenge(first);
    const second = await next();
    registrar.respond(second, 423, { toTag: "i", headers: [["Min-Expires", "1800"]] });
    const third = await next();
    expect(third.expires).toBe(1800);
    accept(third);
    const { expiresAtMs = 0 } = await until("registered");
    expect(expiresAtMs - engine.clock.wallMs()).toBe(1_800_000);
    engine.clock.advance(1_400_000);
    const fourth = await next();
    expect(fourth.expires).toBe(1800);
    accept(fourth);
  });

  it("is over with a 423 that cannot be met", async () => {
    await start();
    registrar.respond(await next(), 423, { toTag: "i", headers: [["Min-Expires", "99999999"]] });
    expect(await until("refused")).toMatchObject({ reason: "response", status: 423 });
    await expectQuiet();
  });
});

describe("the credentials of a registration", () => {
  it("go to a proxy and to the registrar, each in its realm", async () => {
    await start();
    challenge(await next(), 'Digest realm="edge", nonce="p", qop="auth"', 407);
    const second = await next();
    expect(second.headers.get("Proxy-Authorization")).toContain('realm="edge"');
    challenge(second);
    const third = await next();
    expect(third.headers.get("Proxy-Authorization")).toContain('realm="edge"');
    expect(third.headers.get("Authorization")).toContain('realm="pbx"');
    accept(third);
    await until("registered");
    // A third realm gets nothing, whatever the status.
    for (const status of [401, 407]) {
      engine.clock.advance(status === 401 ? REFRESH_MS : 1_350_000);
      challenge(await next(), 'Digest realm="other", nonce="q", qop="auth"', status);
      expect(await until("refused")).toMatchObject({ reason: "challenge not answered", status });
      await expectQuiet();
    }
  });

  it.each([
    ["SHA-256, the topmost that we know", ["SHA-512-256", "SHA-256", "MD5"], "SHA-256"],
    ["MD5", ["MD5"], "MD5"],
  ])("answer %s", async (_name, offered, expected) => {
    await start();
    registrar.respond(await next(), 401, {
      toTag: "c",
      headers: offered.map((algorithm): HeaderField => [
        "WWW-Authenticate",
        `Digest realm="pbx", nonce="n", qop="auth,auth-int", algorithm=${algorithm}`,
      ]),
    });
    const second = await next();
    const given = tryParseDigestCredentials(second.headers.get("Authorization") ?? "");
    expect(given).toMatchObject({ algorithm: expected, qop: "auth" });
    accept(second);
  });

  it.each([
    ["auth-int alone", 'Digest realm="pbx", nonce="n", qop="auth-int"'],
    ["an algorithm that we do not know", 'Digest realm="pbx", nonce="n", algorithm=MD6'],
    ["another scheme", 'Basic realm="pbx"'],
  ])("do not answer %s", async (_name, value) => {
    await start();
    challenge(await next(), value);
    expect(await until("refused")).toMatchObject({ reason: "challenge not answered", status: 401 });
    await expectQuiet();
  });

  it("are given twice only to stale=true, and wrong ones are not tried again", async () => {
    await start();
    challenge(await next());
    challenge(await next(), 'Digest realm="pbx", nonce="n2", qop="auth", stale=true');
    const third = await next();
    expect(third.headers.get("Authorization")).toContain('nonce="n2"');
    challenge(third);
    const { reason, retryAtMs = 0 } = await until("refused");
    expect(reason).toBe("wrong credentials");
    // 15 to 30 minutes; random is 0.5
    expect(retryAtMs - engine.clock.wallMs()).toBe(1_350_000);
    await expectQuiet();
  });

  it("answer the challenge to a call in the realm of the registration, and in no other", async () => {
    await start();
    challenge(await next());
    await registered();
    for (const [realm, isAnswered] of [
      ["pbx", true],
      ["callee", false],
    ] as const) {
      const log = new OutgoingLog();
      engine.engine.invite(
        {
          target: { kind: "trunk", trunkId: "t", number: "5" },
          from: { user: "1001" },
          to: { user: "5" },
          sdp: sdpOf("offer"),
        },
        log,
      );
      const invite = await registrar.expectRequest("INVITE");
      challenge(invite, `Digest realm="${realm}", nonce="n", qop="auth"`, 407);
      await registrar.expectRequest("ACK");
      if (isAnswered) {
        const again = await registrar.expectRequest("INVITE");
        expect(again.headers.get("Proxy-Authorization")).toContain('username="gw"');
        registrar.respond(again, 486, { toTag: "b" });
        await registrar.expectRequest("ACK");
      }
      await log.expect("failed");
      await expectQuiet();
    }
  });
});

describe("a registration that fails", () => {
  it("RFC 5626 §4.5 waits from 30 s to 30 min, doubling, and begins anew after a success", async () => {
    await start();
    const waits: number[] = [];
    for (let failure = 1; failure <= 8; failure += 1) {
      registrar.respond(await next(), 500, { toTag: "x", headers: [] });
      const { retryAtMs = 0, reason, status } = await until("waiting");
      expect({ reason, status }).toEqual({ reason: "response", status: 500 });
      waits.push((retryAtMs - engine.clock.wallMs()) / 1000);
      engine.clock.advance(retryAtMs - engine.clock.wallMs());
      expect(state().state).toBe("registering");
    }
    // random is 0.5: three quarters of 60, 120, … 1800 s
    expect(waits).toEqual([45, 90, 180, 360, 720, 1350, 1350, 1350]);
    await registered();
    engine.clock.advance(REFRESH_MS);
    registrar.respond(await next(), 500, { toTag: "x", headers: [] });
    const { retryAtMs = 0 } = await until("waiting");
    expect(retryAtMs - engine.clock.wallMs()).toBe(45_000);
  });

  it("RFC 3261 §20.33 waits for Retry-After and a little longer, at most an hour", async () => {
    await start();
    for (const [value, seconds] of [
      ["600 (maintenance);duration=60", 630],
      ["999999", 3780],
      ["1", 180],
    ] as const) {
      registrar.respond(await next(), 503, { toTag: "x", headers: [["Retry-After", value]] });
      const { retryAtMs = 0 } = await until("waiting");
      expect((retryAtMs - engine.clock.wallMs()) / 1000).toBe(seconds);
      engine.clock.advance(retryAtMs - engine.clock.wallMs());
    }
    accept(await next());
  });

  it.each([
    [403, "refused"],
    [404, "refused"],
    [302, "refused"],
    [603, "refused"],
    [408, "waiting"],
    [480, "waiting"],
    [503, "waiting"],
  ] as const)("%i is %s; nobody else gets the REGISTER", async (status, name) => {
    await start();
    const other = engine.adopt(await SipPeer.udp());
    registrar.respond(await next(), status, { toTag: "x", headers: [["Contact", other.contact]] });
    expect(await until(name)).toMatchObject({ reason: "response", status });
    await expectQuiet();
    expect(other.unread).toEqual([]);
  });

  it("a 2xx that keeps no binding is a refusal", async () => {
    await start();
    accept(await next(), [["Expires", "0"]]);
    expect(await until("refused")).toMatchObject({ reason: "no binding", status: 200 });
  });

  it("silence is told as no answer", async () => {
    await start();
    await next();
    engine.clock.advance(32_000);
    expect(state()).toMatchObject({ state: "waiting", reason: "no answer", status: undefined });
  });

  it("tells every change once", async () => {
    const told: string[] = [];
    const unsubscribe = registrationFacts.subscribe(({ trunkId, previous, state: now, reason }) => {
      told.push(`${trunkId} ${previous} ${now} ${reason ?? ""}`.trim());
    });
    await start();
    registrar.respond(await next(), 403, { toTag: "x", headers: [] });
    await until("refused");
    engine.clock.advance(1_350_000);
    await registered();
    engine.clock.advance(REFRESH_MS);
    accept(await next());
    await expectQuiet();
    unsubscribe();
    expect(told).toEqual([
      "t off registering",
      "t registering refused response",
      "t refused registering",
      "t registering registered",
    ]);
  });
});

describe("what happens to a registration, by its state", () => {
  const reach: Record<string, () => Promise<void>> = {
    registering: async () => {
      await next();
    },
    registered: async () => {
      await registered();
    },
    refreshing: async () => {
      await registered();
      engine.clock.advance(REFRESH_MS);
      await next();
    },
    refused: async () => {
      registrar.respond(await next(), 403, { toTag: "x", headers: [] });
      await until("refused");
    },
    waiting: async () => {
      registrar.respond(await next(), 500, { toTag: "x", headers: [] });
      await until("waiting");
    },
    unregistering: async () => {
      await registered();
      engine.engine.drain();
      await next();
    },
  };

  it.each([
    ["registering", "unregistering", true],
    ["registered", "unregistering", true],
    ["refreshing", "unregistering", true],
    ["refused", "off", false],
    ["waiting", "off", false],
    ["unregistering", "unregistering", false],
  ] as const)("drain in %s: %s", async (from, to, isSent) => {
    await start();
    await reach[from]?.();
    engine.engine.drain();
    expect(state().state).toBe(to);
    if (!isSent) {
      await expectQuiet();
      return;
    }
    const bye = await next();
    expect(bye.expires).toBe(0);
    expect(bye.contact?.sipUri.user).toBe("gw");
    challenge(bye);
    const again = await next();
    expect(again.expires).toBe(0);
    expect(again.headers.has("Authorization")).toBe(true);
    accept(again, []);
    await until("off");
    engine.clock.advance(4_000_000);
    await expectQuiet();
  });

  it.each([
    ["registering", "registering", 0],
    ["registered", "registered", 1],
    ["refused", "refused", 0],
    ["waiting", "registering", 1],
  ] as const)("the peer is back in %s: %s", async (from, to, count) => {
    pingMs = 10_000;
    await start({ pingMs, pingMisses: 1, pingHits: 1 });
    const known = new Set<string>();
    /** The next question; what is sent again is none. */
    const question = async (): Promise<SipRequest> => {
      for (;;) {
        const ping = await registrar.expectRequest("OPTIONS");
        if (known.has(ping.callId)) continue;
        known.add(ping.callId);
        return ping;
      }
    };
    const untilPing = async (wanted: string): Promise<void> => {
      await waitFor(() => engine.engine.trunkState("t") === wanted || undefined, { what: wanted });
    };
    registrar.respond(await question(), 200, { toTag: "o" });
    await untilPing("up");
    await reach[from]?.();
    const before = engine.clock.monotonicMs();
    engine.clock.advance(pingMs - (before % pingMs));
    await question();
    engine.clock.advance(pingMs);
    await untilPing("down");
    const asked = registrar.unread.filter(({ kind }) => kind === "request");
    registrar.respond(await question(), 200, { toTag: "o" });
    await untilPing("up");
    registrar.drain();
    const had = new Set(asked.map(({ cseq }) => cseq.number));
    engine.clock.advance(2000);
    expect(state().state).toBe(to);
    if (count === 1) {
      const again = await next();
      expect(had.has(again.cseq.number)).toBe(false);
      accept(again);
    }
  });
});

describe("the connection of a registration", () => {
  it("closes: registered again within 2 s on another one, and refreshed there", async () => {
    const pbx = await StreamListener.open();
    onTestFinished(() => pbx.close());
    await start({ peer: `sip:127.0.0.1:${pbx.address.port};transport=tcp` });
    const first = await pbx.accepted.next();
    registrar = first.peer;
    const request = await registered();
    expect(request.contact?.sipUri.params.get("transport")).toBe("tcp");
    expect(request.contact?.sipUri.port).toBe(engine.tcp.port);
    first.socket.destroy();
    expect(await until("waiting")).toMatchObject({ reason: "connection lost" });
    engine.clock.advance(2000);
    registrar = (await pbx.accepted.next()).peer;
    const again = await registered();
    expect(again.contact?.uri).toBe(request.contact?.uri);
    expect(again.callId).toBe(request.callId);
    engine.clock.advance(REFRESH_MS);
    accept(await next());
    expect(pbx.count).toBe(1);
  });

  it("closes before the answer: asked again within 2 s, once, and then no sooner than ever", async () => {
    const pbx = await StreamListener.open();
    onTestFinished(() => pbx.close());
    await start({ peer: `sip:127.0.0.1:${pbx.address.port};transport=tcp` });
    for (const [expected, withinMs] of [
      ["connection lost", 1000],
      ["transport", 90_000],
    ] as const) {
      const { peer, socket } = await pbx.accepted.next();
      registrar = peer;
      // Without that it is sent again on another connection.
      registrar.respond(await next(), 100);
      socket.end();
      const { reason, retryAtMs = 0 } = await until("waiting");
      expect(reason).toBe(expected);
      // Random is 0.5.
      expect(retryAtMs - engine.clock.wallMs()).toBe(withinMs);
      engine.clock.advance(withinMs);
    }
    registrar = (await pbx.accepted.next()).peer;
    await registered();
  });
});

describe("calls to what a trunk registered", () => {
  async function call(uri: string, to: string): Promise<{ number: string; trunk: string }> {
    registrar.request("INVITE", {
      uri,
      from: "<sip:5@pbx.test>;tag=f",
      to: `<${to}>`,
      body: sdpOf("offer"),
    });
    const { invite } = await engine.invites.next();
    invite.reject(486);
    await registrar.expectResponse(486);
    const { party } = invite;
    return {
      number: invite.calledNumber,
      trunk: party.kind === "trunk" ? party.trunkId : "none",
    };
  }

  it("are for the number in To; a number in the Request-URI counts first", async () => {
    await start();
    const { contact } = await registered();
    const uri = contact?.uri ?? "";
    expect(await call(uri, "sip:+4930123@pbx.test")).toEqual({ number: "+4930123", trunk: "t" });
    expect(await call(uri.replace("gw@", "200@"), "sip:9@pbx.test")).toEqual({
      number: "200",
      trunk: "t",
    });
    expect(await call(uri, "sip:pbx.test")).toEqual({ number: "gw", trunk: "t" });
  });

  it("tell two accounts at one peer apart", async () => {
    await start({}, (port) => [
      {
        id: "second",
        peer: `sip:127.0.0.1:${port}`,
        register: { ...ACCOUNT, username: "gw2" },
      },
      {
        id: "third",
        peer: `sip:127.0.0.1:${port}`,
        register: { ...ACCOUNT, username: "gw" },
      },
    ]);
    const requests = [await next(), await next(), await next()];
    for (const request of requests) accept(request);
    for (const id of ["t", "second", "third"]) await until("registered", id);
    const uris = requests.map(({ contact }) => contact?.uri ?? "");
    expect(new Set(uris).size).toBe(3);
    const found = [];
    for (const uri of uris) found.push((await call(uri, "sip:5@pbx.test")).trunk);
    expect(found.toSorted()).toEqual(["second", "t", "third"]);
    // A peer that drops the parameter.
    const plain = `sip:gw2@127.0.0.1:${engine.udp.port}`;
    expect(await call(plain, "sip:5@pbx.test")).toEqual({ number: "5", trunk: "second" });
  });
});
