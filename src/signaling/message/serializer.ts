import type { SipMessage } from "./message.ts";
import { textToOctets } from "./syntax.ts";

/**
 * The octets of a message. Content-Length is that of the body, whatever the header field said.
 */
export function serializeMessage(message: SipMessage): Buffer {
  const { body } = message;
  const startLine =
    message.kind === "request"
      ? `${message.method} ${message.requestUri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.statusCode} ${reasonOctets(message.reasonPhrase)}\r\n`;
  const head = `${startLine}${message.headers.format(body.length)}\r\n`;
  if (body.length === 0) return Buffer.from(head, "latin1");
  const octets = Buffer.allocUnsafe(head.length + body.length);
  octets.write(head, 0, "latin1");
  body.copy(octets, head.length);
  return octets;
}

function reasonOctets(reasonPhrase: string): string {
  let isPlain = true;
  for (let index = 0; index < reasonPhrase.length; index += 1) {
    const code = reasonPhrase.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) isPlain = false;
  }
  if (isPlain) return reasonPhrase;
  let octets = "";
  for (const character of textToOctets(reasonPhrase)) {
    const code = character.charCodeAt(0);
    octets += code < 0x20 || code === 0x7f ? " " : character;
  }
  return octets;
}
