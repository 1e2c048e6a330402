/** Use of reliable provisional responses (RFC 3262) with one far end. */
export type ReliableUse = "off" | "supported" | "required";

/** Interval of a session timer as we propose it (RFC 4028). */
export interface SessionTerms {
  /** Session-Expires. */
  readonly expiresSeconds: number;
  /** Min-SE: a shorter interval is refused with 422. */
  readonly minimumSeconds: number;
}

/** What we agree to with one far end, beside the call itself. */
export interface LegTerms {
  readonly reliable: ReliableUse;
  /** undefined: no timer is proposed; a far end that wants one refreshes by itself. */
  readonly session: SessionTerms | undefined;
  /** Stands in Contact instead of our address. */
  readonly contactHost?: string | undefined;
}

/**
 * Toward a browser: what it asks for it gets. Its liveness is that of its connection, so no timer
 * of ours runs.
 */
export const DEFAULT_TERMS: LegTerms = { reliable: "supported", session: undefined };
