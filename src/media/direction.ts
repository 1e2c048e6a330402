/** The direction of the first media description (RFC 3264 §5.1). */
export type MediaDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

const LINE = /^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m;
const LINES = /^a=(?:sendrecv|sendonly|recvonly|inactive)(\r?)$/gm;

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

/**
 * The same SDP with this direction, and a line that says so when it has none. Sections behind the
 * first follow it, but for those that are `inactive`: they stay so, unless everything is opened.
 */
export function withDirection(sdp: string, direction: MediaDirection): string {
  // RFC 8866 §6.7: before the media it holds for all of them.
  if (!LINE.test(sdp)) return sdp.replace(/^m=/m, `a=${direction}\r\nm=`);
  const isOpen = direction === "sendrecv";
  return splitSections(sdp)
    .map((part, index) =>
      index > 1 && !isOpen && saidIn(part) === "inactive"
        ? part
        : part.replaceAll(LINES, `a=${direction}$1`),
    )
    .join("");
}

/** RFC 3264 §6.1: an answer says of no section what its offer does not allow. */
export function asAnswerTo(offer: string, answer: string): string {
  const [session = "", ...offered] = splitSections(offer);
  return mapSections(answer, (section, index) => {
    const other = saidIn(offered[index] ?? "") ?? saidIn(session) ?? "sendrecv";
    const said = saidIn(section) ?? "sendrecv";
    const isSending = sends(said) && isReceiving(other);
    const direction = DIRECTIONS[`${isSending}-${isReceiving(said) && sends(other)}`];
    return direction === said ? section : section.replaceAll(LINES, `a=${direction}$1`);
  });
}

function saidIn(section: string): MediaDirection | undefined {
  const said = LINE.exec(section)?.[1];
  return Object.values(DIRECTIONS).find((direction) => direction === said);
}

const DIRECTIONS = {
  "true-true": "sendrecv",
  "true-false": "sendonly",
  "false-true": "recvonly",
  "false-false": "inactive",
} as const;

function sends(direction: MediaDirection): boolean {
  return direction === "sendrecv" || direction === "sendonly";
}

/** What stands before the media descriptions, and each of them. */
function splitSections(sdp: string): readonly string[] {
  return sdp.split(/^(?=m=)/m);
}

function mapSections(sdp: string, change: (section: string, index: number) => string): string {
  const [session = "", ...sections] = splitSections(sdp);
  return [session, ...sections.map(change)].join("");
}

/** Whether whoever says this direction of itself takes media. */
export function isReceiving(direction: MediaDirection): boolean {
  return direction === "sendrecv" || direction === "recvonly";
}
