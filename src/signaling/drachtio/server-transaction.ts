import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { CarriedFlow } from "./flow.ts";

/** A request that drachtio-server has handed up, and that waits for its response. */
export class CarriedServerTransaction implements ServerTransaction {
  onCancel: ((cancel: SipRequest) => void) | undefined;
  readonly id: string;
  readonly request: SipRequest;
  readonly flow: CarriedFlow;
  /** The server's id; undefined for what the server wants no answer to. */
  readonly transactionId: string | undefined;
  readonly #send: (transaction: CarriedServerTransaction, response: SipResponse) => void;
  #state: "proceeding" | "terminated" = "proceeding";
  #hasTag = false;
  /** RSeq of the last reliable response: the server retransmits it by itself. */
  #sequence: string | undefined;

  constructor(
    request: SipRequest,
    flow: CarriedFlow,
    transactionId: string | undefined,
    send: (transaction: CarriedServerTransaction, response: SipResponse) => void,
  ) {
    this.id = `drachtio ${transactionId ?? "none"} ${request.method}`;
    this.request = request;
    this.flow = flow;
    this.transactionId = transactionId;
    this.#send = send;
  }

  get state(): ServerTransaction["state"] {
    return this.#state;
  }

  /** Whether a response with our To-tag has been sent. */
  get hasTag(): boolean {
    return this.#hasTag;
  }

  /** Nobody watches its end: everything above ends with what it has sent. */
  attach(): void {}

  respond(response: SipResponse): void {
    if (this.#state === "terminated") return;
    const { statusCode, headers } = response;
    // The server has sent 100 for an INVITE; others need none.
    if (statusCode === 100) return;
    const sequence = headers.get("RSeq");
    if (sequence !== undefined && sequence === this.#sequence) return;
    this.#sequence = sequence;
    if (statusCode >= 200) this.#state = "terminated";
    this.#send(this, response);
    this.#hasTag ||= response.toTag !== undefined;
  }

  /** The server has sent the final response by itself. */
  end(): void {
    this.#state = "terminated";
  }
}
