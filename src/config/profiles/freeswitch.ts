import type { TrunkProfile } from "./profile.ts";

export const freeswitch: TrunkProfile = {
  name: "freeswitch",
  title: "FreeSWITCH, FusionPBX",
  peer: "sip:pbx.example.com:5080",
  agents: ["freeswitch"],
  keys: {
    ping: {
      value: "30s",
      why: "it answers OPTIONS, so a PBX that is down is known before a call has waited for it",
    },
    trust: {
      value: "true",
      why: "it is your own PBX, which knows its extensions: what it asserts is believed, and it is told who withholds the number",
    },
    "100rel": {
      value: "off",
      why: "mod_sofia leaves it off by default, and its PRACK has a history of calls that hang in early media",
    },
  },
  notes: [
    "The port of the profile counts: `internal` is 5060 and challenges calls, `external` is 5080 and takes them by ACL.",
    "It sends Remote-Party-ID by default, which is read as well; `caller-id-type` of a gateway changes that.",
  ],
};
