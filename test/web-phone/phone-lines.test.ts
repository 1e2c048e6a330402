import { describe, expect, it } from "vitest";
import { Desk } from "./desk.ts";

describe("several calls", () => {
  /** Talking to 1003, with 1002 on hold. */
  async function twoCalls(): Promise<Desk> {
    const desk = await new Desk().inCall();
    desk.handler.onIncoming("in", "1003", "Carol");
    desk.phone.answer("in");
    desk.handler.onHeld("id1", true);
    await desk.microphone("open");
    desk.handler.onConnected("in", undefined);
    desk.agent.asked.length = 0;
    return desk;
  }

  it("holds the first and answers the second", async () => {
    const desk = await new Desk().inCall();
    desk.handler.onIncoming("in", "1003", "Carol");
    desk.phone.answer("in");
    expect(desk.agent.asked.slice(-2)).toEqual(["ring", "setHeld true"]);
    await desk.microphone("open");
    expect(desk.agent.asked.at(-1)).toBe("answer");
    expect(desk.phone.state.call?.id).toBe("in");
  });

  it("ends the first and answers the second", async () => {
    const desk = await new Desk().inCall();
    desk.handler.onIncoming("in", "1003", "Carol");
    desk.phone.endAndAnswer("in");
    await desk.microphone("open");
    expect(desk.agent.asked.slice(-3)).toEqual(["ring", "hangUp", "answer"]);
    expect(desk.phone.state).toMatchObject({ call: { id: "in" }, others: [] });
  });

  it("declines the second and talks on", async () => {
    const desk = await new Desk().inCall();
    desk.handler.onIncoming("in", "1003", "Carol");
    desk.phone.end("in");
    expect(desk.agent.asked.at(-1)).toBe("refuse declined");
    expect(desk.phone.state).toMatchObject({ call: { id: "id1", isHeld: false }, others: [] });
    expect(desk.phone.state.recent[0]?.kind).toBe("declined-by-me");
  });

  it("swaps", async () => {
    const desk = await twoCalls();
    desk.phone.swap();
    expect(desk.agent.asked).toEqual(["setHeld true", "setHeld false"]);
    expect(desk.phone.state).toMatchObject({ call: { id: "id1" }, others: [{ id: "in" }] });
  });

  it("joins, mutes both, and comes apart again", async () => {
    const desk = await twoCalls();
    desk.phone.join();
    expect(desk.agent.asked).toEqual(["setConference in id1", "setHeld false"]);
    desk.handler.onHeld("id1", false);
    desk.phone.toggleMute();
    expect(desk.agent.asked.slice(2)).toEqual(["setMuted true", "setMuted true"]);
    desk.phone.split();
    expect(desk.agent.asked.slice(4)).toEqual(["setConference ", "setHeld true"]);
    expect(desk.phone.state.call).toMatchObject({ id: "in", isJoined: false });
  });

  it("is no conference any more when one hangs up", async () => {
    const desk = await twoCalls();
    desk.phone.join();
    desk.handler.onEnded("in", { kind: "completed", details: {} });
    expect(desk.agent.asked.at(-1)).toBe("setConference ");
    expect(desk.phone.state).toMatchObject({ call: { id: "id1", isJoined: false }, others: [] });
  });

  it("connects the two others and leaves", async () => {
    const desk = await twoCalls();
    desk.phone.join();
    desk.phone.leaveConference();
    expect(desk.agent.asked.at(-1)).toBe("transferTo in id1");
  });

  it("calls one more only when asked to, and holds the first", async () => {
    const desk = await new Desk().inCall();
    desk.phone.dial("1003");
    expect(desk.phone.state.others).toEqual([]);
    desk.phone.showAdding(true);
    desk.phone.press("7");
    expect(desk.phone.state).toMatchObject({ draft: "7", call: { digits: "" } });
    desk.phone.dial("1003");
    await desk.microphone("open");
    expect(desk.agent.asked.slice(-2)).toEqual(["setHeld true", "call 1003"]);
    desk.handler.onEnded("id2", { kind: "completed", details: {} });
    expect(desk.phone.state.call?.id).toBe("id1");
  });
});

describe("handing a call on", () => {
  /** The question to 1003 is answered; 1002 waits. */
  async function consulting(): Promise<Desk> {
    const desk = await new Desk().inCall();
    desk.phone.transfers.open();
    desk.phone.pressAll("1003");
    desk.phone.transfers.askFirst();
    desk.handler.onHeld("id1", true);
    await desk.microphone("open");
    desk.handler.onConnected("id2", undefined);
    return desk;
  }

  it("sends no digit of the target into the call", async () => {
    const desk = await new Desk().inCall();
    desk.phone.transfers.open();
    desk.phone.pressAll("1003");
    expect(desk.phone.state.call).toMatchObject({ digits: "", transfer: { text: "1003" } });
    expect(desk.agent.asked.filter((asked) => asked.startsWith("sendDigits"))).toEqual([]);
    desk.phone.transfers.now();
    expect(desk.agent.asked.at(-1)).toBe("transfer id1 1003");
  });

  it("ends when the far end has got there", async () => {
    const desk = await new Desk().inCall();
    desk.phone.transfers.now("1003");
    desk.handler.onTransferProgress("id1", 180);
    expect(desk.phone.state.call?.transfer).toEqual({
      kind: "transferring",
      target: "1003",
      status: 180,
    });
    desk.handler.onTransferred("id1");
    expect(desk.agent.asked.at(-1)).toBe("hangUp");
    expect(desk.phone.state.call?.end?.kind).toBe("transferred");
  });

  it("takes a far end that hangs up on its way for one that got there", async () => {
    const desk = await new Desk().inCall();
    desk.phone.transfers.now("1003");
    desk.handler.onEnded("id1", { kind: "completed", details: {} });
    expect(desk.phone.state.call?.end?.kind).toBe("transferred");
  });

  it("is back un-held, with the reason, when the target refuses", async () => {
    const desk = await new Desk().inCall();
    desk.phone.transfers.now("1003");
    desk.handler.onHeld("id1", true);
    desk.handler.onTransferFailed("id1", 486, "Busy Here");
    expect(desk.agent.asked.at(-1)).toBe("setHeld false");
    expect(desk.phone.state.call).toMatchObject({
      phase: "connected",
      transfer: { kind: "failed", status: 486, reasonPhrase: "Busy Here" },
    });
  });

  it("asks first, and then brings the two together", async () => {
    const desk = await consulting();
    expect(desk.phone.state).toMatchObject({
      call: { id: "id2", consultsFor: "id1" },
      others: [{ id: "id1", transfer: { kind: "consulting", callId: "id2" } }],
    });
    desk.phone.transfers.complete();
    expect(desk.agent.asked.at(-1)).toBe("transferTo id1 id2");
    desk.handler.onTransferred("id1");
    expect(desk.phone.state.others).toEqual([]);
    expect(desk.phone.state.call?.end?.kind).toBe("transferred");
  });

  it("goes back to the one who waits when the question is given up", async () => {
    const desk = await consulting();
    desk.phone.end();
    expect(desk.agent.asked.slice(-2)).toEqual(["hangUp", "setHeld false"]);
    expect(desk.phone.state).toMatchObject({
      call: { id: "id1", transfer: undefined },
      others: [],
    });
  });

  it("goes back with the reason when the target is busy", async () => {
    const desk = await new Desk().inCall();
    desk.phone.transfers.askFirst("1003");
    desk.handler.onHeld("id1", true);
    await desk.microphone("open");
    desk.handler.onEnded("id2", {
      kind: "busy",
      details: { status: 486, reasonPhrase: "Busy Here" },
    });
    expect(desk.agent.asked.at(-1)).toBe("setHeld false");
    expect(desk.phone.state.call).toMatchObject({
      id: "id1",
      transfer: { kind: "failed", status: 486 },
    });
  });

  it("calls nobody whom the far end names before the user says so", async () => {
    const desk = await new Desk().inCall();
    desk.handler.onReferral("id1", "+49900123");
    expect(desk.agent.asked.slice(3)).toEqual([]);
    desk.phone.transfers.refuseReferral("id1");
    expect(desk.agent.asked.at(-1)).toBe("refuseReferral id1");
    desk.handler.onReferral("id1", "1003");
    desk.phone.transfers.acceptReferral("id1");
    await desk.microphone("open");
    expect(desk.agent.asked.slice(-2)).toEqual(["setHeld true", "acceptReferral id1 id2"]);
  });
});

describe("another tab of the same user", () => {
  it("waits without registering, and takes over with what was remembered meanwhile", async () => {
    const desk = new Desk();
    desk.isFirstTab = false;
    await desk.phone.signIn("1001", "password");
    expect(desk.phone.state).toMatchObject({ tab: "follower", signIn: { kind: "signed-in" } });
    expect(desk.agent.asked).toEqual([]);
    desk.memory = { recent: [], lastNumber: "1003" };
    desk.tab?.onLead();
    expect(desk.agent.asked[0]).toBe("start");
    expect(desk.phone.state).toMatchObject({ tab: "leader", lastNumber: "1003" });
  });
});

describe("devices", () => {
  const headset = { id: "h", label: "Headset" };
  const builtIn = { id: "b", label: "Built-in" };

  it("asks for the chosen microphone, and for the default while it is away", async () => {
    const desk = await new Desk().inCall();
    desk.phone.devices.listed([builtIn, headset], []);
    desk.phone.devices.choose("microphone", "h");
    expect(desk.wishes.at(-1)?.deviceId).toBe("h");
    await desk.microphone("open");
    expect(desk.agent.asked.at(-1)).toBe("replaceAudio id1");
    expect(desk.choice?.microphone).toBe("h");
    desk.phone.devices.listed([builtIn], []);
    expect(desk.wishes.at(-1)?.deviceId).toBe("");
    expect(desk.phone.state.devices.loss).toEqual({
      role: "microphone",
      lost: "Headset",
      used: "Built-in",
    });
    desk.phone.devices.listed([builtIn, headset], []);
    expect(desk.wishes.at(-1)?.deviceId).toBe("h");
    expect(desk.phone.state.devices.loss).toBeUndefined();
  });

  it("asks for nothing while no call has a microphone", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.devices.listed([builtIn, headset], []);
    desk.phone.devices.choose("microphone", "h");
    expect(desk.wishes).toEqual([]);
  });

  it("says so when the system's default goes away in a call", async () => {
    const desk = await new Desk().inCall();
    desk.phone.devices.listed([builtIn], []);
    desk.phone.devices.microphoneLost("Headset");
    expect(desk.phone.state.devices.loss).toMatchObject({ lost: "Headset", used: "Built-in" });
    await desk.microphone("open");
    expect(desk.agent.asked.at(-1)).toBe("replaceAudio id1");
  });

  it("changes what the browser does to the sound of a call that is up", async () => {
    const desk = await new Desk().inCall();
    const processing = {
      echoCancellation: false,
      noiseSuppression: true,
      autoGainControl: false,
    };
    desk.phone.devices.setProcessing(processing);
    expect(desk.wishes.at(-1)?.processing).toEqual(processing);
  });
});

describe("pictures", () => {
  it("are asked for once, and what stands is shown", async () => {
    const desk = await new Desk().inCall();
    desk.phone.devices.listed([], [], [{ id: "c", label: "Desk" }]);
    desk.phone.devices.choose("camera", "c");
    const before = desk.agent.asked.length;
    desk.phone.videos.toggle();
    desk.phone.videos.toggle();
    expect(desk.agent.asked.slice(before)).toEqual(["setVideo id1 c"]);
    desk.handler.onVideo("id1", true, false);
    expect(desk.phone.state.call?.video).toMatchObject({
      isSending: true,
      isReceiving: false,
      isPending: false,
    });
    desk.phone.videos.toggle();
    expect(desk.agent.asked.at(-1)).toBe("setVideo id1 off");
  });

  it("ask for ours once, when the far end's come", async () => {
    const desk = await new Desk().inCall();
    const question = () => desk.phone.state.call?.video.question;
    desk.handler.onVideo("id1", false, true);
    expect(question()).toBe("open");
    desk.phone.videos.closeNotice();
    // A hold takes theirs away for a while.
    desk.handler.onVideo("id1", false, false);
    desk.handler.onVideo("id1", false, true);
    expect(question()).toBe("closed");
    desk.phone.videos.decline();
    expect(desk.agent.asked.at(-1)).toBe("declineVideo id1");
    expect(desk.phone.state.call?.video.isPending).toBe(true);
  });

  it("that come to nothing leave a sentence until it is read, and the call", async () => {
    const desk = await new Desk().inCall();
    desk.phone.videos.toggle();
    desk.handler.onVideoProblem("id1", "camera-blocked");
    desk.handler.onVideo("id1", false, false);
    expect(desk.phone.state.call?.video).toMatchObject({
      isPending: false,
      problem: "camera-blocked",
    });
    desk.phone.videos.closeNotice();
    expect(desk.phone.state.call?.video.problem).toBeUndefined();
    expect(desk.phase).toBe("connected");
  });

  it("go with a call from its begin, and with its answer", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002", desk.phone.videos.camera);
    await desk.microphone("open");
    expect(desk.agent.asked.at(-1)).toBe("call 1002 camera ");
    desk.handler.onEnded("id1", { kind: "busy", details: {} });
    desk.handler.onIncoming("in", "1003", undefined, true);
    expect(desk.phone.state.call?.video.isOffered).toBe(true);
    desk.phone.answer("in", desk.phone.videos.camera);
    await desk.microphone("open");
    expect(desk.agent.asked.at(-1)).toBe("answer camera ");
  });

  it("are neither offered nor taken where the user wants none", async () => {
    const desk = await new Desk().inCall();
    desk.phone.devices.setHasVideo(false);
    expect(desk.agent.isVideoAllowed).toBe(false);
    expect(desk.choice?.hasVideo).toBe(false);
    const before = desk.agent.asked.length;
    desk.phone.videos.toggle();
    expect(desk.agent.asked.length).toBe(before);
    expect(desk.phone.videos.camera).toBeUndefined();
  });
});

describe("messages, lamps and voicemail", () => {
  it("are written, settled, received and read", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.sendMessage("1002", "  ");
    desk.phone.sendMessage("1002", "hello");
    expect(desk.agent.asked.at(-1)).toBe("sendMessage 1002 hello");
    desk.handler.onMessageSettled("id1", false);
    desk.handler.onMessage("1002", "Bob Ray", "hi");
    expect(desk.phone.state.around.messages.map(({ text, state }) => [text, state])).toEqual([
      ["hello", "failed"],
      ["hi", "unread"],
    ]);
    desk.phone.readMessages("1002");
    expect(desk.phone.state.around.messages.at(-1)?.state).toBe("read");
  });

  it("light for those who are watched, each once", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.watchLamps(["1002", "1003", "1002"]);
    expect(desk.agent.asked.at(-1)).toBe("watchLamps 1002 1003");
    desk.handler.onLamp("1003", "busy");
    desk.handler.onLamp("1009", "busy");
    desk.handler.onVoicemail({ waiting: 2, old: 1 });
    expect(desk.phone.state.around).toMatchObject({
      lamps: [
        { number: "1002", state: "unknown" },
        { number: "1003", state: "busy" },
      ],
      voicemail: { waiting: 2, old: 1 },
    });
  });
});
