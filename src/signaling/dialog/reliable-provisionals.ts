import type { Timer } from "../../core/clock.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { DialogContext } from "./dialog-context.ts";
import { rackOf } from "./rack.ts";

/** What the reliable provisional responses need of their INVITE. */
export interface ReliablePort {
  readonly cseqNumber: number;
  send(response: SipResponse): void;
  /** 64·T1 have passed without the PRACK. Called once. */
  onGaveUp(): void;
}

/** Builds a response when its turn has come. */
export type ReliableResponse = (rseq: number) => SipResponse;

interface Outstanding {
  readonly rseq: number;
  readonly hasSdp: boolean;
  readonly repeat: { timer: Timer };
  readonly giveUp: Timer;
}

type State =
  | { readonly name: "idle" }
  | { readonly name: "waiting"; readonly outstanding: Outstanding }
  | { readonly name: "stopped" };

const MAX_QUEUED = 8;
/** RFC 3262 §3: the first RSeq is chosen from 1 to 2^31 - 1; small ones leave room to count. */
const FIRST_RSEQ_RANGE = 0x7fff_0000;

/**
 * The reliable provisional responses to one INVITE (RFC 3262 §3): each sent again at T1, doubling,
 * until its PRACK; one at a time, the next ones wait.
 */
export class ReliableProvisionals {
  readonly #context: DialogContext;
  readonly #port: ReliablePort;
  readonly #queue: ReliableResponse[] = [];
  #nextRseq: number;
  #state: State = { name: "idle" };
  /** The RSeq whose PRACK may still come although nobody waits for it any more. */
  #forgiven: number | undefined;
  #onSettled: (() => void) | undefined;

  constructor(context: DialogContext, port: ReliablePort) {
    this.#context = context;
    this.#port = port;
    this.#nextRseq = 1 + Math.floor(context.random() * FIRST_RSEQ_RANGE);
  }

  /** An offer or answer of ours is on its way and not acknowledged: no 2xx yet (RFC 3262 §5). */
  get holdsAccept(): boolean {
    return this.#state.name === "waiting" && this.#state.outstanding.hasSdp;
  }

  /** Sends now, or when its turn has come. */
  send(response: ReliableResponse): void {
    switch (this.#state.name) {
      case "idle":
        this.#transmit(response);
        return;
      case "waiting":
        // RFC 3262 §3: the second reliable response waits for the PRACK of the first.
        if (this.#queue.length < MAX_QUEUED) this.#queue.push(response);
        return;
      case "stopped":
        return;
    }
  }

  /** Takes a PRACK. @returns false when it fits nothing: 481 (RFC 3262 §3) */
  acknowledge(prack: SipRequest): boolean {
    const rack = rackOf(prack);
    if (rack === undefined || rack.method !== "INVITE") return false;
    if (rack.cseqNumber !== this.#port.cseqNumber) return false;
    if (rack.rseq === this.#forgiven) {
      this.#forgiven = undefined;
      return true;
    }
    if (this.#state.name !== "waiting" || this.#state.outstanding.rseq !== rack.rseq) return false;
    clear(this.#state.outstanding);
    this.#state = { name: "idle" };
    return true;
  }

  /** Goes on after a PRACK, once its response has been sent. */
  pump(): void {
    if (this.#state.name !== "idle") return;
    const settled = this.#onSettled;
    this.#onSettled = undefined;
    if (settled !== undefined) {
      settled();
      return;
    }
    const next = this.#queue.shift();
    if (next !== undefined) this.#transmit(next);
  }

  /** The 2xx waits: what is queued is dropped, `onSettled` follows the PRACK that is awaited. */
  settle(onSettled: () => void): void {
    this.#queue.length = 0;
    this.#onSettled = onSettled;
  }

  /**
   * The INVITE has its final response: nothing is sent any more (RFC 3262 §3); a PRACK that is on
   * its way still gets its 200.
   */
  stop(): void {
    if (this.#state.name === "waiting") {
      clear(this.#state.outstanding);
      this.#forgiven = this.#state.outstanding.rseq;
    }
    this.#state = { name: "stopped" };
    this.#queue.length = 0;
    this.#onSettled = undefined;
  }

  #transmit(build: ReliableResponse): void {
    const rseq = this.#nextRseq;
    this.#nextRseq += 1;
    const response = build(rseq);
    const hasSdp = response.sdp !== undefined;
    const { clock, timers } = this.#context;
    const repeatAfter = (delayMs: number): Timer =>
      clock.after(delayMs, () => {
        this.#port.send(response);
        // RFC 3262 §3: the interval doubles, without a ceiling.
        repeat.timer = repeatAfter(2 * delayMs);
      });
    const repeat = { timer: repeatAfter(timers.t1) };
    const giveUp = clock.after(64 * timers.t1, () => {
      this.stop();
      this.#port.onGaveUp();
    });
    this.#state = { name: "waiting", outstanding: { rseq, hasSdp, repeat, giveUp } };
    this.#port.send(response);
  }
}

function clear({ repeat, giveUp }: Outstanding): void {
  repeat.timer.cancel();
  giveUp.cancel();
}
