import type { Timer } from "../core/clock.ts";
import type { EndReason } from "../core/end-reason.ts";
import type { Action } from "../dialplan/decision.ts";
import type { CodecPolicy, MediaLeg, MediaSession } from "../media/session.ts";
import type {
  Dialog,
  Identity,
  IncomingInvite,
  IncomingRequest,
  InviteTarget,
  ProvisionalResponse,
} from "../signaling/engine.ts";
import { Attempt, type AttemptHandler } from "./attempt.ts";
import { chooseCodecs, type CodecChoice } from "./codec-choice.ts";
import { trunkLeg, type CallContext } from "./context.ts";
import type { ServiceChoice } from "./service-call.ts";

/** What a hunt reports. `onAnswered`, `onService` or `onExhausted` comes once, last. */
export interface HuntHandler {
  onAttempt(attempt: Attempt): void;
  onProgress(attempt: Attempt, response: ProvisionalResponse): void;
  /** Everyone that was tried has failed; others are tried now. */
  onMovedOn(reason: EndReason): void;
  /** The handler attaches to the dialog before it returns. */
  onAnswered(attempt: Attempt, dialog: Dialog, sdp: string | undefined): void;
  onService(service: ServiceChoice): void;
  /** @param announce what the caller shall hear first: a name of an announcement, or a file */
  onExhausted(reason: EndReason, announce: string | undefined): void;
  /** An INFO of somebody who rings. The handler responds. */
  onInfo(attempt: Attempt, request: IncomingRequest): void;
}

/** Attempts that run together; the next stage begins when all have failed or the time is over. */
interface Stage {
  readonly targets: readonly Target[];
  readonly timeoutMs: number;
  /** The reason when nothing could even be tried. */
  readonly otherwise: EndReason;
  /** Whether the next stage is the next trunk of the same action: only the trunk's own failure leads there. */
  readonly isFailover: boolean;
  /** Whether a call that is answered here is recorded. */
  readonly isRecorded: boolean;
}

interface Target {
  readonly target: InviteTarget;
  readonly leg: Omit<MediaLeg, "tag">;
  readonly codecs: CodecChoice;
  readonly from: Identity;
  readonly to: Identity;
}

/** The call that somebody is looked for. */
interface Caller {
  readonly invite: IncomingInvite;
  readonly leg: MediaLeg;
  readonly identity: Identity;
}

const ANSWERED_ELSEWHERE: EndReason = {
  sipStatus: 200,
  q850: 26,
  text: "Call completed elsewhere",
};
const NOBODY: EndReason = { sipStatus: 480, q850: 20, text: "Nobody could be reached" };
const NO_RESPONSE: EndReason = { sipStatus: 504, q850: 102, text: "The far end did not respond" };
const NO_ANSWER: EndReason = { sipStatus: 480, q850: 19, text: "No answer" };

/**
 * Looks for someone who answers: carries out the actions that the dialplan decided, stage by stage
 * (ring these users together, then that trunk, then the next one), until one answers or none is
 * left. It owns the attempts and their timer; it knows nothing of the caller but the SDP.
 */
export class Hunt implements AttemptHandler {
  readonly #context: CallContext;
  readonly #media: MediaSession;
  readonly #handler: HuntHandler;
  readonly #caller: Caller;
  readonly #dialled: string;
  readonly #callerSdp: string | undefined;
  /** Actions still to do when the stages are used up; the next one is at the front. */
  #actions: readonly Action[];
  #stages: Stage[] = [];
  #live = new Set<Attempt>();
  #releases: (() => void)[] = [];
  #timer: Timer | undefined;
  #isFailover = false;
  #reason: EndReason | undefined;
  /** Of the last action that named one. */
  #announce: string | undefined;
  #attemptCount = 0;
  #isOver = false;

  constructor(options: {
    readonly context: CallContext;
    readonly media: MediaSession;
    readonly handler: HuntHandler;
    readonly caller: Caller;
    readonly dialled: string;
    readonly callerSdp: string | undefined;
    readonly action: Action;
  }) {
    this.#context = options.context;
    this.#media = options.media;
    this.#handler = options.handler;
    this.#caller = options.caller;
    this.#dialled = options.dialled;
    this.#callerSdp = options.callerSdp;
    this.#actions = [options.action];
  }

  start(): void {
    this.#next();
  }

  /** Gives everything up; no callback follows. Places taken at trunks are given back. */
  cancel(reason: EndReason): void {
    this.#isOver = true;
    this.#stopStage(reason);
    this.releasePlaces();
  }

  /** Gives back the places at trunks; the call does so when it ends. */
  releasePlaces(): void {
    for (const release of this.#releases) release();
    this.#releases = [];
  }

  onProgress(attempt: Attempt, response: ProvisionalResponse): void {
    if (!this.#isOver) this.#handler.onProgress(attempt, response);
  }

  onAnswered(attempt: Attempt, dialog: Dialog, sdp: string | undefined): void {
    this.#isOver = true;
    this.#live.delete(attempt);
    this.#stopStage(ANSWERED_ELSEWHERE);
    this.#handler.onAnswered(attempt, dialog, sdp);
  }

  onInfo(attempt: Attempt, request: IncomingRequest): void {
    this.#handler.onInfo(attempt, request);
  }

  onFailed(attempt: Attempt, reason: EndReason, mayFailOver: boolean): void {
    this.#live.delete(attempt);
    if (this.#isOver) return;
    this.#reason = moreTelling(this.#reason, reason);
    if (this.#isFailover && !mayFailOver) this.#stages = [];
    if (this.#live.size === 0) {
      this.#stopStage(ANSWERED_ELSEWHERE);
      this.#next();
    }
  }

  #next(): void {
    for (;;) {
      const stage = this.#stages.shift();
      if (stage !== undefined) {
        if (this.#startStage(stage)) return;
        continue;
      }
      const [action, ...rest] = this.#actions;
      if (action === undefined) {
        this.#isOver = true;
        this.releasePlaces();
        this.#handler.onExhausted(this.#reason ?? NOBODY, this.#announce);
        return;
      }
      this.#actions = rest;
      switch (action.kind) {
        case "ring":
          this.#actions = [...action.then, ...rest];
          this.#announce = action.announce ?? this.#announce;
          this.#stages = [this.#ringStage(action)];
          break;
        case "dial":
          this.#actions = [...action.then, ...rest];
          this.#announce = action.announce ?? this.#announce;
          this.#stages = action.trunks.map((trunkId) => this.#dialStage(trunkId, action));
          break;
        case "echo":
        case "play":
        case "read-digits":
          this.#isOver = true;
          this.releasePlaces();
          this.#handler.onService(action);
          return;
        case "reject":
          this.#isOver = true;
          this.releasePlaces();
          this.#handler.onExhausted(
            {
              sipStatus: action.status,
              ...(action.reasonPhrase === undefined ? {} : { text: action.reasonPhrase }),
            },
            action.announce,
          );
          return;
      }
    }
  }

  #ringStage(action: Extract<Action, { kind: "ring" }>): Stage {
    const { users, timeoutMs, record } = action;
    const codecs = this.#chooseCodecs(action.codecPolicy, undefined);
    const { party, calledInstance } = this.#caller.invite;
    const targets: Target[] = [];
    for (const userId of users) {
      const instances = new Set<string>();
      for (const binding of this.#context.engine.locations.bindings(userId)) {
        // RFC 5626 §7: an instance with several connections is one telephone, and rings once.
        if (instances.has(binding.instanceId)) continue;
        instances.add(binding.instanceId);
        // RFC 5627 §3.4: a GRUU means this browser and no other of the user.
        const isOther =
          calledInstance?.userId === userId && calledInstance.instanceId !== binding.instanceId;
        if (isOther) continue;
        const isCaller =
          party.kind === "user" &&
          party.userId === userId &&
          party.instanceId === binding.instanceId;
        if (isCaller) continue;
        targets.push({
          target: { kind: "binding", binding },
          leg: { kind: "webrtc" },
          codecs,
          from: this.#caller.identity,
          to: { user: this.#dialled },
        });
      }
    }
    return {
      targets,
      timeoutMs,
      otherwise: { sipStatus: 480, q850: 20, text: "The user is not signed in" },
      isFailover: false,
      isRecorded: record === true,
    };
  }

  #dialStage(trunkId: string, action: Extract<Action, { kind: "dial" }>): Stage {
    const trunk = this.#context.trunk(trunkId);
    const { identity } = this.#caller;
    const { party } = this.#caller.invite;
    const own = party.kind === "user" ? this.#context.user(party.userId)?.numbers[0] : undefined;
    return {
      targets: [
        {
          target: { kind: "trunk", trunkId, number: action.number },
          leg: trunkLeg(trunk),
          codecs: this.#chooseCodecs(action.codecPolicy, trunk?.codecPolicy),
          from: { ...identity, user: action.callerNumber ?? own ?? identity.user },
          to: { user: action.number },
        },
      ],
      timeoutMs: action.timeoutMs,
      otherwise: { sipStatus: 503, q850: 34, text: `Trunk ${trunkId} cannot take the call` },
      isFailover: true,
      isRecorded: action.record === true,
    };
  }

  #chooseCodecs(route: CodecPolicy | undefined, calleeTrunk: CodecPolicy | undefined): CodecChoice {
    const { party } = this.#caller.invite;
    return chooseCodecs({
      route,
      calleeTrunk,
      callerTrunk:
        party.kind === "trunk" ? this.#context.trunk(party.trunkId)?.codecPolicy : undefined,
      usual: this.#context.codecPolicy,
    });
  }

  /** @returns false when nothing in it could be tried */
  #startStage(stage: Stage): boolean {
    const started: Attempt[] = [];
    for (const { target, leg, codecs, from, to } of stage.targets) {
      if (target.kind === "trunk") {
        const place = this.#context.limits.takeTrunk(target.trunkId);
        if ("refused" in place) {
          this.#reason = moreTelling(this.#reason, place.refused);
          continue;
        }
        this.#releases.push(place.release);
      }
      this.#attemptCount += 1;
      const attempt = new Attempt({
        context: this.#context,
        media: this.#media,
        handler: this,
        caller: this.#caller.leg,
        onBehalfOf: this.#caller.invite,
        leg: { ...leg, tag: `callee-${this.#attemptCount}` },
        target,
        codecs,
        from,
        to,
        isRecorded: stage.isRecorded,
      });
      started.push(attempt);
    }
    if (started.length === 0) {
      this.#reason = moreTelling(this.#reason, stage.otherwise);
      return false;
    }
    if (this.#attemptCount > started.length) this.#handler.onMovedOn(this.#reason ?? NOBODY);
    this.#isFailover = stage.isFailover;
    this.#live = new Set(started);
    this.#timer = this.#context.clock.after(stage.timeoutMs, () => this.#onStageTimeout());
    for (const attempt of started) {
      this.#handler.onAttempt(attempt);
      void attempt.start(this.#callerSdp);
    }
    return true;
  }

  #onStageTimeout(): void {
    this.#timer = undefined;
    if (this.#isOver) return;
    const hasRung = [...this.#live].some((attempt) => attempt.state === "ringing");
    const reason = hasRung ? NO_ANSWER : NO_RESPONSE;
    this.#reason = moreTelling(this.#reason, reason);
    if (this.#isFailover && hasRung) this.#stages = [];
    this.#stopStage(reason);
    this.#next();
  }

  /** Ends the running stage; a trunk's place is kept only by the attempt that answered. */
  #stopStage(reason: EndReason): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const attempt of this.#live) attempt.cancel(reason);
    this.#live.clear();
    if (!this.#isOver) this.releasePlaces();
  }
}

/**
 * Of several refusals the caller gets the one that says most (RFC 3261 §16.7 step 6): a 6xx, else
 * the lowest class; the later one of two alike.
 */
function moreTelling(known: EndReason | undefined, next: EndReason): EndReason {
  if (known === undefined) return next;
  const rank = (reason: EndReason): number =>
    reason.sipStatus >= 600 ? 0 : Math.floor(reason.sipStatus / 100);
  return rank(next) <= rank(known) ? next : known;
}
