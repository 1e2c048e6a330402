import type { EndReason } from "../core/end-reason.ts";
import type { MediaSession } from "../media/session.ts";
import { NORMAL_CLEARING } from "./cause.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { Leaving, type Handover } from "./leaving.ts";

/** The call whose ends may leave it. */
interface DepartedCall {
  readonly id: string;
  readonly media: MediaSession;
  caller(): DialogEnd | undefined;
  callee(): DialogEnd | undefined;
  /** Gives away the places that the call takes, or those of its callee. */
  takePlaces(whose: "call" | "callee"): readonly (() => void)[];
  isRecorded(): boolean;
  /** The media of an end was elsewhere meanwhile. */
  repair(): void;
  end(reason: EndReason, by: "caller" | "callee" | "gateway"): void;
}

/** The ends of one call that leave it for others, one at a time. */
export class Departure {
  readonly #call: DepartedCall;
  #leaving: Leaving | undefined;
  #onPickedUp: ((caller: Leaving | undefined) => void) | undefined;

  constructor(call: DepartedCall) {
    this.#call = call;
  }

  /** Whether an end is leaving, or wants to. */
  get isUnderWay(): boolean {
    return this.#leaving?.isOver === false;
  }

  /** Whether the media must not be changed now. */
  get isInTheWay(): boolean {
    return this.#leaving?.isMoving === true || this.#leaving?.isAlone === true;
  }

  /** @param isAlone whether there is nobody whom the end talks to */
  begin(end: DialogEnd, isAlone = false): Leaving {
    this.#leaving = new Leaving(
      end,
      {
        id: this.#call.id,
        media: this.#call.media,
        release: () => this.#letGo(end),
        end: (reason) => this.#call.end(reason, "gateway"),
        repair: () => this.#call.repair(),
      },
      isAlone,
    );
    return this.#leaving;
  }

  /** Resolves with the caller as soon as it can go; with undefined when the call ends before. */
  callerReady(): Promise<Leaving | undefined> {
    return new Promise((resolve) => {
      this.#onPickedUp = resolve;
    });
  }

  /** The caller has its dialog, and its SDP is known. */
  onCallerReady(caller: DialogEnd): void {
    this.#onPickedUp?.(this.begin(caller, true));
    this.#onPickedUp = undefined;
  }

  /** An end has gone. @returns the one that stays and waits for another call */
  survivor(gone: DialogEnd, reason: EndReason): Leaving["end"] | undefined {
    return this.#leaving?.outlives(gone, reason) === true ? this.#leaving.end : undefined;
  }

  /** The call has ended. */
  cancel(reason: EndReason): void {
    this.#leaving?.cancel(reason);
    this.#onPickedUp?.(undefined);
  }

  /** An end has gone over to another call: nothing is left to do for the other one. */
  #letGo(end: DialogEnd): Handover {
    const isWhole = end.role === "caller";
    const isRecorded = this.#call.isRecorded();
    const places = this.#call.takePlaces(isWhole ? "call" : "callee");
    const other = isWhole ? this.#call.callee() : this.#call.caller();
    end.release();
    other?.hangUpSoon(NORMAL_CLEARING);
    this.#call.end({ ...NORMAL_CLEARING, text: "Transferred" }, isWhole ? "callee" : "caller");
    return { places, isWhole, isRecorded };
  }
}
