import { createHash } from "node:crypto";

/** Reads what the load generator needs out of a message, by its text alone. */

/** The status of a response; 0 for a request. */
export function statusOf(text: string): number {
  return text.startsWith("SIP/2.0 ") ? Number(text.slice(8, 11)) : 0;
}

/** The value of the first header line of that name, spelt as it usually is. */
export function headerOf(text: string, name: string): string {
  const start = text.indexOf(`\r\n${name}: `);
  if (start < 0) return "";
  const from = start + name.length + 4;
  return text.slice(from, text.indexOf("\r\n", from));
}

/** The URI of the Contact. */
export function contactOf(text: string): string {
  const value = headerOf(text, "Contact");
  return value.slice(value.indexOf("<") + 1, value.indexOf(">"));
}

/** `Route` lines out of the Record-Route lines of a response, in the caller's order. */
export function routesOf(text: string): string {
  const routes: string[] = [];
  for (let at = text.indexOf("\r\nRecord-Route: "); at >= 0;) {
    const end = text.indexOf("\r\n", at + 2);
    routes.unshift(
      ...text
        .slice(at + 16, end)
        .split(",")
        .reverse(),
    );
    at = text.indexOf("\r\nRecord-Route: ", end);
  }
  return routes.map((route) => `Route: ${route.trim()}\r\n`).join("");
}

/** The Authorization that answers an MD5 challenge (RFC 3261 §22.4), with `qop=auth` if offered. */
export function authorizationOf(
  challenge: string,
  who: { readonly username: string; readonly password: string },
  method: string,
  uri: string,
): string {
  const { username, password } = who;
  const realm = parameterOf(challenge, "realm");
  const nonce = parameterOf(challenge, "nonce");
  const ha1 = md5(`${username}:${realm}:${password}`);
  const ha2 = md5(`${method}:${uri}`);
  const hasQop = challenge.includes("qop=");
  const response = md5(
    hasQop ? `${ha1}:${nonce}:00000001:0a4f113b:auth:${ha2}` : `${ha1}:${nonce}:${ha2}`,
  );
  const quality = hasQop ? ', qop=auth, cnonce="0a4f113b", nc=00000001' : "";
  return (
    `Digest algorithm=MD5, username="${username}", realm="${realm}", nonce="${nonce}", ` +
    `uri="${uri}", response="${response}"${quality}`
  );
}

function parameterOf(challenge: string, name: string): string {
  const start = challenge.indexOf(`${name}="`) + name.length + 2;
  return challenge.slice(start, challenge.indexOf('"', start));
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
