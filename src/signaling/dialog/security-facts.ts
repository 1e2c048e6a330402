import { FactChannel } from "../../core/channels.ts";

/**
 * Something that only an attack or a grave fault of a peer brings about. It was refused, and no call
 * has changed by it.
 */
export type SecurityEvent =
  /** A request with the tags of a call, from another place than its far end. */
  | "foreign-source"
  /** A challenge in a realm that is not the trunk's: somebody wants our digest. */
  | "foreign-realm"
  /** An INVITE inside a dialog that does not exist. */
  | "unknown-dialog";

export const SECURITY_EVENTS: readonly SecurityEvent[] = [
  "foreign-source",
  "foreign-realm",
  "unknown-dialog",
];

export interface SecurityFact {
  readonly event: SecurityEvent;
  readonly method: string;
  readonly callId: string;
  /** Address that it came from. */
  readonly source?: string;
  /** The trunk whose credentials were asked for. */
  readonly trunkId?: string | undefined;
  readonly realm?: string;
}

/** Every refused attack inside calls. */
export const securityFacts = new FactChannel<SecurityFact>("offhook:signaling.security");
