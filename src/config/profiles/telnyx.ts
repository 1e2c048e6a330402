import type { TrunkProfile } from "./profile.ts";

export const telnyx: TrunkProfile = {
  name: "telnyx",
  title: "Telnyx",
  peer: "sip:sip.telnyx.com",
  agents: ["telnyx"],
  keys: {
    "number-format": { value: "e164", why: "it reads and writes +E.164 alone" },
    identity: {
      value: "pai",
      why: "it takes the number from P-Asserted-Identity, and checks it against the account's",
    },
    codecs: { value: ["G722", "PCMU", "PCMA"], why: "G.722 is had where the connection allows it" },
  },
  notes: [
    "Registration (`register`), credentials (`auth`) or the address of the gateway: as the connection is set up at Telnyx.",
  ],
};
