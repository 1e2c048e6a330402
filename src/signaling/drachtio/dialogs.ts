import type { SipRequest } from "../message/message.ts";
import type { CarriedFlow } from "./flow.ts";
import type { Link } from "./link.ts";

/** A dialog as drachtio-server knows it and as we know it. */
export interface CarriedDialog {
  /** The server's: `<Call-ID>;from-tag=<tag of who began it>`. */
  readonly id: string;
  readonly link: Link;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** Our From, as the far end knows it, and its To. */
  readonly localParty: string;
  readonly remoteParty: string;
  /** URI of the far end's Contact. */
  readonly target: string;
  /** An INVITE made it, not a SUBSCRIBE. */
  readonly isCall: boolean;
  /** Where the far end is. */
  readonly flow: CarriedFlow;
  /** The server numbers reliable responses by itself: its RSeq → ours. */
  readonly sequences: Map<string, string>;
}

const MAX_DIALOGS = 100_000;

/** The dialogs that live in drachtio-servers. Bounded; of too many the oldest is forgotten. */
export class CarriedDialogs {
  readonly #byId = new Map<string, CarriedDialog>();

  get size(): number {
    return this.#byId.size;
  }

  static idOf(callId: string, tag: string): string {
    return `${callId};from-tag=${tag}`;
  }

  get(id: string): CarriedDialog | undefined {
    return this.#byId.get(id);
  }

  /** The dialog of a request of ours. */
  of({ callId, fromTag = "", toTag = "" }: SipRequest): CarriedDialog | undefined {
    return (
      this.#byId.get(CarriedDialogs.idOf(callId, fromTag)) ??
      this.#byId.get(CarriedDialogs.idOf(callId, toTag))
    );
  }

  /** Remembers a dialog; one that is known stays as it is. */
  open(dialog: Omit<CarriedDialog, "sequences">): CarriedDialog {
    const known = this.#byId.get(dialog.id);
    if (known !== undefined && known.remoteTag === dialog.remoteTag) return known;
    const fresh = { ...dialog, sequences: new Map<string, string>() };
    this.#byId.set(dialog.id, fresh);
    if (this.#byId.size > MAX_DIALOGS) {
      for (const oldest of this.#byId.keys()) {
        this.#byId.delete(oldest);
        break;
      }
    }
    return fresh;
  }

  close(id: string): void {
    this.#byId.delete(id);
  }

  /** Forgets the dialogs of a server. @returns them */
  takeOf(link: Link): readonly CarriedDialog[] {
    const taken = [...this.#byId.values()].filter((dialog) => dialog.link === link);
    for (const { id } of taken) this.#byId.delete(id);
    return taken;
  }

  clear(): void {
    this.#byId.clear();
  }
}
