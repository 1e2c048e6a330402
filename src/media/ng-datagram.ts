import rtpengineClient from "rtpengine-client";
import { randomToken } from "../core/ids.ts";
import { tryDecodeReply } from "./ng-reply.ts";

/** The length of a cookie in octets; the package knows no other. */
const COOKIE_OCTETS = 36;

/**
 * A new cookie. rtpengine answers a repeated one from memory, and who cannot guess it cannot reply in
 * its name.
 */
export function newCookie(): string {
  return randomToken(COOKIE_OCTETS);
}

/** The cookie with which a reply begins, if it is one. */
export function cookieOf(datagram: Buffer): string {
  return datagram.toString("latin1", 0, COOKIE_OCTETS);
}

/**
 * Reads what a reply of rtpengine says. Of one to a command of every call only what anybody asks for:
 * one to `query` or `delete` has some kilobytes of statistics.
 *
 * The package's decoder assigns keys as they come, so that one of the name `__proto__` would give a
 * dictionary another prototype, and values that nobody has sent. Such a reply is a broken one.
 *
 * @param command what it is the reply to
 * @throws Error when it is none
 */
export function decodeNgDatagram(datagram: Buffer, command?: string): unknown {
  const reply = tryDecodeReply(command, datagram, COOKIE_OCTETS + 1);
  if (reply !== undefined) return reply.data;
  const { data } = rtpengineClient.Client.decodeMessage(datagram);
  // The name may also stand in an SDP, where it does no harm.
  if (datagram.includes("9:__proto__") && hasForeignPrototype(data)) {
    throw new Error("a reply with a key __proto__");
  }
  return data;
}

function hasForeignPrototype(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return false;
  if (Array.isArray(value)) return value.some(hasForeignPrototype);
  return (
    Object.getPrototypeOf(value) !== Object.prototype ||
    Object.values(value).some(hasForeignPrototype)
  );
}
