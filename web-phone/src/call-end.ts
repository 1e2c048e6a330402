/**
 * Why a call is over: from SIP's codes to the few kinds that the screens have words for. The code
 * and the Reason header stay beside the kind, for the Details of an error.
 */

/** Everything that can end a call, one kind for each text in the catalogue. */
export const END_KINDS = [
  "completed",
  "cancelled",
  "missed",
  "answered-elsewhere",
  "declined-by-me",
  "transferred",
  "microphone-blocked",
  "microphone-missing",
  "microphone-busy",
  "number-not-found",
  "no-answer",
  "busy",
  "declined",
  "not-allowed",
  "sign-in-refused",
  "audio-mismatch",
  "provider-failed",
  "server-unreachable",
  "audio-failed",
  "connection-lost",
  "failed",
] as const;

/** See {@link END_KINDS}. */
export type EndKind = (typeof END_KINDS)[number];

/** What SIP said, as it is shown under Details. */
export interface SipDetails {
  readonly status?: number | undefined;
  readonly reasonPhrase?: string | undefined;
  /** The Reason header (RFC 3326) as it came. */
  readonly reason?: string | undefined;
  readonly callId?: string | undefined;
}

/** How a call ended. */
export interface CallEnd {
  readonly kind: EndKind;
  readonly details: SipDetails;
}

/** What the one button of an ended call does. */
export type EndAction = "call-again" | "edit-number" | "try-again" | "sign-in" | "close";

/** The kind of end that a final response of a call, 300 to 699, means to its caller. */
export function endKindOfStatus(status: number): EndKind {
  switch (status) {
    case 401:
    case 407:
      return "sign-in-refused";
    case 402:
    case 403:
    case 433:
    case 608:
      return "not-allowed";
    case 404:
    case 410:
    case 414:
    case 416:
    case 484:
    case 485:
    case 604:
      return "number-not-found";
    case 408:
    case 480:
      return "no-answer";
    case 486:
    case 600:
      return "busy";
    case 487:
      return "cancelled";
    case 415:
    case 488:
    case 606:
      return "audio-mismatch";
    case 603:
    case 607:
      return "declined";
    default:
      return status >= 500 && status <= 599 ? "provider-failed" : "failed";
  }
}

/** The button that helps most after such an end. */
export function endActionOf(kind: EndKind): EndAction {
  switch (kind) {
    case "number-not-found":
      return "edit-number";
    case "microphone-blocked":
    case "microphone-missing":
    case "microphone-busy":
      return "try-again";
    case "sign-in-refused":
      return "sign-in";
    case "busy":
    case "no-answer":
    case "provider-failed":
    case "server-unreachable":
    case "audio-failed":
    case "connection-lost":
    case "failed":
      return "call-again";
    case "completed":
    case "cancelled":
    case "missed":
    case "answered-elsewhere":
    case "declined-by-me":
    case "transferred":
    case "declined":
    case "not-allowed":
    case "audio-mismatch":
      return "close";
  }
}

/** Ends that need no explanation: the phone goes back to dialling by itself and says one line. */
export function isQuietEnd(kind: EndKind): boolean {
  return (
    kind === "completed" ||
    kind === "cancelled" ||
    kind === "missed" ||
    kind === "answered-elsewhere" ||
    kind === "declined-by-me" ||
    kind === "transferred"
  );
}

function parameterOf(value: string, name: string): string | undefined {
  for (const part of value.split(";")) {
    const equals = part.indexOf("=");
    if (equals < 0 || part.slice(0, equals).trim().toLowerCase() !== name) continue;
    return part
      .slice(equals + 1)
      .trim()
      .replaceAll('"', "");
  }
  return undefined;
}

/** A Reason header for people: `Q.850;cause=17;text="User busy"` → `Q.850 17 · User busy`. */
export function formatReason(reason: string): string {
  const protocol = (reason.split(";", 1)[0] ?? "").trim();
  const cause = parameterOf(reason, "cause");
  const text = parameterOf(reason, "text");
  const head = cause === undefined ? protocol : `${protocol} ${cause}`;
  return text === undefined || text === "" ? head : `${head} · ${text}`;
}

/** Whether a CANCEL's Reason says that another phone took the call (RFC 3326 §2). */
export function isAnsweredElsewhere(reason: string | undefined): boolean {
  return reason !== undefined && parameterOf(reason, "cause") === "200";
}

/**
 * Q.850 causes with which a network, not a person, ends a call: out of order, failure, congestion,
 * resources gone, recovery on timer expiry, protocol error, interworking.
 */
const BROKEN_CAUSES = new Set(["27", "38", "41", "42", "47", "102", "111"]);

/** What a BYE's Reason header (RFC 3326) says: hung up, or cut off. */
export function endKindOfBye(reason: string | undefined): EndKind {
  if (reason === undefined) return "completed";
  const protocol = (reason.split(";", 1)[0] ?? "").trim().toUpperCase();
  const cause = parameterOf(reason, "cause") ?? "";
  if (protocol === "Q.850") return BROKEN_CAUSES.has(cause) ? "connection-lost" : "completed";
  return protocol === "SIP" && Number(cause) >= 400 ? "connection-lost" : "completed";
}
