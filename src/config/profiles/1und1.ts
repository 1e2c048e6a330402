import type { TrunkProfile } from "./profile.ts";

export const einsUndEins: TrunkProfile = {
  name: "1und1",
  title: "1&1 Versatel SIP-Trunk",
  peer: "sip:sip.example.de",
  agents: [],
  keys: {
    identity: {
      value: "pai",
      why: "the number of the connection is taken from P-Asserted-Identity (SIPconnect 1.1)",
    },
    "number-format": { value: "e164", why: "it reads and writes +E.164 alone" },
    "from-domain": { value: "peer", why: "From has to name the domain of the connection" },
    trust: {
      value: "true",
      why: "it has to know who calls even when the number is withheld, and it asserts the numbers of its callers itself",
    },
    codecs: { value: ["G722", "PCMA"], why: "the codecs of the connection" },
  },
  notes: ["`register` with the account of the trunk, or a fixed address."],
};
