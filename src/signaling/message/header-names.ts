/** The names of header fields: their compact forms, and what two names of one header share. */

/** The compact forms (IANA, "Header Fields" of the SIP parameters registry). */
const COMPACT_NAMES: ReadonlyMap<string, string> = new Map([
  ["a", "accept-contact"],
  ["b", "referred-by"],
  ["c", "content-type"],
  ["d", "request-disposition"],
  ["e", "content-encoding"],
  ["f", "from"],
  ["i", "call-id"],
  ["j", "reject-contact"],
  ["k", "supported"],
  ["l", "content-length"],
  ["m", "contact"],
  ["n", "identity-info"],
  ["o", "event"],
  ["r", "refer-to"],
  ["s", "subject"],
  ["t", "to"],
  ["u", "allow-events"],
  ["v", "via"],
  ["x", "session-expires"],
  ["y", "identity"],
]);

const USUAL_NAMES =
  "Via From To Call-ID CSeq Max-Forwards Contact Content-Length Content-Type Route Record-Route " +
  "Allow Supported Require Proxy-Require Unsupported User-Agent Server Expires Min-Expires Date " +
  "Authorization Proxy-Authorization WWW-Authenticate Proxy-Authenticate Authentication-Info " +
  "Accept Accept-Encoding Accept-Language Alert-Info Call-Info Content-Disposition " +
  "Content-Encoding Content-Language Error-Info In-Reply-To MIME-Version Organization Priority " +
  "Reply-To Retry-After Subject Timestamp Warning Reason Session-Expires Min-SE RAck RSeq Event " +
  "Allow-Events Subscription-State SIP-ETag SIP-If-Match Refer-To Referred-By Replaces Join Path " +
  "Service-Route P-Asserted-Identity P-Preferred-Identity Remote-Party-ID Privacy Diversion " +
  "History-Info Flow-Timer Identity P-Access-Network-Info";

/** Names as they are usually spelt, to the key they are looked up by. */
const KEYS: ReadonlyMap<string, string> = buildKeys();

function buildKeys(): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  for (const name of USUAL_NAMES.split(" ").map(interned)) {
    const key = interned(name.toLowerCase());
    keys.set(name, key);
    keys.set(key, key);
  }
  for (const [compact, key] of COMPACT_NAMES) {
    keys.set(compact, key);
    keys.set(compact.toUpperCase(), key);
    keys.set(key, key);
  }
  return keys;
}

/**
 * The same text as V8 keeps those of the sources. A lookup with a name that stands in the sources
 * then finds it by its address; a part of another text would be compared out of JavaScript.
 */
function interned(text: string): string {
  return Object.keys({ [text]: true })[0] ?? text;
}

/** The name in lower case and in its long form: what two names of one header have in common. */
export function headerKey(name: string): string {
  return KEYS.get(name) ?? name.toLowerCase();
}

/** The key of a name that is known and needs no check, else undefined. */
export function knownHeaderKey(name: string): string | undefined {
  return KEYS.get(name);
}

/** A name as it stands in a message, and its key. */
export interface HeaderName {
  readonly name: string;
  readonly key: string;
}

interface Spelling extends HeaderName {
  readonly octets: Uint8Array;
}

/** All spellings of {@link KEYS}, by {@link bucketOf}; built once, a handful each at most. */
const SPELLINGS: readonly (readonly Spelling[])[] = buildSpellings();

function buildSpellings(): readonly (readonly Spelling[])[] {
  const buckets: Spelling[][] = Array.from({ length: 256 }, () => []);
  for (const [name, key] of KEYS) {
    const octets = new Uint8Array(Buffer.from(name, "latin1"));
    buckets[bucketOf(octets, 0, octets.length)]?.push({ name, key, octets });
  }
  return buckets;
}

function bucketOf(octets: Uint8Array, start: number, end: number): number {
  const first = octets[start] ?? 0;
  const last = octets[end - 1] ?? 0;
  return (first ^ (last << 2) ^ ((end - start) << 4)) & 0xff;
}

/**
 * The name in octets[start, end), when it stands there as it is usually spelt. Spares the parser
 * a text, and its hash, for each line.
 */
export function findKnownHeader(
  octets: Uint8Array,
  start: number,
  end: number,
): HeaderName | undefined {
  for (const spelling of SPELLINGS[bucketOf(octets, start, end)] ?? []) {
    if (isAt(spelling.octets, octets, start, end)) return spelling;
  }
  return undefined;
}

function isAt(name: Uint8Array, octets: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index += 1) {
    if (name[index] !== octets[start + index]) return false;
  }
  return true;
}
