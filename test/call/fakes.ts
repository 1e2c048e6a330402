import type { EndReason } from "../../src/core/end-reason.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { CallContext } from "../../src/call/context.ts";
import type { HoldMusic } from "../../src/call/sounds.ts";
import type { UserSettingsStore } from "../../src/call/user-settings.ts";
import { NOTHING_SET, type UserSettings } from "../../src/dialplan/user-settings.ts";
import { CallLimits } from "../../src/call/limits.ts";
import { LiveFacts } from "../../src/call/live-facts.ts";
import { MediaPace } from "../../src/call/media-pace.ts";
import type {
  Exchange,
  LegHealth,
  MediaEngine,
  MediaNodeView,
  MediaReport,
  MediaSession,
  MediaSessionHandler,
  Recording,
  RecordingOptions,
  ServiceHandler,
  ServiceKind,
} from "../../src/media/session.ts";
import { Headers, type HeaderField } from "../../src/signaling/message/headers.ts";
import { SipRequest } from "../../src/signaling/message/message.ts";
import type {
  Binding,
  CalledInstance,
  Dialog,
  DialogHandler,
  ExtraHeaders,
  IncomingInvite,
  IncomingInviteHandler,
  OutgoingInvite,
  OutgoingInviteHandler,
  OutgoingInviteOptions,
  OutgoingMessageOptions,
  OutgoingReferOptions,
  OutgoingSubscribeOptions,
  OutgoingSubscription,
  OutgoingSubscriptionHandler,
  Party,
  ReinviteResult,
  ResponseOptions,
  SignalingEngine,
} from "../../src/signaling/engine.ts";
import { ManualClock } from "../harness/manual-clock.ts";

/** A dialog that a test holds both ends of. */
export class ScriptedDialog implements Dialog {
  readonly party: Party;
  readonly callId: string;
  readonly localTag = "local";
  readonly remoteTag = "remote";
  readonly remoteAgent = undefined;
  readonly byes: (EndReason | undefined)[] = [];
  readonly reinvites: (string | undefined)[] = [];
  readonly acknowledged: string[] = [];
  readonly refers: OutgoingReferOptions[] = [];
  reinviteResult: ReinviteResult = { ok: true, sdp: "peer-reanswer" };
  handler: DialogHandler | undefined;

  constructor(party: Party, callId: string) {
    this.party = party;
    this.callId = callId;
  }

  attach(handler: DialogHandler): void {
    this.handler = handler;
  }
  acknowledge(sdp: string): void {
    this.acknowledged.push(sdp);
  }
  reinvite(sdp: string | undefined): Promise<ReinviteResult> {
    this.reinvites.push(sdp);
    return Promise.resolve(this.reinviteResult);
  }
  request(): Promise<number> {
    return Promise.resolve(200);
  }
  refer(options: OutgoingReferOptions): void {
    this.refers.push(options);
  }
  bye(reason?: EndReason): void {
    this.byes.push(reason);
  }
}

export interface SentInvite {
  readonly options: OutgoingInviteOptions;
  readonly handler: OutgoingInviteHandler;
  /** What the call room holds of it. */
  readonly invite: OutgoingInvite;
  cancelled: EndReason | undefined;
}

/** The signaling port, played by a test. */
export class ScriptedEngine implements SignalingEngine {
  readonly sent: SentInvite[] = [];
  readonly byUser = new Map<string, Binding[]>();
  readonly counts = { transactions: 0, dialogs: 0, flows: 0 };
  readonly locations = {
    bindings: (userId: string): readonly Binding[] => this.byUser.get(userId) ?? [],
    all: (): Iterable<Binding> => [...this.byUser.values()].flat(),
  };

  start(): Promise<void> {
    return Promise.resolve();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
  drain(): void {}
  readonly texts: OutgoingMessageOptions[] = [];
  /** What becomes of a text. */
  onText: (options: OutgoingMessageOptions) => number | Promise<number> = () => 200;
  message(options: OutgoingMessageOptions): Promise<number> {
    this.texts.push(options);
    return Promise.resolve(this.onText(options));
  }
  readonly subscriptions: {
    readonly options: OutgoingSubscribeOptions;
    readonly handler: OutgoingSubscriptionHandler;
    isOver: boolean;
  }[] = [];
  subscribe(
    options: OutgoingSubscribeOptions,
    handler: OutgoingSubscriptionHandler,
  ): OutgoingSubscription {
    const subscription = { options, handler, isOver: false };
    this.subscriptions.push(subscription);
    return {
      callId: "subscription",
      unsubscribe: () => {
        subscription.isOver = true;
      },
    };
  }
  invite(options: OutgoingInviteOptions, handler: OutgoingInviteHandler) {
    const invite = {
      callId: `out-${this.sent.length + 1}`,
      cancel: (reason?: EndReason) => {
        sent.cancelled = reason ?? { sipStatus: 487 };
      },
    };
    const sent: SentInvite = { options, handler, invite, cancelled: undefined };
    this.sent.push(sent);
    return invite;
  }

  register(userId: string, instanceId = `${userId}-tab`): void {
    const binding: Binding = {
      id: instanceId,
      userId,
      instanceId,
      regId: 1,
      contactUri: `sip:${userId}@x.invalid;transport=ws`,
      userAgent: undefined,
      remoteAddress: "127.0.0.1:1",
      registeredAtMs: 0,
      expiresAtMs: 1e12,
    };
    this.byUser.set(userId, [...(this.byUser.get(userId) ?? []), binding]);
  }

  /** The outgoing INVITE number `index`. */
  at(index: number): SentInvite {
    const sent = this.sent[index];
    if (sent === undefined) throw new Error(`no outgoing INVITE ${index}`);
    return sent;
  }

  /** Lets the callee of INVITE `index` answer. */
  answer(index: number, sdp: string | undefined = "callee-answer"): ScriptedDialog {
    const { options, handler } = this.at(index);
    const party: Party =
      options.target.kind === "trunk"
        ? { kind: "trunk", trunkId: options.target.trunkId }
        : {
            kind: "user",
            userId: options.target.binding.userId,
            instanceId: options.target.binding.instanceId,
          };
    const dialog = new ScriptedDialog(party, `out-${index + 1}`);
    handler.onAccepted(dialog, sdp, undefined);
    return dialog;
  }
}

/** The media port: it writes down what was asked and answers with text that tells where it came from. */
export class ScriptedMedia implements MediaEngine {
  isReady = true;
  readonly log: string[] = [];
  open = 0;
  failOn: ((step: string) => Error | undefined) | undefined;
  handler: MediaSessionHandler | undefined;
  /** What rtpengine has seen of the legs, as a test has it. */
  health: () => Promise<Readonly<Record<string, LegHealth>>> = () => Promise.resolve({});
  /** What rtpengine counts. */
  report = (): MediaReport => ({
    codecs: { caller: "PCMU/8000" },
    isTranscoded: false,
    packetsFrom: {},
  });
  readonly services: { kind: ServiceKind; handler: ServiceHandler; isClosed: boolean }[] = [];

  start(): Promise<void> {
    return Promise.resolve();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
  sessionCount(): Promise<number> {
    return Promise.resolve(this.open);
  }
  takeDelayMs(): number {
    return 0;
  }
  nodes(): readonly MediaNodeView[] {
    return [];
  }
  setDraining(): undefined {
    return undefined;
  }
  createSession(
    options: { readonly handler?: MediaSessionHandler | undefined } = {},
  ): MediaSession {
    this.open += 1;
    this.handler = options.handler;
    const step = (name: string, { offerer, answerer, branch }: Exchange, sdp: string) => {
      const line = `${name} ${offerer.tag}>${answerer.tag} ${branch} ${sdp}`;
      this.log.push(line);
      const error = this.failOn?.(line);
      return error === undefined ? Promise.resolve(`${name}(${sdp})`) : Promise.reject(error);
    };
    let isOpen = true;
    return {
      id: "media",
      offer: (exchange, sdp) => step("offer", exchange, sdp),
      answer: (exchange, sdp) => step("answer", exchange, sdp),
      dropBranch: (branch) => {
        this.log.push(`drop ${branch}`);
        return Promise.resolve();
      },
      playDigit: (_exchange, { from, digit }) => {
        this.log.push(`digit ${digit} from ${from}`);
        return Promise.resolve();
      },
      addCandidates: ({ tag }, fragment) => {
        this.log.push(`candidates from ${tag}: ${fragment}`);
        return Promise.resolve("taken" as const);
      },
      move: (options) => {
        this.log.push("move", ...(options?.isUseless === true ? ["end the old call"] : []));
        return Promise.resolve({
          keep: () => {
            this.log.push("keep");
            return Promise.resolve();
          },
          undo: () => {
            this.log.push("undo");
            return Promise.resolve();
          },
        });
      },
      adopt: (tag, _from, fromTag) => {
        this.log.push(`adopt ${fromTag} as ${tag}`);
      },
      health: () => this.health(),
      sounds: {
        play: ({ to, instead, isLooped }) => {
          const line = `play ${to} instead of ${instead.join(",")}${isLooped ? " looped" : ""}`;
          this.log.push(line);
          const error = this.failOn?.(line);
          return error === undefined ? Promise.resolve() : Promise.reject(error);
        },
        subscribe: () => Promise.resolve(),
        unsubscribe: () => Promise.resolve(),
        stopPlaying: (to) => {
          this.log.push(`stop ${to}`);
          return Promise.resolve();
        },
      },
      negotiated: () => this.report(),
      query: () => Promise.resolve(this.report()),
      close: () => {
        if (isOpen) this.open -= 1;
        isOpen = false;
        this.log.push("close");
        return Promise.resolve(this.report());
      },
    };
  }
  readonly recordings: { options: RecordingOptions; isStopped: boolean }[] = [];
  record(_session: MediaSession, options: RecordingOptions): Promise<Recording> {
    const error = this.failOn?.("record");
    if (error !== undefined) return Promise.reject(error);
    const recording = { options, isStopped: false };
    this.recordings.push(recording);
    return Promise.resolve({
      durationMs: 1000,
      stop: () => {
        recording.isStopped = true;
        return Promise.resolve();
      },
    });
  }
  createService(kind: ServiceKind, handler: ServiceHandler) {
    const service = { kind, handler, isClosed: false };
    this.services.push(service);
    return Promise.resolve({
      sdp: "service-sdp",
      answer: (sdp: string) => Promise.resolve(`service(${sdp})`),
      offer: () => Promise.resolve("service-offer"),
      accept: (sdp: string) => {
        this.log.push(`service accepts ${sdp}`);
        return Promise.resolve();
      },
      close: () => {
        service.isClosed = true;
      },
    });
  }
}

/** The caller's INVITE, with everything that was sent back on it. */
export class ScriptedInvite implements IncomingInvite {
  readonly party: Party;
  readonly callId: string;
  readonly replaces: Dialog | undefined;
  readonly replacesInvite: OutgoingInvite | undefined;
  readonly calledNumber: string;
  readonly callerIdentity = { user: "+4930999", displayName: "Caller" };
  readonly sdp: string | undefined;
  readonly needsEarlyOffer: boolean;
  readonly calledInstance: CalledInstance | undefined;
  readonly request: SipRequest;
  readonly responses: { status: number; sdp: string | undefined; options: ResponseOptions }[] = [];
  handler: IncomingInviteHandler | undefined;
  dialog: ScriptedDialog | undefined;
  isCancelled = false;

  constructor(options: {
    party: Party;
    to: string;
    sdp?: string | undefined;
    /** Default false. */
    needsEarlyOffer?: boolean;
    calledInstance?: CalledInstance | undefined;
    /** Default `in-1`. */
    callId?: string;
    replaces?: Dialog;
    replacesInvite?: OutgoingInvite;
    headers?: readonly HeaderField[];
  }) {
    this.callId = options.callId ?? "in-1";
    this.replaces = options.replaces;
    this.replacesInvite = options.replacesInvite;
    this.party = options.party;
    this.calledInstance = options.calledInstance;
    this.calledNumber = options.to;
    this.needsEarlyOffer = options.needsEarlyOffer ?? false;
    this.sdp = "sdp" in options ? options.sdp : "caller-offer";
    this.request = new SipRequest(
      "INVITE",
      `sip:${options.to}@localhost`,
      Headers.of(options.headers ?? []),
    );
  }

  attach(handler: IncomingInviteHandler): void {
    this.handler = handler;
  }
  progress(status: number, options: ResponseOptions = {}): void {
    this.responses.push({ status, sdp: options.sdp, options });
  }
  /** Whether this caller takes 199. */
  hasEarlyDialogs = false;
  endEarlyDialog(reason: EndReason): boolean {
    if (this.hasEarlyDialogs)
      this.responses.push({ status: 199, sdp: undefined, options: { reason } });
    return this.hasEarlyDialogs;
  }
  accept(sdp: string): Dialog | undefined {
    if (this.isCancelled) return undefined;
    this.responses.push({ status: 200, sdp, options: {} });
    this.dialog = new ScriptedDialog(this.party, this.callId);
    return this.dialog;
  }
  reject(status: number, options: ResponseOptions = {}): void {
    if (this.isCancelled || this.responses.some((response) => response.status >= 200)) return;
    this.responses.push({ status, sdp: undefined, options });
  }
  cancel(reason?: EndReason): void {
    this.isCancelled = true;
    this.handler?.onCancelled(reason);
  }

  /** Status codes in order. */
  get statuses(): number[] {
    return this.responses.map((response) => response.status);
  }
}

/** Settings that nothing keeps. */
class HeldSettings implements UserSettingsStore {
  readonly #held = new Map<string, UserSettings>();

  of(userId: string): UserSettings | undefined {
    return this.#held.get(userId);
  }

  change(userId: string, change: (now: UserSettings) => UserSettings): Promise<boolean> {
    this.#held.set(userId, change(this.of(userId) ?? NOTHING_SET));
    return Promise.resolve(true);
  }
}

export interface Rig {
  readonly engine: ScriptedEngine;
  readonly media: ScriptedMedia;
  readonly clock: ManualClock;
  readonly context: CallContext;
}

/** A call room with scripted ports and a clock of the test's own. */
export function makeRig(
  limits: {
    maxCalls?: number;
    maxCallsPerUser?: number;
    maxCallsOfTrunk?: number;
    holdMusic?: HoldMusic;
    consent?: () => Promise<Buffer>;
  } = {},
): Rig {
  const engine = new ScriptedEngine();
  const media = new ScriptedMedia();
  const clock = new ManualClock();
  const context: CallContext = {
    engine,
    media,
    clock,
    logger: silentLogger,
    limits: new CallLimits({
      maxCalls: limits.maxCalls ?? 100,
      maxCallsPerUser: limits.maxCallsPerUser ?? 10,
      maxCallsOfTrunk: () => limits.maxCallsOfTrunk,
    }),
    domain: "localhost",
    settings: new HeldSettings(),
    facts: new LiveFacts({
      clock,
      isRegistered: (userId) => engine.locations.bindings(userId).length > 0,
      trunkState: () => "unknown",
      dayOf: (at) => at.toISOString().slice(0, 10),
    }),
    askHook: () => Promise.resolve(undefined),
    codecPolicy: "auto",
    hasVideo: true,
    flowGraceMs: 30_000,
    holdMusic: limits.holdMusic,
    recording: { directory: "/nowhere", consent: limits.consent },
    country: undefined,
    mediaPace: new MediaPace(60_000),
    user: (userId) => ({ name: `User ${userId}`, numbers: [] }),
    trunk: () => ({ codecs: ["PCMU"] }),
  };
  return { engine, media, clock, context };
}

/** Lets every promise that is ready run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}

export const ANN: Party = { kind: "user", userId: "1001", instanceId: "1001-tab" };
export const OFFICE: Party = { kind: "trunk", trunkId: "office" };
export const NO_HEADERS: ExtraHeaders = [];
