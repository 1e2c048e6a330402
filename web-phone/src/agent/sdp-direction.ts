/** The direction of the sound in an SDP, which is how holding is said. Pure. */

/** RFC 8866 §6.7. */
export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

const DIRECTIONS: readonly Direction[] = ["sendrecv", "sendonly", "recvonly", "inactive"];

/** The direction of the first audio section, the session's own as default, else `sendrecv`. */
export function audioDirectionOf(sdp: string): Direction {
  let section = "session";
  let direction: Direction = "sendrecv";
  for (const rawLine of sdp.split("\n")) {
    const line = rawLine.trim();
    if (line.startsWith("m=")) {
      if (section === "audio") break;
      section = line.startsWith("m=audio") ? "audio" : "other";
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
