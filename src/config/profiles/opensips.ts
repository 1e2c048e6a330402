import type { TrunkProfile } from "./profile.ts";

export const opensips: TrunkProfile = {
  name: "opensips",
  title: "OpenSIPS",
  peer: "sip:proxy.example.com",
  agents: ["opensips"],
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
