import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { targetKey } from "../transport/dns/target.ts";
import type { Target } from "../transport/dns/target.ts";
import { targetStateFacts } from "./channels.ts";
import type { TargetFault, TrunkState } from "./channels.ts";

/** How long a target that failed is tried last, in milliseconds. */
export interface TargetHealthLimits {
  /** After the first failure; doubled by each further one. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** The longest Retry-After that is believed. */
  readonly maxRetryAfterMs: number;
  /** While one request finds out whether the target is back, others still try it last. */
  readonly probeMs: number;
}

export const DEFAULT_HEALTH_LIMITS: TargetHealthLimits = {
  firstMs: 30_000,
  maxMs: 300_000,
  maxRetryAfterMs: 3_600_000,
  probeMs: 10_000,
};

interface Health {
  state: TrunkState;
  /** Unix milliseconds of the last change of `state`. */
  sinceMs: number;
  fault: TargetFault | undefined;
  /** Failures since the last answer. */
  failures: number;
  /** Tried last until then, on the monotonic clock. */
  avoidUntilMs: number;
}

const MAX_TARGETS = 256;

/**
 * What one trunk remembers of its targets: which answered last, and which failed and are tried last
 * for a while. A target is never out of the question; it only waits behind those that are well.
 */
export class TargetHealth {
  readonly #trunkId: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: TargetHealthLimits;
  readonly #known = new Map<string, Health>();

  constructor(options: {
    readonly trunkId: string;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly limits?: Partial<TargetHealthLimits>;
  }) {
    const { trunkId, clock, logger, limits } = options;
    this.#trunkId = trunkId;
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = { ...DEFAULT_HEALTH_LIMITS, ...limits };
  }

  /** The same targets, those to avoid at the end: first the one whose time is over first. */
  sorted(targets: readonly Target[]): readonly Target[] {
    const now = this.#clock.monotonicMs();
    const untilOf = (target: Target): number => {
      const untilMs = this.#known.get(targetKey(target))?.avoidUntilMs ?? 0;
      return untilMs > now ? untilMs : 0;
    };
    return targets.toSorted((left, right) => untilOf(left) - untilOf(right));
  }

  stateOf(target: Target): {
    readonly state: TrunkState;
    readonly sinceMs: number | undefined;
    /** Why it is down. */
    readonly reason: TargetFault | undefined;
    /** Tried last for a while. */
    readonly isAvoided: boolean;
  } {
    const health = this.#known.get(targetKey(target));
    const { state = "unknown", sinceMs, fault, avoidUntilMs = 0 } = health ?? {};
    const isAvoided = avoidUntilMs > this.#clock.monotonicMs();
    return { state, sinceMs, reason: state === "down" ? fault : undefined, isAvoided };
  }

  /** A request goes there now. After a failure the first one is the probe for all others. */
  trying(target: Target): void {
    const health = this.#known.get(targetKey(target));
    if (health === undefined || health.failures === 0) return;
    const now = this.#clock.monotonicMs();
    if (health.avoidUntilMs <= now) health.avoidUntilMs = now + this.#limits.probeMs;
  }

  /** It took a call, or refused it as one that is well does. */
  answered(target: Target): void {
    const health = this.#of(target);
    health.failures = 0;
    health.avoidUntilMs = 0;
    this.#enter(target, health, "up", undefined);
  }

  /** It answered OPTIONS: there, but still as busy as it said. */
  pinged(target: Target): void {
    const health = this.#known.get(targetKey(target));
    const isBusy = health?.fault === "busy" && health.avoidUntilMs > this.#clock.monotonicMs();
    if (!isBusy) this.answered(target);
  }

  /** @param retryAfterMs of a 503 (RFC 3261 §21.5.4) */
  failed(target: Target, fault: TargetFault, retryAfterMs?: number): void {
    const health = this.#of(target);
    const now = this.#clock.monotonicMs();
    const { firstMs, maxMs, maxRetryAfterMs } = this.#limits;
    const isNew =
      health.state !== "down" || health.avoidUntilMs <= now || this.#isProbed(health, now);
    if (retryAfterMs !== undefined) {
      health.failures = Math.max(health.failures, 1);
      health.avoidUntilMs = now + Math.min(retryAfterMs, maxRetryAfterMs);
    } else if (isNew) {
      // Many calls that meet the same dead target count once.
      health.failures = Math.min(health.failures + 1, 20);
      health.avoidUntilMs = now + Math.min(firstMs * 2 ** (health.failures - 1), maxMs);
    }
    this.#enter(target, health, "down", fault);
  }

  /** Forgets all others. */
  keepOnly(targets: readonly Target[]): void {
    const keys = new Set(targets.map((target) => targetKey(target)));
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
  }

  #isProbed(health: Health, now: number): boolean {
    return health.avoidUntilMs - now <= this.#limits.probeMs;
  }

  #of(target: Target): Health {
    const key = targetKey(target);
    const found = this.#known.get(key);
    if (found !== undefined) return found;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= MAX_TARGETS) this.#known.delete(oldest);
    const fresh: Health = {
      state: "unknown",
      sinceMs: this.#clock.wallMs(),
      fault: undefined,
      failures: 0,
      avoidUntilMs: 0,
    };
    this.#known.set(key, fresh);
    return fresh;
  }

  #enter(
    target: Target,
    health: Health,
    state: "up" | "down",
    fault: TargetFault | undefined,
  ): void {
    health.fault = fault;
    if (health.state === state) return;
    health.state = state;
    health.sinceMs = this.#clock.wallMs();
    const fact = { trunkId: this.#trunkId, target: targetKey(target), state, fault };
    if (state === "down") this.#logger.warn("a trunk's server is called last for a while", fact);
    else this.#logger.info("a trunk's server answers", fact);
    targetStateFacts.publish(fact);
  }
}
