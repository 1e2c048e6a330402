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

/** What a trunk's peer calls itself. */
export interface TrunkAgentFact {
  readonly trunkId: string;
  /** Its Server or User-Agent, cut to 200 characters. */
  readonly agent: string;
}

/** The first Server or User-Agent that each trunk shows. */
export const trunkAgentFacts = new FactChannel<TrunkAgentFact>("offhook:trunk.agent");

/** Why a target counts as down: no answer, no way to send, or its 503. */
export type TargetFault = "timeout" | "transport" | "busy";

/** A server of a trunk's peer has gone down or come up. */
export interface TargetStateFact {
  readonly trunkId: string;
  /** `UDP 192.0.2.1:5060` */
  readonly target: string;
  readonly state: "up" | "down";
  readonly fault: TargetFault | undefined;
}

/** Every change of the state of a trunk's target. */
export const targetStateFacts = new FactChannel<TargetStateFact>("offhook:trunk.target");

/** How a trunk's registration at its peer stands; `off`: none is wanted, or none any more. */
export type RegistrationState =
  | "off"
  | "registering"
  | "registered"
  /** The peer said no: asked again after 15 to 30 minutes. */
  | "refused"
  /** It did not work out: tried again soon, then more and more rarely. */
  | "waiting"
  | "unregistering";

export interface RegistrationFact {
  readonly trunkId: string;
  readonly state: RegistrationState;
  readonly previous: RegistrationState;
  /** Of `refused` and `waiting`. */
  readonly reason: string | undefined;
  /** The response's status that says why; undefined without one. */
  readonly status: number | undefined;
}

/** Every change of the state of a trunk's registration. */
export const registrationFacts = new FactChannel<RegistrationFact>("offhook:trunk.registration");
