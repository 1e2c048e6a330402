import { directionOf } from "./direction.ts";

/** Ports and protocols of audio and video, every address, and the direction of each section. */
const TRANSPORT =
  /^(?:m=(?:audio|video) [0-9]+ \S+|a=(?:sendrecv|sendonly|recvonly|inactive)(?=\r?$)|c=\S+ \S+ \S+|a=(?:crypto|fingerprint|setup):.*)/gm;

const PLACE = /^(?:m=(?:audio|video) [0-9]+|c=\S+ \S+ \S+)/gm;

/** Whether two SDPs have the same ports and addresses. */
export function isSamePlace(one: string, other: string): boolean {
  const of = (sdp: string): string => (sdp.match(PLACE) ?? []).join("\n");
  return of(one) === of(other);
}

/** Whether two SDPs have the same port and address for sound, whatever else they have. */
export function isSoundInPlace(one: string, other: string): boolean {
  const of = (sdp: string): string => {
    const [session = "", ...sections] = sdp.split(/^(?=m=)/m);
    const sound = sections.find((section) => section.startsWith("m=audio ")) ?? "";
    const own = sound.match(PLACE) ?? [];
    // RFC 8866 §5.7: what stands before the media holds where a section says nothing else.
    return [...own, ...(own.length > 1 ? [] : (session.match(PLACE) ?? []))].join("\n");
  };
  return of(one) === of(other);
}

/** Whether two SDPs lead sound to the same place, in the same direction and encryption. */
export function isSameTransport(one: string, other: string): boolean {
  const of = (sdp: string): string => (sdp.match(TRANSPORT) ?? []).join("\n");
  return of(one) === of(other) && directionOf(one) === directionOf(other);
}
