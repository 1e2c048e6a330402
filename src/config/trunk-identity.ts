import { z } from "zod";

import { flag, oneOrMore, scalar, word } from "../dialplan/scalar.ts";
import { compact } from "../dialplan/schema-tools.ts";
import type { HeaderRulesConfig, TrunkIdentityConfig } from "./config.ts";
import { isHeaderPattern } from "./header-pattern.ts";
import { tryParseHost, tryParsePeerUri } from "./values.ts";

/** Keys of a trunk that say who is shown to the peer, who is believed, and which headers cross. */

const headerPattern = scalar<string>({
  expected:
    "a header that begins with X-, such as X-Customer or X-Crm-*, or one of User-to-User, Subject, Priority, Organization",
  parse: (value) => (isHeaderPattern(value) ? value.toLowerCase() : undefined),
  json: { type: "string" },
});

const fromDomain = scalar<string>({
  expected: "own, peer, or a host name such as sip.example.com",
  parse: (value) => (value === "own" || value === "peer" ? value : tryParseHost(value)),
  json: { type: "string" },
});

/** To be spread into the schema of a trunk. */
export const trunkIdentityKeys = {
  trust: flag().optional().meta({
    description:
      "true: the peer is believed about who calls (P-Asserted-Identity, Remote-Party-ID, Diversion, History-Info), and is told who calls also when the caller withholds the number (RFC 3325). Of any other peer From alone counts",
    default: "false",
  }),
  identity: word("from", "pai", "ppi", "rpid").optional().meta({
    description:
      "Where the caller's number stands beside From: `pai` P-Asserted-Identity, `ppi` P-Preferred-Identity, `rpid` Remote-Party-ID, `from`: in From alone",
    default: "`pai` with `trust`, else `from`",
    example: "ppi",
  }),
  "number-format": word("as-is", "e164", "e164-without-plus", "national").optional().meta({
    description:
      "How telephone numbers are written to the peer, the called and the calling one; extensions and what is no number of the plan stay as they are",
    default: "as-is",
    example: "e164",
  }),
  "from-domain": fromDomain.optional().meta({
    description:
      "Host in From, P-Asserted-Identity and Diversion: `own`, `peer` (that of `peer`), or a name",
    default: "own",
    example: "peer",
  }),
  "from-user": word("caller", "account").optional().meta({
    description:
      "User in From: `caller`: the caller's number, `account`: the user name of `register` or `auth`, for peers that take calls of their accounts alone; the number then stands where `identity` says",
    default: "caller",
    example: "account",
  }),
  "user-phone": flag().optional().meta({
    description: "true: `user=phone` stands beside telephone numbers (RFC 3261 §19.1.1)",
    default: "false",
  }),
  diversion: word("off", "diversion", "history-info", "both").optional().meta({
    description:
      "How the peer learns who forwarded a call: Diversion (RFC 5806), History-Info (RFC 7044), or not at all",
    default: "diversion",
    example: "both",
  }),
  headers: z
    .strictObject({
      "to-trunk": oneOrMore(headerPattern, 32).optional().meta({
        description:
          "Headers of the caller's INVITE that reach the peer: names that begin with `X-`, `X-Foo-*` for all that begin so, and `User-to-User` (RFC 7433), which a BYE may bring too",
        default: "[]",
        example: "[X-Customer, X-Crm-*]",
      }),
      "from-trunk": oneOrMore(headerPattern, 32).optional().meta({
        description:
          "Headers of the peer's INVITE that reach whoever is called, and `User-to-User` of its BYE",
        default: "[]",
        example: "[User-to-User]",
      }),
    })
    .optional()
    .meta({
      description:
        "Headers that cross, 16 of 512 octets at most; a call between two trunks needs both lists",
      default: "none",
    }),
} as const;

/** What the keys above give, as the schema has read them. */
export type TrunkIdentityValues = {
  readonly [Key in keyof typeof trunkIdentityKeys]?: NonNullable<
    z.output<(typeof trunkIdentityKeys)[Key]>
  >;
};

/** Fills in the defaults. */
export function toTrunkIdentity(
  values: TrunkIdentityValues,
  { peer, account }: { readonly peer: string; readonly account: string | undefined },
): { readonly identity: TrunkIdentityConfig; readonly headers: HeaderRulesConfig } {
  const isTrusted = values.trust ?? false;
  return {
    identity: compact({
      isTrusted,
      header: values.identity ?? (isTrusted ? "pai" : "from"),
      numbers: values["number-format"] ?? "as-is",
      fromHost: fromHostOf(values["from-domain"] ?? "own", peer),
      fromUser: values["from-user"] === "account" ? account : undefined,
      isPhone: values["user-phone"] ?? false,
      diversion: values.diversion ?? "diversion",
    }),
    headers: {
      toTrunk: values.headers?.["to-trunk"] ?? [],
      fromTrunk: values.headers?.["from-trunk"] ?? [],
    },
  };
}

function fromHostOf(wanted: string, peer: string): string | undefined {
  if (wanted === "own") return undefined;
  return wanted === "peer" ? tryParsePeerUri(peer)?.host : wanted;
}
