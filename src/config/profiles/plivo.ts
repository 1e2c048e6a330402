import type { TrunkProfile } from "./profile.ts";

export const plivo: TrunkProfile = {
  name: "plivo",
  title: "Plivo Zentrunk",
  peer: "sip:example.zt.plivo.com",
  agents: ["plivo"],
  keys: {
    "number-format": { value: "e164", why: "it reads and writes +E.164 alone" },
    codecs: { value: ["PCMU", "PCMA"], why: "G.711 is what it passes on" },
  },
  notes: ["Outbound calls are let in by an IP access control list or by credentials (`auth`)."],
};
