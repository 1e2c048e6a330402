import { FactChannel } from "../../core/channels.ts";

/** Whether a trunk answers our OPTIONS; `unknown` without ping and before the first outcome. */
export type TrunkState = "up" | "down" | "unknown";

export interface TrunkStateFact {
  readonly trunkId: string;
  readonly state: TrunkState;
  readonly previous: TrunkState;
}

/** Every change of a trunk's state. */
export const trunkStateFacts = new FactChannel<TrunkStateFact>("offhook:trunk.state");
