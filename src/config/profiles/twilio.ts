import type { TrunkProfile } from "./profile.ts";

export const twilio: TrunkProfile = {
  name: "twilio",
  title: "Twilio Elastic SIP Trunking",
  peer: "sip:example.pstn.twilio.com",
  agents: ["twilio"],
  keys: {
    "number-format": { value: "e164", why: "it reads and writes +E.164 alone" },
    identity: {
      value: "pai",
      why: "the caller's number is taken from P-Asserted-Identity or Remote-Party-ID before From",
    },
    codecs: { value: ["PCMU", "PCMA"], why: "G.711 is what a trunk has by default" },
  },
  notes: [
    "Calls to Twilio are let in by an IP access control list or by credentials (`auth`); calls from it come from its published ranges: write them into `accept`.",
    "Secure Trunking wants `transport=tls` and `srtp: sdes`.",
    "`X-` headers and User-to-User cross on its side; name them in `headers`.",
  ],
};
