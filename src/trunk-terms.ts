import { isIPv6 } from "node:net";
import type { TrunkTerms } from "./call/context.ts";
import type { TrunkConfig } from "./config/config.ts";
import type { EmbeddedEngine } from "./signaling/embedded-engine.ts";

/** What calls with a trunk keep to, as its configuration and its servers' addresses say it. */
export function trunkTerms(
  trunk: TrunkConfig,
  engine: Pick<EmbeddedEngine, "trunkTargets">,
  /** `media.video` */
  hasVideo: boolean,
): TrunkTerms {
  const { identity, headers, transfer } = trunk;
  const { codecs, codecPolicy, dtmf, dtmfFallback, srtp, nat, video, addressFamily } = trunk;
  const hosts = (): readonly string[] =>
    engine.trunkTargets(trunk.id).map(({ address }) => hostOf(address));
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
    // Asked for once a leg; the rest, several times a call.
    get media() {
      return {
        dtmf,
        dtmfFallback,
        srtp,
        video: video && hasVideo,
        addressFamily: familyOf(addressFamily, hosts),
        isDirect: isDirectBy(nat, hosts),
      };
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
  hosts: () => readonly string[],
): "IP4" | "IP6" | undefined {
  if (wanted !== undefined) return wanted === "ipv6" ? "IP6" : "IP4";
  // A peer is reached, and reaches us, where its SIP is: without a word rtpengine would give it the
  // family of the other side.
  const all = hosts();
  if (all.length === 0) return undefined;
  if (all.every((host) => isIPv6(host))) return "IP6";
  return all.some((host) => isIPv6(host)) ? undefined : "IP4";
}

/** `192.0.2.1:5060` or `[2001:db8::1]:5060`. */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}
