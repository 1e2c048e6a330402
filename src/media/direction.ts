/** The direction of the first media description (RFC 3264 §5.1). */
export type MediaDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

const LINE = /^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m;

/**
 * The direction that an SDP asks for; `sendrecv` when it says none (RFC 8866 §6.7), `inactive` for
 * the old hold with the address 0.0.0.0 (RFC 2543 §B.5). With ICE that address only says that no
 * candidate is known yet (RFC 9429 §5.2.1).
 */
export function directionOf(sdp: string): MediaDirection {
  const found = LINE.exec(sdp)?.[1];
  if (found === "sendonly" || found === "recvonly" || found === "inactive") return found;
  return /^c=IN IP4 0\.0\.0\.0\r?$/m.test(sdp) && !sdp.includes("a=ice-ufrag:")
    ? "inactive"
    : "sendrecv";
}

/** The same SDP with every direction line replaced, or with one when it has none. */
export function withDirection(sdp: string, direction: MediaDirection): string {
  if (LINE.test(sdp)) {
    return sdp.replaceAll(/^a=(?:sendrecv|sendonly|recvonly|inactive)(\r?)$/gm, `a=${direction}$1`);
  }
  // RFC 8866 §6.7: before the media it holds for all of them.
  return sdp.replace(/^m=/m, `a=${direction}\r\nm=`);
}

/** Whether whoever says this direction of itself takes media. */
export function isReceiving(direction: MediaDirection): boolean {
  return direction === "sendrecv" || direction === "recvonly";
}
