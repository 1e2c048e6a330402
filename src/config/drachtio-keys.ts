import { z } from "zod";

import { password, scalar, wholeNumber } from "../dialplan/scalar.ts";
import { tryParseHost } from "./values.ts";

const MAX_SERVERS = 16;

/** Where one drachtio-server takes applications. */
const server = z.strictObject({
  host: scalar<string>({
    expected: "a host name or an address",
    parse: tryParseHost,
    json: { type: "string" },
  })
    .optional()
    .meta({ description: "Where drachtio-server takes applications", default: "127.0.0.1" }),
  port: wholeNumber(1, 65_535).optional().meta({ description: "Its port", default: "9022" }),
  secret: password().meta({
    description: "Its secret",
    example: '"${DRACHTIO_SECRET}"',
  }),
});

/** `sip.engine` when it is a map. */
export const drachtioSchema = z.strictObject({
  drachtio: z.union([server, z.array(server).min(1).max(MAX_SERVERS)]).meta({
    description:
      "A drachtio-server with the trunks' side of SIP, or a list of them: new calls go out over the first that is there, and come in over all",
    default: "none",
  }),
});

interface Sip {
  readonly engine?: "embedded" | z.output<typeof drachtioSchema> | undefined;
  readonly tls?: unknown;
}

interface File {
  readonly sip?: Sip | undefined;
  readonly trunks?: Readonly<Record<string, { readonly tls?: unknown }>> | undefined;
}

/**
 * The sockets are drachtio-server's, and so are their certificates: what this file says of them would
 * protect nothing, and nobody would see that.
 */
export function noTlsBesideDrachtio({ sip, trunks = {} }: File, context: z.RefinementCtx): void {
  if (typeof sip?.engine !== "object") return;
  const refuse = (path: readonly string[]): void => {
    context.addIssue({
      code: "custom",
      path: [...path, "tls"],
      message: "would not be used, because TLS toward trunks is drachtio-server's",
      params: { expected: "no such key; the certificates belong into drachtio-server's own file" },
    });
  };
  if (sip.tls !== undefined) refuse(["sip"]);
  for (const [id, { tls }] of Object.entries(trunks)) {
    if (tls !== undefined) refuse(["trunks", id]);
  }
}
