import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CallTable } from "../../src/call/call-table.ts";
import type { Action } from "../../src/dialplan/decision.ts";
import type {
  EventContent,
  IncomingSubscribe,
  Party,
  SubscriptionHandler,
} from "../../src/signaling/engine.ts";
import { Headers } from "../../src/signaling/message/headers.ts";
import { SipRequest } from "../../src/signaling/message/message.ts";
import { ANN, makeRig, OFFICE, ScriptedInvite, settle, type Rig } from "./fakes.ts";

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  "1001": ["staff"],
  "1002": ["staff", "sales"],
  "1003": ["guests"],
};
const user = (id: string): Party => ({ kind: "user", userId: id, instanceId: `${id}-tab` });

let rig: Rig;
let table: CallTable;

beforeEach(() => {
  rig = makeRig();
  Object.assign(rig.context, {
    user: (id: string) =>
      Object.hasOwn(GROUPS, id) ? { name: `User ${id}`, numbers: [] } : undefined,
  });
  rig.engine.register("1002");
  table = new CallTable({
    context: rig.context,
    decide: ({ to }) => ({ route: "test", action: actionFor(to), trace: [] }),
    groupsOf: (id) => GROUPS[id] ?? [],
  });
});

afterEach(() => {
  expect(rig.clock.pendingTimers).toBe(0);
});

function actionFor(to: string): Action {
  if (to.startsWith("6")) {
    const rest = { callerNumber: undefined, timeoutMs: 1000, then: [] };
    return { kind: "dial", trunks: ["office"], number: to, ...rest };
  }
  const box = { trunk: "office", number: "*97", mailbox: `box-${to}`, timeoutMs: 1000, then: [] };
  return { kind: "ring", users: [to], timeoutMs: 1000, then: [{ kind: "voicemail", ...box }] };
}

interface Lamp {
  readonly shown: string[];
  rejected: number | undefined;
  end: string | undefined;
  handler: SubscriptionHandler | undefined;
}

function subscribe(party: Party, event: string, to: string, mediaTypes: string[] = []): Lamp {
  const lamp: Lamp = { shown: [], rejected: undefined, end: undefined, handler: undefined };
  const show = (content: EventContent | undefined): void => {
    lamp.shown.push(content === undefined ? "" : String(content.body));
  };
  const request: IncomingSubscribe = {
    party,
    request: new SipRequest(
      "SUBSCRIBE",
      `sip:${to}@localhost`,
      Headers.of([["From", "<sip:1001@localhost>;tag=a"]]),
    ),
    callId: "s",
    event,
    calledNumber: to,
    mediaTypes,
    expiresSeconds: 600,
    accept: (content) => {
      show(content);
      return {
        party,
        event,
        attach: (handler) => {
          lamp.handler = handler;
        },
        notify: show,
        terminate: (reason) => {
          lamp.end = reason;
        },
      };
    },
    reject: (status) => {
      lamp.rejected = status;
    },
  };
  table.onSubscribe(request);
  return lamp;
}

const stateOf = (document: string | undefined): string[] =>
  [...(document ?? "").matchAll(/<state>(\w+)<\/state>/g)].map(([, state]) => state ?? "");

describe("RFC 4235 busy lamps between web users", () => {
  it("follow a user's calls, with a version, and say nothing of the other party", async () => {
    const lamp = subscribe(ANN, "dialog", "1002");
    expect(lamp.shown[0]).toContain('version="0" state="full" entity="sip:1002@localhost"');
    expect(stateOf(lamp.shown[0])).toEqual([]);
    const invite = new ScriptedInvite({ party: OFFICE, to: "1002" });
    table.onInvite(invite);
    await settle();
    rig.engine.at(0).handler.onProvisional({
      status: 180,
      reasonPhrase: "",
      sdp: undefined,
      remoteTag: "t",
    });
    rig.engine.answer(0);
    await settle();
    const before = lamp.shown.length;
    invite.dialog?.handler?.onBye(undefined);
    await settle();
    const states = lamp.shown.map(stateOf);
    expect(states[1]).toEqual(["early"]);
    expect(states[before - 1]).toEqual(["confirmed"]);
    expect(states.at(-1)).toEqual([]);
    expect(lamp.shown.at(-1)).toContain(`version="${lamp.shown.length - 1}"`);
    expect(lamp.shown[1]).toContain('direction="recipient"');
    expect(lamp.shown.join("")).not.toContain("+4930999");
    lamp.handler?.onTerminated();
  });

  it("show a call that was there before, and go out with their last watcher", async () => {
    const invite = new ScriptedInvite({ party: OFFICE, to: "1002" });
    table.onInvite(invite);
    await settle();
    rig.engine.answer(0);
    await settle();
    const lamps = [subscribe(ANN, "dialog", "1002"), subscribe(user("1002"), "dialog", "1002")];
    expect(lamps.map(({ shown }) => stateOf(shown[0]))).toEqual([["confirmed"], ["confirmed"]]);
    for (const lamp of lamps) lamp.handler?.onTerminated();
    invite.dialog?.handler?.onBye(undefined);
    await settle();
    expect(lamps.map(({ shown }) => shown.length)).toEqual([1, 1]);
  });

  it.each<[what: string, party: Party, to: string, mediaTypes: string[], status: number]>([
    ["without a common group", ANN, "1003", [], 403],
    ["from a trunk", OFFICE, "1002", [], 403],
    ["for another document", ANN, "1002", ["application/pidf+xml"], 406],
  ])("are refused %s", (_what, party, to, mediaTypes, status) => {
    expect(subscribe(party, "dialog", to, mediaTypes).rejected).toBe(status);
  });
});

describe("lamps at the PBX", () => {
  it("busy lamps of its numbers are asked there, and come back as they are", () => {
    const lamp = subscribe(ANN, "dialog", "600", ["application/dialog-info+xml"]);
    const upstream = rig.engine.subscriptions[0];
    expect(upstream?.options).toMatchObject({
      target: { trunkId: "office", number: "600" },
      event: "dialog",
      from: { user: "1001" },
    });
    expect(lamp.shown).toEqual([]);
    const notify = (body: string): void =>
      upstream?.handler.onNotify({
        state: "active",
        contentType: "application/dialog-info+xml",
        body: Buffer.from(body),
        remoteTag: "t",
      });
    notify("<one/>");
    notify("<two/>");
    expect(lamp.shown).toEqual(["<one/>", "<two/>"]);
    lamp.handler?.onTerminated();
    expect(upstream?.isOver).toBe(true);
  });

  it("a user's own messages are asked at its voicemail", () => {
    const lamp = subscribe(ANN, "message-summary", "1001");
    const upstream = rig.engine.subscriptions[0];
    expect(upstream?.options.target).toMatchObject({ trunkId: "office", number: "box-1001" });
    upstream?.handler.onEnded({ reason: "refused", status: 401, retryAfterSeconds: undefined });
    expect(lamp.rejected).toBe(502);
  });

  it("nobody else's messages, and nothing for a trunk", () => {
    expect(subscribe(ANN, "message-summary", "1002").rejected).toBe(403);
    expect(subscribe(OFFICE, "message-summary", "600").rejected).toBe(404);
    expect(rig.engine.subscriptions).toEqual([]);
  });

  it("end when the PBX ends them", () => {
    const lamp = subscribe(ANN, "dialog", "600");
    const [upstream] = rig.engine.subscriptions;
    upstream?.handler.onNotify({
      state: "active",
      contentType: undefined,
      body: Buffer.alloc(0),
      remoteTag: "t",
    });
    upstream?.handler.onEnded({ reason: "expired", status: undefined, retryAfterSeconds: 0 });
    expect(lamp.end).toBe("deactivated");
  });
});
