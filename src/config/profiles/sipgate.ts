import type { TrunkProfile } from "./profile.ts";

export const sipgate: TrunkProfile = {
  name: "sipgate",
  title: "sipgate trunking",
  peer: "sip:sipconnect.sipgate.de",
  agents: ["sipgate"],
  keys: {
    identity: { value: "ppi", why: "the number to be shown is taken from P-Preferred-Identity" },
    "number-format": {
      value: "e164-without-plus",
      why: "a plus sign, 00 or 0 in front makes it show the fallback number instead",
    },
    "from-user": { value: "account", why: "From has to name the SIP id of the trunk" },
    "from-domain": {
      value: "peer",
      why: "From and P-Preferred-Identity have to name sipconnect.sipgate.de",
    },
    trust: {
      value: "true",
      why: "it has to know who calls even when the number is withheld, and it asserts the numbers of its callers itself",
    },
    codecs: {
      value: ["G722", "PCMA", "PCMU"],
      why: "the codecs of the trunk, in their order of quality",
    },
  },
  notes: [
    "`register` with the SIP id and its password is needed; calls come on the registered Contact.",
  ],
};
