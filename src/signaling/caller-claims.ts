import { dialledNumber } from "./dialog/dialled-number.ts";
import type { Diversion, Identity } from "./engine.ts";
import type { Headers } from "./message/headers.ts";
import { NameAddr } from "./message/name-addr.ts";
import { splitList } from "./message/syntax.ts";

/**
 * What a message says of its caller beside From: RFC 3325, RFC 3323, Remote-Party-ID, RFC 5806 and
 * RFC 7044. Anybody can write it, so it proves nothing: whoever asks decides whom to believe. What
 * cannot be read counts as not said.
 */

/** A chain of forwards that is longer tells nobody anything. */
const MAX_DIVERSIONS = 5;
/** A value that is longer is no identity. */
const MAX_VALUE = 1024;

/** P-Asserted-Identity, else Remote-Party-ID of the calling party. */
export function assertedIdentity(headers: Headers): Identity | undefined {
  return identityIn(headers, "P-Asserted-Identity") ?? remoteParty(headers)?.identity;
}

/** P-Preferred-Identity: what a user agent would like to be shown as. */
export function preferredIdentity(headers: Headers): Identity | undefined {
  return identityIn(headers, "P-Preferred-Identity");
}

/** Whether the caller does not want to be shown: Privacy, or that of a Remote-Party-ID. */
export function wantsPrivacy(headers: Headers): boolean {
  for (const line of headers.getAll("Privacy").slice(0, MAX_DIVERSIONS)) {
    // RFC 3323 §4.2: values are divided by ";"; RFC 3325 §9.3 adds `id`.
    for (const value of line.slice(0, MAX_VALUE).split(/[;,]/)) {
      if (PRIVATE.has(value.trim().toLowerCase())) return true;
    }
  }
  return remoteParty(headers)?.isPrivate ?? false;
}

const PRIVATE: ReadonlySet<string> = new Set(["id", "user", "full"]);

/** Who has forwarded the call, the last one first: Diversion, else History-Info. */
export function diversionsOf(headers: Headers): readonly Diversion[] {
  const said = elements(headers, "Diversion").flatMap((value) => {
    const by = identityOf(value);
    if (by === undefined) return [];
    const reason = value.params.get("reason")?.toLowerCase() ?? "unknown";
    return [{ ...by, reason: REASONS.has(reason) ? reason : "unknown" }];
  });
  return said.length > 0 ? said : history(headers);
}

/** RFC 5806 §4.1 */
const REASONS: ReadonlySet<string> = new Set([
  "unknown",
  "user-busy",
  "no-answer",
  "unavailable",
  "unconditional",
  "time-of-day",
  "do-not-disturb",
  "deflection",
  "follow-me",
  "out-of-service",
  "away",
]);

/** RFC 4458 §2: why a call came to a URI of History-Info. */
const CAUSES: ReadonlyMap<string, string> = new Map([
  ["302", "unconditional"],
  ["404", "unknown"],
  ["408", "no-answer"],
  ["480", "deflection"],
  ["486", "user-busy"],
  ["487", "deflection"],
  ["503", "unavailable"],
]);

/** The cause of RFC 4458 for a reason of RFC 5806, as RFC 7544 maps them. */
export function causeOfDiversion(reason: string): number {
  switch (reason) {
    case "unconditional":
      return 302;
    case "no-answer":
      return 408;
    case "deflection":
      return 480;
    case "user-busy":
      return 486;
    case "unavailable":
      return 503;
    default:
      return 404;
  }
}

function history(headers: Headers): readonly Diversion[] {
  const entries = elements(headers, "History-Info");
  const found: Diversion[] = [];
  for (let index = 1; index < entries.length; index += 1) {
    const cause = entries[index]?.sipUri.params.get("cause");
    const before = entries[index - 1];
    const by = before && identityOf(before);
    if (cause === undefined || by === undefined) continue;
    found.unshift({ ...by, reason: CAUSES.get(cause) ?? "unknown" });
  }
  return found;
}

function remoteParty(
  headers: Headers,
): { readonly identity: Identity | undefined; readonly isPrivate: boolean } | undefined {
  for (const value of elements(headers, "Remote-Party-ID")) {
    const party = value.params.get("party")?.toLowerCase() ?? "calling";
    if (party !== "calling") continue;
    const privacy = value.params.get("privacy")?.toLowerCase();
    return { identity: identityOf(value), isPrivate: privacy === "full" || privacy === "uri" };
  }
  return undefined;
}

/** The first one that a telephone can show: a SIP URI often stands beside a tel URI. */
function identityIn(headers: Headers, name: string): Identity | undefined {
  for (const value of elements(headers, name)) {
    const identity = identityOf(value);
    if (identity !== undefined) return identity;
  }
  return undefined;
}

function elements(headers: Headers, name: string): readonly NameAddr[] {
  const found: NameAddr[] = [];
  for (const line of headers.getAll(name).slice(0, MAX_DIVERSIONS)) {
    if (line.length > MAX_DIVERSIONS * MAX_VALUE) continue;
    for (const text of splitList(line)) {
      const value = tryParse(text);
      if (value !== undefined) found.push(value);
      if (found.length === MAX_DIVERSIONS) return found;
    }
  }
  return found;
}

function tryParse(text: string): NameAddr | undefined {
  try {
    return NameAddr.parse(text);
  } catch {
    return undefined;
  }
}

function identityOf(value: NameAddr): Identity | undefined {
  const { sipUri, displayName } = value;
  const isKnown = ["sip", "sips", "tel"].includes(sipUri.scheme);
  // Carriers put `;cpc=` and `;isup-oli=` behind the number (RFC 3966 §3, RFC 3261 §19.1.6).
  const [user = ""] = (sipUri.user ?? "").split(";", 1);
  if (!isKnown || user === "") return undefined;
  return { user: dialledNumber(user), ...(displayName !== undefined && { displayName }) };
}
