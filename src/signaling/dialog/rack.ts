import type { SipRequest, SipResponse } from "../message/message.ts";
import { tryParseDigits } from "../message/syntax.ts";
import { requires } from "./option-tags.ts";

/** The header fields of RFC 3262 §7. */

/** RSeq and the response-num of RAck. */
const MAX_RSEQ = 0xffff_ffff;
/** CSeq (RFC 3261 §8.1.1.5). */
const MAX_CSEQ = 0x7fff_ffff;

/** What a PRACK acknowledges. */
export interface Rack {
  readonly rseq: number;
  readonly cseqNumber: number;
  readonly method: string;
}

/** Reads RAck; undefined when there is none or it is malformed. */
export function rackOf(request: SipRequest): Rack | undefined {
  const value = request.headers.get("RAck") ?? "";
  const [rseqText = "", cseqText = "", method = "", ...rest] = value
    .replaceAll("\t", " ")
    .split(" ", 64)
    .filter((part) => part !== "");
  const rseq = tryParseDigits(rseqText, MAX_RSEQ);
  const cseqNumber = tryParseDigits(cseqText, MAX_CSEQ);
  if (rseq === undefined || cseqNumber === undefined || method === "" || rest.length > 0) {
    return undefined;
  }
  return { rseq, cseqNumber, method };
}

/** The RSeq of a provisional response that was sent reliably (RFC 3262 §4); undefined otherwise. */
export function reliableRseqOf(response: SipResponse): number | undefined {
  const status = response.statusCode;
  // RFC 3262 §4: 100 is never reliable.
  if (status <= 100 || status >= 200 || !requires(response, "100rel")) return undefined;
  const rseq = tryParseDigits(response.headers.get("RSeq")?.trim() ?? "", MAX_RSEQ);
  return rseq === 0 ? undefined : rseq;
}
