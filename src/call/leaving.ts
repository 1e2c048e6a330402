import type { EndReason } from "../core/end-reason.ts";
import type { MediaSession } from "../media/session.ts";
import type { CallEnd } from "./call-end.ts";

/** What a call gives with an end that leaves it. */
export interface Handover {
  /** Give back the end's places under the limits; whoever takes the end calls them when it is over. */
  readonly places: readonly (() => void)[];
  /** Whether the place of the whole call is among them. */
  readonly isWhole: boolean;
  /** Whether the call was being recorded: that goes on wherever the end goes. */
  readonly isRecorded: boolean;
}

/** The call that an end may leave. */
interface LeftCall {
  readonly id: string;
  readonly media: MediaSession;
  /** The end is let go, and the call ends. */
  release(): Handover;
  end(reason: EndReason): void;
  /** The media of the end was elsewhere meanwhile. */
  repair(): void;
}

/**
 * An end of a connected call that another call wants to have: it is being transferred, or the one
 * that it talks to is replaced. Until `complete` the call goes on as it was; and if whoever wanted
 * the transfer hangs up meanwhile, this end waits for how it comes out.
 */
export class Leaving {
  readonly end: CallEnd;
  readonly #call: LeftCall;
  #state: "waiting" | "moving" | "over" = "waiting";
  #isAlone: boolean;
  /** The end, or the whole call, has gone. */
  onGone: (reason: EndReason) => void = () => {};

  /** @param isAlone whether there is nobody whom the end talks to */
  constructor(end: CallEnd, call: LeftCall, isAlone = false) {
    this.end = end;
    this.#call = call;
    this.#isAlone = isAlone;
  }

  get callId(): string {
    return this.#call.id;
  }

  get media(): MediaSession {
    return this.#call.media;
  }

  /** Whether the end is negotiating with the other call, and must not be disturbed. */
  get isMoving(): boolean {
    return this.#state === "moving";
  }

  /** It has come out, one way or the other. */
  get isOver(): boolean {
    return this.#state === "over";
  }

  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** One of the call's two ends is gone. @returns whether the call goes on all the same */
  outlives(end: CallEnd, reason: EndReason): boolean {
    if (this.#state === "over") return false;
    if (end === this.end) {
      this.cancel(reason);
      return false;
    }
    this.#isAlone = true;
    return true;
  }

  /** The call has ended by itself. */
  cancel(reason: EndReason): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.onGone(reason);
  }

  /** The end is asked for its new media now. */
  begin(): void {
    if (this.#state === "waiting") this.#state = "moving";
  }

  complete(): Handover {
    if (this.#state === "over") return { places: [], isWhole: false, isRecorded: false };
    this.#state = "over";
    return this.#call.release();
  }

  /**
   * Nothing came of it: the call goes on, or ends when nobody is there any more.
   *
   * @param moved the session that the end has gone over to, and its tag there
   */
  abandon(reason: EndReason, moved?: { readonly media: MediaSession; readonly tag: string }): void {
    if (this.#state === "over") return;
    this.#state = "over";
    if (this.#isAlone) {
      this.#call.end(reason);
      return;
    }
    if (moved === undefined) return;
    this.media.adopt(this.end.leg.tag, moved.media, moved.tag);
    this.#call.repair();
  }
}
