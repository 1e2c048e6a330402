import type { TrunkProfile } from "./profile.ts";

export const threeCx: TrunkProfile = {
  name: "3cx",
  title: "3CX",
  peer: "sip:pbx.example.com:5060",
  agents: ["3cxphonesystem"],
  keys: {
    ping: {
      value: "30s",
      why: "it answers OPTIONS, so a PBX that is down is known before a call has waited for it",
    },
    trust: {
      value: "true",
      why: "it is your own PBX, which knows its extensions: what it asserts is believed, and it is told who withholds the number",
    },
    codecs: {
      value: ["G722", "PCMA", "PCMU"],
      why: "the codecs that it passes through without transcoding to G.729 or GSM",
    },
  },
  notes: [
    "Make a generic SIP trunk: IP based, or with registration and `auth`. Its inbound parameters must take the caller from P-Asserted-Identity or From, its outbound ones must put the number there.",
  ],
};
