/** The direction of sound and pictures in an SDP; that of the sound is how holding is said. Pure. */

/** RFC 8866 §6.7. */
export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

const DIRECTIONS: readonly Direction[] = ["sendrecv", "sendonly", "recvonly", "inactive"];

/** The direction of the first audio section, the session's own as default, else `sendrecv`. */
export function audioDirectionOf(sdp: string): Direction {
  return directionOf(sdp, "audio");
}

/** Whether an offer has pictures: a section in use, of whatever direction. */
export function offersVideo(sdp: string): boolean {
  return /^m=video [1-9]/m.test(sdp);
}

/** Whether a side that says this sends pictures. */
export function showsVideo(sdp: string): boolean {
  return offersVideo(sdp) && directionOf(sdp, "video").startsWith("send");
}

function directionOf(sdp: string, media: "audio" | "video"): Direction {
  let section = "session";
  let direction: Direction = "sendrecv";
  for (const rawLine of sdp.split("\n")) {
    const line = rawLine.trim();
    if (line.startsWith("m=")) {
      if (section === media) break;
      section = line.startsWith(`m=${media} `) ? media : "other";
    } else if (section !== "other" && line.startsWith("a=")) {
      direction = DIRECTIONS.find((name) => line === `a=${name}`) ?? direction;
    }
  }
  return direction;
}

/** Whether a side that says this keeps its peer on hold (RFC 3264 §8.4, from its own view). */
export function isHolding(direction: Direction): boolean {
  return direction === "sendonly" || direction === "inactive";
}
