import JsSIP from "jssip";
import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from "sip.js";
import type { Session } from "sip.js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DOMAIN, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import { waitFor } from "../../harness/wait.ts";

let engine: TestEngine;

beforeEach(async () => {
  engine = await TestEngine.start();
});

afterEach(async () => {
  await engine.stop();
  expect(engine.clock.pendingTimers).toBe(0);
});

async function bindingsOf(user: string, count: number): Promise<void> {
  await waitFor(() => engine.engine.locations.bindings(user).length === count, {
    what: `${count} bindings of ${user}`,
    timeoutMs: 5000,
  });
}

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

async function sipJs(): Promise<UserAgent> {
  const uri = UserAgent.makeURI(`sip:1001@${DOMAIN}`);
  if (uri === undefined) throw new Error("no URI");
  const agent = new UserAgent({
    uri,
    // Short-lived credentials have another name than the user.
    authorizationUsername: "1764000000:1001",
    authorizationPassword: "secret-1001",
    transportOptions: { server: engine.webSocketUrl },
    logBuiltinEnabled: false,
    sessionDescriptionHandlerFactory: () => noMedia,
  });
  await agent.start();
  return agent;
}

describe("stock SIP.js", () => {
  it("registers, refreshes without a second challenge, and unregisters", async () => {
    const agent = await sipJs();
    const registerer = new Registerer(agent, { expires: 120, regId: 1 });
    await registerer.register();
    await bindingsOf("1001", 1);
    await waitFor(() => registerer.state === RegistererState.Registered, { what: "Registered" });
    const [before] = engine.engine.locations.bindings("1001");
    expect(before?.regId).toBe(1);
    engine.clock.advance(61_000);
    const answered = new Promise<number | undefined>((resolve) => {
      void registerer.register({
        requestDelegate: {
          onAccept: (response) => resolve(response.message.statusCode),
          onReject: (response) => resolve(response.message.statusCode),
        },
      });
    });
    expect(await answered).toBe(200);
    expect(engine.engine.locations.bindings("1001")[0]?.id).toBe(before?.id);
    await registerer.unregister();
    await bindingsOf("1001", 0);
    await agent.stop();
  });

  it("calls, is called, and hangs up", async () => {
    const agent = await sipJs();
    const target = UserAgent.makeURI(`sip:*43@${DOMAIN}`);
    if (target === undefined) throw new Error("no URI");
    const registerer = new Registerer(agent);
    await registerer.register();
    await bindingsOf("1001", 1);

    const inviter = new Inviter(agent, target);
    await inviter.invite();
    const { invite } = await engine.invites.next();
    expect(invite.party.kind).toBe("user");
    expect(invite.calledNumber).toBe("*43");
    invite.progress(180);
    await stateOf(inviter, SessionState.Establishing);
    invite.accept(sdpOf("answer"));
    await stateOf(inviter, SessionState.Established);
    await inviter.bye();
    await waitFor(() => engine.engine.counts.dialogs === 0, { what: "the end of the call" });
    await agent.stop();
  });
});

async function stateOf(session: Session, state: SessionState): Promise<void> {
  await waitFor(() => session.state === state, { what: `the session to be ${state}` });
}

describe("stock JsSIP", () => {
  it("registers and unregisters", async () => {
    const agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(engine.webSocketUrl)],
      uri: `sip:1002@${DOMAIN}`,
      password: "secret-1002",
      register_expires: 120,
    });
    agent.start();
    await bindingsOf("1002", 1);
    // The binding is there before its 200 has arrived.
    await waitFor(() => agent.isRegistered(), { what: "JsSIP to be registered" });
    const [binding] = engine.engine.locations.bindings("1002");
    expect(binding?.instanceId).toMatch(/^urn:uuid:/);
    expect(binding?.userAgent).toContain("JsSIP");
    agent.unregister();
    await bindingsOf("1002", 0);
    agent.stop();
    await waitFor(() => !agent.isConnected(), { what: "the end of the connection" });
  });
});
