import type { CallFacts, UserState } from "./facts.ts";
import type { NumberClass } from "./number-class.ts";
import type { Asides } from "./source.ts";
import type { ForwardKind } from "./user-settings.ts";

/** What the dialplan decided, and why. Plain data: no function, no live object. */

/** Who calls, as proved by the engine. */
export type Caller =
  | {
      readonly kind: "user";
      readonly id: string;
      readonly groups: readonly string[];
      readonly numbers: readonly string[];
    }
  | {
      readonly kind: "trunk";
      readonly id: string;
      /** The calling number as the trunk presents it; undefined when withheld. */
      readonly number: string | undefined;
    };

export interface CallQuery {
  readonly from: Caller;
  /** What was dialled: the user part of the Request-URI. */
  readonly to: string;
  readonly at: Date;
  /** Header fields of a trunk's INVITE by name in lower case; undefined: none. */
  readonly headers?: ((name: string) => string | undefined) | undefined;
  /** Undefined: everyone is free and nothing was used. */
  readonly facts?: CallFacts | undefined;
}

/** What follows when an action ended without an answer: `on` by how it ended, else `then`. */
export interface Outcomes extends Asides {
  readonly then: readonly Action[];
  /** By `busy`, `no-answer`, `unreachable`, `rejected`, or a SIP status; a status goes first. */
  readonly on?: Readonly<Record<string, readonly Action[]>>;
}

/** What a call over a trunk counts for. */
export interface Charge {
  /** Keys of the usage store beside the trunk's own. */
  readonly keys: readonly string[];
  /** Of one minute, by trunk id; a trunk without a price is not here. */
  readonly prices: Readonly<Record<string, number>>;
}

/** A user who has forwarded a call, and why: a word of RFC 5806. */
export interface Forwarder {
  readonly user: string;
  readonly reason: string;
}

/** What a user wants set, by a star code. */
export interface SettingChange {
  readonly user: string;
  readonly setting: "do-not-disturb" | `forward-${ForwardKind}`;
  readonly isOn: boolean;
  /** Of a forward that is switched on. */
  readonly number?: string;
  /** Why nothing is set: the user may not call the number, or has given none. */
  readonly refused?: "no number" | "not allowed";
}

/** One thing to do with the call; `then` follows when it did not end in an answer. */
export type Action =
  | ({
      readonly kind: "ring";
      /** Ids of the users that ring, in order. */
      readonly users: readonly string[];
      /** Missing: all together; else one after the other, for `eachMs`. */
      readonly by?: "sequence" | "round-robin" | "longest-idle";
      readonly eachMs?: number;
      /** How long after the others, by user id. */
      readonly delaysMs?: Readonly<Record<string, number>>;
      /** Who would ring too, but wants no calls: with `users` empty the call is busy. */
      readonly away?: readonly string[];
      /** With `round-robin`: what is counted on by one. */
      readonly turn?: string;
      readonly timeoutMs: number;
    } & Outcomes)
  | ({
      readonly kind: "dial";
      /** Tried in this order. */
      readonly trunks: readonly string[];
      /** The number for the trunk, after strip and prepend. */
      readonly number: string;
      /** The caller's number to present; undefined: the caller's own first number, else its id. */
      readonly callerNumber: string | undefined;
      readonly displayName?: string;
      /** The user on whose behalf the call goes out, where it is not the caller. */
      readonly as?: string;
      /** Why that user has forwarded it: a word of RFC 5806; missing: as the call has gone. */
      readonly reason?: string;
      /** Who has forwarded it before that user, the last one first. */
      readonly before?: readonly Forwarder[];
      /** An emergency call: no limit holds it, and `location` goes with it (RFC 6442). */
      readonly emergency?: { readonly location?: string };
      readonly charge?: Charge;
      readonly timeoutMs: number;
    } & Outcomes)
  | ({
      readonly kind: "voicemail";
      readonly trunk: string;
      readonly number: string;
      readonly mailbox: string;
      readonly timeoutMs: number;
    } & Outcomes)
  | {
      readonly kind: "ask";
      readonly hook: string;
      /** When the program does not answer in time or well; empty: 503. */
      readonly otherwise: readonly Action[];
    }
  | { readonly kind: "echo" }
  | { readonly kind: "play"; readonly file: string | undefined }
  | { readonly kind: "read-digits" }
  | ({ readonly kind: "set" } & SettingChange)
  | { readonly kind: "hang-up" }
  | {
      readonly kind: "reject";
      readonly status: number;
      readonly reasonPhrase: string | undefined;
      /** Q.850; missing: the status's own. */
      readonly cause?: number;
      readonly announce?: string;
    };

/** What happened while the rule that matched was carried out, in order. */
export type TraceDetail =
  | {
      readonly kind: "rewrite";
      readonly subject: "number" | "caller" | "display-name";
      /** `strip 1`, `prepend +49`, `format e164`. */
      readonly by: string;
      readonly before: string;
      readonly after: string;
    }
  | {
      readonly kind: "class";
      readonly number: string;
      readonly class: NumberClass;
      readonly isAllowed: boolean;
    }
  | {
      readonly kind: "limit";
      /** `user 1001`, `route national`, `trunk office`. */
      readonly of: string;
      readonly limit: string;
      readonly used: number;
      readonly max: number;
      readonly isReached: boolean;
    }
  | { readonly kind: "user"; readonly id: string; readonly state: UserState }
  | {
      readonly kind: "trunk";
      readonly id: string;
      readonly state: "up" | "down" | "unknown";
      /** Of one minute. */
      readonly price?: number;
    }
  | {
      /** How codecs are chosen, and who says so; `trunk`: over this trunk, where trunks differ. */
      readonly kind: "codecs";
      readonly policy: string;
      readonly by: "route" | "trunk" | "default";
      readonly trunk?: string;
    }
  | {
      /** Who the callee sees. */
      readonly kind: "identity";
      readonly number: string;
      readonly name?: string;
    }
  | { readonly kind: "set"; readonly set: string; readonly trace: readonly TraceStep[] }
  | {
      readonly kind: "forward";
      readonly number: string;
      readonly as: string;
      readonly trace: readonly TraceStep[];
    };

/** A condition that failed: its key, what it wanted and the value that it saw. */
export interface FailedCondition {
  readonly condition: string;
  readonly expected: string;
  readonly saw: string;
}

/** One rule as the decision saw it. */
export interface TraceStep {
  readonly route: string;
  readonly matched: boolean;
  /** The first condition that failed; of a rule that matched: why its action could not be taken. */
  readonly failed?: FailedCondition;
  /** Of the rule that matched. */
  readonly steps?: readonly TraceDetail[];
}

/**
 * Why a call was refused whatever its route wanted: a premium number, another class that the caller
 * may not dial, a number that nobody knows, a limit, a loop.
 */
export type Refusal = "premium" | "not-allowed" | "unknown" | "limit" | "loop";

export interface Decision {
  /** The name of the route that matched; undefined when none did. */
  readonly route: string | undefined;
  /** Never undefined: no route means reject 404. */
  readonly action: Action;
  /** Present when the call was refused whatever its route wanted. */
  readonly refusal?: Refusal;
  readonly trace: readonly TraceStep[];
  /** How many rules before the first of `trace` were looked at and are not told. */
  readonly omitted?: number;
}
