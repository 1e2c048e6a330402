import { describe, expect, it } from "vitest";
import type {
  OutgoingAudio,
  PhoneAgent,
  PhoneAgentHandler,
  Refusal,
  Session,
} from "../../web-phone/src/agent/phone-agent.ts";
import type { DeviceChoice } from "../../web-phone/src/devices.ts";
import { type MicrophoneResult, type MicrophoneWish, Phone } from "../../web-phone/src/phone.ts";
import type { Memory, PhoneState } from "../../web-phone/src/state.ts";

class FakeAudio implements OutgoingAudio {
  isClosed = false;
  close(): void {
    this.isClosed = true;
  }
}

/** Writes down what the phone asks of SIP. */
class FakeAgent implements PhoneAgent<FakeAudio> {
  readonly asked: string[] = [];
  start(): void {
    this.asked.push("start");
  }
  reconnectNow(): void {
    this.asked.push("reconnectNow");
  }
  networkChanged(): void {
    this.asked.push("networkChanged");
  }
  call(_id: string, number: string): void {
    this.asked.push(`call ${number}`);
  }
  ring(): void {
    this.asked.push("ring");
  }
  answer(): void {
    this.asked.push("answer");
  }
  refuse(_id: string, refusal: Refusal): void {
    this.asked.push(`refuse ${refusal}`);
  }
  hangUp(): void {
    this.asked.push("hangUp");
  }
  setHeld(_id: string, isHeld: boolean): void {
    this.asked.push(`setHeld ${isHeld}`);
  }
  setMuted(_id: string, isMuted: boolean): void {
    this.asked.push(`setMuted ${isMuted}`);
  }
  sendDigits(_id: string, digits: string): void {
    this.asked.push(`sendDigits ${digits}`);
  }
  replaceAudio(id: string): void {
    this.asked.push(`replaceAudio ${id}`);
  }
  setConference(ids: readonly string[]): void {
    this.asked.push(`setConference ${ids.join(" ")}`);
  }
  transfer(id: string, number: string): void {
    this.asked.push(`transfer ${id} ${number}`);
  }
  transferTo(id: string, otherId: string): void {
    this.asked.push(`transferTo ${id} ${otherId}`);
  }
  acceptReferral(id: string, newId: string): void {
    this.asked.push(`acceptReferral ${id} ${newId}`);
  }
  refuseReferral(id: string): void {
    this.asked.push(`refuseReferral ${id}`);
  }
  sendMessage(_id: string, number: string, text: string): void {
    this.asked.push(`sendMessage ${number} ${text}`);
  }
  watchLamps(numbers: readonly string[]): void {
    this.asked.push(`watchLamps ${numbers.join(" ")}`);
  }
  leave(): void {
    this.asked.push("leave");
  }
  stop(): void {
    this.asked.push("stop");
  }
}

const session: Session = {
  user: { id: "1001", name: "Ann Lee" },
  sip: { uri: "sip:1001@localhost", webSocketUrl: "ws://x/ws", username: "u", password: "p" },
  iceServers: [],
  expiresAt: "2026-11-20T12:00:00Z",
};
const START = Date.parse("2026-11-20T00:00:00Z");

/** A phone with its ports in the test's hand. */
class Desk {
  readonly agent = new FakeAgent();
  readonly microphones: ((result: MicrophoneResult<FakeAudio>) => void)[] = [];
  readonly wishes: MicrophoneWish[] = [];
  readonly timers: { readonly at: number; readonly callback: () => void }[] = [];
  readonly states: PhoneState[] = [];
  saved: Session | undefined;
  choice: DeviceChoice | undefined;
  memory: Memory = { recent: [], lastNumber: "" };
  time = START;
  #ids = 0;
  #handler: PhoneAgentHandler | undefined;
  readonly phone = new Phone<FakeAudio>(
    {
      signIn: () => Promise.resolve({ kind: "signed-in", session }),
      createAgent: (_session, handler) => {
        this.#handler = handler;
        return this.agent;
      },
      openMicrophone: (wish) => {
        this.wishes.push(wish);
        return new Promise((resolve) => this.microphones.push(resolve));
      },
      loadSession: () => this.saved,
      saveSession: (value) => {
        this.saved = value;
      },
      loadMemory: () => this.memory,
      saveMemory: (_userId, memory) => {
        this.memory = memory;
      },
      saveRawAudio: () => undefined,
      saveDeviceChoice: (choice) => {
        this.choice = choice;
      },
      saveDoNotDisturb: () => undefined,
      keyTone: () => undefined,
      newId: () => `id${(this.#ids += 1)}`,
      now: () => this.time,
      after: (milliseconds, callback) => {
        const timer = { at: this.time + milliseconds, callback };
        this.timers.push(timer);
        return () => void this.timers.splice(this.timers.indexOf(timer), 1);
      },
      onState: (state) => this.states.push(state),
    },
    { isRawAudio: false },
  );

  get handler(): PhoneAgentHandler {
    if (this.#handler === undefined) throw new Error("no agent yet");
    return this.#handler;
  }

  get phase(): string | undefined {
    return this.phone.state.call?.phase;
  }

  async signedIn(): Promise<this> {
    await this.phone.signIn("1001", "password");
    this.handler.onReady();
    return this;
  }

  pass(milliseconds: number): void {
    this.time += milliseconds;
    for (const timer of this.timers.filter(({ at }) => at <= this.time)) {
      this.timers.splice(this.timers.indexOf(timer), 1);
      timer.callback();
    }
  }

  async microphone(result: "open" | "blocked"): Promise<FakeAudio> {
    const audio = new FakeAudio();
    this.microphones.shift()?.(
      result === "open"
        ? { kind: "open", audio }
        : { kind: "failed", problem: "microphone-blocked" },
    );
    await Promise.resolve();
    await Promise.resolve();
    return audio;
  }

  async inCall(): Promise<this> {
    await this.signedIn();
    this.phone.dial("1002");
    await this.microphone("open");
    this.handler.onConnected("id1", undefined);
    return this;
  }
}

describe("the microphone comes first", () => {
  it("sends no INVITE when the microphone is refused, and none later by itself", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002");
    expect(desk.phase).toBe("preparing");
    await desk.microphone("blocked");
    expect(desk.phone.state.call?.end?.kind).toBe("microphone-blocked");
    expect(desk.agent.asked).toEqual(["start"]);
  });

  it("tries again with the same number", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002");
    await desk.microphone("blocked");
    desk.phone.followUp();
    await desk.microphone("open");
    expect(desk.agent.asked).toEqual(["start", "call 1002"]);
  });

  it("calls nobody who was given up while the browser asked", async () => {
    const desk = await new Desk().signedIn();
    desk.phone.dial("1002");
    desk.phone.end();
    const audio = await desk.microphone("open");
    expect(audio.isClosed).toBe(true);
    expect(desk.agent.asked).toEqual(["start", "hangUp"]);
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
    expect(desk.agent.asked).toEqual(["start", "ring", "answer"]);
  });

  it("answers nobody who hung up while the browser asked", async () => {
    const desk = await new Desk().signedIn();
    desk.handler.onIncoming("in", "1003", undefined);
    desk.phone.answer();
    desk.handler.onEnded("in", { kind: "missed", details: {} });
    const audio = await desk.microphone("open");
    expect(audio.isClosed).toBe(true);
    expect(desk.agent.asked).toEqual(["start", "ring"]);
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
    expect(desk.agent.asked).toEqual(["start", "call 1002", "sendDigits 3", "sendDigits #"]);
    expect(desk.phone.state.call?.digits).toBe("3#");
  });

  it("asks for one hold at a time and shows what came of it", async () => {
    const desk = await new Desk().inCall();
    desk.phone.toggleHold();
    desk.phone.toggleHold();
    expect(desk.agent.asked.slice(2)).toEqual(["setHeld true"]);
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
    expect(desk.agent.asked.slice(2)).toEqual(["setMuted true", "setMuted false"]);
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
    expect(desk.agent.asked.slice(2)).toEqual([]);
    desk.phone.transfers.refuseReferral("id1");
    expect(desk.agent.asked.at(-1)).toBe("refuseReferral id1");
    desk.handler.onReferral("id1", "1003");
    desk.phone.transfers.acceptReferral("id1");
    await desk.microphone("open");
    expect(desk.agent.asked.slice(-2)).toEqual(["setHeld true", "acceptReferral id1 id2"]);
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

describe("the session", () => {
  it("goes on after a reload without asking again", () => {
    const desk = new Desk();
    desk.saved = session;
    desk.phone.resume();
    expect(desk.phone.state.signIn.kind).toBe("signed-in");
    expect(desk.agent.asked).toEqual(["start"]);
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
    expect(desk.agent.asked).toEqual(["start", "stop"]);
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
