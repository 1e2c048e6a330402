import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IncomingSubscribe, Subscription } from "../../../src/signaling/engine.ts";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../../src/signaling/message/message.ts";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, Inbox, TestEngine } from "../../harness/signaling-engine.ts";

const ANN = "urn:uuid:ann";
const STATE = { contentType: "application/simple-message-summary", body: "Messages-Waiting: no" };

let engine: TestEngine;
let pbx: SipPeer;
let browser: SipPeer;
let subscribes: Inbox<IncomingSubscribe>;

beforeEach(async () => {
  subscribes = new Inbox();
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
    handler: {
      events: ["message-summary", "dialog"],
      onSubscribe: (subscribe) => subscribes.push(subscribe),
    },
    subscriptions: { maxPerUser: 2 },
  });
  engine.adopt(pbx);
  browser = await engine.browser("1001", ANN);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

function subscribe(peer: SipPeer, headers: readonly HeaderField[]): SipRequest {
  const user = peer === pbx ? "sip:5@pbx.test" : `sip:1001@${DOMAIN}`;
  return peer.request("SUBSCRIBE", {
    uri: `sip:1001@${DOMAIN}`,
    from: `<${user}>;tag=sub`,
    to: `<sip:1001@${DOMAIN}>`,
    headers: [["Contact", peer.contact], ...headers],
  });
}

const MWI: HeaderField = ["Event", "message-summary"];

/** Writes down what becomes of a subscription. */
class Log {
  readonly events = new Inbox<string>();
  onRefreshed(expiresSeconds: number): void {
    this.events.push(`refreshed ${expiresSeconds}`);
  }
  onTerminated(): void {
    this.events.push("terminated");
  }
}

interface Subscribed {
  readonly subscription: Subscription;
  readonly log: Log;
  readonly far: PeerDialog;
}

async function subscribed(peer = browser, headers: HeaderField[] = [MWI]): Promise<Subscribed> {
  const request = subscribe(peer, headers);
  const subscription = (await subscribes.next()).accept(STATE);
  if (subscription === undefined) throw new Error("the SUBSCRIBE has ended");
  const log = new Log();
  subscription.attach(log);
  const far = PeerDialog.asCaller(peer, request, await peer.expectResponse(200, "SUBSCRIBE"));
  await expectNotify(peer, /^active;expires=\d+$/, STATE.body);
  return { subscription, log, far };
}

async function expectNotify(
  peer: SipPeer,
  state: RegExp,
  body: string,
  status = 200,
): Promise<SipRequest> {
  const notify = await peer.expectRequest("NOTIFY");
  expect(notify.headers.get("Subscription-State")).toMatch(state);
  expect(notify.body.toString()).toBe(body);
  peer.respond(notify, status);
  return notify;
}

async function end({ subscription }: Subscribed, peer = browser): Promise<void> {
  subscription.terminate("noresource");
  await expectNotify(peer, /^terminated;reason=noresource$/, STATE.body);
}

describe("RFC 6665 §4.2 a SUBSCRIBE of the far end", () => {
  it("says who asks for what", async () => {
    subscribe(browser, [
      ["Event", "Dialog;id=7"],
      ["Accept", "application/dialog-info+xml;q=1, Text/Plain"],
      ["Expires", "90"],
    ]);
    const request = await subscribes.next();
    expect(request).toMatchObject({
      party: { kind: "user", userId: "1001", instanceId: ANN },
      event: "dialog",
      calledNumber: "1001",
      mediaTypes: ["application/dialog-info+xml", "text/plain"],
      expiresSeconds: 90,
    });
    const subscription = request.accept(undefined, { expiresSeconds: 60, state: "pending" });
    expect(request.accept(STATE)).toBeUndefined();
    const response = await browser.expectResponse(200, "SUBSCRIBE");
    expect(response.expires).toBe(60);
    expect(response.contact?.uri).toContain("@127.0.0.1:8080;transport=ws");
    const notify = await expectNotify(browser, /^pending;expires=60$/, "");
    expect(notify.headers.get("Event")).toBe("dialog;id=7");
    expect(notify.requestUri).toBe(`sip:peer@${browser.sentBy};transport=ws`);
    subscription?.notify(STATE);
    await expectNotify(browser, /^active;expires=60$/, STATE.body);
    subscription?.terminate("rejected");
    await expectNotify(browser, /^terminated;reason=rejected$/, STATE.body);
  });

  it.each<[string, HeaderField[], number, HeaderField | undefined]>([
    ["no Event", [], 489, ["Allow-Events", "message-summary, dialog"]],
    ["an unknown Event", [["Event", "presence"]], 489, ["Allow-Events", "message-summary, dialog"]],
    ["too short", [MWI, ["Expires", "59"]], 423, ["Min-Expires", "60"]],
    ["Require", [MWI, ["Require", "eventlist"]], 420, ["Unsupported", "eventlist"]],
    ["two Contacts", [MWI, ["Contact", "<sip:b@b.invalid>"]], 400, undefined],
  ])("%s", async (_title, headers, status, field) => {
    subscribe(browser, headers);
    const response = await browser.expectResponse(status, "SUBSCRIBE");
    if (field !== undefined) expect(response.headers.get(field[0])).toBe(field[1]);
    expect(subscribes.unread).toHaveLength(0);
  });

  it("is refused by the roof, and gives its place back", async () => {
    for (const status of [403, 404, 480]) {
      subscribe(browser, [MWI]);
      const request = await subscribes.next();
      request.reject(status);
      expect(request.accept(STATE)).toBeUndefined();
      await browser.expectResponse(status, "SUBSCRIBE");
    }
  });

  it("that nobody answers is answered when its sender has given up", async () => {
    subscribe(browser, [MWI]);
    await subscribes.next();
    engine.clock.advance(32_000);
    await browser.expectResponse(480, "SUBSCRIBE");
  });

  it("holds two of one user here, and counts those that are over no more", async () => {
    const one = await subscribed();
    const two = await subscribed();
    subscribe(browser, [MWI]);
    await browser.expectResponse(403, "SUBSCRIBE");
    const trunk = await subscribed(pbx);
    await end(one);
    await end(await subscribed());
    await end(two);
    await end(trunk, pbx);
  });

  it("with Expires 0 asks once (§4.4.3)", async () => {
    subscribe(browser, [MWI, ["Expires", "0"]]);
    const request = await subscribes.next();
    expect(request.expiresSeconds).toBe(0);
    const subscription = request.accept(STATE);
    expect((await browser.expectResponse(200, "SUBSCRIBE")).expires).toBe(0);
    await expectNotify(browser, /^terminated;reason=timeout$/, STATE.body);
    subscription?.notify(STATE);
    expect(browser.unread).toHaveLength(0);
  });
});

describe("RFC 6665 §4.2.1 to §4.2.3 the life of a subscription", () => {
  const again = (far: PeerDialog, expires: number | undefined, event = MWI) =>
    far.request("SUBSCRIBE", {
      headers: [event, ...(expires === undefined ? [] : [["Expires", String(expires)] as const])],
    });

  /** Whatever was sent before has arrived. */
  const settle = async (far: PeerDialog): Promise<void> => {
    far.request("OPTIONS");
    await browser.expectResponse(200, "OPTIONS");
  };

  it("is prolonged, with the last state once more", async () => {
    const own = await subscribed();
    own.subscription.notify({ ...STATE, body: "Messages-Waiting: yes" });
    await expectNotify(browser, /^active;expires=3600$/, "Messages-Waiting: yes");
    await settle(own.far);
    engine.clock.advance(3_000_000);
    again(own.far, 120);
    expect((await browser.expectResponse(200, "SUBSCRIBE")).expires).toBe(120);
    await expectNotify(browser, /^active;expires=120$/, "Messages-Waiting: yes");
    expect(await own.log.events.next()).toBe("refreshed 120");
    await settle(own.far);
    engine.clock.advance(119_999);
    expect(own.log.events.unread).toHaveLength(0);
    engine.clock.advance(1);
    await expectNotify(browser, /^terminated;reason=timeout$/, "Messages-Waiting: yes");
    expect(await own.log.events.next()).toBe("terminated");
  });

  it("is ended by the far end", async () => {
    const own = await subscribed();
    again(own.far, 0);
    await browser.expectResponse(200, "SUBSCRIBE");
    await expectNotify(browser, /^terminated;reason=timeout$/, STATE.body);
    expect(await own.log.events.next()).toBe("terminated");
    again(own.far, 100);
    await browser.expectResponse(481, "SUBSCRIBE");
    own.subscription.terminate("giveup");
    expect(browser.unread).toHaveLength(0);
  });

  it.each<[string, (far: PeerDialog) => void, number]>([
    ["too short", (far) => void again(far, 10), 423],
    ["another event", (far) => void again(far, 100, ["Event", "dialog"]), 481],
    ["a stale CSeq", (far) => void far.request("SUBSCRIBE", { cseq: 1, headers: [MWI] }), 500],
    ["Require", (far) => void far.request("SUBSCRIBE", { headers: [["Require", "x"]] }), 420],
    ["OPTIONS", (far) => void far.request("OPTIONS"), 200],
    ["BYE", (far) => void far.request("BYE"), 405],
    ["INVITE", (far) => void far.request("INVITE"), 405],
  ])("stays as it is after %s", async (_title, send, status) => {
    const own = await subscribed();
    send(own.far);
    await browser.expectResponse(status);
    if (status === 405 && _title === "INVITE") own.far.request("ACK", { cseq: own.far.cseq });
    await end(own);
  });

  it.each([404, 481, 489])("%i to a NOTIFY ends it", async (status) => {
    const own = await subscribed();
    own.subscription.notify(STATE);
    await expectNotify(browser, /^active/, STATE.body, status);
    expect(await own.log.events.next()).toBe("terminated");
    expect(engine.engine.counts.dialogs).toBe(0);
  });

  it.each([500, 503])("%i to a NOTIFY does not", async (status) => {
    const own = await subscribed();
    own.subscription.notify(STATE);
    await expectNotify(browser, /^active/, STATE.body, status);
    await end(own);
    expect(own.log.events.unread).toHaveLength(0);
  });

  it("no answer to a NOTIFY ends it after Timer F", async () => {
    const own = await subscribed();
    own.subscription.notify(STATE);
    await browser.expectRequest("NOTIFY");
    engine.clock.advance(32_000);
    expect(await own.log.events.next()).toBe("terminated");
  });

  it("belongs to the instance: it outlives a connection", async () => {
    const own = await subscribed();
    await browser.close();
    await expect.poll(() => engine.engine.counts.flows, { timeout: 2000 }).toBe(0);
    own.subscription.notify({ ...STATE, body: "while away" });
    browser = await engine.browser("1001", ANN);
    await expectNotify(browser, /^active/, "while away");
    const far = own.far.from(browser);
    far.request("SUBSCRIBE", { headers: [MWI, ["Expires", "100"]] });
    await browser.expectResponse(200, "SUBSCRIBE");
    await expectNotify(browser, /^active;expires=100$/, "while away");
    own.subscription.terminate("noresource");
    await expectNotify(browser, /^terminated/, "while away");
  });

  it("is closed to strangers", async () => {
    const own = await subscribed();
    const stranger = await engine.browser("1002", "urn:uuid:bob");
    own.far.from(stranger).request("SUBSCRIBE", { headers: [MWI, ["Expires", "0"]] });
    await stranger.expectResponse(403, "SUBSCRIBE");
    await end(own);
  });
});

describe("SUBSCRIBE by default", () => {
  it("is refused, and offered nowhere", async () => {
    const other = await TestEngine.start();
    const peer = await other.browser("1001");
    subscribe(peer, [MWI]);
    const { headers } = await peer.expectResponse(405, "SUBSCRIBE");
    expect(headers.get("Allow")).not.toContain("SUBSCRIBE");
    await other.stop();
  });

  it("is offered in OPTIONS when there is a notifier", async () => {
    browser.request("OPTIONS", {
      uri: `sip:${DOMAIN}`,
      from: `<sip:1001@${DOMAIN}>;tag=o`,
      to: `<sip:${DOMAIN}>`,
    });
    const { headers } = await browser.expectResponse(200, "OPTIONS");
    expect(headers.get("Allow")).toContain("SUBSCRIBE");
    expect(headers.get("Allow-Events")).toBe("message-summary, dialog");
  });
});
