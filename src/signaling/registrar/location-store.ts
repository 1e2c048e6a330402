import type { Binding } from "../engine.ts";

/** A binding as it is kept: with what decides whether a later REGISTER may change it. */
export interface StoredBinding extends Binding {
  /** Call-ID and CSeq of the REGISTER that made it (RFC 3261 §10.3 step 7). */
  readonly callId: string;
  readonly cseqNumber: number;
  /** `instanceId` was given as `+sip.instance`; otherwise it is an id of the connection. */
  readonly hasInstance: boolean;
}

/**
 * The port where bindings live; src/storage has the adapters. Synchronous: what is asked for in the
 * path of a call must be in memory.
 */
export interface LocationStore {
  /** The bindings of a user, newest first. */
  bindings(userId: string): readonly StoredBinding[];
  all(): Iterable<StoredBinding>;
  /** Adds a binding, or replaces the one of the same user and id. */
  put(binding: StoredBinding): void;
  remove(userId: string, id: string): void;
}
