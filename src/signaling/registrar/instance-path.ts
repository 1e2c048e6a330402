import type { Peer, PeerWatcher } from "../dialog/peer.ts";
import type { Party } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { Flow } from "../transport/flow.ts";

/** What a path needs to know of a connection. */
export interface FlowPrincipals {
  /** Whether the user has authenticated on this connection. */
  isPrincipal(flow: Flow, userId: string): boolean;
}

/**
 * The way to one browser: a user and an instance, whichever connection they have now. Dialogs hold
 * this and never a flow, so that a call outlives its WebSocket.
 */
export class InstancePath implements Peer {
  readonly party: Party & { readonly kind: "user" };
  /**
   * A browser is one hop away on its own connection, unless it has registered with a Path
   * (RFC 3327). Routes never lead to another connection.
   */
  followsRoutes = false;
  /** Connections on which the instance is registered, oldest first. */
  readonly registeredOn = new Set<Flow>();
  readonly #paths: InstancePaths;
  readonly #watchers = new Set<PeerWatcher>();
  #flow: Flow | undefined;

  constructor(paths: InstancePaths, userId: string, instanceId: string) {
    this.#paths = paths;
    this.party = { kind: "user", userId, instanceId };
  }

  get flow(): Flow | undefined {
    return this.#flow;
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  flowTo(_nextHop: string): Flow | undefined {
    return this.#flow?.isOpen === true ? this.#flow : undefined;
  }

  admits(flow: Flow): boolean {
    return flow === this.#flow || this.#paths.mayCarry(flow, this.party);
  }

  heardOn(flow: Flow): void {
    // What was on its way on an old connection does not lead back to it.
    const isSettled = this.#flow?.isOpen === true && this.registeredOn.has(this.#flow);
    if (!isSettled || this.registeredOn.has(flow)) this.moveTo(flow);
  }

  /** A browser that challenges us gets no credentials: we have none for it. */
  authorize(): HeaderField | undefined {
    return undefined;
  }

  watch(watcher: PeerWatcher): () => void {
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#paths.release(this);
    };
  }

  /** The instance has this connection now; undefined: none. */
  moveTo(flow: Flow | undefined): void {
    const before = this.#flow;
    if (before === flow) return;
    this.#flow = flow;
    this.#paths.onMoved(this, before);
    // Those that begin to watch meanwhile have seen the new flow already.
    const watchers = [...this.#watchers];
    for (const watcher of before === undefined ? [] : watchers) {
      if (this.#watchers.has(watcher)) watcher.onFlowLost();
    }
    for (const watcher of flow === undefined ? [] : watchers) {
      if (this.#watchers.has(watcher)) watcher.onFlowRestored();
    }
  }
}

/** All ways to browsers: by instance, and by the connection that they use now. */
export class InstancePaths {
  readonly #principals: FlowPrincipals;
  readonly #byInstance = new Map<string, InstancePath>();
  readonly #byFlow = new Map<Flow, Set<InstancePath>>();
  /** Instances that have registered on a connection. */
  readonly #registered = new Map<Flow, Set<InstancePath>>();

  constructor(principals: FlowPrincipals) {
    this.#principals = principals;
  }

  /** Paths that are kept: those of registered instances and of dialogs. */
  get size(): number {
    return this.#byInstance.size;
  }

  /** The way to an instance; it begins without a connection. */
  of(userId: string, instanceId: string): InstancePath {
    const key = keyOf(userId, instanceId);
    const known = this.#byInstance.get(key);
    if (known !== undefined) return known;
    const path = new InstancePath(this, userId, instanceId);
    this.#byInstance.set(key, path);
    return path;
  }

  /**
   * The way to the sender of a request that opens a dialog, on a connection where the user has
   * authenticated.
   *
   * @param claimed the instance that the request names, if it does
   */
  ofSender(flow: Flow, userId: string, claimed: string | undefined): InstancePath {
    const here = [...(this.#registered.get(flow) ?? [])].filter(
      (path) => path.party.userId === userId,
    );
    const registered = here.find((path) => path.party.instanceId === claimed) ?? here[0];
    // Whoever has not registered is known by its connection alone: an instance that is only
    // claimed could be that of another browser.
    const path = registered ?? this.of(userId, flow.id);
    path.moveTo(flow);
    return path;
  }

  /** An instance has registered on this connection. */
  bind(userId: string, instanceId: string, flow: Flow, hasPath = false): void {
    const path = this.of(userId, instanceId);
    path.followsRoutes = hasPath;
    const here = this.#registered.get(flow);
    if (here === undefined) this.#registered.set(flow, new Set([path]));
    else here.add(path);
    path.registeredOn.delete(flow);
    path.registeredOn.add(flow);
    path.moveTo(flow);
  }

  /** The instance's registration on this connection has ended; the connection may go on. */
  unbind(userId: string, instanceId: string, flow: Flow): void {
    const path = this.#byInstance.get(keyOf(userId, instanceId));
    const here = this.#registered.get(flow);
    if (path === undefined || here === undefined) return;
    here.delete(path);
    path.registeredOn.delete(flow);
    if (here.size === 0) this.#registered.delete(flow);
    this.release(path);
  }

  /** A connection has gone: its instances move to another one of theirs, or have none. */
  onFlowClosed(flow: Flow): void {
    for (const path of this.#registered.get(flow) ?? []) path.registeredOn.delete(flow);
    this.#registered.delete(flow);
    for (const path of this.#byFlow.get(flow) ?? []) {
      path.moveTo([...path.registeredOn].at(-1));
      this.release(path);
    }
  }

  /** Whether a connection can be believed to belong to an instance: the same user, no other one. */
  mayCarry(flow: Flow, party: { readonly userId: string; readonly instanceId: string }): boolean {
    if (!this.#principals.isPrincipal(flow, party.userId)) return false;
    const here = [...(this.#registered.get(flow) ?? [])].filter(
      (path) => path.party.userId === party.userId,
    );
    return here.length === 0 || here.some((path) => path.party.instanceId === party.instanceId);
  }

  /** Forgets a path that no dialog and no registration needs. */
  release(path: InstancePath): void {
    if (path.isWatched || path.registeredOn.size > 0) return;
    const { userId, instanceId } = path.party;
    const key = keyOf(userId, instanceId);
    if (this.#byInstance.get(key) === path) this.#byInstance.delete(key);
    if (path.flow !== undefined) this.onMoved(path, path.flow, undefined);
  }

  /** Keeps the index by connection; called by the path. */
  onMoved(path: InstancePath, before: Flow | undefined, after = path.flow): void {
    if (before !== undefined) {
      const paths = this.#byFlow.get(before);
      paths?.delete(path);
      if (paths?.size === 0) this.#byFlow.delete(before);
    }
    if (after === undefined) return;
    const paths = this.#byFlow.get(after);
    if (paths === undefined) this.#byFlow.set(after, new Set([path]));
    else paths.add(path);
  }
}

// No URN and no flow id holds a line feed, so it can separate.
function keyOf(userId: string, instanceId: string): string {
  return `${userId}\n${instanceId}`;
}
