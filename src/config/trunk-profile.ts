import { scalar } from "../dialplan/scalar.ts";
import { PROFILES } from "./profiles/all.ts";
import { tryParseHost } from "./values.ts";

const names = PROFILES.map(({ name }) => name);

/** To be spread into the schema of a trunk. */
export const trunkProfileKeys = {
  profile: scalar<string>({
    expected: `one of ${names.join(", ")}`,
    parse: (value) => names.find((name) => name === value.toLowerCase()),
    json: { type: "string", enum: names },
  })
    .optional()
    .meta({
      description:
        "The kind of PBX or the carrier: sets what differs there ([profiles](trunk-profiles.md)); keys of the trunk go first",
      default: "none",
      example: "asterisk",
    }),
  "contact-host": scalar<string>({
    expected: "a host name such as sbc.example.com",
    parse: tryParseHost,
    json: { type: "string" },
  })
    .optional()
    .meta({
      description:
        "Host in Contact toward the peer, and in the From of OPTIONS; it must lead to this gateway. For Microsoft Teams, which knows its customers by it",
      default: "the address that is listened on",
      example: "sbc.example.com",
    }),
} as const;
