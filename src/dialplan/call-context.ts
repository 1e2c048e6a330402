import type { Action, CallQuery, Forwarder, Refusal, TraceDetail, TraceStep } from "./decision.ts";
import type { Directory } from "./directory.ts";
import type { Home } from "./e164.ts";
import { QUIET } from "./facts.ts";
import type { CallFacts } from "./facts.ts";
import type { LocalTime, WallClock } from "./schedule.ts";

/** Why an action of the route that matched could not be taken for this call. */
export interface ActionFailure {
  readonly status: number;
  readonly refusal?: Refusal;
  readonly failed: NonNullable<TraceStep["failed"]>;
}

/** What deciding somewhere else has brought. */
export interface Elsewhere {
  readonly route: string | undefined;
  readonly actions: readonly Action[];
  readonly failure: ActionFailure | undefined;
  readonly trace: readonly TraceStep[];
}

/** How an action lets other routes decide. */
export interface Interior {
  /** The routes of a set, for the same caller. */
  enter(set: string, context: CallContext): Elsewhere;
  /** All routes anew, emergency numbers included. */
  redial(context: CallContext): Elsewhere;
}

/** What one decision shares, however often it jumps. */
export interface Run {
  readonly interior: Interior;
  /** Jumps that are left: loops and trees of forwards end. */
  jumpsLeft: number;
  /** Numbers that were forwarded to on the way here: who comes back is a loop. */
  readonly isExplained: boolean;
}

/** One call while it is being decided; what costs time is worked out once, when first asked for. */
export class CallContext {
  readonly query: CallQuery;
  readonly facts: CallFacts;
  readonly run: Run;
  readonly directory: Directory;
  /** The user on whose behalf the call is, when it is not the caller. */
  readonly as: string | undefined;
  /** Why that user has forwarded it: a word of RFC 5806; undefined: as the call has gone. */
  readonly reason: string | undefined;
  /** Who has forwarded the call before that user, the last one first. */
  readonly before: readonly Forwarder[];
  /** Numbers and callers that lead here by forwarding. */
  readonly path: readonly string[];
  /** What the route's regular expression found; the whole match first. */
  groups: readonly string[] = [];
  /** The name of the route that decides. */
  route = "";
  /** The route of a set or of a forward that has decided, for the one that leads there. */
  innerRoute: string | undefined;
  /** Undefined: nobody wants to know. */
  details: TraceDetail[] | undefined;
  readonly #clock: WallClock;
  #dialledUsers: readonly string[] | undefined;
  #localTime: LocalTime | undefined;
  #callerNumbers: readonly string[] | undefined;

  constructor(options: {
    readonly query: CallQuery;
    readonly directory: Directory;
    readonly clock: WallClock;
    readonly run: Run;
    readonly as?: string | undefined;
    readonly reason?: string | undefined;
    readonly before?: readonly Forwarder[];
    readonly path?: readonly string[];
  }) {
    this.query = options.query;
    this.facts = options.query.facts ?? QUIET;
    this.run = options.run;
    this.directory = options.directory;
    this.#clock = options.clock;
    this.as = options.as;
    this.reason = options.reason;
    this.before = options.before ?? [];
    this.path = options.path ?? [];
  }

  /** The same call with another number, and perhaps another caller. */
  derive(change: {
    readonly to: string;
    readonly from?: CallQuery["from"];
    readonly as?: string | undefined;
    readonly reason?: string;
    readonly path?: readonly string[];
  }): CallContext {
    const { as, reason, before } = this;
    const isNext = change.as !== undefined && as !== undefined && change.as !== as;
    return new CallContext({
      query: { ...this.query, to: change.to, from: change.from ?? this.query.from },
      directory: this.directory,
      clock: this.#clock,
      run: this.run,
      as: change.as ?? as,
      reason: change.as === undefined ? reason : change.reason,
      before: isNext ? [{ user: as, reason: reason ?? "unconditional" }, ...before] : before,
      path: change.path ?? this.path,
    });
  }

  note(detail: TraceDetail): void {
    this.details?.push(detail);
  }

  /** Ids of the users that the dialled text names. */
  get dialledUsers(): readonly string[] {
    return (this.#dialledUsers ??= this.directory.find(this.query.to));
  }

  get localTime(): LocalTime {
    return (this.#localTime ??= this.#clock.localTime(this.query.at));
  }

  get home(): Home {
    return this.directory.homeOf(this.query.from);
  }

  /** Every spelling of every number of the caller. */
  get callerNumbers(): readonly string[] {
    const { from } = this.query;
    const numbers =
      from.kind === "user" ? from.numbers : from.number === undefined ? [] : [from.number];
    return (this.#callerNumbers ??= numbers.flatMap((number) => this.directory.spellings(number)));
  }
}
