import type { TrunkProfile } from "./profile.ts";

export const ciscoCucm: TrunkProfile = {
  name: "cisco-cucm",
  title: "Cisco Unified Communications Manager",
  peer: "sip:cucm.example.com:5060",
  agents: ["cisco-cucm"],
  keys: {
    ping: {
      value: "60s",
      why: "OPTIONS Ping of its SIP profile has the same interval, and a node that is down is known before a call has waited for it",
    },
    trust: {
      value: "true",
      why: "it is your own PBX, which knows its extensions: what it asserts is believed, and it is told who withholds the number",
    },
    "session-timer": {
      value: { expires: "30m", minimum: "30m" },
      why: "its Session Expires timer is 1800 s with the same minimum, and shorter proposals cost a 422 each",
    },
  },
  notes: [
    "It sends INVITE without SDP (delayed offer) unless the SIP profile says early offer; the gateway takes both.",
    "Diversion is sent with `Redirecting Diversion Header Delivery - Outbound` on the trunk, and read with the inbound one.",
    "DTMF must be RFC 2833 or `No Preference`; KPML is not spoken.",
  ],
};
