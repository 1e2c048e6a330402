import { scalar } from "../dialplan/scalar.ts";
import { tryParsePeerUri } from "./values.ts";

/** The key of a trunk that says which way its requests take; to be spread into its schema. */
export const trunkProxyKeys = {
  "outbound-proxy": scalar({
    expected: "a SIP URI such as sip:proxy.example.com:5060",
    parse: (value) => (tryParsePeerUri(value) === undefined ? undefined : value),
    json: { type: "string" },
  })
    .optional()
    .meta({
      description:
        "Where all that is for the peer is sent instead, by the same rules as `peer`, which still stands in the messages; calls come from there",
      default: "none: to the peer itself",
      example: "sip:proxy.example.com;transport=tcp",
    }),
} as const;
