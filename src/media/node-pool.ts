import type { RtpengineNode, RtpengineNodeHandler } from "./rtpengine-node.ts";

/** What a pool keeps of a media session: where it is, and how to tell it that it must move. */
export interface PooledSession {
  /** The node that has its call; undefined before the first offer. */
  readonly node: RtpengineNode | undefined;
  /** Its rtpengine has lost it, or is not heard any more, and another one can take it. */
  onNodeLost(detail: string): void;
}

/**
 * The rtpengines and the sessions on them: which node a new call gets, and whom to tell when a node
 * goes. A session is told only once some node can take it, so that a call whose only rtpengine
 * starts again is moved as soon as that is there.
 */
export class NodePool implements RtpengineNodeHandler {
  readonly #nodes: () => readonly RtpengineNode[];
  readonly #sessions = new Set<PooledSession>();
  /** Sessions that wait for a node, with why theirs is lost. */
  readonly #stranded = new Map<PooledSession, string>();
  /** Smooth weighted round robin: what each node is owed. */
  readonly #credits = new WeakMap<RtpengineNode, number>();

  constructor(nodes: () => readonly RtpengineNode[]) {
    this.#nodes = nodes;
  }

  add(session: PooledSession): void {
    this.#sessions.add(session);
  }

  remove(session: PooledSession): void {
    this.#sessions.delete(session);
    this.#stranded.delete(session);
  }

  sessionsOn(node: RtpengineNode): number {
    let count = 0;
    for (const session of this.#sessions) if (session.node === node) count += 1;
    return count;
  }

  /**
   * Nodes for a new call, best first: the first in turn by weight, the others in case it does not
   * answer. Drained nodes and those of weight 0 come last: better than no call at all.
   */
  candidates(): readonly RtpengineNode[] {
    const healthy = this.#nodes().filter((node) => node.isUp);
    const ready = healthy.filter((node) => !node.isDraining && node.weight > 0);
    if (ready.length === 0) return healthy;
    const first = ready.length === 1 ? ready[0] : this.#inTurn(ready);
    return [
      ...ready.filter((node) => node === first),
      ...ready.filter((node) => node !== first),
      ...healthy.filter((node) => !ready.includes(node)),
    ];
  }

  onChange(node: RtpengineNode, isUp: boolean): void {
    if (isUp) {
      // It was only out of reach: calls that nobody has moved meanwhile are still there.
      for (const session of this.#stranded.keys()) {
        if (session.node === node) this.#stranded.delete(session);
      }
      this.#tellStranded();
      return;
    }
    if (this.#nodes().some((other) => other !== node && other.isUp)) {
      node.abandon("it does not answer");
    }
    this.#lose(node, "its rtpengine does not answer");
  }

  onRestarted(node: RtpengineNode): void {
    this.#lose(node, "its rtpengine was started anew");
  }

  /** Has the calls of a node moved, when another one takes calls. */
  moveAway(node: RtpengineNode): void {
    const isElsewhere = this.#nodes().some(
      (other) => other !== node && other.isUp && !other.isDraining,
    );
    if (isElsewhere) this.#lose(node, "its rtpengine is drained");
  }

  #lose(node: RtpengineNode, detail: string): void {
    for (const session of this.#sessions) {
      if (session.node === node) this.#stranded.set(session, detail);
    }
    this.#tellStranded();
  }

  #tellStranded(): void {
    if (this.#stranded.size === 0 || this.candidates().length === 0) return;
    const stranded = [...this.#stranded];
    this.#stranded.clear();
    for (const [session, detail] of stranded) session.onNodeLost(detail);
  }

  #inTurn(nodes: readonly RtpengineNode[]): RtpengineNode | undefined {
    let best: RtpengineNode | undefined;
    let total = 0;
    for (const node of nodes) {
      total += node.weight;
      const credit = (this.#credits.get(node) ?? 0) + node.weight;
      this.#credits.set(node, credit);
      if (best === undefined || credit > (this.#credits.get(best) ?? 0)) best = node;
    }
    if (best !== undefined) this.#credits.set(best, (this.#credits.get(best) ?? 0) - total);
    return best;
  }
}
