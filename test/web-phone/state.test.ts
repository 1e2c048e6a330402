import { describe, expect, it } from "vitest";
import { END_KINDS, isQuietEnd } from "../../web-phone/src/call-end.ts";
import {
  type Call,
  type CallPhase,
  callStateOf,
  canCall,
  initialState,
  type Link,
  type PhoneEvent,
  type PhoneState,
  reduce,
  screenOf,
} from "../../web-phone/src/state.ts";
import { aCall, inCall, ready } from "./calls.ts";

const PHASES: readonly CallPhase[] = [
  "preparing",
  "calling",
  "ringing",
  "early-media",
  "incoming",
  "answering",
  "connected",
  "ended",
];

function after(state: PhoneState, ...events: readonly PhoneEvent[]): PhoneState {
  return events.reduce(reduce, state);
}

describe("the link", () => {
  const LINKS: readonly Link[] = [
    { kind: "idle" },
    { kind: "connecting" },
    { kind: "registering" },
    { kind: "ready" },
    { kind: "reconnecting", attempt: 2, retryAt: 5 },
    { kind: "unreachable", attempt: 2, retryAt: 5 },
    { kind: "refused", status: 403, reasonPhrase: "Forbidden" },
  ];
  const table: readonly (readonly [PhoneEvent, readonly Link["kind"][]])[] = [
    [
      { type: "link-connecting" },
      [
        "connecting",
        "connecting",
        "connecting",
        "connecting",
        "reconnecting",
        "unreachable",
        "connecting",
      ],
    ],
    [
      { type: "link-registering" },
      [
        "registering",
        "registering",
        "registering",
        "ready",
        "reconnecting",
        "registering",
        "registering",
      ],
    ],
    [{ type: "link-ready" }, ["ready", "ready", "ready", "ready", "ready", "ready", "ready"]],
    [
      { type: "link-lost", attempt: 3, retryAt: 9 },
      [
        "unreachable",
        "unreachable",
        "unreachable",
        "reconnecting",
        "reconnecting",
        "unreachable",
        "unreachable",
      ],
    ],
    [
      { type: "link-refused", status: 401, reasonPhrase: "Unauthorized" },
      ["refused", "refused", "refused", "refused", "refused", "refused", "refused"],
    ],
  ];
  for (const [event, expected] of table) {
    it.each(LINKS.map((link, index) => [link.kind, expected[index], link] as const))(
      `${event.type} in %s gives %s`,
      (_from, to, link) => {
        expect(reduce({ ...ready, link }, event).link.kind).toBe(to);
      },
    );
  }

  it("counts the attempts of a lost link", () => {
    const lost = after(
      ready,
      { type: "link-lost", attempt: 1, retryAt: 10 },
      { type: "link-connecting" },
      { type: "link-lost", attempt: 2, retryAt: 30 },
    );
    expect(lost.link).toEqual({ kind: "reconnecting", attempt: 2, retryAt: 30 });
  });

  it("has no link while nobody is signed in", () => {
    expect(reduce(initialState, { type: "link-ready" })).toBe(initialState);
  });

  it("keeps a call while the link is lost, and lets no new one begin", () => {
    const lost = reduce(inCall(), { type: "link-lost", attempt: 1, retryAt: 10 });
    expect(lost.call?.phase).toBe("connected");
    const idle = reduce(ready, { type: "link-lost", attempt: 1, retryAt: 10 });
    expect(canCall(idle)).toBe(false);
    expect(
      reduce(idle, { type: "call-started", id: "x", number: "1", at: 0 }).call,
    ).toBeUndefined();
  });
});

describe("a call", () => {
  /** Event × phase: the phase after it; "-" leaves the whole state untouched. */
  const table: readonly (readonly [PhoneEvent, readonly string[]])[] = [
    [{ type: "invite-sent", id: "c1" }, ["calling", "-", "-", "-", "-", "-", "-", "-"]],
    [{ type: "ringing", id: "c1" }, ["-", "ringing", "ringing", "-", "-", "-", "-", "-"]],
    [
      { type: "early-media", id: "c1" },
      ["-", "early-media", "early-media", "-", "-", "-", "-", "-"],
    ],
    [{ type: "answer-started", id: "c1" }, ["-", "-", "-", "-", "answering", "-", "-", "-"]],
    [
      { type: "microphone-failed", id: "c1", problem: "microphone-busy" },
      ["-", "-", "-", "-", "-", "incoming", "-", "-"],
    ],
    [
      { type: "microphone-slow", id: "c1" },
      ["preparing", "-", "-", "-", "-", "answering", "-", "-"],
    ],
    [
      { type: "connected", id: "c1", at: 5, name: undefined },
      ["-", "connected", "connected", "connected", "-", "connected", "-", "-"],
    ],
    [{ type: "hold-started", id: "c1" }, ["-", "-", "-", "-", "-", "-", "connected", "-"]],
    [
      { type: "hold-changed", id: "c1", isHeld: true },
      ["-", "-", "-", "-", "-", "-", "connected", "-"],
    ],
    [
      { type: "peer-hold-changed", id: "c1", isHeld: true },
      ["-", "-", "-", "-", "-", "-", "connected", "-"],
    ],
    [
      { type: "mute-changed", id: "c1", isMuted: true },
      ["-", "calling", "ringing", "early-media", "-", "-", "connected", "-"],
    ],
    [
      { type: "keypad-toggled", id: "c1" },
      ["-", "-", "-", "early-media", "-", "-", "connected", "-"],
    ],
    [
      { type: "digit-sent", id: "c1", digit: "5" },
      ["-", "-", "-", "early-media", "-", "-", "connected", "-"],
    ],
    [
      { type: "media-changed", id: "c1", media: "flowing" },
      ["-", "calling", "ringing", "early-media", "-", "answering", "connected", "-"],
    ],
    [
      { type: "call-ended", id: "c1", end: { kind: "completed", details: {} }, at: 9 },
      ["ended", "ended", "ended", "ended", "ended", "ended", "ended", "-"],
    ],
  ];
  for (const [event, expected] of table) {
    it.each(PHASES.map((phase, index) => [phase, expected[index]] as const))(
      `${event.type} in %s gives %s`,
      (phase, to) => {
        const before = inCall({ phase });
        const state = reduce(before, event);
        if (to === "-") expect(state).toBe(before);
        else expect(state.call?.phase).toBe(to);
      },
    );
  }

  it.each(table.map(([event]) => event))("ignores $type of another call", (event) => {
    const before = inCall();
    expect(reduce(before, { ...event, id: "other" } as PhoneEvent)).toBe(before);
  });

  it("goes from the number to the end and is remembered", () => {
    const state = after(
      { ...ready, draft: "1002" },
      { type: "call-started", id: "c1", number: "1002", at: 1_000 },
      { type: "invite-sent", id: "c1" },
      { type: "ringing", id: "c1" },
      { type: "connected", id: "c1", at: 4_000, name: "Bob Ray" },
      { type: "call-ended", id: "c1", at: 10_000, end: { kind: "completed", details: {} } },
    );
    expect(state.draft).toBe("");
    expect(state.lastNumber).toBe("1002");
    expect(state.recent).toEqual([
      {
        id: "c1",
        direction: "outgoing",
        number: "1002",
        name: "Bob Ray",
        startedAt: 1_000,
        durationMs: 6_000,
        kind: "completed",
      },
    ]);
    expect(screenOf(state)).toBe("dial");
  });

  it("arrives in the pane when the line is free, else beside the call there", () => {
    const event: PhoneEvent = {
      type: "call-arrived",
      id: "c2",
      number: "7",
      name: undefined,
      at: 1,
    };
    expect(reduce(ready, event).call).toMatchObject({ direction: "incoming", phase: "incoming" });
    expect(reduce(inCall({ phase: "ended" }), event).call?.id).toBe("c2");
    const busy = reduce(inCall(), event);
    expect(busy.call?.id).toBe("c1");
    expect(busy.others.map(({ id, phase }) => [id, phase])).toEqual([["c2", "incoming"]]);
    expect(reduce(initialState, event)).toBe(initialState);
  });

  it("says who got a busy tone, until the calls are over, and remembers it", () => {
    const told = reduce(inCall(), {
      type: "caller-turned-away",
      id: "c9",
      number: "1003",
      name: undefined,
      at: 5,
    });
    expect(told.turnedAway).toBe("1003");
    expect(told.recent[0]).toMatchObject({ id: "c9", kind: "missed", direction: "incoming" });
    const over = reduce(told, {
      type: "call-ended",
      id: "c1",
      at: 6,
      end: { kind: "completed", details: {} },
    });
    expect(over.turnedAway).toBeUndefined();
  });

  it("keeps at most 200 recent calls and the last 32 digits", () => {
    let state: PhoneState = ready;
    for (let index = 0; index < 210; index += 1) {
      const id = `c${index}`;
      state = after(
        state,
        { type: "call-started", id, number: "1", at: index },
        { type: "call-ended", id, at: index, end: { kind: "busy", details: {} } },
      );
    }
    expect(state.recent).toHaveLength(200);
    expect(state.recent[0]?.id).toBe("c209");
    let dialling = inCall();
    for (let index = 0; index < 50; index += 1) {
      dialling = reduce(dialling, { type: "digit-sent", id: "c1", digit: String(index % 10) });
    }
    expect(dialling.call?.digits).toBe("89012345678901234567890123456789");
  });

  it("clears the recent calls, and brings them back until the next one", () => {
    const full = after(
      ready,
      { type: "call-started", id: "a", number: "1003", at: 1 },
      { type: "call-ended", id: "a", at: 2, end: { kind: "cancelled", details: {} } },
    );
    const cleared = reduce(full, { type: "recents-cleared" });
    expect(cleared).toMatchObject({ recent: [], lastNumber: "" });
    const back = reduce(cleared, { type: "recents-restored" });
    expect(back).toMatchObject({ recent: full.recent, lastNumber: "1003", cleared: undefined });
    const next = after(
      cleared,
      { type: "call-started", id: "b", number: "1004", at: 3 },
      { type: "call-ended", id: "b", at: 4, end: { kind: "cancelled", details: {} } },
      { type: "recents-restored" },
    );
    expect(next.recent.map(({ id }) => id)).toEqual(["b"]);
  });

  it("rings on in silence, and aloud again, until it is answered", () => {
    const ringing = inCall({ phase: "incoming", direction: "incoming" });
    const silent = reduce(ringing, { type: "ring-silenced", id: "c1", isSilenced: true });
    expect(silent.call).toMatchObject({ phase: "incoming", isSilenced: true });
    const loud = reduce(silent, { type: "ring-silenced", id: "c1", isSilenced: false });
    expect(loud.call?.isSilenced).toBe(false);
    const up = inCall();
    expect(reduce(up, { type: "ring-silenced", id: "c1", isSilenced: true })).toBe(up);
  });

  it("leaves the screen when the next number is typed", () => {
    const over = inCall({ phase: "ended", end: { kind: "busy", details: {} } });
    expect(reduce(over, { type: "draft-changed", text: "1" }).call).toBeUndefined();
    expect(reduce(inCall(), { type: "draft-changed", text: "1" }).call?.phase).toBe("connected");
  });

  it.each<[Partial<Call>, string]>([
    [{}, "connected"],
    [{ isHeld: true }, "local-hold"],
    [{ isHeldByPeer: true }, "remote-hold"],
    [{ isHeld: true, isHeldByPeer: true }, "local-hold"],
    [{ phase: "early-media", isHeldByPeer: true }, "early-media"],
  ])("shows %o as %s", (change, expected) => {
    expect(callStateOf(aCall(change))).toBe(expected);
  });
});

describe("a microphone that comes", () => {
  it("clears the screen that asked for one, and keeps the number", () => {
    const missing = inCall({
      phase: "ended",
      end: { kind: "microphone-missing", details: {} },
      number: "1003",
    });
    const microphones = [{ id: "m", label: "Headset" }];
    const state = reduce(missing, {
      type: "devices-listed",
      microphones,
      speakers: [],
      cameras: [],
    });
    expect(state).toMatchObject({ call: undefined, draft: "1003", devices: { microphones } });
    const busy = inCall({ phase: "ended", end: { kind: "busy", details: {} } });
    expect(
      reduce(busy, { type: "devices-listed", microphones, speakers: [], cameras: [] }).call,
    ).toBeDefined();
  });
});

describe("signing in and out", () => {
  it("goes through its steps and begins with what is remembered", () => {
    const memory = { recent: [], lastNumber: "*43" };
    const busy = reduce(initialState, { type: "sign-in-started" });
    expect(busy.signIn.kind).toBe("signing-in");
    const state = reduce(busy, { type: "signed-in", userId: "1001", name: "Ann", memory });
    expect(state).toMatchObject({ link: { kind: "connecting" }, lastNumber: "*43" });
  });

  it("says why it did not work", () => {
    const state = after(
      initialState,
      { type: "sign-in-started" },
      { type: "sign-in-failed", problem: "wrong-password" },
    );
    expect(state.signIn).toEqual({ kind: "signed-out", problem: "wrong-password" });
  });

  it("forgets the user and keeps the audio setting", () => {
    const state = after(
      { ...inCall(), draft: "12", isRawAudio: true },
      { type: "signed-out", problem: "expired" },
    );
    expect(state).toEqual({
      ...initialState,
      isRawAudio: true,
      signIn: { kind: "signed-out", problem: "expired" },
    });
  });
});

describe("the screen", () => {
  it.each<[CallPhase, string]>([
    ["preparing", "call"],
    ["calling", "call"],
    ["ringing", "call"],
    ["early-media", "call"],
    ["incoming", "incoming"],
    ["answering", "incoming"],
    ["connected", "call"],
  ])("for %s is %s", (phase, screen) => {
    expect(screenOf(inCall({ phase }))).toBe(screen);
  });

  it.each(END_KINDS)("for an end by %s explains itself or is a line", (kind) => {
    const state = inCall({ phase: "ended", end: { kind, details: {} } });
    expect(screenOf(state)).toBe(isQuietEnd(kind) ? "dial" : "problem");
  });

  it("is the sign-in for everybody else", () => {
    expect(screenOf(initialState)).toBe("sign-in");
  });
});
