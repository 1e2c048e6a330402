import type { TrunkProfile } from "./profile.ts";

export const fritzbox: TrunkProfile = {
  name: "fritzbox",
  title: "AVM FRITZ!Box",
  peer: "sip:fritz.box",
  agents: ["fritz!os", "fritz!box"],
  keys: {
    "from-user": {
      value: "account",
      why: "it takes calls of the IP telephone alone, which From has to name",
    },
    "from-domain": { value: "peer", why: "From has to name the box" },
    codecs: { value: ["G722", "PCMA", "PCMU"], why: "the codecs of its telephones" },
  },
  notes: [
    "Make an IP telephone in the box, and `register` with its user name and password: the gateway is a telephone of the box, and calls ring there as in a group.",
    "The name `fritz.box` is known to the box's own DNS alone; write its address elsewhere.",
  ],
};
