import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CallTable } from "../../src/call/call-table.ts";
import { callRefused } from "../../src/call/channels.ts";
import type { RefusedCall } from "../../src/call/refused.ts";
import type { Decision } from "../../src/dialplan/decision.ts";
import type { IncomingMessage, Party } from "../../src/signaling/engine.ts";
import { Headers } from "../../src/signaling/message/headers.ts";
import { SipRequest } from "../../src/signaling/message/message.ts";
import { ANN, makeRig, OFFICE, settle, type Rig } from "./fakes.ts";

const DECISIONS: Readonly<Record<string, Decision["action"]>> = {
  "1002": { kind: "ring", users: ["1002"], timeoutMs: 1000, then: [] },
  "600": {
    kind: "dial",
    trunks: ["office", "backup"],
    number: "49600",
    callerNumber: undefined,
    timeoutMs: 1000,
    then: [],
  },
  "*43": { kind: "echo" },
};
let rig: Rig;
let table: CallTable;
let refusals: RefusedCall[];
let unsubscribe: () => void;

beforeEach(() => {
  rig = makeRig();
  refusals = [];
  unsubscribe = callRefused.subscribe((refused) => refusals.push(refused));
  table = new CallTable({
    context: rig.context,
    decide: ({ to }) => {
      const action = DECISIONS[to];
      return action === undefined
        ? {
            route: undefined,
            action: { kind: "reject", status: 403, reasonPhrase: undefined },
            refusal: "premium",
            trace: [],
          }
        : { route: "test", action, trace: [] };
    },
    groupsOf: () => [],
  });
});

afterEach(() => {
  unsubscribe();
  expect(rig.clock.pendingTimers).toBe(0);
});

function send(to: string, party: Party = ANN) {
  const responses: number[] = [];
  const message: IncomingMessage = {
    party,
    request: new SipRequest(
      "MESSAGE",
      `sip:${to}@localhost`,
      Headers.of([
        ["X-Secret", "1"],
        ["Max-Forwards", "9"],
      ]),
    ),
    callId: "m",
    calledNumber: to,
    senderIdentity: { user: "+4930999", displayName: "Ann" },
    text: "hello",
    respond: (status) => {
      responses.push(status);
    },
  };
  table.onMessage(message);
  return responses;
}

describe("RFC 3428 a MESSAGE", () => {
  it("reaches every browser of a user, and is taken when one has it", async () => {
    rig.engine.register("1002");
    rig.engine.register("1002", "second");
    rig.engine.onText = ({ target }) =>
      target.kind === "binding" && target.binding.instanceId === "second" ? 200 : 408;
    const responses = send("1002");
    await settle();
    expect(rig.engine.texts).toMatchObject([
      { from: { user: "1001", displayName: "User 1001" }, to: { user: "1002" }, text: "hello" },
      { text: "hello" },
    ]);
    // Of the sender's message only the text goes on, with one hop less.
    expect(rig.engine.texts[0]?.headers).toEqual([["Max-Forwards", "8"]]);
    expect(responses).toEqual([200]);
  });

  it("to one who is not signed in gets 480, to one who refuses its status", async () => {
    expect(await settled(send("1002"))).toEqual([480]);
    rig.engine.register("1002");
    rig.engine.onText = () => 415;
    expect(await settled(send("1002", OFFICE))).toEqual([415]);
    expect(rig.engine.texts[0]?.from.user).toBe("+4930999");
  });

  it("goes to the trunk that the plan dials, and to the next one only when it has nothing", async () => {
    rig.engine.onText = ({ target }) =>
      target.kind === "trunk" && target.trunkId === "office" ? 503 : 202;
    expect(await settled(send("600"))).toEqual([202]);
    expect(rig.engine.texts.map(({ target }) => target)).toMatchObject([
      { trunkId: "office", number: "49600" },
      { trunkId: "backup", number: "49600" },
    ]);
    rig.engine.texts.length = 0;
    rig.engine.onText = () => 408;
    expect(await settled(send("600"))).toEqual([408]);
    expect(rig.engine.texts).toHaveLength(1);
  });

  it("is refused where a call would be, and counted", async () => {
    expect(await settled(send("0900"))).toEqual([403]);
    expect(refusals).toMatchObject([{ reason: "premium", to: "0900" }]);
    expect(await settled(send("*43"))).toEqual([488]);
    expect(rig.engine.texts).toEqual([]);
  });

  it("is answered before its sender gives up, and twenty wait at most", async () => {
    rig.engine.register("1002");
    let answer: (status: number) => void = () => {};
    rig.engine.onText = () =>
      new Promise((resolve) => {
        const before = answer;
        answer = (status) => {
          before(status);
          resolve(status);
        };
      });
    const first = send("1002");
    for (let count = 1; count < 20; count += 1) send("1002");
    expect(await settled(send("1002"))).toEqual([503]);
    rig.clock.advance(25_000);
    expect(first).toEqual([408]);
    answer(200);
    await settle();
  });
});

async function settled(responses: readonly number[]): Promise<readonly number[]> {
  await settle();
  return responses;
}
