/**
 * The timers of RFC 3261 §17 (table 4) and RFC 6026, in milliseconds. One table, injected into the
 * transaction layer and never global.
 */
export interface TimerValues {
  /** Estimate of the round trip. Default 500. */
  readonly t1: number;
  /** Longest interval between retransmissions of non-INVITE requests and INVITE responses. Default 4000. */
  readonly t2: number;
  /** How long a message stays in the network. Default 5000. */
  readonly t4: number;
  /** INVITE request retransmission, first interval, unreliable transports only: T1. */
  readonly timerA: number;
  /** INVITE client gives up: 64·T1. */
  readonly timerB: number;
  /** INVITE client waits for response retransmissions: 65·T1 over UDP, 0 otherwise. */
  readonly timerD: number;
  /** Non-INVITE request retransmission, first interval, unreliable transports only: T1. */
  readonly timerE: number;
  /** Non-INVITE client gives up: 64·T1. */
  readonly timerF: number;
  /** INVITE response retransmission, first interval, unreliable transports only: T1. */
  readonly timerG: number;
  /** INVITE server waits for the ACK: 64·T1. */
  readonly timerH: number;
  /** INVITE server waits for ACK retransmissions: T4 over UDP, 0 otherwise. */
  readonly timerI: number;
  /** Non-INVITE server waits for request retransmissions: 64·T1 over UDP, 0 otherwise. */
  readonly timerJ: number;
  /** Non-INVITE client waits for response retransmissions: T4 over UDP, 0 otherwise. */
  readonly timerK: number;
  /** INVITE server waits for INVITE retransmissions after a 2xx: 64·T1 (RFC 6026 §8.7). */
  readonly timerL: number;
  /** INVITE client waits for more 2xx: 64·T1 (RFC 6026 §8.4). */
  readonly timerM: number;
  /** INVITE server sends 100 by itself after this: 200 (RFC 3261 §17.2.1). 0 sends it at once. */
  readonly trying: number;
  /** INVITE client waits this long for a final response after CANCEL: 64·T1 (RFC 3261 §9.1). */
  readonly cancel: number;
}

/** The base values that the table is made of. */
export interface BaseTimerValues {
  readonly t1?: number;
  readonly t2?: number;
  readonly t4?: number;
  readonly trying?: number;
}

/** The table of RFC 3261 for the given base values; T1 500 ms, T2 4 s, T4 5 s without any. */
export function timerValuesOf(base: BaseTimerValues = {}): TimerValues {
  const t1 = base.t1 ?? 500;
  const t2 = base.t2 ?? 4000;
  const t4 = base.t4 ?? 5000;
  return {
    t1,
    t2,
    t4,
    timerA: t1,
    timerB: 64 * t1,
    timerD: 65 * t1, // RFC 3261 §17.1.1.2: "at least 32 seconds"
    timerE: t1,
    timerF: 64 * t1,
    timerG: t1,
    timerH: 64 * t1,
    timerI: t4,
    timerJ: 64 * t1,
    timerK: t4,
    timerL: 64 * t1,
    timerM: 64 * t1,
    trying: base.trying ?? 200,
    cancel: 64 * t1,
  };
}
