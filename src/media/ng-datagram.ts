import rtpengineClient from "rtpengine-client";

/** A reply: the cookie of its command, and what it says. */
export interface NgDatagram {
  readonly cookie: string;
  readonly data: unknown;
}

/**
 * Reads a reply of rtpengine.
 *
 * The decoder assigns keys as they come, so that one of the name `__proto__` would give a dictionary
 * another prototype, and values that nobody has sent. Such a reply is a broken one.
 *
 * @throws Error when it is none
 */
export function decodeNgDatagram(datagram: Buffer): NgDatagram {
  const { id: cookie, data } = rtpengineClient.Client.decodeMessage(datagram);
  // The name may also stand in an SDP, where it does no harm.
  if (datagram.includes("9:__proto__") && hasForeignPrototype(data)) {
    throw new Error("a reply with a key __proto__");
  }
  return { cookie, data };
}

function hasForeignPrototype(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return false;
  if (Array.isArray(value)) return value.some(hasForeignPrototype);
  return (
    Object.getPrototypeOf(value) !== Object.prototype ||
    Object.values(value).some(hasForeignPrototype)
  );
}
