/**
 * The part of the rtpengine-client package that we use: its bencode decoder for ng datagrams.
 *
 * Its own sending is not used: it makes a new cookie for each send, so that a retry would be a
 * second command, and it prints to the console on a reply that it does not know. Nor is its
 * encoder: it spoils octets that are no UTF-8, such as those of a sound.
 */
declare module "rtpengine-client" {
  interface NgDatagram {
    readonly id: string;
    readonly data: unknown;
  }

  export const Client: {
    /** @throws Error when the cookie is not 36 characters or the bencode is broken */
    decodeMessage(datagram: Buffer): NgDatagram;
  };
}
