import type { NumberClass } from "./number-class.ts";
import type { RateSource } from "./rates.ts";
import type { DateRange } from "./calendar.ts";
import type { UserState } from "./facts.ts";

/**
 * The dialplan as the configuration file holds it, checked for shape but not yet compiled.
 *
 * The zod schema in schema.ts makes these values; compile.ts turns them into a Dialplan.
 */

/**
 * `auto`: no transcoding when both sides share a codec; `narrow`: G.722 and G.711 end to end;
 * `opus`: Opus at the browser, whatever the other side speaks.
 */
export type CodecPolicyName = "auto" | "narrow" | "opus";

/** What goes along with looking for somebody. */
export interface Asides {
  /** What the caller hears when nobody was reached: a name of announce.ts, or a sound file. */
  readonly announce?: string;
  /** Whether the call is recorded from its answer on. */
  readonly record?: boolean;
  /** Undefined: the trunk's, else that of `media.codecs`. */
  readonly codecPolicy?: CodecPolicyName;
}

/** What follows when an action ended without an answer: by how it ended, else `then`. */
export interface OutcomesSource extends Asides {
  readonly then: readonly ActionSource[];
  /** By outcome (`busy`, …) or SIP status (`"486"`). */
  readonly on?: Readonly<Record<string, readonly ActionSource[]>>;
}

/** Whom a `ring` rings. */
export interface RingTargetSource {
  /** A user's id or number, `@to`, or a text with `$1`; or the name of a group. */
  readonly kind: "user" | "group";
  readonly name: string;
  /** How long after the others. */
  readonly afterMs: number;
}

/** In which order the users of a `ring` ring. */
export type RingOrder = "all" | "sequence" | "round-robin" | "longest-idle";

/** In which order the trunks of a `dial` are tried. */
export type TrunkOrder = "order" | "weight" | "least-cost";

/** How a number is rewritten; the steps follow each other in this order. */
export interface RewriteSource {
  /** Instead of what was dialled: a text with `$0` to `$9`. */
  readonly number?: string;
  readonly format?: NumberFormat;
  readonly replace?: readonly { readonly find: string; readonly with: string }[];
  /** How many characters to take off the front. */
  readonly strip: number;
  readonly prepend: string;
}

/** Ways to write a telephone number: `+4930…`, `4930…`, `030…`. */
export type NumberFormat = "e164" | "e164-without-plus" | "national";

/** What to do with a call. Durations are in milliseconds. */
export type ActionSource =
  | ({
      readonly kind: "ring";
      readonly targets: readonly RingTargetSource[];
      readonly by: RingOrder;
      /** How long one user rings before the next one does; unless `by` is `all`. */
      readonly eachMs: number;
      readonly timeoutMs: number;
    } & OutcomesSource)
  | ({
      readonly kind: "dial";
      readonly trunks: readonly { readonly id: string; readonly weight: number }[];
      readonly by: TrunkOrder;
      readonly rewrite: RewriteSource;
      readonly caller?: string;
      /** Numbers and patterns of which the caller's own is one, or else the first. */
      readonly callerFrom?: readonly string[];
      readonly displayName?: string;
      readonly timeoutMs: number;
    } & OutcomesSource)
  | ({
      readonly kind: "voicemail";
      readonly trunk: string;
      /** What the trunk's voicemail answers to; undefined: the mailbox itself. */
      readonly number?: string;
      /** Whose messages; undefined: the user or number that was dialled. */
      readonly mailbox?: string;
      readonly timeoutMs: number;
    } & OutcomesSource)
  | {
      readonly kind: "forward";
      /** A text with `$0` to `$9`. */
      readonly to: string;
      /** The user whose rights and identity count; undefined: the caller's. */
      readonly as?: string;
    }
  | { readonly kind: "go"; readonly set: string; readonly rewrite: RewriteSource }
  | { readonly kind: "ask"; readonly hook: string; readonly otherwise: readonly ActionSource[] }
  | { readonly kind: "echo" }
  | { readonly kind: "play"; readonly file?: string }
  | { readonly kind: "read-digits" }
  | { readonly kind: "hang-up" }
  | {
      readonly kind: "reject";
      readonly status: number;
      readonly reason?: string;
      /** Q.850. */
      readonly cause?: number;
      readonly announce?: string;
    };

/** Whom a route takes calls from; every key that is present must hold. */
export interface FromSource {
  readonly user?: readonly string[];
  readonly group?: readonly string[];
  readonly trunk?: readonly string[];
  /** Literals, `_patterns`, `/regular expressions/` on the calling number, or `anonymous`. */
  readonly number?: readonly string[];
}

/** When a route holds, in the dialplan's time zone or its own. */
export interface AtSource {
  /** 0 is Sunday, 6 is Saturday. */
  readonly days?: readonly number[];
  /** Minutes of the day, `from` included, `to` not; `from > to` runs over midnight. */
  readonly hours?: readonly { readonly from: number; readonly to: number }[];
  readonly dates?: readonly DateRange[];
  /** Names of lists under `holidays`: today is in one of them. */
  readonly holidays?: readonly string[];
  /** Names of lists under `holidays`: today is in none of them. */
  readonly except?: readonly string[];
  readonly timeZone?: string;
}

/** What a user, a route or a trunk may use. */
export interface LimitSource {
  /** Calls at once. */
  readonly concurrent?: number;
  readonly perMinute?: number;
  readonly minutesPerDay?: number;
  /** By the rate table of the trunk. */
  readonly spendPerDay?: number;
}

export interface RouteSource {
  readonly name?: string;
  readonly from?: FromSource;
  /** Literals, `_patterns`, `/regular expressions/` or `@users`; one of them must match. */
  readonly to?: readonly string[];
  /** Classes of the number that was dialled; one of them must be its. */
  readonly class?: readonly NumberClass[];
  readonly at?: AtSource;
  /** Header fields of a trunk's INVITE, names in lower case; every one must match. */
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  /** By user id or `@to`; every user's state must be one of these. */
  readonly state?: Readonly<Record<string, readonly (UserState | "registered")[]>>;
  readonly limits?: LimitSource;
  readonly do: ActionSource;
}

/** What a test of the file wants; only the keys that are present are compared. */
export interface ExpectSource {
  readonly route?: string;
  readonly kind?: string;
  readonly users?: readonly string[];
  readonly trunks?: readonly string[];
  readonly number?: string;
  readonly caller?: string;
  readonly file?: string;
  readonly status?: number;
  readonly hook?: string;
  /** What follows by outcome: `{ busy: { voicemail: office } }`. */
  readonly on?: Readonly<Record<string, ExpectSource>>;
}

export interface TestSource {
  readonly name?: string;
  /** A user id or a user's number; with `trunk`, the number that the trunk presents. */
  readonly from?: string;
  readonly trunk?: string;
  readonly to: string;
  /** `2026-11-20T10:00` in the dialplan's time zone, or with an offset or Z; undefined: now. */
  readonly at?: string;
  /** By user id; everyone else is idle. */
  readonly state?: Readonly<Record<string, UserState>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect: ExpectSource;
}

/** Whom to call when somebody dials an emergency number. */
export interface EmergencySource {
  /** Beside those of the country. */
  readonly numbers?: readonly string[];
  readonly trunks?: readonly string[];
  readonly caller?: string;
  /** RFC 6442: the URI of the caller's location. */
  readonly location?: string;
}

/** Which classes of numbers may be called; the most particular entry counts. */
export interface AllowSource {
  readonly everyone?: readonly NumberClass[];
  readonly groups: Readonly<Record<string, readonly NumberClass[]>>;
  readonly users: Readonly<Record<string, readonly NumberClass[]>>;
  readonly trunks: Readonly<Record<string, readonly NumberClass[]>>;
}

export interface LimitsSource {
  readonly eachUser?: LimitSource;
  readonly groups: Readonly<Record<string, LimitSource>>;
  readonly users: Readonly<Record<string, LimitSource>>;
  readonly trunks: Readonly<Record<string, LimitSource>>;
}

/** A program that is asked what to do with a call. */
export interface HookSource {
  readonly url: string;
  /** Signs what is sent: HMAC with SHA-256. */
  readonly secret: string;
  readonly timeoutMs: number;
}

/** What a user dials to switch something on and off. */
export interface StarCodeSource {
  /** Of a forward: before its number, or alone for the number of the last time. */
  readonly on: string;
  readonly off: string;
}

/** What is missing cannot be dialled. */
export interface StarCodesSource {
  readonly doNotDisturb?: StarCodeSource;
  readonly forwardAlways?: StarCodeSource;
  readonly forwardBusy?: StarCodeSource;
  readonly forwardNoAnswer?: StarCodeSource;
}

export interface DialplanSource {
  /** ISO 3166 code, upper case: how national numbers are read. */
  readonly country?: string;
  readonly areaCode?: string;
  /** IANA name; undefined: the machine's zone. */
  readonly timeZone?: string;
  readonly routes: readonly RouteSource[];
  readonly tests: readonly TestSource[];
  /** Further lists of routes, by name. */
  readonly sets?: Readonly<Record<string, readonly RouteSource[]>>;
  readonly holidays?: Readonly<Record<string, readonly DateRange[]>>;
  /** Names, in lower case, of the header fields that routes may look at. */
  readonly headers?: readonly string[];
  readonly emergency?: EmergencySource;
  readonly allow?: AllowSource;
  readonly limits?: LimitsSource;
  /** By trunk id. */
  readonly rates?: Readonly<Record<string, readonly RateSource[]>>;
  /** Patterns of E.164 numbers that cost extra, beside those that the countries name. */
  readonly premium?: readonly string[];
  readonly hooks?: Readonly<Record<string, HookSource>>;
  /** Undefined: the usual ones. */
  readonly starCodes?: StarCodesSource;
}
