import { FactChannel } from "../../core/channels.ts";
import type { Binding } from "../engine.ts";

/** A contact that can be reached now. */
export interface BoundFact {
  readonly binding: Binding;
  /** `refreshed`: the same contact on the same connection registered again. */
  readonly kind: "new" | "refreshed";
}

/** Why a binding went. */
export type UnboundReason =
  | "expired"
  | "unregistered"
  | "flow-closed"
  /** The same instance has registered on another connection or with another Contact. */
  | "replaced";

export interface UnboundFact {
  readonly binding: Binding;
  readonly reason: UnboundReason;
}

/** Every registration and refresh. */
export const boundFacts = new FactChannel<BoundFact>("offhook:registrar.bound");
/** Every binding that ended. */
export const unboundFacts = new FactChannel<UnboundFact>("offhook:registrar.unbound");
