import { SipParseError } from "./errors.ts";
import type { Headers } from "./headers.ts";
import { NameAddr, formatNameAddr } from "./name-addr.ts";
import { formatReplaces, tryParseReplaces } from "./replaces.ts";
import type { Replaces } from "./replaces.ts";
import type { SipUri } from "./uri.ts";

/** Whom a REFER asks us to call, or to send something else to (RFC 3515 §2.1). */
export interface ReferTo {
  /** Fit for a Request-URI: without header fields and `method`. */
  readonly uri: string;
  /** The user part, unescaped; empty when there is none. */
  readonly user: string;
  /** `sip`, `sips`, `tel`, or any other. */
  readonly scheme: string;
  /** In lower case; empty where the scheme has none. */
  readonly host: string;
  /** Default INVITE. */
  readonly method: string;
  /** The dialog that the new call is to take the place of (RFC 3891): an attended transfer. */
  readonly replaces: Replaces | undefined;
}

/**
 * Reads Refer-To. Of the header fields that its URI may carry only Replaces is taken: any other
 * one would let the far end write into a request of ours (RFC 3261 §19.1.5).
 *
 * @returns undefined when there is none, more than one (RFC 3515 §2.4.2), or a malformed one
 */
export function tryReadReferTo(headers: Headers): ReferTo | undefined {
  const [value, ...others] = headers.list("Refer-To");
  if (value === undefined || others.length > 0) return undefined;
  try {
    const { sipUri } = NameAddr.parse(value);
    const asked = replacesOf(sipUri);
    if (asked === "malformed") return undefined;
    return {
      uri: plainUri(sipUri),
      user: sipUri.user ?? "",
      scheme: sipUri.scheme,
      host: sipUri.host,
      method: sipUri.params.get("method")?.toUpperCase() ?? "INVITE",
      replaces: asked,
    };
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}

/** The value of Refer-To. @throws SipFormatError when a part may not be written */
export function formatReferTo(uri: string, replaces?: Replaces): string {
  if (replaces === undefined) return formatNameAddr({ uri });
  const value = encodeURIComponent(formatReplaces(replaces));
  return formatNameAddr({ uri: `${uri}?Replaces=${value}` });
}

function replacesOf(uri: SipUri): Replaces | "malformed" | undefined {
  let found: Replaces | undefined;
  for (const header of uri.headers?.split("&") ?? []) {
    const equals = header.indexOf("=");
    if (equals < 0 || header.slice(0, equals).toLowerCase() !== "replaces") continue;
    const text = tryDecode(header.slice(equals + 1));
    const replaces = text === undefined ? undefined : tryParseReplaces(text);
    if (replaces === undefined || found !== undefined) return "malformed";
    found = replaces;
  }
  return found;
}

/** The URI without header fields and without `method`, which no Request-URI has (RFC 3261 §19.1.1). */
function plainUri(uri: SipUri): string {
  let text = uri.toString();
  const question = uri.headers === undefined ? -1 : text.lastIndexOf(`?${uri.headers}`);
  if (question >= 0) text = text.slice(0, question);
  if (!uri.params.has("method")) return text;
  const [address = "", ...params] = text.split(";");
  const kept = params.filter((param) => {
    const name = param.toLowerCase();
    return name !== "method" && !name.startsWith("method=");
  });
  return [address, ...kept].join(";");
}

function tryDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
