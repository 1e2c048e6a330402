import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CallTable } from "../../src/call/call-table.ts";
import { answerOfNobody } from "../../src/call/nobody.ts";
import { OffhookError } from "../../src/core/errors.ts";
import type { Action } from "../../src/dialplan/decision.ts";
import { parseSdp } from "../../src/media/sdp.ts";
import type { IncomingReinvite } from "../../src/signaling/engine.ts";
import { dial, refused, ring } from "./actions.ts";
import { makeRig, OFFICE, type Rig, ScriptedInvite, settle } from "./fakes.ts";

let rig: Rig;
let table: CallTable;
let invite: ScriptedInvite;

beforeEach(() => {
  rig = makeRig({
    holdMusic: { sound: () => Promise.resolve(Buffer.alloc(160)), file: undefined },
  });
});

afterEach(async () => {
  if (invite.dialog === undefined) invite.cancel();
  else invite.dialog.handler?.onBye(undefined);
  await settle();
  expect(table.size, "calls left").toBe(0);
  expect(rig.media.open, "media sessions left").toBe(0);
  expect(rig.clock.pendingTimers, "timers left").toBe(0);
});

async function place(action: Action, sdp?: string | { readonly late: boolean }): Promise<void> {
  for (const id of ["1002", "1003"]) rig.engine.register(id);
  table = new CallTable({
    context: rig.context,
    decide: () => ({ route: "test", action, trace: [] }),
    groupsOf: () => [],
  });
  const early = typeof sdp === "string" ? sdp : "caller-offer";
  invite = new ScriptedInvite({
    party: OFFICE,
    to: "600",
    ...(typeof sdp === "object" ? { sdp: undefined, needsEarlyOffer: sdp.late } : { sdp: early }),
  });
  table.onInvite(invite);
  await settle();
}

/** Lets the callee of INVITE `index` ring, in early media when it has an SDP. */
async function rings(index: number, sdp?: string): Promise<void> {
  const status = sdp === undefined ? 180 : 183;
  const response = { status, reasonPhrase: "", sdp, remoteTag: `t${index}` };
  rig.engine.at(index).handler.onProvisional(response);
  await settle();
}

type Outcome = { accepted?: string; rejected?: number };

/** The caller offers again. @returns what it gets; empty as long as it gets nothing */
function offered(sdp: string | undefined, method: "UPDATE" | "PRACK" = "UPDATE"): Outcome {
  const outcome: Outcome = {};
  const offer: IncomingReinvite = {
    method,
    sdp,
    // RFC 3261 §15.1.2: the engine has answered it when the call ends.
    accept: (answer) => {
      if (!invite.isCancelled) outcome.accepted = answer;
    },
    reject: (status) => {
      if (!invite.isCancelled) outcome.rejected = status;
    },
  };
  invite.handler?.onReinvite?.(offer);
  return outcome;
}

async function offers(sdp: string | undefined, method?: "UPDATE" | "PRACK"): Promise<Outcome> {
  rig.media.log.length = 0;
  const outcome = offered(sdp, method);
  await settle();
  return outcome;
}

async function answers(index: number, sdp?: string): Promise<void> {
  rig.media.log.length = 0;
  rig.engine.answer(index, sdp);
  await settle();
}

/** Every state in which the caller has an answer, how it comes about, and who stands behind it. */
const STATES: readonly {
  readonly name: string;
  readonly enter: () => Promise<void>;
  readonly log: readonly string[];
  readonly answer: string;
}[] = [
  {
    name: "one callee is heard",
    enter: async () => {
      await place(dial(["office"]));
      await rings(0, "early");
    },
    log: ["offer caller>callee-1 callee-1 moved", "answer caller>callee-1 callee-1 early"],
    answer: "answer(early)",
  },
  {
    name: "several ring, the second is heard",
    enter: async () => {
      await place(ring(["1002", "1003"]));
      await rings(0);
      await rings(1, "early");
    },
    log: ["offer caller>callee-2 callee-2 moved", "answer caller>callee-2 callee-2 early"],
    answer: "answer(early)",
  },
  {
    name: "who was heard has gone, and the next one rings",
    enter: async () => {
      await place(dial(["office", "backup"]));
      await rings(0, "early");
      rig.engine.at(0).handler.onFailed(refused(503));
      await settle();
      await rings(1);
    },
    log: ["offer caller>nobody nobody moved", "answer caller>nobody nobody offer(moved)"],
    answer: "answer(offer(moved))",
  },
  {
    name: "an announcement of ours plays",
    enter: async () => {
      await place({
        kind: "reject",
        status: 404,
        reasonPhrase: undefined,
        announce: "number-unknown",
      });
    },
    log: [
      "offer caller>service announcement moved",
      "answer caller>service announcement service(offer(moved))",
    ],
    answer: "answer(service(offer(moved)))",
  },
];

describe.each(STATES)("a caller that offers again while $name", ({ enter, log, answer }) => {
  it.each(["UPDATE", "PRACK"] as const)(
    "RFC 3311 §5.2, RFC 3262 §5 gets our answer to an %s",
    async (method) => {
      await enter();
      expect(await offers("moved", method)).toEqual({ accepted: answer });
      expect(rig.media.log).toEqual(log);
    },
  );

  it("RFC 3311 §5.2 keeps what it has when the media cannot be changed: 488", async () => {
    await enter();
    const step = log[0] ?? "";
    rig.media.failOn = (line) =>
      line === step ? new OffhookError("ERR_OFFHOOK_MEDIA_SDP", "no codec") : undefined;
    expect(await offers("moved")).toEqual({ rejected: 488 });
    // What was agreed on before is made to hold again.
    expect(rig.media.log.slice(1, 3)).toEqual(
      log.map((line) => line.replace("moved", "caller-offer")),
    );
    rig.media.failOn = undefined;
    const { accepted } = await offers("moved");
    expect(accepted).toBe(answer);
  });

  it("gets the same answer to the same offer, and rtpengine hears nothing", async () => {
    await enter();
    await offers("moved");
    expect(await offers("moved")).toEqual({ accepted: answer });
    expect(rig.media.log).toEqual([]);
  });

  it("RFC 3261 §9.2 cancels meanwhile: the call ends as if nothing had been offered", async () => {
    await enter();
    const outcome = offered("moved");
    invite.cancel();
    await settle();
    expect(outcome).toEqual({});
    expect(rig.media.log.filter((line) => line === "close")).toHaveLength(1);
  });
});

describe("RFC 3311 §5.2 an offer that cannot be answered here", () => {
  it("would have to be shown to the callee: 488, and what was agreed on is made again", async () => {
    const sdp = (port: number): string => `v=0\nm=audio ${port} RTP/AVP 0\n`;
    await place(dial(["office"]), sdp(5000));
    await rings(0, "early");
    expect(await offers(sdp(6000))).toEqual({ rejected: 488 });
    expect(rig.media.log).toEqual([
      `offer caller>callee-1 callee-1 ${sdp(6000)}`,
      `offer caller>callee-1 callee-1 ${sdp(5000)}`,
      "answer caller>callee-1 callee-1 early",
    ]);
  });

  it.each([
    ["with no answer of ours", async () => place(dial(["office"]))],
    ["with a late offer", async () => place(dial(["office"]), { late: false })],
  ] as const)("comes %s: 488", async (_what, enter) => {
    await enter();
    expect(await offers("moved")).toEqual({ rejected: 488 });
    expect(rig.media.log).toEqual([]);
  });
});

describe("whoever comes after the caller's newest offer", () => {
  it("the callee that is heard answers: nothing is asked of anybody", async () => {
    await place(dial(["office"]));
    await rings(0, "early");
    await offers("moved");
    await answers(0, "early");
    expect(rig.media.log).toEqual(["answer caller>callee-1 callee-1 early"]);
    expect(invite.responses.at(-1)).toMatchObject({ status: 200, sdp: "answer(early)" });
    const { handler } = invite.dialog ?? {};
    // The newest offer is what a session refresh repeats (RFC 4028 §7.4).
    const again: Outcome = {};
    handler?.onReinvite({
      method: "UPDATE",
      sdp: "moved",
      accept: (sdp) => {
        again.accepted = sdp;
      },
      reject() {},
    });
    expect(again).toEqual({ accepted: "answer(early)" });
  });

  it("another one that has rung answers: it is brought to the newest offer", async () => {
    await place(ring(["1002", "1003"]));
    await rings(0, "early");
    await offers("moved");
    await answers(1, "other");
    expect(rig.media.log.filter((line) => line.includes("callee-2"))).toEqual([
      "offer caller>callee-2 callee-2 moved",
      "answer caller>callee-2 callee-2 other",
    ]);
    expect(invite.responses.at(-1)).toMatchObject({ status: 200, sdp: "answer(other)" });
  });

  it("another one that has rung is heard, then answers: it is brought once", async () => {
    await place(ring(["1002", "1003"]));
    await rings(0, "early");
    await offers("moved");
    rig.media.log.length = 0;
    await rings(1, "other");
    await answers(1, "other");
    expect(rig.media.log.filter((line) => line.includes("offer"))).toEqual([]);
    expect(invite.responses.map(({ status }) => status)).toEqual([183, 183, 200]);
  });

  it("the next trunk is offered the newest, and nobody stands in any more", async () => {
    await place(dial(["office", "backup", "third"]));
    await rings(0, "early");
    rig.engine.at(0).handler.onFailed(refused(503));
    await settle();
    await offers("moved");
    rig.engine.at(1).handler.onFailed(refused(503));
    await settle();
    expect(rig.engine.at(2).options.sdp).toBe("offer(moved)");
    await answers(2);
    expect(rig.media.log).toEqual(["answer caller>callee-3 callee-3 callee-answer", "drop nobody"]);
    expect(invite.responses.at(-1)?.status).toBe(200);
  });

  it("a service of ours answers the newest", async () => {
    await place(dial(["office"], { then: [{ kind: "echo" }] }));
    await rings(0, "early");
    await offers("moved");
    rig.media.log.length = 0;
    rig.engine.at(0).handler.onFailed(refused(503));
    await settle();
    expect(rig.media.log).toContain("offer caller>service service moved");
    expect(invite.responses.at(-1)).toMatchObject({
      status: 200,
      sdp: "answer(service(offer(moved)))",
    });
  });

  it("RFC 6228 the next early dialog begins with the INVITE's offer again", async () => {
    await place(dial(["office", "backup"]));
    invite.hasEarlyDialogs = true;
    await rings(0, "early");
    await offers("moved");
    rig.engine.at(0).handler.onFailed(refused(503));
    await settle();
    expect(rig.engine.at(1).options.sdp).toBe("offer(caller-offer)");
    expect(await offers("moved")).toEqual({ rejected: 488 });
  });
});

describe("an offer of the caller's that crosses", () => {
  it("the callee's 200: it is answered first, and the call has its answer", async () => {
    await place(dial(["office"]));
    await rings(0, "early");
    rig.engine.answer(0, "final");
    const outcome = offered("moved");
    await settle();
    expect(outcome).toEqual({ accepted: "answer(final)" });
    expect(rig.media.log.slice(-3)).toEqual([
      "answer caller>callee-1 callee-1 final",
      "offer caller>callee-1 callee-1 moved",
      "answer caller>callee-1 callee-1 final",
    ]);
    expect(invite.statuses).toEqual([183, 200]);
  });

  it("the callee's early offer: one after the other, each with the newest of the other side", async () => {
    await place(dial(["office"]));
    await rings(0, "early");
    rig.media.log.length = 0;
    const outcome = offered("moved");
    const callee: Outcome = {};
    rig.engine.at(0).handler.onReinvite?.(
      {
        method: "UPDATE",
        sdp: "callee-moved",
        accept: (sdp) => {
          callee.accepted = sdp;
        },
        reject: (status) => {
          callee.rejected = status;
        },
      },
      "t0",
    );
    await settle();
    expect(outcome).toEqual({ accepted: "answer(early)" });
    expect(rig.media.log.slice(0, 3)).toEqual([
      "offer caller>callee-1 callee-1 moved",
      "answer caller>callee-1 callee-1 early",
      "offer callee-1>caller callee-1 callee-moved",
    ]);
    await offers("moved-again");
    expect(callee.rejected ?? callee.accepted).toBeDefined();
  });
});

describe("RFC 3262 §5 a caller without an offer that takes reliable responses alone", () => {
  /** Our offer has gone out, and has its answer. */
  async function agree(action: Action, answer = "late-answer"): Promise<void> {
    await place(action, { late: true });
    expect(rig.engine.sent, "nobody is called yet").toHaveLength(0);
    expect(invite.statuses).toEqual([183]);
    expect(invite.responses[0]?.sdp).toContain("offer(v=0");
    invite.handler?.onEarlyAnswer?.(answer);
    await settle();
  }

  it("is offered something by us, then hears the ringing, and is answered without a word more", async () => {
    await agree(dial(["office"]));
    expect(rig.engine.at(0).options.sdp).toBe("offer(late-answer)");
    await rings(0);
    await rings(0);
    expect(invite.statuses).toEqual([183, 180]);
    await answers(0);
    expect(rig.media.log).toEqual(["answer caller>callee-1 callee-1 callee-answer", "drop nobody"]);
    expect(invite.statuses).toEqual([183, 180, 200]);
  });

  it("RFC 3311 §5.1 may offer again while it rings, even what it has answered", async () => {
    await agree(dial(["office"]));
    const log = (sdp: string): readonly string[] => [
      `offer caller>nobody nobody ${sdp}`,
      `answer caller>nobody nobody offer(${sdp})`,
    ];
    expect(await offers("late-answer")).toEqual({ accepted: "answer(offer(late-answer))" });
    expect(rig.media.log).toEqual(log("late-answer"));
    expect(await offers("moved")).toEqual({ accepted: "answer(offer(moved))" });
    expect(rig.media.log).toEqual(log("moved"));
    // It still hears of the ringing.
    await rings(0);
    expect(invite.statuses).toEqual([183, 180]);
    await answers(0);
    expect(rig.media.log.slice(0, 2)).toEqual([
      "offer caller>callee-1 callee-1 moved",
      "answer caller>callee-1 callee-1 callee-answer",
    ]);
    expect(invite.responses.at(-1)).toMatchObject({ status: 200, sdp: "answer(callee-answer)" });
  });

  it("hears early media, an announcement, and a service", async () => {
    await agree(dial(["office"], { then: [{ kind: "echo" }] }));
    await rings(0, "early");
    expect(invite.responses.at(-1)).toMatchObject({ status: 183, sdp: "answer(early)" });
    rig.engine.at(0).handler.onFailed(refused(503));
    await settle();
    expect(rig.media.log).toContain("offer caller>service service late-answer");
    expect(invite.responses.at(-1)?.status).toBe(200);
  });

  it("is refused when nobody can use what it answers", async () => {
    rig.media.failOn = (line) =>
      line.endsWith(" useless") ? new OffhookError("ERR_OFFHOOK_MEDIA_SDP", "no codec") : undefined;
    await agree(dial(["office"]), "useless");
    expect(invite.statuses).toEqual([183, 488]);
    expect(rig.engine.sent).toHaveLength(0);
  });

  it("is a late offer like any other when rtpengine makes none: whoever answers does", async () => {
    rig.media.failOn = (line) =>
      line.includes("early-offer")
        ? new OffhookError("ERR_OFFHOOK_MEDIA_REFUSED", "no")
        : undefined;
    await place(dial(["office"]), { late: true });
    expect(invite.statuses).toEqual([]);
    expect(rig.engine.at(0).options.sdp).toBeUndefined();
  });

  it.each([
    ["before it has answered", () => {}],
    ["as it answers", () => invite.handler?.onEarlyAnswer?.("late-answer")],
  ] as const)("hangs up %s: nobody is called", async (_when, before) => {
    await place(dial(["office"]), { late: true });
    before();
    invite.cancel();
    await settle();
    expect(rig.engine.sent).toHaveLength(0);
  });
});

describe("RFC 3264 §8.4 a caller that holds before it is answered", () => {
  it("is told that nothing comes, and the callee hears music once it has answered", async () => {
    await place(dial(["office"]));
    await rings(0, "a=sendrecv");
    expect(await offers("a=inactive")).toEqual({ accepted: "answer(a=sendrecv)" });
    // rtpengine plays to no one in an inactive pair.
    expect(rig.media.log[0]).toBe("offer caller>callee-1 callee-1 a=sendonly");
    await answers(0, "a=sendrecv");
    await settle();
    expect(rig.media.log).toContain("play callee-1 instead of caller looped");
  });
});

describe("nobody, in the place of a callee that has gone", () => {
  it("takes every codec, at an address where nobody is, and wants nothing", () => {
    const answer = parseSdp(
      answerOfNobody(
        [
          "v=0",
          "o=- 1 1 IN IP4 192.168.1.1",
          "s=-",
          "c=IN IP4 192.168.1.1",
          "t=0 0",
          "m=audio 30000 RTP/AVP 0 101",
          "a=rtpmap:0 PCMU/8000",
          "a=rtpmap:101 telephone-event/8000",
          "a=sendrecv",
          "a=rtcp:30001",
          "",
        ].join("\r\n"),
      ),
    );
    expect(answer.connection).toEqual({ family: "IP4", host: "192.0.2.1" });
    expect(answer.media).toMatchObject([{ type: "audio", port: 9, formats: ["0", "101"] }]);
    const names = answer.media[0]?.attributes.map(({ name }) => name);
    expect(names).toEqual(["rtpmap", "rtpmap", "inactive"]);
  });
});
