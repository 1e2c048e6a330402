import { describe, expect, it } from "vitest";
import { Desk, session } from "./desk.ts";

describe("the microphone comes first", () => {
  it("sends no INVITE when the microphone is refused, and none later by itself", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002");
    expect(desk.phase).toBe("preparing");
    await desk.microphone("blocked");
    expect(desk.phone.state.call?.end?.kind).toBe("microphone-blocked");
    expect(desk.agent.asked).toEqual(["start", "watchLamps "]);
  });

  it("tries again with the same number", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002");
    await desk.microphone("blocked");
    desk.phone.followUp();
    await desk.microphone("open");
    expect(desk.agent.asked).toEqual(["start", "watchLamps ", "call 1002"]);
  });

  it("calls nobody who was given up while the browser asked", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002");
    desk.phone.end();
    const audio = await desk.microphone("open");
    expect(audio.isClosed).toBe(true);
    expect(desk.agent.asked).toEqual(["start", "watchLamps ", "hangUp"]);
    expect(desk.phone.state.call?.end?.kind).toBe("cancelled");
  });

  it("points out a question that stands for 1.5 s", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002");
    desk.pass(1_499);
    expect(desk.phone.state.call?.isAskingForMicrophone).toBe(false);
    desk.pass(1);
    expect(desk.phone.state.call?.isAskingForMicrophone).toBe(true);
    await desk.microphone("open");
    expect(desk.phone.state.call?.isAskingForMicrophone).toBe(false);
  });

  it("says that the server is gone when it went meanwhile", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002");
    desk.handler.onLost(1, 500);
    const audio = await desk.microphone("open");
    expect(desk.phone.state.call?.end?.kind).toBe("server-unreachable");
    expect(audio.isClosed).toBe(true);
  });

  it("keeps an incoming call ringing when it cannot be had", async () => {
    const desk = await new Desk().signedIn();
    desk.handler.onIncoming("in", "1003", "Carol");
    desk.phone.answer();
    await desk.microphone("blocked");
    expect(desk.phone.state.call).toMatchObject({
      phase: "incoming",
      microphoneProblem: "microphone-blocked",
    });
    desk.phone.answer();
    await desk.microphone("open");
    expect(desk.agent.asked).toEqual(["start", "watchLamps ", "ring", "answer"]);
  });

  it("answers nobody who hung up while the browser asked", async () => {
    const desk = await new Desk().signedIn();
    desk.handler.onIncoming("in", "1003", undefined);
    desk.phone.answer();
    desk.handler.onEnded("in", { kind: "missed", details: {} });
    const audio = await desk.microphone("open");
    expect(audio.isClosed).toBe(true);
    expect(desk.agent.asked).toEqual(["start", "watchLamps ", "ring"]);
  });
});

describe("calls", () => {
  it("dials what was cleaned up, and nothing when nothing is left", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial(" ( ) ");
    expect(desk.phase).toBeUndefined();
    desk.phone.changeDraft("+49 (0)30 1");
    desk.phone.dial();
    await desk.microphone("open");
    expect(desk.agent.asked.at(-1)).toBe("call +49301");
    expect(desk.memory.lastNumber).toBe("+49301");
  });

  it("rings a second caller in, and turns away the one for whom there is no line", async () => {
    const desk = await new Desk().inCall();
    for (let line = 2; line <= 6; line += 1) desk.handler.onIncoming(`in${line}`, "1003", "Carol");
    expect(desk.agent.asked.at(-1)).toBe("ring");
    desk.handler.onIncoming("in7", "1007", undefined);
    expect(desk.agent.asked.at(-1)).toBe("refuse busy");
    expect(desk.phone.state).toMatchObject({ turnedAway: "1007", call: { number: "1002" } });
    expect(desk.phone.state.others).toHaveLength(5);
  });

  it("leaves a user alone who asked for that, and remembers who called", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.setDoNotDisturb(true);
    desk.handler.onIncoming("in", "1003", undefined);
    expect(desk.agent.asked.at(-1)).toBe("refuse busy");
    expect(desk.phone.state.call).toBeUndefined();
    expect(desk.phone.state.recent[0]).toMatchObject({ number: "1003", kind: "missed" });
  });

  it("sends digits only where somebody hears them", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.press("5");
    expect(desk.phone.state.draft).toBe("5");
    desk.phone.dial("1002");
    desk.phone.press("1");
    await desk.microphone("open");
    desk.phone.press("2");
    desk.handler.onConnected("id1", undefined);
    desk.phone.pressAll("3#x");
    expect(desk.agent.asked).toEqual([
      "start",
      "watchLamps ",
      "call 1002",
      "sendDigits 3",
      "sendDigits #",
    ]);
    expect(desk.phone.state.call?.digits).toBe("3#");
  });

  it("asks for one hold at a time and shows what came of it", async () => {
    const desk = await new Desk().inCall();
    desk.phone.toggleHold();
    desk.phone.toggleHold();
    expect(desk.agent.asked.slice(3)).toEqual(["setHeld true"]);
    desk.handler.onHeld("id1", true);
    expect(desk.phone.state.call?.isHeld).toBe(true);
    desk.phone.toggleHold();
    desk.handler.onHeld("id1", true);
    expect(desk.phone.state.call?.isHeld).toBe(true);
  });

  it("mutes and unmutes", async () => {
    const desk = await new Desk().inCall();
    desk.phone.toggleMute();
    desk.phone.toggleMute();
    expect(desk.agent.asked.slice(3)).toEqual(["setMuted true", "setMuted false"]);
  });

  it.each([
    ["incoming", "refuse declined", "declined-by-me"],
    ["outgoing", "hangUp", "cancelled"],
  ])("ends an unanswered %s call by %s", async (direction, asked, kind) => {
    const desk = await new Desk().signedIn();
    if (direction === "incoming") desk.handler.onIncoming("in", "1003", undefined);
    else {
      desk.phone.dial("1002");
      await desk.microphone("open");
    }
    desk.phone.end();
    expect(desk.agent.asked.at(-1)).toBe(asked);
    expect(desk.phone.state.call?.end?.kind).toBe(kind);
  });

  it("brings the number back for editing when nobody has it", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("0301");
    await desk.microphone("open");
    desk.handler.onEnded("id1", { kind: "number-not-found", details: { status: 404 } });
    desk.phone.followUp();
    expect(desk.phone.state).toMatchObject({ draft: "0301", call: undefined });
  });
});

describe("the session", () => {
  it("goes on after a reload without asking again", () => {
    const desk = new Desk();
    desk.saved = session;
    desk.phone.resume();
    expect(desk.phone.state.signIn.kind).toBe("signed-in");
    expect(desk.agent.asked).toEqual(["start", "watchLamps "]);
  });

  it("is not gone on with when it has run out", () => {
    const desk = new Desk();
    desk.saved = { ...session, expiresAt: "2026-11-19T00:00:00Z" };
    desk.phone.resume();
    expect(desk.phone.state.signIn).toEqual({ kind: "signed-out", problem: "expired" });
    expect(desk.saved).toBeUndefined();
  });

  it("asks to sign in again when it runs out", async () => {
    const desk = await new Desk().signedIn();
    desk.pass(12 * 3_600_000);
    expect(desk.phone.state.signIn).toEqual({ kind: "signed-out", problem: "expired" });
    expect(desk.agent.asked).toEqual(["start", "watchLamps ", "stop", "give up"]);
  });

  it("never ends a call for that", async () => {
    const desk = await new Desk().inCall();
    desk.pass(12 * 3_600_000);
    expect(desk.phase).toBe("connected");
    desk.handler.onEnded("id1", { kind: "completed", details: {} });
    expect(desk.phone.state.signIn).toEqual({ kind: "signed-out", problem: "expired" });
  });

  it("tells an account that is refused from a session that has run out", async () => {
    const desk = await new Desk().signedIn();
    desk.handler.onRefused(403, "Forbidden");
    expect(desk.phone.state.link).toEqual({
      kind: "refused",
      status: 403,
      reasonPhrase: "Forbidden",
    });
    const late = await new Desk().signedIn();
    late.time += 13 * 3_600_000;
    late.handler.onRefused(403, "Forbidden");
    expect(late.phone.state.signIn).toEqual({ kind: "signed-out", problem: "expired" });
  });

  it("leaves at once when the page goes away", async () => {
    const desk = await new Desk().inCall();
    desk.phone.leave();
    expect(desk.agent.asked.at(-1)).toBe("leave");
  });
});
