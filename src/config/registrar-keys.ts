import type { z } from "zod";

import { duration, flag, wholeNumber, word } from "../dialplan/scalar.ts";

/** Keys of a trunk that owns users. */
export const registrarKeys = {
  registrar: flag().optional().meta({
    description:
      "true: browsers' REGISTER passes through to this PBX, which owns the users; at one trunk of a file. `domain` is then the PBX's SIP domain",
    default: "false",
  }),
  "register-rate": wholeNumber(1, 10_000).optional().meta({
    description: "With `registrar`: REGISTERs a second that the PBX gets at most",
    default: "20",
  }),
  "register-contact": word("gateway", "path").optional().meta({
    description:
      "With `registrar`: what leads the PBX's calls back to a browser: a Contact of the gateway's, or the browser's own Contact with a Path (RFC 3327)",
    default: "gateway",
  }),
  "register-max": duration("30s", "24h").optional().meta({
    description:
      "With `registrar`: a browser registers again after at most this long, whatever the PBX grants",
    default: "10m",
  }),
};

/** An address-of-record belongs to one registrar. */
export function oneRegistrar(
  trunks: Readonly<Record<string, { readonly registrar?: boolean | undefined }>>,
  context: z.RefinementCtx,
): void {
  const [, ...more] = Object.keys(trunks).filter((id) => trunks[id]?.registrar === true);
  for (const id of more) {
    context.addIssue({
      code: "custom",
      path: [id, "registrar"],
      params: { expected: "registrar: true at one trunk only" },
    });
  }
}
