import type { SdpConnection } from "./sdp.ts";
import type { LegDescription } from "./sdp-filter.ts";

/** Where a leg takes media. */
export interface MediaAddress {
  readonly connection: SdpConnection;
  readonly port: number;
}

/**
 * RFC 2543 §B.5: an old telephone holds with the address 0.0.0.0. rtpengine would hand it on; where
 * the leg was before it will be again, and the direction says that it is held.
 */
export function whereItWas(
  description: LegDescription,
  before: MediaAddress | undefined,
): LegDescription {
  const { host } = description.audio.connection;
  if (before === undefined || (host !== "0.0.0.0" && host !== "::")) return description;
  const { connection, port } = before;
  return { ...description, audio: { ...description.audio, connection, port } };
}
