import type { TrunkProfile } from "./profile.ts";

export const vodafone: TrunkProfile = {
  name: "vodafone",
  title: "Vodafone IP Anlagen-Anschluss",
  peer: "sip:siptrunk.example.de",
  agents: [],
  keys: {
    identity: {
      value: "pai",
      why: "the number of the connection is taken from P-Asserted-Identity, and checked there",
    },
    "number-format": { value: "e164", why: "it reads and writes +E.164 alone" },
    "from-domain": { value: "peer", why: "From has to name the domain of the connection" },
    "user-phone": { value: "true", why: "numbers are written as telephone URIs (SIPconnect 1.1)" },
    trust: {
      value: "true",
      why: "it has to know who calls even when the number is withheld, and it asserts the numbers of its callers itself",
    },
    codecs: { value: ["G722", "PCMA"], why: "the codecs of the connection" },
  },
  notes: [
    "`register` with the main number as Vodafone has told it, or a fixed address: as the connection is ordered.",
  ],
};
