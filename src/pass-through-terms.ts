import { createHmac } from "node:crypto";
import type { TrunkConfig } from "./config/config.ts";
import type { PassThroughTerms } from "./signaling/pass-through.ts";

/** How REGISTER passes through to the trunk that owns users; undefined without one. */
export function passThroughTerms(
  trunks: Iterable<TrunkConfig>,
  options: {
    /** The gateway's kept key, for the contacts at the PBX. */
    readonly key: Buffer;
    isOwnUser(userId: string): boolean;
  },
): PassThroughTerms | undefined {
  for (const { id, passThrough } of trunks) {
    if (passThrough === undefined) continue;
    return {
      ...passThrough,
      trunkId: id,
      // A key of its own: what a PBX sees must say nothing of the key of the sessions.
      key: createHmac("sha256", options.key).update("contacts at a registrar").digest(),
      isOwnUser: (userId) => options.isOwnUser(userId),
    };
  }
  return undefined;
}
