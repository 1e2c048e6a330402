import type { TrunkProfile } from "./profile.ts";

export const kamailio: TrunkProfile = {
  name: "kamailio",
  title: "Kamailio",
  peer: "sip:proxy.example.com",
  agents: ["kamailio"],
  keys: {
    ping: {
      value: "30s",
      why: "it answers OPTIONS, so a server that is down is known before a call has waited for it",
    },
  },
  notes: [
    "It is a proxy: what stands behind it decides about identities and numbers. Calls may fork; the gateway shows the caller one dialog.",
  ],
};
