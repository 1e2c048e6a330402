import type { TrunkProfile } from "./profile.ts";

export const teams: TrunkProfile = {
  name: "teams",
  title: "Microsoft Teams Direct Routing",
  peer: "sip:sip.pstnhub.microsoft.com:5061;transport=tls",
  agents: ["microsoft.pstnhub"],
  keys: {
    srtp: { value: "sdes", why: "it takes no media without SRTP, keyed by SDES over TLS" },
    ping: { value: "60s", why: "it counts a border controller as inactive that sends no OPTIONS" },
    "number-format": { value: "e164", why: "it reads and writes +E.164 alone" },
    "user-phone": {
      value: "true",
      why: "it writes `user=phone` beside every number, and expects it",
    },
    trust: {
      value: "true",
      why: "it sends P-Asserted-Identity with Privacy for callers that withhold the number",
    },
    diversion: {
      value: "history-info",
      why: "it tells and reads forwards by History-Info, and knows no Diversion",
    },
    codecs: {
      value: ["G722", "PCMA", "PCMU"],
      why: "both sides have them, so nothing is transcoded; SILK is not spoken",
    },
  },
  notes: [
    "The three proxies `sip`, `sip2` and `sip3.pstnhub.microsoft.com` are three trunks, in this order in a route.",
    "The certificate of `sip.tls` must name the border controller as it is registered in the tenant, and come from an authority that Microsoft takes. Theirs has another name than the host: see `tls.name`.",
    "Microsoft finds the tenant by the host name in Contact: write your name with `contact-host`, and with `from-domain`.",
    "Replaces is refused by Teams; transfers go by REFER or by a new call.",
  ],
};
