import { oneOrMore, scalar, word } from "../dialplan/scalar.ts";
import { tryParseOrigin, tryParseRange } from "./values.ts";

/** Keys of `http` that say whose word on a client counts. */
export const clientKeys = {
  origins: oneOrMore(
    scalar({
      expected: "an origin such as https://voice.example.com",
      parse: tryParseOrigin,
      json: { type: "string" },
    }),
  )
    .optional()
    .meta({
      description: "Pages that may open /ws and call the API",
      default: "the gateway's own",
      example: '["https://voice.example.com"]',
    }),
  "trusted-proxies": oneOrMore(
    scalar({
      expected: "an address or a range such as 10.0.0.0/8",
      parse: tryParseRange,
      json: { type: "string" },
    }),
  )
    .optional()
    .meta({
      description:
        "Reverse proxies whose word on the client's address counts: limits, bans and logs are then about the client, the first address from the right that is none of these",
      default: "none: the address of the connection counts",
      example: "[10.0.0.5, 10.1.0.0/24]",
    }),
  "client-address": word("x-forwarded-for", "forwarded").optional().meta({
    description:
      "The header field that the trusted proxies write it to; the other one is a client's own and never read",
    default: "x-forwarded-for",
  }),
};
