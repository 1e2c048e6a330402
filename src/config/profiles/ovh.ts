import type { TrunkProfile } from "./profile.ts";

export const ovh: TrunkProfile = {
  name: "ovh",
  title: "OVHcloud SIP trunk",
  peer: "sip:siptrunk.ovh.net",
  agents: [],
  keys: {
    "from-user": { value: "account", why: "From has to name the line" },
    identity: { value: "rpid", why: "the number to be shown is taken from Remote-Party-ID" },
    "from-domain": { value: "peer", why: "From has to name OVH's domain" },
    codecs: { value: ["PCMA", "PCMU"], why: "G.711 is what the trunk carries" },
  },
  notes: ["`register` with the line and its password."],
};
