import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import type { Peer } from "./peer.ts";
import { methodResponse, optionsResponse, ourResponse, requireRefusal } from "./responses.ts";

/**
 * One fork of an INVITE of ours that has sent a provisional response (RFC 3261 §12.1.2). It only
 * answers what the callee may send before it answers the call.
 */
export class EarlyDialog implements DialogUsage {
  readonly peer: Peer;
  readonly #context: DialogContext;
  readonly #dialog: DialogState;
  readonly #onAccept: (response: SipResponse) => void;

  constructor(
    context: DialogContext,
    peer: Peer,
    dialog: DialogState,
    onAccept: (response: SipResponse) => void,
  ) {
    this.#context = context;
    this.peer = peer;
    this.#dialog = dialog;
    this.#onAccept = onAccept;
    context.table.set(dialog.callId, dialog.localTag, dialog.remoteTag, this);
  }

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    transaction.respond(this.#responseTo(request));
  }

  onAck(_request: SipRequest): void {}

  onStrayAccept(response: SipResponse): void {
    this.#onAccept(response);
  }

  close(): void {
    const { callId, localTag, remoteTag } = this.#dialog;
    this.#context.table.delete(callId, localTag, remoteTag, this);
  }

  #responseTo(request: SipRequest): SipResponse {
    if (!this.#dialog.acceptRemoteCseq(request.cseq.number)) return ourResponse(request, 500);
    const refusal = requireRefusal(request, []);
    if (refusal !== undefined) return refusal;
    switch (request.method) {
      case "OPTIONS":
        return optionsResponse(request);
      case "BYE":
        return ourResponse(request, 403); // RFC 3261 §15: the callee's BYE needs a confirmed dialog
      case "INVITE":
      case "UPDATE":
        return ourResponse(request, 491); // RFC 3311 §5.2: our offer has no answer yet
      case "INFO":
      case "MESSAGE":
      case "NOTIFY":
      case "REFER":
        return ourResponse(request, 491);
      default:
        return methodResponse(request);
    }
  }
}
