/**
 * `tel:` and `sip:` links that the browser hands to this phone. They fill the number field; only the
 * user calls, for any page may have such a link.
 */

const LONGEST = 200;

/** The number or address in a link, or in plain text that stands where a link should. */
function numberOfLink(text: string): string {
  const link = text.trim().slice(0, LONGEST);
  const scheme = /^(?:web\+)?(tel|sips?|callto):/i.exec(link);
  if (scheme === null) return link;
  // RFC 3966 §3 and RFC 3261 §19.1.1: parameters and header fields are no part of the number.
  const rest = link.slice(scheme[0].length).replace(/^\/\//, "").split(/[;?]/, 1)[0] ?? "";
  try {
    return decodeURIComponent(rest);
  } catch {
    return rest;
  }
}

/** @param search the page's query, `?dial=tel:+44…` @returns undefined when it names nobody */
export function tryParseDialLink(search: string): string | undefined {
  const value = new URLSearchParams(search).get("dial");
  if (value === null) return undefined;
  // A plus sign of a link that was put into the address by hand reads as a space.
  const number = numberOfLink(value.replace(/^((?:tel:)?) /i, "$1+"));
  return number === "" ? undefined : number;
}
