/** Attributes that say where a browser is and who it is, not what it sends and takes. */
const PATH_ATTRIBUTES: ReadonlySet<string> = new Set([
  "candidate",
  "end-of-candidates",
  "fingerprint",
  "ice-options",
  "ice-pwd",
  "ice-ufrag",
  "msid",
  "msid-semantic",
  "rtcp",
  "setup",
  "ssrc",
  "tls-id",
]);

/**
 * Whether two offers of one browser differ at most in where it is: it has another address, or goes
 * on with another peer connection. The far end of the call need not hear of that.
 */
export function differsInPathOnly(offer: string, before: string): boolean {
  return withoutPath(offer) === withoutPath(before);
}

function withoutPath(sdp: string): string {
  const kept: string[] = [];
  for (const line of sdp.split("\n")) {
    const text = line.trimEnd();
    if (text.startsWith("o=") || text.startsWith("c=")) continue;
    if (text.startsWith("a=")) {
      const colon = text.indexOf(":");
      if (PATH_ATTRIBUTES.has(text.slice(2, colon < 0 ? undefined : colon))) continue;
    }
    // m=<media> <port> …: a port of 0 says that there is no such media (RFC 3264 §8.2).
    kept.push(text.startsWith("m=") ? text.replace(/^(m=\w+) [1-9]\d*/, "$1 9") : text);
  }
  return kept.join("\n");
}
