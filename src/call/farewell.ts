import type { ExtraHeaders, Party } from "../signaling/engine.ts";
import { Headers } from "../signaling/message/headers.ts";
import type { CallContext } from "./context.ts";
import { crossingHeaders, NO_RULES, type HeaderRules } from "./header-policy.ts";

/** What may go on from one BYE to the other (RFC 7433 §4). */
const NAME = "User-to-User";

/**
 * The header fields of a BYE that go on to the other end: User-to-User, where the lists of the trunks
 * on the way name it, as with an INVITE.
 *
 * @param headers of the BYE
 */
export function farewellFields(
  headers: Headers | undefined,
  from: Party,
  to: Party,
  context: Pick<CallContext, "trunk">,
): ExtraHeaders {
  if (headers?.has(NAME) !== true) return [];
  const rulesOf = (party: Party): HeaderRules | undefined =>
    party.kind === "trunk" ? (context.trunk(party.trunkId)?.headers ?? NO_RULES) : undefined;
  const told = Headers.of(headers.getAll(NAME).map((value) => [NAME, value] as const));
  return crossingHeaders(told, rulesOf(from), rulesOf(to));
}
