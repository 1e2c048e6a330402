/**
 * The phone between its parts: turns what the user wants and what the agent tells into events of
 * the state, and keeps the order that matters: the microphone is had before any INVITE goes out
 * and before any call is answered. It owns no DOM and no SIP; both come in as ports.
 */
import type { OutgoingAudio, PhoneAgent, PhoneAgentHandler, Session } from "./agent/phone-agent.ts";
import { type CallEnd, endActionOf } from "./call-end.ts";
import { CallVideos } from "./call-videos.ts";
import { ChosenDevices } from "./chosen-devices.ts";
import { DEFAULT_CHOICE, type DeviceChoice, deviceInUse, type Processing } from "./devices.ts";
import { callsOf, findCall, liveCallsOf } from "./lines.ts";
import { cleanNumber, type PadKey, tryParsePadKey } from "./number.ts";
import type { MicrophoneUse, PhoneDesk } from "./phone-desk.ts";
import { buildReport, EventLog, type ReportOrigin } from "./report.ts";
import type { SignInResult } from "./session-client.ts";
import {
  type Call,
  canCall,
  canConsult,
  hasVideo,
  initialState,
  isInCall,
  LINES_LIMIT,
  type Memory,
  type MicrophoneProblem,
  type PhoneEvent,
  type PhoneState,
  reduce,
  screenOf,
  type SignInProblem,
} from "./state.ts";
import { Transfers } from "./transfers.ts";

/** What asking for the microphone came to. */
export type MicrophoneResult<Audio> =
  | { readonly kind: "open"; readonly audio: Audio }
  | { readonly kind: "failed"; readonly problem: MicrophoneProblem };

/** Which microphone, and what the browser is to do to its sound. */
export interface MicrophoneWish {
  /** `""` is the system's default. */
  readonly deviceId: string;
  readonly processing: Processing;
}

/** What the phone stands on. */
export interface PhonePorts<Audio extends OutgoingAudio> {
  readonly signIn: (user: string, password: string) => Promise<SignInResult>;
  readonly createAgent: (session: Session, handler: PhoneAgentHandler) => PhoneAgent<Audio>;
  readonly openMicrophone: (wish: MicrophoneWish) => Promise<MicrophoneResult<Audio>>;
  /**
   * Contends with the user's other tabs for the phone. `onLead` may come at once, later, or never.
   *
   * @returns gives it up
   */
  readonly contend: (
    session: Session,
    events: { readonly onLead: () => void; readonly onFollow: () => void },
  ) => () => void;
  /** The session outlives a reload of the page, no more. */
  readonly loadSession: () => Session | undefined;
  readonly saveSession: (session: Session | undefined) => void;
  readonly loadMemory: (userId: string) => Memory;
  readonly saveMemory: (userId: string, memory: Memory) => void;
  readonly saveRawAudio: (isRaw: boolean) => void;
  readonly saveDeviceChoice: (choice: DeviceChoice) => void;
  readonly saveDoNotDisturb: (isOn: boolean) => void;
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
/** What every browser gives to a page that asks for the sound as it is. */
const RAW: Processing = {
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
};
/** `setTimeout` cannot wait longer. */
const LONGEST_TIMEOUT_MS = 2_147_483_647;

/** What was remembered of an earlier visit. */
export interface PhoneOptions {
  readonly isRawAudio: boolean;
  readonly devices?: DeviceChoice;
  readonly isDoNotDisturb?: boolean;
}

/** The phone: a state that `onState` follows, and the commands of the screens. */
export class Phone<Audio extends OutgoingAudio> {
  readonly #ports: PhonePorts<Audio>;
  #state: PhoneState;
  #agent: PhoneAgent<Audio> | undefined;
  #forgetExpiry: (() => void) | undefined;
  #giveUpTab: (() => void) | undefined;
  readonly #log = new EventLog();

  /** Handing calls on. */
  readonly transfers: Transfers<Audio>;
  /** Microphone, speaker, ringer, camera. */
  readonly devices: ChosenDevices<Audio>;
  /** Cameras. */
  readonly videos: CallVideos<Audio>;

  constructor(ports: PhonePorts<Audio>, options: PhoneOptions) {
    this.#ports = ports;
    this.#state = {
      ...initialState,
      isRawAudio: options.isRawAudio,
      devices: { ...initialState.devices, chosen: options.devices ?? DEFAULT_CHOICE },
      around: { ...initialState.around, isDoNotDisturb: options.isDoNotDisturb === true },
    };
    const desk: PhoneDesk<Audio> = {
      state: () => this.#state,
      dispatch: (event) => this.#dispatch(event),
      agent: () => this.#agent,
      newId: () => ports.newId(),
      now: () => ports.now(),
      withMicrophone: (id, use) => void this.#withMicrophone(id, use),
      place: (number, consultsFor) => this.#place(number, consultsFor),
      setHeld: (id, isHeld) => this.#setHeld(id, isHeld),
      end: (id, end) => this.#end(id, end),
    };
    this.transfers = new Transfers(desk);
    this.videos = new CallVideos(desk);
    this.devices = new ChosenDevices(desk, (choice) => ports.saveDeviceChoice(choice));
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

  /** Goes on with a session that the page around the phone has. */
  begin(session: Session): void {
    if (this.#state.signIn.kind === "signed-in") this.signOut();
    this.#ports.saveSession(session);
    this.#begin(session);
  }

  async signIn(user: string, password: string): Promise<void> {
    if (this.#state.signIn.kind !== "signed-out") return;
    this.#dispatch({ type: "sign-in-started" });
    const result = await this.#ports.signIn(user, password);
    switch (result.kind) {
      case "signed-in":
        if (result.session.hasTypedPassword !== true) this.#ports.saveSession(result.session);
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
    this.#giveUpTab?.();
    this.#giveUpTab = undefined;
    this.#ports.saveSession(undefined);
    this.#dispatch({ type: "signed-out", problem });
  }

  /** For a page that goes away: ends calls and registration while there is time. */
  leave(): void {
    this.#agent?.leave();
    this.#agent = undefined;
  }

  /** For a phone that is taken out of a page that stays; its session can go on in another place. */
  close(): void {
    this.#forgetExpiry?.();
    this.#forgetExpiry = undefined;
    this.#agent?.stop();
    this.#agent = undefined;
    this.#giveUpTab?.();
    this.#giveUpTab = undefined;
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

  /**
   * Calls what is in the number field, or what is given; calls that are up are held.
   *
   * @param camera whose pictures go along; undefined: none
   */
  dial(text: string = this.#state.draft, camera?: string): void {
    const number = cleanNumber(text);
    if (number !== "" && canCall(this.#state)) this.#place(number, undefined, camera);
  }

  /**
   * Takes a call that rings; a call that is up is held meanwhile.
   *
   * @param camera whose pictures go along; undefined: none
   */
  answer(id: string | undefined = this.#state.call?.id, camera?: string): void {
    const call = id === undefined ? undefined : findCall(this.#state, id);
    if (call?.phase !== "incoming") return;
    this.#holdAllBut([call.id]);
    this.#dispatch({ type: "answer-started", id: call.id });
    void this.#withMicrophone(call.id, {
      isWanted: () => this.#isPhase(call.id, "answering"),
      open: (audio) => this.#agent?.answer(call.id, audio, camera),
      failed: (problem) => this.#dispatch({ type: "microphone-failed", id: call.id, problem }),
    });
  }

  /** Lets a call wait without a sound, or ring again: the one in the pane, or the one of that id. */
  toggleSilence(id: string | undefined = this.#state.call?.id): void {
    const call = id === undefined ? undefined : findCall(this.#state, id);
    if (call === undefined) return;
    this.#dispatch({ type: "ring-silenced", id: call.id, isSilenced: !call.isSilenced });
  }

  clearRecents(): void {
    this.#dispatch({ type: "recents-cleared" });
  }

  /** Takes the clearing back. */
  restoreRecents(): void {
    this.#dispatch({ type: "recents-restored" });
  }

  /** Ends what is in the pane and takes the call that rings. */
  endAndAnswer(id: string): void {
    if (findCall(this.#state, id)?.phase !== "incoming") return;
    for (const over of this.#together()) this.#endOne(over);
    this.answer(id);
  }

  /** Ends a call in whatever state it is: cancels, declines or hangs up; a conference wholly. */
  end(id?: string): void {
    if (id !== undefined) {
      const call = findCall(this.#state, id);
      if (call !== undefined) this.#endOne(call);
      return;
    }
    for (const call of this.#together()) this.#endOne(call);
  }

  /** Shows another call and talks there; the one before is held. */
  activate(id: string): void {
    const call = findCall(this.#state, id);
    if (call?.phase !== "connected") return;
    const isTogether = call.isJoined && this.#state.call?.isJoined === true;
    if (!isTogether) {
      const talking = call.isJoined ? this.#joined() : [call];
      this.#holdAllBut(talking.map((one) => one.id));
      for (const one of talking) this.#setHeld(one.id, false);
    }
    this.#dispatch({ type: "call-activated", id });
  }

  /** From one call to the next. */
  swap(): void {
    const next = this.#state.others.find(({ phase }) => phase === "connected");
    if (next !== undefined) this.activate(next.id);
  }

  /** Brings every call that is up into one conversation. */
  join(): void {
    const calls = callsOf(this.#state).filter(({ phase }) => phase === "connected");
    if (calls.length < 2) return;
    this.#dispatch({ type: "calls-joined", ids: calls.map(({ id }) => id) });
    for (const call of calls) this.#setHeld(call.id, false);
  }

  /** Talks with the call in the pane alone again; the others of the conference are held. */
  split(): void {
    const { call } = this.#state;
    if (call?.isJoined !== true) return;
    const others = this.#joined().filter(({ id }) => id !== call.id);
    this.#dispatch({ type: "calls-joined", ids: [] });
    for (const other of others) this.#setHeld(other.id, true);
  }

  /** Connects the two others of a conference with each other and leaves it. */
  leaveConference(): void {
    const [one, other, more] = this.#joined();
    if (one === undefined || other === undefined || more !== undefined) return;
    this.#dispatch({ type: "calls-joined", ids: [] });
    this.transfers.connect(one.id, other.id);
  }

  /** Looks for somebody to call beside the calls that are up, or goes back to them. */
  showAdding(isAdding: boolean): void {
    this.#dispatch({ type: "adding-toggled", isAdding });
  }

  toggleMute(): void {
    const call = this.#state.call;
    if (call === undefined) return;
    const isMuted = !call.isMuted;
    for (const one of this.#together()) {
      this.#dispatch({ type: "mute-changed", id: one.id, isMuted });
      if (findCall(this.#state, one.id)?.isMuted === isMuted) {
        this.#agent?.setMuted(one.id, isMuted);
      }
    }
  }

  toggleHold(): void {
    const call = this.#state.call;
    if (call?.phase !== "connected" || call.isHoldPending) return;
    if (call.isHeld) this.#holdAllBut(this.#together().map(({ id }) => id));
    for (const one of this.#together()) this.#setHeld(one.id, !call.isHeld);
  }

  toggleKeypad(): void {
    const id = this.#state.call?.id;
    if (id !== undefined) this.#dispatch({ type: "keypad-toggled", id });
  }

  setDoNotDisturb(isOn: boolean): void {
    this.#ports.saveDoNotDisturb(isOn);
    this.#dispatch({ type: "do-not-disturb-changed", isOn });
  }

  /** Watches what these numbers' phones do. */
  watchLamps(numbers: readonly string[]): void {
    this.#dispatch({ type: "lamps-wanted", numbers });
    this.#agent?.watchLamps(this.#state.around.lamps.map(({ number }) => number));
  }

  sendMessage(to: string, text: string): void {
    const number = cleanNumber(to);
    if (number === "" || text.trim() === "" || this.#agent === undefined) return;
    const id = this.#ports.newId();
    this.#dispatch({ type: "message-written", id, to: number, text, at: this.#ports.now() });
    this.#agent.sendMessage(id, number, text);
  }

  readMessages(peer: string): void {
    this.#dispatch({ type: "messages-read", peer });
  }

  /** A key of the pad: a digit of a number that is looked for, or one to send in a call. */
  press(key: PadKey): void {
    const call = this.#state.call;
    if (call?.transfer?.kind === "picking") {
      this.#ports.keyTone(key);
      this.transfers.change(`${call.transfer.text}${key}`);
      return;
    }
    if (call === undefined || call.phase === "ended" || screenOf(this.#state) === "dial") {
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
    if (screenOf(this.#state) === "dial") this.changeDraft(this.#state.lastNumber);
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
    this.#log.add(event, this.#ports.now());
    const { signIn, recent, lastNumber } = this.#state;
    if (signIn.kind === "signed-in" && before.signIn.kind === "signed-in") {
      if (recent !== before.recent || lastNumber !== before.lastNumber) {
        this.#ports.saveMemory(signIn.userId, { recent, lastNumber });
      }
    }
    this.#applyConference(before);
    this.#ports.onState(this.#state);
    if (this.#state.isExpired && !isInCall(this.#state)) this.signOut("expired");
  }

  #begin(session: Session): void {
    const { id, name } = session.user;
    const memory = this.#ports.loadMemory(id);
    this.#dispatch({ type: "signed-in", userId: id, name, memory, hasVideo: session.hasVideo });
    const left = Date.parse(session.expiresAt) - this.#ports.now();
    this.#forgetExpiry = this.#ports.after(Math.min(left, LONGEST_TIMEOUT_MS), () =>
      this.#dispatch({ type: "session-expired" }),
    );
    this.#giveUpTab = this.#ports.contend(session, {
      onLead: () => this.#lead(session),
      onFollow: () => {
        this.#agent?.stop();
        this.#agent = undefined;
        this.#dispatch({ type: "tab-changed", tab: "follower" });
      },
    });
  }

  /** This tab has the phone now; the one before it may have added to what is remembered. */
  #lead(session: Session): void {
    const { id, name } = session.user;
    if (this.#agent !== undefined || this.#state.signIn.kind !== "signed-in") return;
    if (this.#state.tab === "follower") {
      const memory = this.#ports.loadMemory(id);
      this.#dispatch({ type: "signed-in", userId: id, name, memory, hasVideo: session.hasVideo });
    }
    this.#agent = this.#ports.createAgent(session, this.#handlerFor(session));
    this.#agent.allowVideo(hasVideo(this.#state));
    this.#agent.start();
    this.#agent.watchLamps(this.#state.around.lamps.map(({ number }) => number));
  }

  /** What happened so far, for whoever has to find a fault. */
  report(origin: Omit<ReportOrigin, "at">): Readonly<Record<string, unknown>> {
    return buildReport(this.#state, this.#log.entries, { ...origin, at: this.#ports.now() });
  }

  #isPhase(id: string, phase: "preparing" | "answering"): boolean {
    return findCall(this.#state, id)?.phase === phase;
  }

  #joined(): readonly Call[] {
    return liveCallsOf(this.#state).filter(({ isJoined }) => isJoined);
  }

  /** The call in the pane, with those that it is joined with. */
  #together(): readonly Call[] {
    const call = this.#state.call;
    if (call === undefined || call.phase === "ended") return [];
    return call.isJoined ? this.#joined() : [call];
  }

  #applyConference(before: PhoneState): void {
    const idsOf = (state: PhoneState): string =>
      callsOf(state)
        .filter(({ isJoined, phase }) => isJoined && phase !== "ended")
        .map(({ id }) => id)
        .toSorted()
        .join(" ");
    if (idsOf(before) === idsOf(this.#state)) return;
    this.#agent?.setConference(this.#joined().map(({ id }) => id));
  }

  #place(number: string, consultsFor?: string, camera?: string): void {
    const isAllowed = consultsFor === undefined ? canCall(this.#state) : canConsult(this.#state);
    if (!isAllowed) return;
    const id = this.#ports.newId();
    this.#holdAllBut([]);
    this.#dispatch({ type: "call-started", id, number, consultsFor, at: this.#ports.now() });
    void this.#withMicrophone(id, {
      isWanted: () => this.#isPhase(id, "preparing"),
      open: (audio) => {
        this.#dispatch({ type: "invite-sent", id });
        this.#agent?.call(id, number, audio, camera);
      },
      failed: (problem) => this.#end(id, { kind: problem, details: {} }),
    });
  }

  #setHeld(id: string, isHeld: boolean): void {
    const call = findCall(this.#state, id);
    if (call?.phase !== "connected" || (call.isHeld === isHeld && !call.isHoldPending)) return;
    this.#dispatch({ type: "hold-started", id });
    this.#agent?.setHeld(id, isHeld);
  }

  #holdAllBut(ids: readonly string[]): void {
    for (const call of liveCallsOf(this.#state)) {
      if (!ids.includes(call.id)) this.#setHeld(call.id, true);
    }
  }

  #endOne(call: Call): void {
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
        return;
      case "ended":
    }
  }

  #end(id: string, end: CallEnd): void {
    const { consultsFor } = findCall(this.#state, id) ?? {};
    const waiting = consultsFor === undefined ? undefined : findCall(this.#state, consultsFor);
    this.#dispatch({ type: "call-ended", id, end, at: this.#ports.now() });
    // The question is over without a transfer: back to the one who waits for it.
    const { transfer } = waiting ?? {};
    if (waiting !== undefined && transfer?.kind === "consulting" && transfer.callId === id) {
      this.#setHeld(waiting.id, false);
    }
  }

  async #withMicrophone(id: string, then: MicrophoneUse<Audio>): Promise<void> {
    const forget = this.#ports.after(MICROPHONE_SLOW_MS, () =>
      this.#dispatch({ type: "microphone-slow", id }),
    );
    const result = await this.#ports.openMicrophone(this.#microphoneWish());
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
        then.open(result.audio);
    }
  }

  #microphoneWish(): MicrophoneWish {
    const { devices, isRawAudio } = this.#state;
    return {
      deviceId: deviceInUse(devices, "microphone"),
      processing: isRawAudio ? RAW : devices.chosen.processing,
    };
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
      onIncoming: (id, number, name, hasVideo) => this.#onIncoming(id, number, name, hasVideo),
      onRinging: (id) => this.#dispatch({ type: "ringing", id }),
      onEarlyMedia: (id) => this.#dispatch({ type: "early-media", id }),
      onConnected: (id, name) =>
        this.#dispatch({ type: "connected", id, name, at: this.#ports.now() }),
      onHeld: (id, isHeld) => this.#dispatch({ type: "hold-changed", id, isHeld }),
      onHeldByPeer: (id, isHeld) => this.#dispatch({ type: "peer-hold-changed", id, isHeld }),
      onMedia: (id, media) => this.#dispatch({ type: "media-changed", id, media }),
      onLoss: (id, segment) => this.#dispatch({ type: "loss-changed", id, segment }),
      onEnded: (id, end) => this.#onEnded(id, end),
      onTransferProgress: (id, status) =>
        this.#dispatch({ type: "transfer-progressed", id, status }),
      onTransferred: (id) => this.transfers.onTransferred(id),
      onTransferFailed: (id, status, reasonPhrase) =>
        this.transfers.onFailed(id, status, reasonPhrase),
      onReferral: (id, target) => this.#dispatch({ type: "referral-changed", id, target }),
      onVideo: (id, isSending, isReceiving) =>
        this.#dispatch({ type: "video-changed", id, isSending, isReceiving }),
      onVideoProblem: (id, problem) => this.#dispatch({ type: "video-failed", id, problem }),
      onQuality: (id, reading) => this.#dispatch({ type: "quality-read", id, reading }),
      onVoicemail: (voicemail) => this.#dispatch({ type: "voicemail-changed", voicemail }),
      onLamp: (number, state) => this.#dispatch({ type: "lamp-changed", number, state }),
      onMessage: (from, name, text) =>
        this.#dispatch({
          type: "message-arrived",
          id: this.#ports.newId(),
          from,
          name,
          text,
          at: this.#ports.now(),
        }),
      onMessageSettled: (id, isSent) => this.#dispatch({ type: "message-settled", id, isSent }),
    };
  }

  #onEnded(id: string, end: CallEnd): void {
    const transfer = findCall(this.#state, id)?.transfer;
    // A far end that hangs up on the way to the target has been handed on.
    const isOnItsWay = transfer?.kind === "transferring" && end.kind === "completed";
    if (isOnItsWay) this.transfers.onTransferred(id);
    else this.#end(id, end);
  }

  #onIncoming(id: string, number: string, name: string | undefined, hasVideo = false): void {
    const at = this.#ports.now();
    const isFull = liveCallsOf(this.#state).length >= LINES_LIMIT;
    if (isFull || this.#state.around.isDoNotDisturb) {
      this.#agent?.refuse(id, "busy");
      this.#dispatch({ type: "caller-turned-away", id, number, name, at });
      return;
    }
    this.#dispatch({ type: "call-arrived", id, number, name, at, hasVideo });
    this.#agent?.ring(id);
  }
}
