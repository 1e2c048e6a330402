import type { Timer } from "../core/clock.ts";
import type { EndReason } from "../core/end-reason.ts";
import type { Action, Decision, Outcomes } from "../dialplan/decision.ts";
import { nextActions } from "../dialplan/outcome.ts";
import type { MediaSession } from "../media/session.ts";
import type {
  Dialog,
  ExtraHeaders,
  IncomingReinvite,
  IncomingRequest,
  ProvisionalResponse,
} from "../signaling/engine.ts";
import { Attempt, type AttemptHandler } from "./attempt.ts";
import { completeReason } from "./cause.ts";
import type { CallContext } from "./context.ts";
import type { HookQuestion } from "./hook.ts";
import { rejectInvite } from "./refused.ts";
import type { ServiceChoice } from "./service-call.ts";
import { StagePlan, outcomeOfReason } from "./stages.ts";
import type { Caller, Stage, StageTerms, Target } from "./stages.ts";
import { carryOutStarCode } from "./star-code-call.ts";

/** What a hunt reports. `onAnswered`, `onService` or `onExhausted` comes once, last. */
export interface HuntHandler {
  onAttempt(attempt: Attempt): void;
  onProgress(attempt: Attempt, response: ProvisionalResponse): void;
  /** Everyone that was tried has failed; others are tried now. */
  onMovedOn(reason: EndReason): void;
  /** The handler attaches to the dialog before it returns. */
  onAnswered(attempt: Attempt, dialog: Dialog, sdp: string | undefined): void;
  onService(service: ServiceChoice): void;
  /** The call is to be answered and hung up at once. */
  onHangUp(): void;
  /** @param announce what the caller shall hear first: a name of an announcement, or a file */
  onExhausted(reason: EndReason, announce: string | undefined): void;
  /** An INFO of somebody who rings. The handler responds. */
  onInfo(attempt: Attempt, request: IncomingRequest): void;
  /** An offer of somebody who rings. The handler answers it. */
  onEarlyOffer(attempt: Attempt, offer: IncomingReinvite): void;
}

/** For those who rang in vain. */
export const ANSWERED_ELSEWHERE: EndReason = {
  sipStatus: 200,
  q850: 26,
  text: "Call completed elsewhere",
};
const NOBODY: EndReason = { sipStatus: 480, q850: 20, text: "Nobody could be reached" };
const NO_RESPONSE: EndReason = { sipStatus: 504, q850: 102, text: "The far end did not respond" };
const NO_ANSWER: EndReason = { sipStatus: 480, q850: 19, text: "No answer" };
const HOOK_FAILED: EndReason = { sipStatus: 503, q850: 41, text: "The route could not be decided" };

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
  readonly #plan: StagePlan;
  /** Actions still to do when the stages are used up; the next one is at the front. */
  #actions: readonly Action[];
  #stages: Stage[] = [];
  readonly #live = new Set<Attempt>();
  #releases: (() => void)[] = [];
  #timer: Timer | undefined;
  #isFailover = false;
  /** What follows the action under way, if it ends without an answer. */
  #outcomes: Outcomes | undefined;
  /** When the action under way is over, whatever stages are left. */
  #deadlineMs = Number.POSITIVE_INFINITY;
  /** Targets of the running stage that ring later. */
  #waiting: Target[] = [];
  #waitingTimer: Timer | undefined;
  #waitingStage: StageTerms = { isRecorded: undefined };
  #answeredMs: number | undefined;
  /** Told that people talk; those of attempts that are over no longer listen. */
  readonly #onTalk: (() => void)[] = [];
  readonly #question: Omit<HookQuestion, "from">;
  #reason: EndReason | undefined;
  /** Of the last action that named one. */
  #announce: string | undefined;
  /** Of the action under way. */
  #actionReason: EndReason | undefined;
  #attemptCount = 0;
  #isOver = false;

  constructor(options: {
    readonly context: CallContext;
    readonly media: MediaSession;
    readonly handler: HuntHandler;
    readonly caller: Caller;
    /** Of the call. */
    readonly id: string;
    readonly decision: Pick<Decision, "action" | "route">;
  }) {
    this.#context = options.context;
    this.#media = options.media;
    this.#handler = options.handler;
    this.#caller = options.caller;
    const { invite } = options.caller;
    const { action, route } = options.decision;
    this.#plan = new StagePlan(options.context, options.caller);
    this.#actions = [action];
    this.#question = { call: options.id, to: invite.calledNumber, route };
  }

  /** Does nothing once it has been cancelled. */
  start(): void {
    if (!this.#isOver) this.#next();
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

  /** Hands over the places that the callee has taken, who goes on in another call. */
  takePlaces(): readonly (() => void)[] {
    const places = this.#releases;
    this.#releases = [];
    return places;
  }

  onProgress(attempt: Attempt, response: ProvisionalResponse): void {
    if (!this.#isOver) this.#handler.onProgress(attempt, response);
  }

  onAnswered(attempt: Attempt, dialog: Dialog, sdp: string | undefined): void {
    this.#isOver = true;
    this.#live.delete(attempt);
    this.#stopStage(ANSWERED_ELSEWHERE);
    this.#answeredMs = this.#context.clock.monotonicMs();
    for (const talk of this.#onTalk) talk();
    if (attempt.target.kind === "binding") {
      this.#releases.push(this.#context.facts.enter(attempt.target.binding.userId));
    }
    this.#handler.onAnswered(attempt, dialog, sdp);
  }

  onInfo(attempt: Attempt, request: IncomingRequest): void {
    this.#handler.onInfo(attempt, request);
  }

  onEarlyOffer(attempt: Attempt, offer: IncomingReinvite): void {
    this.#handler.onEarlyOffer(attempt, offer);
  }

  onFailed(attempt: Attempt, reason: EndReason, mayFailOver: boolean): void {
    this.#live.delete(attempt);
    if (this.#isOver) return;
    this.#failed(reason);
    if (this.#isFailover && !mayFailOver) this.#stages = [];
    if (this.#live.size === 0 && this.#waiting.length > 0) {
      // Whoever rang is gone: the others need not wait.
      this.#startWaiting(this.#waiting[0]?.afterMs ?? 0);
    }
    if (this.#live.size === 0) {
      this.#stopStage(ANSWERED_ELSEWHERE);
      this.#next();
    }
  }

  onChallenged(attempt: Attempt, reason: EndReason, challenge: ExtraHeaders): void {
    this.#live.delete(attempt);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopStage(reason);
    // RFC 3261 §22.3: the caller answers it, and calls again.
    rejectInvite(this.#caller.invite, completeReason(reason), challenge);
    this.#handler.onExhausted(reason, undefined);
  }

  #next(): void {
    for (;;) {
      const stage = this.#stages.shift();
      if (stage !== undefined) {
        if (this.#startStage(stage)) return;
        continue;
      }
      if (this.#outcomes !== undefined) {
        this.#actions = [...this.#following(this.#outcomes), ...this.#actions];
        this.#outcomes = undefined;
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
      if (this.#begin(action)) return;
    }
  }

  /** What follows an action that ended without an answer. */
  #following(outcomes: Outcomes): readonly Action[] {
    const reason = this.#actionReason ?? NOBODY;
    return nextActions(outcomes, String(reason.sipStatus), outcomeOfReason(reason));
  }

  /** @returns false when its stages are to be gone through now */
  #begin(action: Action): boolean {
    const { clock } = this.#context;
    switch (action.kind) {
      case "ring":
      case "dial":
      case "voicemail":
        this.#outcomes = action;
        this.#announce = action.announce ?? this.#announce;
        this.#actionReason = undefined;
        this.#deadlineMs = Number.POSITIVE_INFINITY;
        break;
      case "ask":
        void this.#ask(action);
        return true;
      case "set":
        void this.#set(action);
        return true;
      case "echo":
      case "play":
      case "read-digits":
      case "hang-up":
      case "reject":
        this.#isOver = true;
        this.releasePlaces();
        break;
    }
    switch (action.kind) {
      case "ring":
        if (action.turn !== undefined) this.#context.facts.tookTurn(action.turn);
        if (action.by === undefined || action.users.length === 0) {
          this.#stages = [this.#plan.ring(action, action.users, action.timeoutMs)];
        } else {
          const eachMs = action.eachMs ?? action.timeoutMs;
          this.#deadlineMs = clock.monotonicMs() + action.timeoutMs;
          this.#stages = action.users.map((user) => this.#plan.ring(action, [user], eachMs));
        }
        return false;
      case "dial":
        this.#stages = this.#plan.dial(action, this.#reason);
        return false;
      case "voicemail":
        this.#stages = [this.#plan.voicemail(action, this.#reason)];
        return false;
      case "echo":
      case "play":
      case "read-digits":
        this.#handler.onService(action);
        return true;
      case "hang-up":
        this.#handler.onHangUp();
        return true;
      case "reject":
        this.#handler.onExhausted(
          {
            sipStatus: action.status,
            ...(action.cause === undefined ? {} : { q850: action.cause }),
            ...(action.reasonPhrase === undefined ? {} : { text: action.reasonPhrase }),
          },
          action.announce,
        );
        return true;
    }
  }

  async #ask(action: Extract<Action, { kind: "ask" }>): Promise<void> {
    const { party } = this.#caller.invite;
    const actions = await this.#context.askHook(action.hook, {
      ...this.#question,
      from: {
        kind: party.kind,
        id: party.kind === "user" ? party.userId : party.trunkId,
        number: this.#caller.identity.shown.user,
      },
    });
    if (this.#isOver) return;
    if (actions === undefined && action.otherwise.length === 0) this.#failed(HOOK_FAILED);
    this.#actions = [...(actions ?? action.otherwise), ...this.#actions];
    this.#next();
  }

  async #set(change: Extract<Action, { kind: "set" }>): Promise<void> {
    const choice = await carryOutStarCode(change, this.#context);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handler.onService(choice);
  }

  #failed(reason: EndReason): void {
    this.#reason = moreTelling(this.#reason, reason);
    this.#actionReason = moreTelling(this.#actionReason, reason);
  }

  /** @returns false when nothing in it could be tried */
  #startStage(stage: Stage): boolean {
    const { clock } = this.#context;
    const leftMs = this.#deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) {
      this.#stages = [];
      return false;
    }
    const waiting = stage.targets.filter(({ afterMs = 0 }) => afterMs > 0);
    const hadAttempts = this.#attemptCount > 0;
    const started: Attempt[] = [];
    for (const target of stage.targets) {
      if ((target.afterMs ?? 0) === 0) started.push(...this.#attempt(target, stage));
    }
    if (started.length === 0 && waiting.length === 0) {
      this.#failed(stage.otherwise);
      return false;
    }
    if (hadAttempts) this.#handler.onMovedOn(this.#reason ?? NOBODY);
    this.#isFailover = stage.isFailover;
    this.#waitingStage = stage;
    this.#waiting = waiting.toSorted((a, b) => (a.afterMs ?? 0) - (b.afterMs ?? 0));
    this.#timer = clock.after(Math.min(stage.timeoutMs, leftMs), () => this.#onStageTimeout());
    if (started.length === 0) this.#startWaiting(this.#waiting[0]?.afterMs ?? 0);
    else {
      this.#start(started);
      this.#waitForNext(0);
    }
    return true;
  }

  /** An attempt at a target, with its place at the trunk; none when there is no place. */
  #attempt(
    { target, leg, codecs, from, to, headers = [], crossing = [], as, charge }: Target,
    { isEmergency = false, isRecorded, hasAlternative = false }: StageTerms,
  ): readonly Attempt[] {
    const { limits, facts, clock } = this.#context;
    if (target.kind === "trunk") {
      const place = limits.takeTrunk(target.trunkId);
      if ("refused" in place) {
        if (!isEmergency) {
          this.#failed(place.refused);
          return [];
        }
      } else this.#releases.push(place.release);
      const own = as === undefined ? undefined : limits.takeTransfer(as);
      if (own !== undefined && "refused" in own) {
        this.#failed(own.refused);
        return [];
      }
      if (own !== undefined) this.#releases.push(own.release);
      if (charge !== undefined) {
        const use = facts.usage.begin(charge.keys, new Date(clock.wallMs()));
        this.#onTalk.push(() => use.answered(new Date(clock.wallMs()), charge.price));
        this.#releases.push(() => {
          const since = this.#answeredMs;
          const talkedMs = since === undefined ? 0 : clock.monotonicMs() - since;
          use.end(talkedMs, (talkedMs / 60_000) * charge.price, new Date(clock.wallMs()));
        });
      }
    }
    this.#attemptCount += 1;
    return [
      new Attempt({
        context: this.#context,
        media: this.#media,
        handler: this,
        caller: this.#caller.leg,
        isStandIn: this.#caller.isStandIn,
        onBehalfOf: this.#caller.invite,
        leg: { ...leg, tag: `callee-${this.#attemptCount}` },
        target,
        from,
        codecs,
        to,
        headers: [...headers, ...crossing],
        crossing,
        hasAlternative,
        isRecorded,
      }),
    ];
  }

  #start(attempts: readonly Attempt[]): void {
    for (const attempt of attempts) this.#live.add(attempt);
    for (const attempt of attempts) {
      this.#handler.onAttempt(attempt);
      void attempt.start(this.#caller.offer);
    }
  }

  /** Lets the targets ring whose time has come. */
  #startWaiting(afterMs: number): void {
    this.#waitingTimer?.cancel();
    this.#waitingTimer = undefined;
    const due = this.#waiting.filter((target) => (target.afterMs ?? 0) <= afterMs);
    this.#waiting = this.#waiting.slice(due.length);
    this.#start(due.flatMap((target) => this.#attempt(target, this.#waitingStage)));
    this.#waitForNext(afterMs);
  }

  #waitForNext(sinceMs: number): void {
    const next = this.#waiting[0]?.afterMs;
    if (next === undefined) return;
    this.#waitingTimer = this.#context.clock.after(next - sinceMs, () => this.#startWaiting(next));
  }

  #onStageTimeout(): void {
    this.#timer = undefined;
    if (this.#isOver) return;
    const hasRung = [...this.#live].some((attempt) => attempt.state === "ringing");
    const reason = hasRung ? NO_ANSWER : NO_RESPONSE;
    this.#failed(reason);
    if (this.#isFailover && hasRung) this.#stages = [];
    this.#stopStage(reason);
    this.#next();
  }

  /** Ends the running stage; a trunk's place is kept only by the attempt that answered. */
  #stopStage(reason: EndReason): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waitingTimer?.cancel();
    this.#waitingTimer = undefined;
    this.#waiting = [];
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
