/** The list of recent calls: bounded, cleared with one click, and brought back with another. */
import type { EndKind } from "./call-end.ts";

/** A line of the list of recent calls. */
export interface RecentCall {
  readonly id: string;
  readonly direction: "outgoing" | "incoming";
  readonly number: string;
  readonly name: string | undefined;
  readonly startedAt: number;
  /** 0 when nobody answered. */
  readonly durationMs: number;
  readonly kind: EndKind;
  /** The final response's status, where there was one. */
  readonly status?: number | undefined;
  /** The mean score of its sound, 1 to 4.5, where it was measured. */
  readonly mos?: number | undefined;
}

/** What the phone remembers between two visits of the same user. */
export interface Memory {
  readonly recent: readonly RecentCall[];
  readonly lastNumber: string;
}

/** What is remembered, and what was cleared last. */
export interface Recents extends Memory {
  /** Comes back when the user wants it, until the next call; it is kept nowhere else. */
  readonly cleared: Memory | undefined;
}

/** What the user can do to the list. */
export type RecentsEvent = { readonly type: "recents-cleared" | "recents-restored" };

/** As many as are kept. */
export const RECENT_LIMIT = 200;

/** Nobody has called yet. */
export const NO_RECENTS: Recents = { recent: [], lastNumber: "", cleared: undefined };

/** Whether nobody took the call, and the user may want to know. */
export function isMissed(call: Pick<RecentCall, "direction" | "kind">): boolean {
  return call.direction === "incoming" && call.kind === "missed";
}

/** The list with one more call on top. */
export function withRecent(
  recents: Pick<Recents, "recent">,
  call: RecentCall,
): Pick<Recents, "recent" | "cleared"> {
  return { recent: [call, ...recents.recent].slice(0, RECENT_LIMIT), cleared: undefined };
}

/** The part of the state that this is about, after the event. Pure. */
export function reduceRecents(recents: Recents, event: RecentsEvent): Recents {
  switch (event.type) {
    case "recents-cleared": {
      const { recent, lastNumber } = recents;
      return recent.length === 0 ? recents : { ...NO_RECENTS, cleared: { recent, lastNumber } };
    }
    case "recents-restored":
      return recents.cleared === undefined ? recents : { ...recents.cleared, cleared: undefined };
  }
}
