import type { CodecPolicyName } from "./source.ts";

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
}

/** One thing to do with the call; `then` follows when it did not end in an answer. */
export type Action =
  | {
      readonly kind: "ring";
      /** Ids of the users that ring together. */
      readonly users: readonly string[];
      readonly timeoutMs: number;
      /** What the route says about codecs; undefined: nothing. */
      readonly codecPolicy?: CodecPolicyName;
      readonly then: readonly Action[];
      /** What the caller hears when nobody was reached: a name of announce.ts, or a sound file. */
      readonly announce?: string;
      /** Whether the call is recorded from its answer on. */
      readonly record?: boolean;
    }
  | {
      readonly kind: "dial";
      /** Tried in this order. */
      readonly trunks: readonly string[];
      /** The number for the trunk, after strip and prepend. */
      readonly number: string;
      /** The caller's number to present; undefined: the caller's own first number, else its id. */
      readonly callerNumber: string | undefined;
      readonly timeoutMs: number;
      /** What the route says about codecs; undefined: nothing. */
      readonly codecPolicy?: CodecPolicyName;
      readonly then: readonly Action[];
      readonly announce?: string;
      readonly record?: boolean;
    }
  | { readonly kind: "echo" }
  | { readonly kind: "play"; readonly file: string | undefined }
  | { readonly kind: "read-digits" }
  | {
      readonly kind: "reject";
      readonly status: number;
      readonly reasonPhrase: string | undefined;
      readonly announce?: string;
    };

/** One rule as the decision saw it. */
export interface TraceStep {
  readonly route: string;
  readonly matched: boolean;
  /** The first condition that failed: its key, what it wanted and the value that it saw. */
  readonly failed?: { readonly condition: string; readonly expected: string; readonly saw: string };
}

export interface Decision {
  /** The name of the route that matched; undefined when none did. */
  readonly route: string | undefined;
  /** Never undefined: no route means reject 404. */
  readonly action: Action;
  readonly trace: readonly TraceStep[];
}
