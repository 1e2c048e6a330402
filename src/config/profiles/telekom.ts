import type { TrunkProfile } from "./profile.ts";

export const telekom: TrunkProfile = {
  name: "telekom",
  title: "Deutsche Telekom SIP-Trunk (CompanyFlex, DeutschlandLAN)",
  peer: "sip:sip-trunk.telekom.de;transport=tcp",
  agents: [],
  keys: {
    identity: {
      value: "ppi",
      why: "1TR118 and 1TR119 take the number of the connection from P-Preferred-Identity, and what the caller would like to show from From",
    },
    "number-format": { value: "e164", why: "it reads and writes +E.164 alone" },
    "from-domain": {
      value: "peer",
      why: "the host of From and P-Preferred-Identity is that of the connection",
    },
    "user-phone": { value: "true", why: "the interface writes numbers with it" },
    trust: {
      value: "true",
      why: "it has to know who calls even when the number is withheld, and it asserts the numbers of its callers itself",
    },
    codecs: { value: ["G722", "PCMA"], why: "G.722 and G.711 A-law are the codecs of the network" },
  },
  notes: [
    "TCP or TLS with a name that leads to servers by NAPTR and SRV; UDP is not offered. With TLS write `srtp: sdes`.",
    "`register` with the trunk's registration number.",
    "CompanyFlex with an outbound proxy: `peer` must name the registrar's domain and its servers be found by DNS; a proxy of another name than the domain cannot be configured.",
  ],
};
