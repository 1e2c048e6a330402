import { SipFormatError, SipParseError } from "./errors.ts";
import { formatParams, isUriText, parseParams, trimBlanks } from "./syntax.ts";

/** Names a dialog from the side of whoever gets the header field (RFC 3891 §6.1). */
export interface Replaces {
  readonly callId: string;
  /** The tag of the receiver in the dialog. */
  readonly toTag: string;
  /** The tag of the receiver's far end in the dialog; empty when it has none. */
  readonly fromTag: string;
  /** Replace it only while it rings. */
  readonly isEarlyOnly: boolean;
}

/** A peer of RFC 2543 has no tag, and is named with this one (RFC 3891 §3). */
const NO_TAG = "0";

/** Reads the value of Replaces (RFC 3891 §6.1). @returns undefined when it is malformed */
export function tryParseReplaces(value: string): Replaces | undefined {
  const semicolon = value.indexOf(";");
  if (semicolon <= 0) return undefined;
  const callId = trimBlanks(value, 0, semicolon);
  try {
    const params = parseParams(value, semicolon);
    const toTag = params.get("to-tag");
    const fromTag = params.get("from-tag");
    if (callId === "" || !toTag || !fromTag) return undefined;
    return {
      callId,
      toTag,
      fromTag: fromTag === NO_TAG ? "" : fromTag,
      isEarlyOnly: params.has("early-only"),
    };
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}

/** The value of Replaces. @throws SipFormatError when a part may not be written */
export function formatReplaces(replaces: Replaces): string {
  const { callId, toTag, fromTag, isEarlyOnly } = replaces;
  if (!isUriText(callId) || callId.includes(";")) {
    throw new SipFormatError("A Call-ID in Replaces must be one word");
  }
  const tags = formatParams([
    ["to-tag", toTag],
    ["from-tag", fromTag === "" ? NO_TAG : fromTag],
  ]);
  return `${callId}${tags}${isEarlyOnly ? ";early-only" : ""}`;
}
