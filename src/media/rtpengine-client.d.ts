/**
 * The part of the rtpengine-client package that we use: its bencode codec for ng datagrams.
 *
 * Its own sending is not used: it makes a new cookie for each send, so that a retry would be a
 * second command, and it prints to the console on a reply that it does not know.
 */
declare module "rtpengine-client" {
  interface NgDatagram {
    readonly id: string;
    readonly data: unknown;
  }

  export const Client: {
    /** `COOKIE BENCODE`. Undefined values must have been removed. */
    encodeMessage(cookie: string, data: object): Buffer;
    /** @throws Error when the cookie is not 36 characters or the bencode is broken */
    decodeMessage(datagram: Buffer): NgDatagram;
  };
}
