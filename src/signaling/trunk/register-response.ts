import type { SipResponse } from "../message/message.ts";
import type { NameAddr } from "../message/name-addr.ts";
import { tryParseDigits } from "../message/syntax.ts";
import { SipUri } from "../message/uri.ts";

/** A longer registration, or wait, is not believed. */
export const MAX_EXPIRES_SECONDS = 86_400;
const MAX_SECONDS = 1_000_000_000;

/**
 * How long a registrar keeps our binding, as its 2xx says (RFC 3261 §10.2.4): the `expires` of our
 * Contact, else Expires, else what we asked for.
 *
 * @param contactUri ours, as it was sent
 * @returns 0 when it keeps none
 */
export function grantedSeconds(
  response: SipResponse,
  contactUri: string,
  askedSeconds: number,
): number {
  const { contacts } = response;
  const all = contacts === "*" ? [] : contacts;
  const own = SipUri.parse(contactUri);
  const line = own.params.get("line");
  // Some rewrite the address to what they see of us, or drop what they do not know.
  const found =
    all.find(({ sipUri }) => sipUri.equals(own)) ??
    all.find(({ sipUri }) => line !== undefined && sipUri.params.get("line") === line) ??
    all.find(({ sipUri }) => sipUri.host === own.host && sipUri.port === own.port) ??
    (all.length === 1 ? all[0] : undefined);
  const seconds = expiresOf(found) ?? response.expires ?? askedSeconds;
  return Math.min(seconds, MAX_EXPIRES_SECONDS);
}

/** Min-Expires of a 423 (RFC 3261 §20.23). */
export function tryParseMinExpires(response: SipResponse): number | undefined {
  return tryParseDigits(response.headers.get("Min-Expires")?.trim() ?? "", MAX_SECONDS);
}

function expiresOf(contact: NameAddr | undefined): number | undefined {
  const text = contact?.params.get("expires");
  return text === undefined ? undefined : tryParseDigits(text, MAX_SECONDS);
}
