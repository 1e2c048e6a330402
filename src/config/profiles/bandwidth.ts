import type { TrunkProfile } from "./profile.ts";

export const bandwidth: TrunkProfile = {
  name: "bandwidth",
  title: "Bandwidth",
  peer: "sip:sbc.example.com:5060",
  agents: [],
  keys: {
    "number-format": { value: "e164", why: "it reads and writes +E.164 alone" },
    identity: {
      value: "pai",
      why: "it takes the caller from P-Asserted-Identity, with Privacy for withheld numbers",
    },
    trust: {
      value: "true",
      why: "it has to know who calls even when the number is withheld, and it asserts the numbers of its callers itself",
    },
    ping: {
      value: "60s",
      why: "it answers OPTIONS, so a server that is down is known before a call has waited for it",
    },
    codecs: { value: ["PCMU", "PCMA"], why: "G.711 is what the network carries" },
  },
  notes: [
    "There is no registration: your address is known to Bandwidth, theirs belong into `accept`.",
  ],
};
