import type { UserSettings } from "./user-settings.ts";

/** What a user's telephone does. */
export type UserState = "offline" | "idle" | "busy";

/** What was used of a limit; see Usage in usage.ts. */
export interface UsageCount {
  readonly concurrent: number;
  /** Calls begun within the last minute. */
  readonly lastMinute: number;
  /** Minutes talked today, those of live calls included. */
  readonly minutesToday: number;
  readonly spentToday: number;
}

/**
 * What a decision may ask about the world: a port that the caller of `decide` fills, so that the
 * same query with the same facts gives the same decision.
 */
export interface CallFacts {
  userState(userId: string): UserState;
  /** Since when the user is free, milliseconds of any clock; the smallest is free the longest. */
  idleSinceMs(userId: string): number;
  /** How many calls this ring has taken in turn so far. */
  turn(key: string): number;
  /** From 0 to less than 1: the share of chance in this call. */
  readonly chance: number;
  usage(key: string): UsageCount;
  trunkState(trunkId: string): "up" | "down" | "unknown";
  /** What users have set for their calls; missing: calls go where the routes say. */
  settingsOf?: ((userId: string) => UserSettings | undefined) | undefined;
}

const NOTHING_USED: UsageCount = { concurrent: 0, lastMinute: 0, minutesToday: 0, spentToday: 0 };

/** Everyone is signed in and free, nothing was used: what tests and simulations take for granted. */
export const QUIET: CallFacts = {
  userState: () => "idle",
  idleSinceMs: () => 0,
  turn: () => 0,
  chance: 0,
  usage: () => NOTHING_USED,
  trunkState: () => "unknown",
};

/** Facts of a test or a simulation: the states that it names, everyone else idle. */
export function statedFacts(states: Readonly<Record<string, UserState>>): CallFacts {
  return {
    ...QUIET,
    userState: (id) => (Object.hasOwn(states, id) ? (states[id] ?? "idle") : "idle"),
  };
}
