/**
 * Why a call or a request ended, as it crosses from one leg to the other.
 *
 * `sipStatus` is a SIP status code (200 for a normal hang-up); `q850` an ITU-T Q.850 cause
 * (RFC 3326 §2, RFC 6432); `text` is for people.
 */
export interface EndReason {
  readonly sipStatus: number;
  readonly q850?: number;
  readonly text?: string;
}
