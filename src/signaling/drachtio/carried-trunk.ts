import type { LegTerms } from "../dialog/leg-terms.ts";

/**
 * A trunk as it may be behind drachtio-server: the session timers (RFC 4028) of its legs are the
 * server's, which arms one for every Session-Expires that it sees and would refresh beside us. So we
 * propose none; a far end that wants one gets it.
 */
export function asCarried<Trunk extends { readonly terms?: LegTerms }>(trunk: Trunk): Trunk {
  return trunk.terms === undefined
    ? trunk
    : { ...trunk, terms: { ...trunk.terms, session: undefined } };
}
