import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import { PRODUCT } from "./our-headers.ts";
import type { Peer } from "./peer.ts";

/** An ACK of ours: what has been sent, or would have been with a connection. */
interface SentAck {
  readonly cseqNumber: number;
  readonly message: SipRequest;
}

/**
 * The ACKs that we owe for the 2xx to INVITEs of ours in one dialog (RFC 3261 §13.2.2.4): one for
 * each, sent at once or when the answer to a late offer is there, and again for every repeated 2xx.
 */
export class OurAcks {
  readonly #context: DialogContext;
  readonly #peer: Peer;
  readonly #dialog: DialogState;
  #owed: { readonly cseqNumber: number; readonly fields: readonly HeaderField[] } | undefined;
  #sent: SentAck | undefined;

  constructor(context: DialogContext, peer: Peer, dialog: DialogState) {
    this.#context = context;
    this.#peer = peer;
    this.#dialog = dialog;
  }

  /** The far end's offer came in a 2xx and has no answer yet. */
  get isOwed(): boolean {
    return this.#owed !== undefined;
  }

  /** A 2xx to this INVITE of ours has come. */
  owe(invite: SipRequest): void {
    this.#owed = { cseqNumber: invite.cseq.number, fields: credentialsOf(invite) };
  }

  /** Sends what is owed, with the answer to a late offer. @returns false when nothing was owed */
  send(sdp?: string): boolean {
    const owed = this.#owed;
    if (owed === undefined) return false;
    this.#owed = undefined;
    const { cseqNumber, fields } = owed;
    const message = this.#dialog.ack(cseqNumber, {
      headers: [["User-Agent", PRODUCT], ...fields],
      body: sdp,
      contentType: "application/sdp",
    });
    this.#transmit({ cseqNumber, message });
    return true;
  }

  /** A 2xx again: the same ACK again. */
  repeat(response: SipResponse): void {
    const cseqNumber = response.cseq.number;
    if (this.#owed?.cseqNumber === cseqNumber) return;
    if (this.#sent?.cseqNumber !== cseqNumber) {
      // A re-INVITE that was sent again on a new connection while its first 2xx was on the way.
      this.#sent = { cseqNumber, message: this.#dialog.ack(cseqNumber) };
    }
    this.#transmit(this.#sent);
  }

  #transmit(ack: SentAck): void {
    const flow = this.#peer.flowTo(this.#dialog.nextHop);
    const message =
      flow === undefined
        ? ack.message
        : this.#context.transactions.sendStateless(ack.message, flow);
    this.#sent = { cseqNumber: ack.cseqNumber, message };
  }
}

/** The credentials of an INVITE, which its ACK repeats (RFC 3261 §22.1). */
function credentialsOf(invite: SipRequest): readonly HeaderField[] {
  return ["Authorization", "Proxy-Authorization"].flatMap((name) =>
    invite.headers.getAll(name).map((value): HeaderField => [name, value]),
  );
}
