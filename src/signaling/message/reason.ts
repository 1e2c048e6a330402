import type { EndReason } from "../../core/end-reason.ts";
import { SipParseError } from "./errors.ts";
import type { Headers } from "./headers.ts";
import {
  octetsToText,
  parseParams,
  quote,
  skipBlanks,
  tokenEnd,
  tryParseDigits,
} from "./syntax.ts";
import type { Params } from "./syntax.ts";

/** Q.850 causes have seven bits. */
const MAX_Q850_CAUSE = 127;

/**
 * Reads the Reason header field (RFC 3326) as far as it says why a call ended. Never throws: values
 * of other protocols and malformed ones are passed over.
 *
 * @param defaultStatus what `sipStatus` is when only a Q.850 cause is given: 200 for a BYE, 487
 *   for a CANCEL
 * @returns undefined when there is nothing to read
 */
export function parseReason(headers: Headers, defaultStatus = 200): EndReason | undefined {
  let sipStatus: number | undefined;
  let q850: number | undefined;
  let text: string | undefined;
  for (const value of headers.list("Reason")) {
    const protocolEnd = tokenEnd(value, 0);
    const protocol = value.slice(0, protocolEnd).toUpperCase();
    const params = tryParseParams(value, protocolEnd);
    const cause = params?.get("cause");
    if (params === undefined || cause === undefined) continue;
    if (protocol === "SIP" && sipStatus === undefined) {
      sipStatus = tryParseStatus(cause);
    } else if (protocol === "Q.850" && q850 === undefined) {
      q850 = tryParseDigits(cause, MAX_Q850_CAUSE);
    } else {
      continue;
    }
    const said = params.get("text");
    if (text === undefined && said !== undefined && said !== "") text = octetsToText(said);
  }
  if (sipStatus === undefined && q850 === undefined) return undefined;
  return {
    sipStatus: sipStatus ?? defaultStatus,
    ...(q850 === undefined ? {} : { q850 }),
    ...(text === undefined ? {} : { text }),
  };
}

/**
 * The values of a Reason header field, one header line for each protocol (RFC 3326 §2: "only one
 * value per protocol"): SIP always, Q.850 when there is a cause.
 */
export function formatReason(reason: EndReason): readonly string[] {
  const text = reason.text === undefined ? "" : `;text=${quote(reason.text)}`;
  const values = [`SIP;cause=${reason.sipStatus}${text}`];
  if (reason.q850 !== undefined) values.push(`Q.850;cause=${reason.q850}${text}`);
  return values;
}

function tryParseStatus(text: string): number | undefined {
  const status = tryParseDigits(text, 699);
  return status !== undefined && status >= 100 ? status : undefined;
}

function tryParseParams(value: string, start: number): Params | undefined {
  try {
    return parseParams(value, skipBlanks(value, start));
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}
