/**
 * The phone between its parts: turns what the user wants and what the agent tells into events of
 * the state, and keeps the order that matters: the microphone is had before any INVITE goes out
 * and before any call is answered. It owns no DOM and no SIP; both come in as ports.
 */
import type { OutgoingAudio, PhoneAgent, PhoneAgentHandler, Session } from "./agent/phone-agent.ts";
import { type CallEnd, endActionOf } from "./call-end.ts";
import { cleanNumber, type PadKey, tryParsePadKey } from "./number.ts";
import type { SignInResult } from "./session-client.ts";
import {
  canCall,
  initialState,
  isInCall,
  type Memory,
  type MicrophoneProblem,
  type PhoneEvent,
  type PhoneState,
  reduce,
  type SignInProblem,
} from "./state.ts";

/** What asking for the microphone came to. */
export type MicrophoneResult<Audio> =
  | { readonly kind: "open"; readonly audio: Audio }
  | { readonly kind: "failed"; readonly problem: MicrophoneProblem };

/** What the phone stands on. */
export interface PhonePorts<Audio extends OutgoingAudio> {
  readonly signIn: (user: string, password: string) => Promise<SignInResult>;
  readonly createAgent: (session: Session, handler: PhoneAgentHandler) => PhoneAgent<Audio>;
  readonly openMicrophone: (isRaw: boolean) => Promise<MicrophoneResult<Audio>>;
  /** The session outlives a reload of the page, no more. */
  readonly loadSession: () => Session | undefined;
  readonly saveSession: (session: Session | undefined) => void;
  readonly loadMemory: (userId: string) => Memory;
  readonly saveMemory: (userId: string, memory: Memory) => void;
  readonly saveRawAudio: (isRaw: boolean) => void;
  /** Sounds the short tone of a pressed key. */
  readonly keyTone: (key: PadKey) => void;
  readonly newId: () => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls back once; the returned function forgets it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  readonly onState: (state: PhoneState) => void;
}

/** A browser's question that stands this long is pointed out. */
const MICROPHONE_SLOW_MS = 1_500;
/** `setTimeout` cannot wait longer. */
const LONGEST_TIMEOUT_MS = 2_147_483_647;

/** The phone: a state that `onState` follows, and the commands of the screens. */
export class Phone<Audio extends OutgoingAudio> {
  readonly #ports: PhonePorts<Audio>;
  #state: PhoneState;
  #agent: PhoneAgent<Audio> | undefined;
  #forgetExpiry: (() => void) | undefined;

  constructor(ports: PhonePorts<Audio>, options: { readonly isRawAudio: boolean }) {
    this.#ports = ports;
    this.#state = { ...initialState, isRawAudio: options.isRawAudio };
  }

  /** The state now. */
  get state(): PhoneState {
    return this.#state;
  }

  /** Goes on with the session of this tab, if there is one that still holds. */
  resume(): void {
    const session = this.#ports.loadSession();
    if (session === undefined) return;
    if (Date.parse(session.expiresAt) <= this.#ports.now()) {
      this.signOut("expired");
      return;
    }
    this.#begin(session);
  }

  async signIn(user: string, password: string): Promise<void> {
    if (this.#state.signIn.kind !== "signed-out") return;
    this.#dispatch({ type: "sign-in-started" });
    const result = await this.#ports.signIn(user, password);
    switch (result.kind) {
      case "signed-in":
        this.#ports.saveSession(result.session);
        this.#begin(result.session);
        return;
      case "failed":
        this.#dispatch({ type: "sign-in-failed", problem: result.problem });
    }
  }

  signOut(problem?: SignInProblem): void {
    this.#forgetExpiry?.();
    this.#forgetExpiry = undefined;
    this.#agent?.stop();
    this.#agent = undefined;
    this.#ports.saveSession(undefined);
    this.#dispatch({ type: "signed-out", problem });
  }

  /** For a page that goes away: ends calls and registration while there is time. */
  leave(): void {
    this.#agent?.leave();
    this.#agent = undefined;
  }

  reconnectNow(): void {
    this.#agent?.reconnectNow();
  }

  /** See `PhoneAgent.networkChanged`. */
  networkChanged(isCertain: boolean): void {
    this.#agent?.networkChanged(isCertain);
  }

  changeDraft(text: string): void {
    this.#dispatch({ type: "draft-changed", text });
  }

  /** Calls what is in the number field, or what is given. */
  dial(text: string = this.#state.draft): void {
    const number = cleanNumber(text);
    if (number === "" || !canCall(this.#state)) return;
    const id = this.#ports.newId();
    this.#dispatch({ type: "call-started", id, number, at: this.#ports.now() });
    void this.#withMicrophone(id, {
      isWanted: () => this.#isPhase(id, "preparing"),
      open: (agent, audio) => {
        this.#dispatch({ type: "invite-sent", id });
        agent.call(id, number, audio);
      },
      failed: (problem) => this.#end(id, { kind: problem, details: {} }),
    });
  }

  answer(): void {
    const call = this.#state.call;
    if (call?.phase !== "incoming") return;
    const id = call.id;
    this.#dispatch({ type: "answer-started", id });
    void this.#withMicrophone(id, {
      isWanted: () => this.#isPhase(id, "answering"),
      open: (agent, audio) => agent.answer(id, audio),
      failed: (problem) => this.#dispatch({ type: "microphone-failed", id, problem }),
    });
  }

  /** Ends the call in whatever state it is: cancels, declines or hangs up. */
  end(): void {
    const call = this.#state.call;
    if (call === undefined || call.phase === "ended") return;
    switch (call.phase) {
      case "incoming":
      case "answering":
        this.#agent?.refuse(call.id, "declined");
        this.#end(call.id, { kind: "declined-by-me", details: {} });
        return;
      case "preparing":
      case "calling":
      case "ringing":
      case "early-media":
        this.#agent?.hangUp(call.id);
        this.#end(call.id, { kind: "cancelled", details: {} });
        return;
      case "connected":
        this.#agent?.hangUp(call.id);
        this.#end(call.id, { kind: "completed", details: {} });
    }
  }

  toggleMute(): void {
    const call = this.#state.call;
    if (call === undefined) return;
    const isMuted = !call.isMuted;
    this.#dispatch({ type: "mute-changed", id: call.id, isMuted });
    if (this.#state.call?.isMuted === isMuted) this.#agent?.setMuted(call.id, isMuted);
  }

  toggleHold(): void {
    const call = this.#state.call;
    if (call?.phase !== "connected" || call.isHoldPending) return;
    this.#dispatch({ type: "hold-started", id: call.id });
    this.#agent?.setHeld(call.id, !call.isHeld);
  }

  toggleKeypad(): void {
    const id = this.#state.call?.id;
    if (id !== undefined) this.#dispatch({ type: "keypad-toggled", id });
  }

  /** A key of the pad: a digit of the number, or one to send in a call. */
  press(key: PadKey): void {
    const call = this.#state.call;
    if (call === undefined || call.phase === "ended") {
      this.#ports.keyTone(key);
      this.changeDraft(`${this.#state.draft}${key}`);
      return;
    }
    const before = call.digits;
    this.#dispatch({ type: "digit-sent", id: call.id, digit: key });
    if (this.#state.call?.digits === before) return;
    this.#ports.keyTone(key);
    this.#agent?.sendDigits(call.id, key);
  }

  /** Text that was typed or pasted into a call: its digits go out in order. */
  pressAll(text: string): void {
    for (const character of text) {
      const key = tryParsePadKey(character);
      if (key !== undefined) this.press(key);
    }
  }

  redial(): void {
    if (!isInCall(this.#state)) this.changeDraft(this.#state.lastNumber);
  }

  dismiss(): void {
    this.#dispatch({ type: "call-dismissed" });
  }

  /** The one button of an ended call. */
  followUp(): void {
    const call = this.#state.call;
    if (call?.end === undefined) return;
    switch (endActionOf(call.end.kind)) {
      case "call-again":
      case "try-again":
        this.dismiss();
        if (canCall(this.#state)) this.dial(call.number);
        else this.changeDraft(call.number);
        return;
      case "edit-number":
        this.dismiss();
        this.changeDraft(call.number);
        return;
      case "sign-in":
        this.signOut("expired");
        return;
      case "close":
        this.dismiss();
    }
  }

  showSettings(isOpen: boolean): void {
    this.#dispatch({ type: "settings-toggled", isOpen });
  }

  setRawAudio(isRawAudio: boolean): void {
    this.#ports.saveRawAudio(isRawAudio);
    this.#dispatch({ type: "raw-audio-changed", isRawAudio });
  }

  #dispatch(event: PhoneEvent): void {
    const before = this.#state;
    this.#state = reduce(before, event);
    if (this.#state === before) return;
    const { signIn, recent, lastNumber } = this.#state;
    if (signIn.kind === "signed-in" && before.signIn.kind === "signed-in") {
      if (recent !== before.recent || lastNumber !== before.lastNumber) {
        this.#ports.saveMemory(signIn.userId, { recent, lastNumber });
      }
    }
    this.#ports.onState(this.#state);
    if (this.#state.isExpired && !isInCall(this.#state)) this.signOut("expired");
  }

  #begin(session: Session): void {
    const { id, name } = session.user;
    const memory = this.#ports.loadMemory(id);
    this.#dispatch({ type: "signed-in", userId: id, name, memory });
    const left = Date.parse(session.expiresAt) - this.#ports.now();
    this.#forgetExpiry = this.#ports.after(Math.min(left, LONGEST_TIMEOUT_MS), () =>
      this.#dispatch({ type: "session-expired" }),
    );
    this.#agent = this.#ports.createAgent(session, this.#handlerFor(session));
    this.#agent.start();
  }

  #isPhase(id: string, phase: "preparing" | "answering"): boolean {
    const call = this.#state.call;
    return call?.id === id && call.phase === phase;
  }

  #end(id: string, end: CallEnd): void {
    this.#dispatch({ type: "call-ended", id, end, at: this.#ports.now() });
  }

  async #withMicrophone(
    id: string,
    then: {
      readonly isWanted: () => boolean;
      readonly open: (agent: PhoneAgent<Audio>, audio: Audio) => void;
      readonly failed: (problem: MicrophoneProblem) => void;
    },
  ): Promise<void> {
    const forget = this.#ports.after(MICROPHONE_SLOW_MS, () =>
      this.#dispatch({ type: "microphone-slow", id }),
    );
    const result = await this.#ports.openMicrophone(this.#state.isRawAudio);
    forget();
    switch (result.kind) {
      case "failed":
        if (then.isWanted()) then.failed(result.problem);
        return;
      case "open":
        // The call may be over by the time that the user has answered the browser.
        if (!then.isWanted() || this.#agent === undefined) {
          result.audio.close();
          return;
        }
        if (this.#state.link.kind !== "ready" && this.#isPhase(id, "preparing")) {
          result.audio.close();
          this.#end(id, { kind: "server-unreachable", details: {} });
          return;
        }
        then.open(this.#agent, result.audio);
    }
  }

  #handlerFor(session: Session): PhoneAgentHandler {
    return {
      onConnecting: () => this.#dispatch({ type: "link-connecting" }),
      onRegistering: () => this.#dispatch({ type: "link-registering" }),
      onReady: () => this.#dispatch({ type: "link-ready" }),
      onLost: (attempt, retryInMs) =>
        this.#dispatch({ type: "link-lost", attempt, retryAt: this.#ports.now() + retryInMs }),
      onRefused: (status, reasonPhrase) => {
        if (Date.parse(session.expiresAt) <= this.#ports.now()) {
          this.#dispatch({ type: "session-expired" });
        } else {
          this.#dispatch({ type: "link-refused", status, reasonPhrase });
        }
      },
      onIncoming: (id, number, name) => this.#onIncoming(id, number, name),
      onRinging: (id) => this.#dispatch({ type: "ringing", id }),
      onEarlyMedia: (id) => this.#dispatch({ type: "early-media", id }),
      onConnected: (id, name) =>
        this.#dispatch({ type: "connected", id, name, at: this.#ports.now() }),
      onHeld: (id, isHeld) => this.#dispatch({ type: "hold-changed", id, isHeld }),
      onHeldByPeer: (id, isHeld) => this.#dispatch({ type: "peer-hold-changed", id, isHeld }),
      onMedia: (id, media) => this.#dispatch({ type: "media-changed", id, media }),
      onLoss: (id, segment) => this.#dispatch({ type: "loss-changed", id, segment }),
      onEnded: (id, end) => this.#end(id, end),
    };
  }

  #onIncoming(id: string, number: string, name: string | undefined): void {
    if (isInCall(this.#state)) {
      // One line for now: a second caller hears that the first one is being served.
      this.#agent?.refuse(id, "busy");
      this.#dispatch({ type: "caller-turned-away", number: name ?? number });
      return;
    }
    this.#dispatch({ type: "call-arrived", id, number, name, at: this.#ports.now() });
    this.#agent?.ring(id);
  }
}
