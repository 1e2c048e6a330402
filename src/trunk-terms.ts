import { isIPv6 } from "node:net";
import type { TrunkTerms } from "./call/context.ts";
import type { TrunkConfig } from "./config/config.ts";
import type { EmbeddedEngine } from "./signaling/embedded-engine.ts";

/**
 * What calls with a trunk keep to, as its configuration and its servers' addresses say it. Made once
 * for a trunk: each call asks for it several times.
 */
export function trunkTerms(
  trunk: TrunkConfig,
  engine: Pick<EmbeddedEngine, "trunkTargets" | "trunkHosts">,
  /** `media.video` */
  hasVideo: boolean,
): TrunkTerms {
  const { identity, headers, transfer } = trunk;
  const { codecs, codecPolicy, dtmf, dtmfFallback, srtp, nat, video, addressFamily } = trunk;
  const isDirect = isDirectBy(nat, () => engine.trunkHosts(trunk.id));
  const mediaAt = (hosts: readonly string[]): NonNullable<TrunkTerms["media"]> => ({
    dtmf,
    dtmfFallback,
    srtp,
    video: video && hasVideo,
    addressFamily: familyOf(addressFamily, hosts),
    isDirect,
  });
  let hosts = engine.trunkHosts(trunk.id);
  let media = mediaAt(hosts);
  return {
    codecs,
    codecPolicy,
    identity,
    headers,
    transfer,
    isAvoided: () => {
      const targets = engine.trunkTargets(trunk.id);
      return targets.length > 0 && targets.every((target) => target.isAvoided);
    },
    get media() {
      const now = engine.trunkHosts(trunk.id);
      if (now !== hosts) {
        hosts = now;
        media = mediaAt(hosts);
      }
      return media;
    },
  };
}

/**
 * Whether packets come from the address that the peer's SDP names: so it is when its signaling comes
 * from there too, for no NAT has changed that.
 */
function isDirectBy(
  nat: TrunkConfig["nat"],
  hosts: () => readonly string[],
): ((host: string) => boolean) | undefined {
  switch (nat) {
    case "yes":
      return undefined;
    case "no":
      return () => true;
    case "auto":
      return (host) => hosts().includes(host);
  }
}

function familyOf(
  wanted: TrunkConfig["addressFamily"],
  hosts: readonly string[],
): "IP4" | "IP6" | undefined {
  if (wanted !== undefined) return wanted === "ipv6" ? "IP6" : "IP4";
  // A peer is reached, and reaches us, where its SIP is: without a word rtpengine would give it the
  // family of the other side.
  if (hosts.length === 0) return undefined;
  if (hosts.every((host) => isIPv6(host))) return "IP6";
  return hosts.some((host) => isIPv6(host)) ? undefined : "IP4";
}
