/** Whom a certificate proves, and whether that is the one we meant (RFC 5922 §7). */
import { isIP } from "node:net";

/** The parts of a certificate that name its owner, as Node gives them. */
export interface CertificateNames {
  /** `DNS:pbx.example.com, URI:sip:example.com`. */
  readonly subjectaltname?: string | undefined;
  readonly subject?: { readonly CN?: string | readonly string[] | undefined } | undefined;
}

/**
 * The SIP domains that a certificate is for, in lower case (RFC 5922 §7.1); addresses are among
 * them for peers without a name.
 */
export function certificateNames(certificate: CertificateNames): readonly string[] {
  const { subjectaltname } = certificate;
  if (subjectaltname === undefined || subjectaltname === "") {
    // RFC 5922 §7.1 step 2: the CN counts only where there is no subjectAltName at all.
    const names = certificate.subject?.CN ?? [];
    return (typeof names === "string" ? [names] : names).map((name) => name.toLowerCase());
  }
  const found: string[] = [];
  for (const entry of splitAlternatives(subjectaltname)) {
    const colon = entry.indexOf(":");
    const value = unquoted(entry.slice(colon + 1)).toLowerCase();
    switch (entry.slice(0, colon)) {
      case "DNS":
        found.push(value);
        break;
      case "IP Address":
        found.push(value);
        break;
      case "URI": {
        // RFC 5922 §7.1: a URI with another scheme, or with a user, proves no domain.
        const domain = value.startsWith("sip:") ? value.slice(4) : "@";
        if (!/[@;:?]/.test(domain)) found.push(domain);
        break;
      }
      default:
        break;
    }
  }
  return found;
}

/**
 * What is wrong with a far end's certificate.
 *
 * @param name the SIP domain that we wanted to reach; it is compared whole, so that a wildcard
 * certificate is taken only where the configuration names the wildcard (RFC 5922 §7.2)
 * @returns undefined when it is right
 */
export function certificateFault(name: string, certificate: CertificateNames): Error | undefined {
  const names = certificateNames(certificate);
  const wanted = name.toLowerCase();
  if (names.some((own) => isSameName(own, wanted))) return undefined;
  const shown = names.length === 0 ? "nobody" : names.slice(0, 5).join(", ");
  return new Error(`the certificate is for ${shown}, not for ${name}`);
}

/** SNI carries names alone, no addresses (RFC 6066 §3). */
export function serverNameOf(name: string): string | undefined {
  return isIP(name) === 0 && !name.startsWith("*") ? name : undefined;
}

function isSameName(own: string, wanted: string): boolean {
  if (own === wanted) return true;
  if (isIP(own) !== 6 || isIP(wanted) !== 6) return false;
  return URL.parse(`http://[${own}]/`)?.hostname === URL.parse(`http://[${wanted}]/`)?.hostname;
}

/** Splits at commas outside of the quotes that Node puts around anything unusual. */
function splitAlternatives(text: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isQuoted && character === "\\") index += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === "," && !isQuoted) {
      parts.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    const text: unknown = JSON.parse(value);
    return typeof text === "string" ? text : "";
  } catch {
    return "";
  }
}
