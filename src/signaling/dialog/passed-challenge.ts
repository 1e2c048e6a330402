import { tryParseDigestChallenge } from "../message/auth-header.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipResponse } from "../message/message.ts";

const CHALLENGES = ["WWW-Authenticate", "Proxy-Authenticate"] as const;

/**
 * The challenges of a response that are for whoever we ask on behalf of: those in its own realms.
 * Whoever is called must not get the caller to sign what it wants.
 *
 * @returns empty when there is none
 */
export function challengesFor(
  { headers, statusCode }: SipResponse,
  realms: readonly string[],
): readonly HeaderField[] {
  if (realms.length === 0 || (statusCode !== 401 && statusCode !== 407)) return [];
  return CHALLENGES.flatMap((name) =>
    headers.getAll(name).map((value): HeaderField => [name, value]),
  ).filter(([, value]) => realms.includes(tryParseDigestChallenge(value)?.realm ?? ""));
}
