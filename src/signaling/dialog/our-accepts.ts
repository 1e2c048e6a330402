import { LazyMap } from "../../core/lazy-map.ts";
import { AcceptRetransmission } from "./accept-retransmission.ts";
import type { DialogContext } from "./dialog-context.ts";

/** A 2xx of ours whose ACK has not come. */
interface Unacknowledged {
  readonly retransmission: AcceptRetransmission;
  readonly isOffer: boolean;
}

const MAX_UNACKNOWLEDGED = 2;

/** Our 2xx to INVITEs of the far end, each sent again until its ACK (RFC 3261 §13.3.1.4). */
export class OurAccepts {
  readonly #context: DialogContext;
  /** By CSeq. */
  readonly #waiting = new LazyMap<number, Unacknowledged>();

  constructor(context: DialogContext) {
    this.#context = context;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  get isFull(): boolean {
    return this.#waiting.size >= MAX_UNACKNOWLEDGED;
  }

  /** One of them carries our offer: the ACK brings the answer. */
  get hasOffer(): boolean {
    return [...this.#waiting.values()].some(({ isOffer }) => isOffer);
  }

  /** Sends at once. @param onNoAck 64·T1 have passed without the ACK */
  send(cseqNumber: number, isOffer: boolean, send: () => void, onNoAck: () => void): void {
    const retransmission = new AcceptRetransmission(this.#context, send, () => {
      this.#waiting.delete(cseqNumber);
      onNoAck();
    });
    this.#waiting.set(cseqNumber, { retransmission, isOffer });
  }

  /** The ACK has come. @returns undefined when nothing waited for it */
  acknowledge(cseqNumber: number): { readonly isOffer: boolean } | undefined {
    const found = this.#waiting.get(cseqNumber);
    found?.retransmission.stop();
    this.#waiting.delete(cseqNumber);
    return found;
  }

  stop(): void {
    for (const { retransmission } of this.#waiting.values()) retransmission.stop();
    this.#waiting.clear();
  }
}
