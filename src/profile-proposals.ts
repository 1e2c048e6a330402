import type { TrunkConfig } from "./config/config.ts";
import { profileOfAgent } from "./config/profiles/all.ts";
import type { Logger } from "./core/logger.ts";
import { trunkAgentFacts } from "./signaling/trunk/channels.ts";

/**
 * Which profiles the peers of trunks without one look like, by what they call themselves first. It
 * proposes and never applies: whoever answers in the peer's place must not change how it is treated.
 * Listens from construction until `close`.
 */
export class ProfileProposals {
  readonly #trunks: ReadonlyMap<string, TrunkConfig>;
  readonly #logger: Logger;
  readonly #proposed = new Map<string, string>();
  readonly #unsubscribe: () => void;

  constructor(trunks: ReadonlyMap<string, TrunkConfig>, logger: Logger) {
    this.#trunks = trunks;
    this.#logger = logger;
    this.#unsubscribe = trunkAgentFacts.subscribe(({ trunkId, agent }) =>
      this.#note(trunkId, agent),
    );
  }

  /** How the API shows a trunk's profile. */
  viewOf(trunkId: string): { readonly profile?: string; readonly proposedProfile?: string } {
    const profile = this.#trunks.get(trunkId)?.profile?.name;
    const proposedProfile = this.#proposed.get(trunkId);
    return {
      ...(profile !== undefined && { profile }),
      ...(proposedProfile !== undefined && { proposedProfile }),
    };
  }

  close(): void {
    this.#unsubscribe();
  }

  #note(trunkId: string, agent: string): void {
    const trunk = this.#trunks.get(trunkId);
    const profile = profileOfAgent(agent);
    if (trunk === undefined || trunk.profile !== undefined || profile === undefined) return;
    this.#proposed.set(trunkId, profile.name);
    this.#logger.info("a trunk's peer looks like one that there is a profile for", {
      trunk: trunkId,
      agent,
      proposedProfile: profile.name,
      how: `profile: ${profile.name}`,
    });
  }
}
