import type { TrunkProfile } from "./profile.ts";

export const ciscoCube: TrunkProfile = {
  name: "cisco-cube",
  title: "Cisco Unified Border Element (IOS XE)",
  peer: "sip:cube.example.com:5060",
  agents: ["cisco-sipgateway"],
  keys: {
    ping: { value: "60s", why: "`voice-class sip options-keepalive` has the same interval" },
    trust: {
      value: "true",
      why: "it is your own PBX, which knows its extensions: what it asserts is believed, and it is told who withholds the number",
    },
    identity: {
      value: "rpid",
      why: "IOS reads Remote-Party-ID by default (`remote-party-id`); with `asserted-id pai` write `pai`",
    },
  },
  notes: ["`dtmf-relay rtp-nte` on the dial-peer."],
};
