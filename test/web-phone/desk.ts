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

export class FakeAudio implements OutgoingAudio {
  isClosed = false;
  close(): void {
    this.isClosed = true;
  }
}

/** Writes down what the phone asks of SIP. */
export class FakeAgent implements PhoneAgent<FakeAudio> {
  readonly asked: string[] = [];
  isVideoAllowed = true;
  start(): void {
    this.asked.push("start");
  }
  reconnectNow(): void {
    this.asked.push("reconnectNow");
  }
  networkChanged(): void {
    this.asked.push("networkChanged");
  }
  call(_id: string, number: string, _audio: FakeAudio, camera?: string): void {
    this.asked.push(`call ${number}${camera === undefined ? "" : ` camera ${camera}`}`);
  }
  ring(): void {
    this.asked.push("ring");
  }
  answer(_id: string, _audio: FakeAudio, camera?: string): void {
    this.asked.push(`answer${camera === undefined ? "" : ` camera ${camera}`}`);
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
  setVideo(id: string, camera: string | undefined): void {
    this.asked.push(`setVideo ${id} ${camera ?? "off"}`);
  }
  declineVideo(id: string): void {
    this.asked.push(`declineVideo ${id}`);
  }
  replaceCamera(camera: string): void {
    this.asked.push(`replaceCamera ${camera}`);
  }
  allowVideo(isAllowed: boolean): void {
    this.isVideoAllowed = isAllowed;
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

export const session: Session = {
  user: { id: "1001", name: "Ann Lee" },
  sip: { uri: "sip:1001@localhost", webSocketUrl: "ws://x/ws", username: "u", password: "p" },
  iceServers: [],
  expiresAt: "2026-11-20T12:00:00Z",
};
const START = Date.parse("2026-11-20T00:00:00Z");

/** A phone with its ports in the test's hand. */
export class Desk {
  readonly agent = new FakeAgent();
  readonly microphones: ((result: MicrophoneResult<FakeAudio>) => void)[] = [];
  readonly wishes: MicrophoneWish[] = [];
  readonly timers: { readonly at: number; readonly callback: () => void }[] = [];
  readonly states: PhoneState[] = [];
  saved: Session | undefined;
  isFirstTab = true;
  tab: { readonly onLead: () => void } | undefined;
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
      contend: (_session, events) => {
        this.tab = events;
        if (this.isFirstTab) events.onLead();
        else events.onFollow();
        return () => this.agent.asked.push("give up");
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
