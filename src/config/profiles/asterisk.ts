import type { TrunkProfile } from "./profile.ts";

export const asterisk: TrunkProfile = {
  name: "asterisk",
  title: "Asterisk, FreePBX, Issabel, Yeastar (chan_pjsip)",
  peer: "sip:pbx.example.com:5060",
  agents: ["asterisk", "fpbx-", "issabel"],
  keys: {
    ping: {
      value: "30s",
      why: "it answers OPTIONS, so a PBX that is down is known before a call has waited for it",
    },
    trust: {
      value: "true",
      why: "it is your own PBX, which knows its extensions: what it asserts is believed, and it is told who withholds the number",
    },
  },
  notes: [
    "In pjsip.conf the endpoint needs `trust_id_inbound = yes` to believe our P-Asserted-Identity, and `send_pai = yes` to send its own.",
    "`direct_media` may stay on: the gateway takes its re-INVITE, and the sound goes on through rtpengine.",
    "`dtmf_mode = rfc4733`, which is its default, is what the gateway speaks.",
  ],
};
