import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { AddressSet } from "../../core/address.ts";
import { codecsOf, isSpeech } from "../codecs.ts";
import { MediaError } from "../errors.ts";
import type { SdpAttribute } from "../sdp.ts";
import { findAttribute, formatSdp, newOriginId, parseSdp, unusable } from "../sdp.ts";
import { tryParseRtp } from "../service/rtp.ts";
import type { RtpPacket } from "../service/rtp.ts";

/** PCMU, which rtpengine makes of whatever the leg speaks. */
const PCMU = "0";

/**
 * A UDP port that takes a copy of what one leg sends, as PCMU, and from nobody but the rtpengine
 * that offered it.
 */
export class CopyReceiver {
  readonly #socket: Socket;
  readonly #onPacket: (packet: RtpPacket) => void;
  readonly #address: string;
  readonly #originId = newOriginId();
  #source: { readonly hosts: AddressSet; readonly port: number } | undefined;
  #state: "open" | "closed" = "open";

  /** @throws MediaError `ERR_OFFHOOK_MEDIA_PORT` when no port could be bound */
  static async open(address: string, onPacket: (packet: RtpPacket) => void): Promise<CopyReceiver> {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.bind(0, address, () => {
          socket.off("error", reject);
          resolve();
        });
      });
    } catch (cause) {
      throw new MediaError(
        "ERR_OFFHOOK_MEDIA_PORT",
        `no UDP port could be bound at ${address} for a recording`,
        cause,
      );
    }
    return new CopyReceiver(socket, address, onPacket);
  }

  private constructor(socket: Socket, address: string, onPacket: (packet: RtpPacket) => void) {
    this.#socket = socket;
    this.#address = address;
    this.#onPacket = onPacket;
    socket.on("message", (octets, from) => {
      const source = this.#source;
      if (source === undefined || from.port !== source.port) return;
      if (!source.hosts.has(from.address)) return;
      const packet = tryParseRtp(octets);
      if (packet?.payloadType === Number(PCMU)) this.#onPacket(packet);
    });
    // A send is never made, and what a receive could fail with ends with the call.
    socket.on("error", () => undefined);
  }

  /**
   * The answer to rtpengine's offer of a copy. It names every format of the offer, PCMU first:
   * rtpengine 10.5 refuses one that leaves any out, and sends the first.
   *
   * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP` when there is no PCMU in it
   */
  answer(offer: string): string {
    const sdp = parseSdp(offer);
    const media = sdp.media.find(({ type, port }) => type === "audio" && port !== 0);
    const connection = media?.connection ?? sdp.connection;
    if (media === undefined || connection === undefined) throw unusable("no copy was offered");
    const pcmu = codecsOf(media).find((codec) => isSpeech(codec) && codec.key === "pcmu");
    if (pcmu?.payloadType !== PCMU) throw unusable("a copy without PCMU was offered");
    this.#source = { hosts: new AddressSet([connection.host]), port: media.port };
    const { port } = this.#socket.address();
    const attributes: SdpAttribute[] = media.attributes.filter(
      ({ name }) => name === "rtpmap" || name === "fmtp",
    );
    if (findAttribute(media.attributes, "ptime") !== undefined) {
      attributes.push({ name: "ptime", value: "20" });
    }
    attributes.push({ name: "recvonly", value: undefined }, { name: "rtcp", value: String(port) });
    return formatSdp(
      {
        connection: { family: isIPv6(this.#address) ? "IP6" : "IP4", host: this.#address },
        attributes: [],
        // RFC 3264 §6: as many sections as were offered; a picture is not taken.
        media: sdp.media.map((offered) =>
          offered === media
            ? {
                type: "audio",
                port,
                protocol: "RTP/AVP",
                formats: [PCMU, ...media.formats.filter((format) => format !== PCMU)],
                connection: undefined,
                attributes,
              }
            : { ...offered, port: 0, connection: undefined, attributes: [] },
        ),
      },
      { id: this.#originId, version: 1 },
    );
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#socket.close();
  }
}
