import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type {
  EventNotification,
  OutgoingSubscription,
  SubscriptionOutcome,
} from "../../../src/signaling/engine.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { Inbox, TestEngine } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let pbx: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [
      {
        id: "office",
        peer: `sip:127.0.0.1:${pbx.local.port}`,
        auth: { username: "us", password: "secret" },
      },
    ],
  });
  engine.adopt(pbx);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

class Log {
  readonly notifications = new Inbox<EventNotification>();
  readonly ends = new Inbox<SubscriptionOutcome>();
  onNotify(notification: EventNotification): void {
    this.notifications.push(notification);
  }
  onEnded(end: SubscriptionOutcome): void {
    this.ends.push(end);
  }
}

interface Asked {
  readonly log: Log;
  readonly subscription: OutgoingSubscription;
  readonly request: SipRequest;
}

async function ask(expiresSeconds = 600): Promise<Asked> {
  const log = new Log();
  const subscription = engine.engine.subscribe(
    {
      target: { kind: "trunk", trunkId: "office", number: "5" },
      from: { user: "1001" },
      to: { user: "5" },
      event: "message-summary",
      accept: ["application/simple-message-summary"],
      expiresSeconds,
    },
    log,
  );
  return { log, subscription, request: await pbx.expectRequest("SUBSCRIBE") };
}

const accept = (request: SipRequest, expires = "600", toTag = "one") =>
  pbx.respond(request, 200, {
    toTag,
    headers: [
      ["Contact", pbx.contact],
      ["Expires", expires],
    ],
  });

const fork = (request: SipRequest, tag = "one") => PeerDialog.asCallee(pbx, request, tag);

async function notify(
  far: PeerDialog,
  state: string,
  options: { readonly event?: string; readonly status?: number; readonly body?: string } = {},
): Promise<void> {
  far.request("NOTIFY", {
    headers: [
      ["Event", options.event ?? "message-summary"],
      ["Subscription-State", state],
    ],
    body: options.body ?? "Messages-Waiting: yes",
    contentType: "application/simple-message-summary",
  });
  await pbx.expectResponse(options.status ?? 200, "NOTIFY");
}

const terminated = { status: undefined, reason: "noresource", retryAfterSeconds: undefined };

describe("RFC 6665 §4.1 a subscription of ours", () => {
  it("asks, is told, and ends when the notifier says so", async () => {
    const { log, request } = await ask();
    expect(request.headers.get("Event")).toBe("message-summary");
    expect(request.headers.get("Accept")).toBe("application/simple-message-summary");
    expect(request.expires).toBe(600);
    expect(request.contact?.uri).toContain("@127.0.0.1");
    accept(request);
    const far = fork(request);
    await notify(far, "active;expires=600");
    expect(await log.notifications.next()).toEqual({
      state: "active",
      contentType: "application/simple-message-summary",
      body: Buffer.from("Messages-Waiting: yes"),
      remoteTag: "one",
    });
    await notify(far, "terminated;reason=noresource");
    expect((await log.notifications.next()).state).toBe("terminated");
    expect(await log.ends.next()).toEqual(terminated);
    await notify(far, "active", { status: 481 });
  });

  it("a NOTIFY may overtake the response (§4.1.2.4)", async () => {
    const { log, request } = await ask();
    const far = fork(request);
    await notify(far, "pending");
    expect((await log.notifications.next()).state).toBe("pending");
    accept(request);
    await notify(far, "terminated;reason=noresource");
    expect(await log.ends.next()).toEqual(terminated);
  });

  it("is prolonged in time, for as long as before", async () => {
    const { log, request } = await ask(120);
    accept(request, "120");
    const far = fork(request);
    await notify(far, "active;expires=120");
    engine.clock.advance(90_000);
    const refresh = await pbx.expectRequest("SUBSCRIBE");
    expect(refresh.expires).toBe(120);
    expect(refresh.toTag).toBe("one");
    expect(refresh.cseq.number).toBe(2);
    expect(refresh.requestUri).toBe(`sip:peer@${pbx.sentBy}`);
    pbx.respond(refresh, 200, { headers: [["Expires", "100"]] });
    await notify(far, "active;expires=100");
    engine.clock.advance(70_000);
    pbx.respond(await pbx.expectRequest("SUBSCRIBE"), 200, { headers: [["Expires", "100"]] });
    await notify(far, "terminated;reason=noresource");
    expect(await log.ends.next()).toEqual(terminated);
  });

  it("runs out when nobody answers its refresh", async () => {
    const { log, request } = await ask(120);
    accept(request, "120");
    await notify(fork(request), "active;expires=120");
    engine.clock.advance(90_000);
    pbx.respond(await pbx.expectRequest("SUBSCRIBE"), 503);
    engine.clock.advance(29_999);
    expect(log.ends.unread).toHaveLength(0);
    engine.clock.advance(1);
    expect(await log.ends.next()).toEqual({
      reason: "expired",
      status: undefined,
      retryAfterSeconds: 0,
    });
  });

  it.each<[number, HeaderField[]]>([
    [481, []],
    // Nobody here can answer that.
    [401, [["WWW-Authenticate", 'Digest realm="pbx", nonce="n", algorithm=SHA-1024']]],
  ])(
    "%i to its refresh ends it at once, and it may be asked for again",
    async (status, headers) => {
      const { log, request } = await ask(120);
      accept(request, "120");
      await notify(fork(request), "active;expires=120");
      engine.clock.advance(90_000);
      pbx.respond(await pbx.expectRequest("SUBSCRIBE"), status, { headers });
      expect(await log.ends.next()).toEqual({ reason: "refused", status, retryAfterSeconds: 0 });
    },
  );

  it.each<[number, HeaderField[], number | undefined]>([
    [489, [], undefined],
    [481, [], undefined],
    [403, [], undefined],
    [503, [["Retry-After", "30"]], 30],
    [480, [["Retry-After", "120 (away);duration=60"]], 120],
  ])("%i refuses it", async (status, headers, retryAfterSeconds) => {
    const { log, request } = await ask();
    pbx.respond(request, status, { toTag: "one", headers });
    expect(await log.ends.next()).toEqual({ reason: "refused", status, retryAfterSeconds });
    expect(log.notifications.unread).toHaveLength(0);
  });

  it("423 makes it ask for longer, once", async () => {
    const { log, request } = await ask(60);
    pbx.respond(request, 423, { toTag: "x", headers: [["Min-Expires", "300"]] });
    const again = await pbx.expectRequest("SUBSCRIBE");
    expect(again.expires).toBe(300);
    expect(again.callId).toBe(request.callId);
    expect(again.cseq.number).toBe(request.cseq.number + 1);
    pbx.respond(again, 423, { toTag: "x", headers: [["Min-Expires", "900"]] });
    expect((await log.ends.next()).status).toBe(423);
  });

  it("answers the trunk's challenge", async () => {
    const { log, request } = await ask();
    pbx.respond(request, 401, {
      headers: [["WWW-Authenticate", 'Digest realm="pbx", nonce="n", qop="auth"']],
    });
    const again = await pbx.expectRequest("SUBSCRIBE");
    expect(again.headers.get("Authorization")).toContain('username="us"');
    accept(again);
    const far = fork(again);
    await notify(far, "terminated;reason=rejected");
    expect((await log.ends.next()).retryAfterSeconds).toBeUndefined();
  });

  it("without a NOTIFY it is over after Timer N", async () => {
    const { log, request } = await ask();
    accept(request);
    engine.clock.advance(32_000);
    expect(await log.ends.next()).toEqual({
      reason: "no-notify",
      status: 408,
      retryAfterSeconds: 0,
    });
    await notify(fork(request), "active", { status: 481 });
  });

  it("without any answer it is over after Timer F", async () => {
    const { log } = await ask();
    engine.clock.advance(32_000);
    expect((await log.ends.next()).status).toBe(408);
  });

  it.each([
    ["terminated;reason=deactivated", 0],
    ["terminated;reason=timeout", 0],
    ["terminated;reason=probation;retry-after=60", 60],
    ["terminated;reason=giveup;retry-after=5", 5],
    ["terminated;reason=giveup", 0],
    ["terminated;reason=rejected;retry-after=5", undefined],
    ["terminated;reason=noresource", undefined],
    ["terminated;reason=invariant", undefined],
    ["terminated", 0],
    ["terminated;reason=somethingnew", 0],
  ])("%s: again after %s", async (state, retryAfterSeconds) => {
    const { log, request } = await ask();
    accept(request);
    await notify(fork(request), state);
    expect((await log.ends.next()).retryAfterSeconds).toBe(retryAfterSeconds);
  });
});

describe("RFC 6665 §4.4.1 forks", () => {
  it("each has its own dialog and its own end", async () => {
    const { log, request } = await ask();
    accept(request);
    const one = fork(request, "one");
    const two = fork(request, "two");
    await notify(one, "active;expires=600");
    await notify(two, "active;expires=60");
    expect((await log.notifications.next()).remoteTag).toBe("one");
    expect((await log.notifications.next()).remoteTag).toBe("two");
    engine.clock.advance(30_000);
    const refresh = await pbx.expectRequest("SUBSCRIBE");
    expect(refresh.toTag).toBe("two");
    pbx.respond(refresh, 481);
    await notify(one, "terminated;reason=noresource");
    expect(await log.ends.next()).toEqual(terminated);
  });

  it("more than eight get 481", async () => {
    const { subscription, request } = await ask();
    accept(request);
    for (let index = 0; index < 8; index += 1) await notify(fork(request, `f${index}`), "active");
    await notify(fork(request, "f8"), "active", { status: 481 });
    subscription.unsubscribe();
    for (let index = 0; index < 8; index += 1) {
      pbx.respond(await pbx.expectRequest("SUBSCRIBE"), 481);
    }
  });

  it.each<[string, HeaderField[], number]>([
    [
      "another event",
      [
        ["Event", "dialog"],
        ["Subscription-State", "active"],
      ],
      481,
    ],
    ["no Subscription-State", [["Event", "message-summary"]], 400],
    [
      "a Require",
      [
        ["Event", "message-summary"],
        ["Subscription-State", "active"],
        ["Require", "eventlist"],
      ],
      420,
    ],
  ])("a first NOTIFY with %s makes none", async (_title, headers, status) => {
    const { log, subscription, request } = await ask();
    accept(request);
    fork(request).request("NOTIFY", { headers });
    await pbx.expectResponse(status, "NOTIFY");
    expect(log.notifications.unread).toHaveLength(0);
    subscription.unsubscribe();
  });
});

describe("RFC 6665 §4.1.2.3 unsubscribing", () => {
  it("tells the notifier, takes its last NOTIFY and calls nobody", async () => {
    const { log, subscription, request } = await ask();
    accept(request);
    const far = fork(request);
    await notify(far, "active");
    await log.notifications.next();
    subscription.unsubscribe();
    const last = await pbx.expectRequest("SUBSCRIBE");
    expect(last.expires).toBe(0);
    pbx.respond(last, 200, { headers: [["Expires", "0"]] });
    await notify(far, "terminated;reason=timeout");
    expect(engine.engine.counts.dialogs).toBe(0);
    expect(log.notifications.unread).toHaveLength(0);
    expect(log.ends.unread).toHaveLength(0);
  });

  it("before the first NOTIFY waits for it", async () => {
    const { log, subscription, request } = await ask();
    subscription.unsubscribe();
    accept(request);
    const far = fork(request);
    await notify(far, "active");
    const last = await pbx.expectRequest("SUBSCRIBE");
    expect(last.expires).toBe(0);
    pbx.respond(last, 200, { headers: [["Expires", "0"]] });
    await notify(far, "terminated");
    expect(engine.engine.counts.dialogs).toBe(0);
    expect(log.notifications.unread).toHaveLength(0);
  });

  it("without an answer is over all the same", async () => {
    const { subscription, request } = await ask();
    accept(request);
    await notify(fork(request), "active");
    subscription.unsubscribe();
    await pbx.expectRequest("SUBSCRIBE");
    engine.clock.advance(32_000);
    expect(engine.engine.counts.dialogs).toBe(0);
  });
});

describe("RFC 6665 §4.1.3 a NOTIFY without a subscription", () => {
  it.each(["", ";tag=unknown"])("gets 481, To%s", async (tag) => {
    pbx.request("NOTIFY", {
      uri: "sip:1001@gateway.test",
      from: "<sip:5@pbx.test>;tag=a",
      to: `<sip:1001@gateway.test>${tag}`,
      headers: [
        ["Contact", pbx.contact],
        ["Event", "message-summary"],
        ["Subscription-State", "active"],
      ],
    });
    await pbx.expectResponse(481, "NOTIFY");
  });
});
