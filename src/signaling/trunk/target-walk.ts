import type { Target } from "../transport/dns/target.ts";
import type { Flow } from "../transport/flow.ts";

/** A target with the flow to it. */
export interface Stop {
  readonly target: Target;
  readonly flow: Flow;
}

/** The way of one request through the targets of a peer (RFC 3263 §4.3): each is come to once. */
export class TargetWalk {
  readonly #flowTo: (target: Target) => Flow | undefined;
  /** Those that are left. */
  #ahead: readonly Target[];
  #current: Stop | undefined;

  /** @param targets best first */
  constructor(targets: readonly Target[], flowTo: (target: Target) => Flow | undefined) {
    this.#flowTo = flowTo;
    // Over UDP a flow costs nothing, so what no listener of ours can reach is known beforehand.
    this.#ahead = targets.filter(
      (target) => target.transport !== "UDP" || flowTo(target) !== undefined,
    );
    this.next();
  }

  /** Where the request is; undefined when no target could be come to. */
  get current(): Stop | undefined {
    return this.#current;
  }

  get hasNext(): boolean {
    return this.#ahead.length > 0;
  }

  /**
   * Goes on; a target without a flow is passed over like one that failed.
   *
   * @returns undefined when there is none to go to; `current` stays
   */
  next(): Stop | undefined {
    while (this.#ahead.length > 0) {
      const [target, ...rest] = this.#ahead;
      this.#ahead = rest;
      const flow = target && this.#flowTo(target);
      if (target !== undefined && flow !== undefined) {
        this.#current = { target, flow };
        return this.#current;
      }
    }
    return undefined;
  }
}
