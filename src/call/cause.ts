import type { EndReason } from "../core/end-reason.ts";
import type { InviteFailure } from "../signaling/engine.ts";
import type { CallResult } from "./record.ts";

/** SIP status to Q.850 cause, RFC 3398 §8.2.6.1 with the usual additions. */
const Q850_OF_STATUS: ReadonlyMap<number, number> = new Map([
  [400, 41],
  [401, 21],
  [402, 21],
  [403, 21],
  [404, 1],
  [405, 63],
  [406, 79],
  [407, 21],
  [408, 102],
  [410, 22],
  [413, 127],
  [414, 127],
  [415, 79],
  [416, 127],
  [420, 127],
  [421, 127],
  [423, 127],
  [480, 18],
  [481, 41],
  [482, 25],
  [483, 25],
  [484, 28],
  [485, 1],
  [486, 17],
  [487, 16],
  [488, 88],
  [500, 41],
  [501, 79],
  [502, 38],
  [503, 41],
  [504, 102],
  [505, 127],
  [513, 127],
  [600, 17],
  [603, 21],
  [604, 1],
  [606, 88],
]);

/** Q.850 cause to SIP status, RFC 3398 §7.2.4.1. */
const STATUS_OF_Q850: ReadonlyMap<number, number> = new Map([
  [1, 404],
  [2, 404],
  [3, 404],
  [17, 486],
  [18, 408],
  [19, 480],
  [20, 480],
  [21, 403],
  [22, 410],
  [23, 410],
  [26, 404],
  [27, 502],
  [28, 484],
  [29, 501],
  [31, 480],
  [34, 503],
  [38, 503],
  [41, 503],
  [42, 503],
  [47, 503],
  [55, 403],
  [57, 403],
  [58, 503],
  [65, 488],
  [70, 488],
  [79, 501],
  [87, 403],
  [88, 488],
  [102, 504],
  [111, 500],
  [127, 500],
]);

/** The caller has hung up before anybody answered. */
export const CANCELLED: EndReason = { sipStatus: 487, q850: 16, text: "Cancelled by the caller" };

/** A normal hang-up: Q.850 16, normal call clearing. */
export const NORMAL_CLEARING: EndReason = {
  sipStatus: 200,
  q850: 16,
  text: "Normal call clearing",
};

/** Q.850 cause of a SIP status; 31 (normal, unspecified) where none fits. */
export function q850OfStatus(status: number): number {
  if (status < 300) return 16;
  return Q850_OF_STATUS.get(status) ?? (status >= 600 ? 21 : 31);
}

/** SIP status of a Q.850 cause; 480 where none fits, 200 for a normal clearing. */
export function statusOfQ850(cause: number): number {
  return cause === 16 ? 200 : (STATUS_OF_Q850.get(cause) ?? 480);
}

/** The reason with both halves filled in, as it goes into Reason header fields and records. */
export function completeReason(reason: EndReason): EndReason {
  return { ...reason, q850: reason.q850 ?? q850OfStatus(reason.sipStatus) };
}

/**
 * What the caller is told when an attempt at the callee failed.
 *
 * The callee's own answer passes where it speaks of the callee (busy, declined, not found); what
 * speaks of the gateway's relation to its peer does not: a 401 is our credential's fault, a 3xx
 * is not followed (a redirect may cost money), a peer that says nothing at all is a 504, so that
 * "no answer" keeps meaning that a phone rang.
 */
export function reasonForCaller(failure: InviteFailure, hasRung: boolean): EndReason {
  const { reason } = failure;
  switch (failure.cause) {
    case "timeout":
      return hasRung
        ? { sipStatus: 480, q850: 19, text: "No answer" }
        : { sipStatus: 504, q850: 102, text: "The far end did not respond" };
    case "transport":
      return { sipStatus: 503, q850: 38, text: "The far end could not be reached" };
    case "cancelled":
      return { sipStatus: 487, q850: 16, text: "Cancelled" };
    case "response": {
      const text = reason.text ?? failure.reasonPhrase;
      const status = reason.sipStatus;
      if (status < 400)
        return { sipStatus: 502, q850: 23, text: "The far end redirected the call" };
      switch (status) {
        case 401:
        case 407:
          return {
            sipStatus: 502,
            q850: 21,
            text: "The far end refused the gateway's credentials",
          };
        case 408:
          return { sipStatus: 480, q850: reason.q850 ?? 18, text };
        case 487:
          return { sipStatus: 480, q850: reason.q850 ?? 31, text };
        case 400:
        case 405:
        case 406:
        case 413:
        case 414:
        case 415:
        case 416:
        case 420:
        case 421:
        case 423:
        case 481:
        case 482:
        case 483:
        case 491:
        case 493:
        case 505:
        case 513:
          // The far end refused how we asked, which the caller cannot mend.
          return { sipStatus: 502, q850: reason.q850 ?? q850OfStatus(status), text };
        default:
          return { sipStatus: status, q850: reason.q850 ?? q850OfStatus(status), text };
      }
    }
  }
}

/** Whether the SDP was refused, and not the call (RFC 3261 §21.4.26, §21.6.4). */
export function refusesMedia({ sipStatus }: EndReason): boolean {
  return sipStatus === 488 || sipStatus === 606;
}

/** Whether the next trunk may be tried: the trunk failed, not the callee (RFC 3263 §4.3). */
export function mayFailOver(failure: InviteFailure, hasRung: boolean): boolean {
  switch (failure.cause) {
    case "transport":
      return true;
    case "timeout":
      return !hasRung;
    case "cancelled":
      return false;
    case "response":
      return (
        failure.reason.sipStatus === 408 ||
        (failure.reason.sipStatus >= 500 && failure.reason.sipStatus < 600)
      );
  }
}

/** Sorts an end into the classes of a call record. */
export function resultOf(reason: EndReason, wasAnswered: boolean, isUpstream: boolean): CallResult {
  if (wasAnswered && reason.sipStatus < 300) return "success";
  if (reason.sipStatus < 300) return "indeterminate";
  if (reason.sipStatus >= 500 && reason.sipStatus < 600) {
    return isUpstream ? "upstream_error" : "server_error";
  }
  return "client_error";
}
