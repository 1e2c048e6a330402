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

/** What to do with a call. Durations are in milliseconds. */
export type ActionSource =
  | {
      readonly kind: "ring";
      /** User ids, numbers of users, `@to`, or texts with `$1`. */
      readonly targets: readonly string[];
      readonly timeoutMs: number;
      /** undefined: the trunk's, else that of `media.codecs`. */
      readonly codecPolicy?: CodecPolicyName;
      readonly then: readonly ActionSource[];
      /** The name of an announcement, or a sound file. */
      readonly announce?: string;
      readonly record?: boolean;
    }
  | {
      readonly kind: "dial";
      readonly trunks: readonly string[];
      /** How many characters to take off the front of the number. */
      readonly strip: number;
      readonly prepend: string;
      readonly caller?: string;
      readonly timeoutMs: number;
      /** undefined: the trunk's, else that of `media.codecs`. */
      readonly codecPolicy?: CodecPolicyName;
      readonly then: readonly ActionSource[];
      readonly announce?: string;
      readonly record?: boolean;
    }
  | { readonly kind: "echo" }
  | { readonly kind: "play"; readonly file?: string }
  | { readonly kind: "read-digits" }
  | {
      readonly kind: "reject";
      readonly status: number;
      readonly reason?: string;
      readonly announce?: string;
    };

/** Whom a route takes calls from; every key that is present must hold. */
export interface FromSource {
  readonly user?: readonly string[];
  readonly group?: readonly string[];
  readonly trunk?: readonly string[];
  /** Literals, `_patterns` or `/regular expressions/` on the calling number. */
  readonly number?: readonly string[];
}

/** When a route holds, in the dialplan's time zone. */
export interface AtSource {
  /** 0 is Sunday, 6 is Saturday. */
  readonly days?: readonly number[];
  /** Minutes of the day, `from` included, `to` not; `from > to` runs over midnight. */
  readonly hours?: readonly { readonly from: number; readonly to: number }[];
}

export interface RouteSource {
  readonly name?: string;
  readonly from?: FromSource;
  /** Literals, `_patterns`, `/regular expressions/` or `@users`; one of them must match. */
  readonly to?: readonly string[];
  readonly at?: AtSource;
  readonly do: ActionSource;
}

/** What a test of the file wants; only the keys that are present are compared. */
export interface ExpectSource {
  readonly route?: string;
  readonly kind?: ActionSource["kind"];
  readonly users?: readonly string[];
  readonly trunks?: readonly string[];
  readonly number?: string;
  readonly caller?: string;
  readonly file?: string;
  readonly status?: number;
}

export interface TestSource {
  readonly name?: string;
  /** A user id or a user's number; with `trunk`, the number that the trunk presents. */
  readonly from?: string;
  readonly trunk?: string;
  readonly to: string;
  /** `2026-11-20T10:00` in the dialplan's time zone, or with an offset or Z; undefined: now. */
  readonly at?: string;
  readonly expect: ExpectSource;
}

export interface DialplanSource {
  /** ISO 3166 code, upper case: how national numbers are read. */
  readonly country?: string;
  /** IANA name; undefined: the machine's zone. */
  readonly timeZone?: string;
  readonly routes: readonly RouteSource[];
  readonly tests: readonly TestSource[];
}
