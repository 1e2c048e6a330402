import { createSocket } from "node:dgram";
import { randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import { crc32 } from "node:zlib";
import type { Clock } from "../core/clock.ts";
import { randomToken } from "../core/ids.ts";
import type { NgCommand, NgCommands, NgReply } from "./ng-client.ts";
import { profileOf } from "./profile.ts";
import type { RtpengineCapabilities } from "./rtpengine-version.ts";
import { releaseOfSoftware, tryParseVersion, UNKNOWN_CAPABILITIES } from "./rtpengine-version.ts";
import { findAttribute, parseSdp } from "./sdp.ts";

/** What the probe needs of an rtpengine. */
export interface ProbeTarget {
  request<Command extends NgCommand>(command: Command, args: NgCommands[Command]): Promise<NgReply>;
}

/** A telephone that will never send a packet. */
const PROBE_SDP = [
  "v=0",
  "o=- 1 1 IN IP4 0.0.0.0",
  "s=-",
  "c=IN IP4 0.0.0.0",
  "t=0 0",
  "m=audio 9 RTP/AVP 0",
  "a=rtpmap:0 PCMU/8000",
  "",
].join("\r\n");

const STUN_COOKIE = 0x2112a442;
const STUN_BINDING = 0x0001;
const STUN_SOFTWARE = 0x8022;
const STUN_FINGERPRINT = 0x8028;
const STUN_USERNAME = 0x0006;
const STUN_RESENDS = 3;
const STUN_INTERVAL_MS = 150;

/**
 * Finds out what an rtpengine can do, with a harmless offer that is deleted at once. The ng protocol
 * does not tell the version, but rtpengine's ICE agent names itself in every STUN response
 * (SOFTWARE, RFC 8489 §14.14), a refusal included: so we knock once at the offered port.
 *
 * Never throws: what cannot be found out stays unknown.
 */
export async function probeCapabilities(
  target: ProbeTarget,
  clock: Clock,
): Promise<RtpengineCapabilities> {
  const callId = `probe-${randomToken(16)}`;
  try {
    const reply = await target.request("offer", {
      "call-id": callId,
      "from-tag": "probe",
      ...profileOf({ sender: { kind: "rtp" }, receiver: { kind: "webrtc" } }),
      sdp: PROBE_SDP,
    });
    const text = typeof reply["sdp"] === "string" ? reply["sdp"] : "";
    const sdp = parseSdp(text);
    const audio = sdp.media[0];
    const host = (audio?.connection ?? sdp.connection)?.host;
    const ufrag = audio && findAttribute(audio.attributes, "ice-ufrag")?.value;
    const software =
      audio === undefined || host === undefined || ufrag === undefined
        ? undefined
        : await askSoftware({ host, port: audio.port, ufrag, clock });
    const versionText = software === undefined ? undefined : releaseOfSoftware(software);
    return {
      versionText,
      version: versionText === undefined ? undefined : tryParseVersion(versionText),
      hasTlsId: audio !== undefined && findAttribute(audio.attributes, "tls-id") !== undefined,
    };
  } catch {
    return UNKNOWN_CAPABILITIES;
  } finally {
    target.request("delete", { "call-id": callId, "delete delay": 0 }).catch(() => {});
  }
}

/** The SOFTWARE of whoever answers STUN at a port; undefined when nobody does, or names nothing. */
async function askSoftware(peer: {
  readonly host: string;
  readonly port: number;
  readonly ufrag: string;
  readonly clock: Clock;
}): Promise<string | undefined> {
  const request = bindingRequest(`${peer.ufrag}:offhook`);
  const socket = createSocket(isIPv6(peer.host) ? "udp6" : "udp4");
  try {
    return await new Promise<string | undefined>((resolve) => {
      let sends = 0;
      const send = (): void => {
        sends += 1;
        if (sends > STUN_RESENDS) {
          resolve(undefined);
          return;
        }
        socket.send(request, peer.port, peer.host, () => {});
        timer = peer.clock.after(STUN_INTERVAL_MS, send);
      };
      let timer = peer.clock.after(0, send);
      socket.on("error", () => {
        timer.cancel();
        resolve(undefined);
      });
      socket.on("message", (octets) => {
        const software = readSoftware(octets, request.subarray(8, 20));
        if (software === undefined) return;
        timer.cancel();
        resolve(software);
      });
    });
  } finally {
    socket.close();
  }
}

/** A Binding request without MESSAGE-INTEGRITY (RFC 8489 §5): it gets a refusal, which is enough. */
function bindingRequest(username: string): Buffer {
  const name = Buffer.from(username);
  const padded = Buffer.alloc(Math.ceil(name.length / 4) * 4);
  name.copy(padded);
  const head = Buffer.alloc(20);
  head.writeUInt16BE(STUN_BINDING, 0);
  // The length counts FINGERPRINT too (RFC 8489 §14.7).
  head.writeUInt16BE(4 + padded.length + 8, 2);
  head.writeUInt32BE(STUN_COOKIE, 4);
  randomBytes(12).copy(head, 8);
  const user = Buffer.alloc(4);
  user.writeUInt16BE(STUN_USERNAME, 0);
  user.writeUInt16BE(name.length, 2);
  const covered = Buffer.concat([head, user, padded]);
  const fingerprint = Buffer.alloc(8);
  fingerprint.writeUInt16BE(STUN_FINGERPRINT, 0);
  fingerprint.writeUInt16BE(4, 2);
  fingerprint.writeUInt32BE((crc32(covered) ^ 0x5354554e) >>> 0, 4);
  return Buffer.concat([covered, fingerprint]);
}

function readSoftware(octets: Buffer, transactionId: Buffer): string | undefined {
  if (octets.length < 20 || !octets.subarray(8, 20).equals(transactionId)) return undefined;
  for (let at = 20; at + 4 <= octets.length;) {
    const type = octets.readUInt16BE(at);
    const length = octets.readUInt16BE(at + 2);
    const value = octets.subarray(at + 4, at + 4 + length);
    if (type === STUN_SOFTWARE) {
      // RFC 8489 §14.14: fewer than 128 characters.
      return value
        .toString("latin1")
        .slice(0, 127)
        .replace(/[^\x20-\x7e]/g, "");
    }
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return undefined;
}
