import {
  Inviter,
  Messager,
  Registerer,
  SessionState,
  Subscriber,
  SubscriptionState,
  UserAgent,
} from "sip.js";
import type { Message, Notification, Referral, Session } from "sip.js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type {
  IncomingMessage,
  IncomingSubscribe,
  OutgoingReferHandler,
} from "../../../src/signaling/engine.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, Inbox, TestEngine, TransferLog, sdpOf } from "../../harness/signaling-engine.ts";
import { waitFor } from "../../harness/wait.ts";

let engine: TestEngine;
let pbx: SipPeer;
let agent: UserAgent;
let messages: Inbox<IncomingMessage>;
let subscribes: Inbox<IncomingSubscribe>;
let received: Inbox<Message>;
let referrals: Inbox<Referral>;

/** Media is not what is asked here: a fixed description, and any is taken. */
const noMedia = {
  close(): void {},
  getDescription: async () =>
    await Promise.resolve({ body: sdpOf("sipjs"), contentType: "application/sdp" }),
  hasDescription: (type: string) => type === "application/sdp",
  rollbackDescription: async () => await Promise.resolve(),
  setDescription: async () => await Promise.resolve(),
  sendDtmf: () => false,
};

beforeEach(async () => {
  messages = new Inbox();
  subscribes = new Inbox();
  received = new Inbox();
  referrals = new Inbox();
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
    handler: {
      onMessage: (message) => messages.push(message),
      events: ["message-summary"],
      onSubscribe: (subscribe) => subscribes.push(subscribe),
    },
  });
  engine.adopt(pbx);
  agent = new UserAgent({
    uri: uriOf("1001"),
    authorizationUsername: "1001",
    authorizationPassword: "secret-1001",
    transportOptions: { server: engine.webSocketUrl },
    logBuiltinEnabled: false,
    sessionDescriptionHandlerFactory: () => noMedia,
    delegate: { onMessage: (message) => received.push(message) },
  });
  await agent.start();
  const registerer = new Registerer(agent, { expires: 120, regId: 1 });
  await registerer.register();
  await waitFor(() => agent.contact.pubGruu !== undefined, { what: "a GRUU of SIP.js" });
});

afterEach(async () => {
  await agent.stop();
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

function uriOf(user: string) {
  const uri = UserAgent.makeURI(`sip:${user}@${DOMAIN}`);
  if (uri === undefined) throw new Error("no URI");
  return uri;
}

async function stateOf(session: Session, state: SessionState): Promise<void> {
  await waitFor(() => session.state === state, { what: `the session to be ${state}` });
}

async function called(): Promise<{ readonly inviter: Inviter; readonly log: TransferLog }> {
  const inviter = new Inviter(agent, uriOf("5"));
  inviter.delegate = { onRefer: (referral) => referrals.push(referral) };
  await inviter.invite();
  const dialog = (await engine.invites.next()).invite.accept(sdpOf("answer"));
  if (dialog === undefined) throw new Error("the INVITE has ended");
  const log = new TransferLog(dialog);
  await stateOf(inviter, SessionState.Established);
  await log.expect("confirmed");
  return { inviter, log };
}

describe("stock SIP.js beyond calls", () => {
  it("takes its GRUU into use, is called by it, and answers inside that call", async () => {
    const [binding] = engine.engine.locations.bindings("1001");
    const gruu = agent.contact.pubGruu?.toString() ?? "";
    expect(gruu).toContain(`;gr=${binding?.instanceId}`);
    const { inviter, log } = await called();
    expect(log.dialog.party).toMatchObject({ instanceId: binding?.instanceId });
    // It answers to its GRUU in the Request-URI; what it says of the INFO is its own affair.
    expect(await log.dialog.request("INFO", {})).not.toBe(404);
    await inviter.bye();
    await log.expect("bye");
    pbx.request("INVITE", {
      uri: gruu,
      from: "<sip:5@pbx.test>;tag=a",
      to: `<sip:1001@${DOMAIN}>`,
      body: sdpOf("offer"),
    });
    const { invite } = await engine.invites.next();
    expect(invite.calledInstance?.instanceId).toBe(binding?.instanceId);
    invite.reject(486);
    await pbx.expectResponse(486);
  });

  it("transfers a call blindly, and is told how it goes", async () => {
    const { inviter, log } = await called();
    const told = new Inbox<string>();
    await inviter.refer(uriOf("1002"), {
      onNotify: (notification: Notification) => {
        told.push(notification.request.body.trim());
        void notification.accept();
      },
    });
    const refer = await log.refers.next();
    expect(refer.referTo).toMatchObject({ user: "1002", host: DOMAIN, replaces: undefined });
    expect(refer.referredBy).toContain("1001");
    const progress = refer.accept();
    expect(await told.next()).toBe("SIP/2.0 100 Trying");
    progress?.notify(180);
    expect(await told.next()).toBe("SIP/2.0 180 Ringing");
    progress?.notify(200);
    expect(await told.next()).toBe("SIP/2.0 200 OK");
    await inviter.bye();
    await log.expect("bye");
  });

  it("transfers with Replaces, and names our side of the other call", async () => {
    const first = await called();
    const second = await called();
    await first.inviter.refer(second.inviter);
    const refer = await first.log.refers.next();
    expect(refer.referTo.replaces).toEqual({
      callId: second.log.dialog.callId,
      toTag: second.log.dialog.localTag,
      fromTag: second.log.dialog.remoteTag,
      isEarlyOnly: false,
    });
    refer.accept()?.notify(200);
    for (const { inviter, log } of [first, second]) {
      await inviter.bye();
      await log.expect("bye");
    }
  });

  it("is transferred by us, and tells us how it goes", async () => {
    const { inviter, log } = await called();
    const told = new Inbox<string>();
    const handler: OutgoingReferHandler = {
      onAccepted: () => told.push("accepted"),
      onProgress: (status) => told.push(`${status}`),
      onEnded: (status) => told.push(`end ${status}`),
    };
    log.dialog.refer({ referTo: `sip:1002@${DOMAIN}`, referredBy: `sip:5@${DOMAIN}` }, handler);
    const referral = await referrals.next();
    expect(referral.referTo.uri.user).toBe("1002");
    expect(referral.referredBy).toBe(`<sip:5@${DOMAIN}>`);
    await referral.accept();
    expect(await told.next()).toBe("accepted");
    void referral.makeInviter().invite();
    const { invite } = await engine.invites.next();
    expect(invite.calledNumber).toBe("1002");
    const dialog = invite.accept(sdpOf("answer"));
    // How often SIP.js tells is its own affair.
    for (let event = await told.next(); event !== "end 200"; event = await told.next()) {
      expect(["100", "180", "200"]).toContain(event);
    }
    await inviter.bye();
    await log.expect("bye");
    dialog?.bye();
    await waitFor(() => engine.engine.counts.dialogs === 0, { what: "the end of both calls" });
  });

  it("sends and takes a MESSAGE", async () => {
    const answered = new Inbox<number | undefined>();
    const messager = new Messager(agent, uriOf("1002"), "Grüße");
    await messager.message({
      requestDelegate: { onAccept: ({ message }) => answered.push(message.statusCode) },
    });
    const message = await messages.next();
    expect(message.text).toBe("Grüße");
    expect(message.party).toMatchObject({ kind: "user", userId: "1001" });
    message.respond(202);
    expect(await answered.next()).toBe(202);
    const [binding] = engine.engine.locations.bindings("1001");
    if (binding === undefined) throw new Error("1001 is not registered");
    const status = engine.engine.message({
      target: { kind: "binding", binding },
      from: { user: "1002" },
      to: { user: "1001" },
      text: "zurück",
    });
    const incoming = await received.next();
    expect(incoming.request.body).toBe("zurück");
    await incoming.accept();
    expect(await status).toBe(200);
  });

  it("subscribes, is notified, and unsubscribes", async () => {
    const told = new Inbox<string>();
    const subscriber = new Subscriber(agent, uriOf("1001"), "message-summary", { expires: 120 });
    subscriber.delegate = {
      onNotify: (notification) => {
        told.push(notification.request.body);
        void notification.accept();
      },
    };
    void subscriber.subscribe();
    const subscription = (await subscribes.next()).accept({
      contentType: "application/simple-message-summary",
      body: "Messages-Waiting: no",
    });
    expect(await told.next()).toBe("Messages-Waiting: no");
    await waitFor(() => subscriber.state === SubscriptionState.Subscribed, { what: "Subscribed" });
    subscription?.notify({
      contentType: "application/simple-message-summary",
      body: "Messages-Waiting: yes",
    });
    expect(await told.next()).toBe("Messages-Waiting: yes");
    await subscriber.unsubscribe();
    await waitFor(() => engine.engine.counts.dialogs === 0, { what: "the end of it" });
  });
});
