import { Link } from "../../core/chain.ts";
import type { Timer } from "../../core/clock.ts";
import type { HeaderField } from "../message/headers.ts";
import { SipRequest } from "../message/message.ts";
import type { SipResponse } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";
import { sendMessage } from "../transport/outbound.ts";
import type { Recover, TransactionContext } from "./context.ts";
import { buildCancel, buildHopAck } from "./hop-requests.ts";
import type {
  ClientTransaction,
  ClientTransactionHandler,
  InviteClientState,
} from "./transaction.ts";

/** `held`: CANCEL waits for a provisional response. */
type Cancellation = "none" | "held" | "sent";

/**
 * The INVITE client transaction: RFC 3261 §17.1.1 with RFC 6026 §7.2 (Accepted, Timer M).
 *
 * Sends and retransmits the INVITE, acknowledges a 300 to 699, holds a CANCEL back until it may be
 * sent. The ACK to a 2xx is its user's.
 */
export class InviteClientTransaction extends Link implements ClientTransaction {
  readonly id: string;
  #request: SipRequest;
  #flow: Flow;
  readonly #recover: Recover | undefined;
  #startedMs = 0;
  readonly #handler: ClientTransactionHandler;
  readonly #context: TransactionContext;
  readonly #onTerminated: () => void;
  #state: InviteClientState = "calling";
  #cancellation: Cancellation = "none";
  #cancelHeaders: readonly HeaderField[] = [];
  #ack: { readonly message: SipRequest; readonly octets: Buffer } | undefined;
  /** Timer A. */
  #retransmission: Timer | undefined;
  /** Timer B; after CANCEL the wait of §9.1; then D or M. One at a time. */
  #deadline: Timer | undefined;

  constructor(options: {
    readonly id: string;
    readonly request: SipRequest;
    readonly flow: Flow;
    readonly handler: ClientTransactionHandler;
    readonly context: TransactionContext;
    readonly onTerminated: () => void;
    /** Another way, asked for when the flow is lost before any response. */
    readonly recover?: Recover | undefined;
  }) {
    super();
    this.id = options.id;
    this.#request = options.request;
    this.#flow = options.flow;
    this.#recover = options.recover;
    this.#handler = options.handler;
    this.#context = options.context;
    this.#onTerminated = options.onTerminated;
  }

  /** As it was sent; once it is accepted, without its body. */
  get request(): SipRequest {
    return this.#request;
  }

  get state(): InviteClientState {
    return this.#state;
  }

  get flow(): Flow {
    return this.#flow;
  }

  /** Sends the INVITE for the first time. */
  start(): void {
    const { clock, timers } = this.#context;
    this.#startedMs = clock.monotonicMs();
    const octets = sendMessage(this.request, this.flow, { onError: this.#onSendError() });
    // RFC 3261 §17.1.1.2: no Timer A over a reliable transport.
    if (!this.flow.isReliable) this.#retransmitAfter(timers.timerA, octets);
    this.#waitFor(timers.timerB, () => {
      this.#fail("timeout");
    });
  }

  /** @returns false when the response is none of this transaction's business */
  receive(response: SipResponse): boolean {
    const status = response.statusCode;
    switch (this.#state) {
      case "calling":
      case "proceeding":
        if (status < 200) this.#receiveProvisional(response);
        else if (status < 300) this.#receiveAccepted(response);
        else this.#receiveRejected(response);
        return true;
      case "completed":
        // RFC 3261 §17.1.1.2: every retransmission of the final response is acknowledged.
        if (status >= 300) this.#sendAck();
        // A fork that answers after another one's rejection came through (RFC 3261 §16.7 step 5).
        return status < 200 || status >= 300;
      case "accepted":
        // RFC 6026 §7.2: further 2xx, retransmitted or of other forks, go to the user.
        if (status >= 200 && status < 300) this.#tellResponse(response);
        return true;
      case "terminated":
        break;
    }
    return false;
  }

  cancel(headers: Iterable<HeaderField> = []): void {
    if (this.#cancellation !== "none") return;
    switch (this.#state) {
      case "calling":
        // RFC 3261 §9.1: a CANCEL could overtake the INVITE; it waits for a provisional response.
        this.#cancellation = "held";
        this.#cancelHeaders = [...headers];
        return;
      case "proceeding":
        this.#cancelHeaders = [...headers];
        this.#sendCancel();
        return;
      case "completed":
      case "accepted":
      case "terminated":
        // RFC 3261 §9.1: a CANCEL has no effect on a request that has its final response.
        return;
    }
  }

  abandon(headers: Iterable<HeaderField> = []): void {
    this.#retransmission?.cancel();
    this.cancel(headers);
  }

  /** The connection has gone, or the request may not be sent at all. */
  connectionLost(): void {
    switch (this.#state) {
      case "calling":
        if (!this.#moveOn()) this.#fail("transport");
        return;
      case "proceeding":
        this.#fail("transport");
        return;
      case "completed":
      case "accepted":
        this.#terminate();
        return;
      case "terminated":
        return;
    }
  }

  /** Ends without a word to the user. */
  dispose(): void {
    this.#state = "terminated";
    this.#retransmission?.cancel();
    this.#deadline?.cancel();
  }

  #receiveProvisional(response: SipResponse): void {
    if (this.#state === "calling") {
      this.#state = "proceeding";
      this.#retransmission?.cancel();
      this.#deadline?.cancel();
      if (this.#cancellation === "held") this.#sendCancel();
    }
    this.#tellResponse(response);
  }

  #receiveAccepted(response: SipResponse): void {
    this.#state = "accepted";
    this.#retransmission?.cancel();
    this.#waitFor(this.#context.timers.timerM, () => {
      this.#terminate();
    });
    this.#tellResponse(response);
    // Timer M is long and calls are many: the 2xx of other forks need no body of ours.
    const { method, requestUri, headers } = this.#request;
    this.#request = new SipRequest(method, requestUri, headers);
  }

  #receiveRejected(response: SipResponse): void {
    this.#state = "completed";
    this.#retransmission?.cancel();
    const message = buildHopAck(this.request, response);
    const octets = sendMessage(message, this.flow, { onError: this.#onSendError() });
    this.#ack = { message, octets };
    // RFC 3261 §17.1.1.2: Timer D is zero over a reliable transport.
    if (this.flow.isReliable) {
      this.#terminate();
    } else {
      this.#waitFor(this.#context.timers.timerD, () => {
        this.#terminate();
      });
    }
    this.#tellResponse(response);
  }

  #sendAck(): void {
    if (this.#ack === undefined) return;
    const { message, octets } = this.#ack;
    sendMessage(message, this.flow, { octets, onError: this.#onSendError() });
  }

  #sendCancel(): void {
    this.#cancellation = "sent";
    this.#context.sendCancel(buildCancel(this.request, this.#cancelHeaders), this.flow);
    // RFC 3261 §9.1: without a final response in 64·T1 the INVITE counts as cancelled.
    this.#waitFor(this.#context.timers.cancel, () => {
      this.#fail("timeout");
    });
  }

  #retransmitAfter(delayMs: number, octets: Buffer): void {
    this.#retransmission = this.#context.clock.after(delayMs, () => {
      sendMessage(this.request, this.flow, { octets, onError: this.#onSendError() });
      // RFC 3261 §17.1.1.2: Timer A doubles, without a ceiling.
      this.#retransmitAfter(delayMs * 2, octets);
    });
  }

  #waitFor(delayMs: number, action: () => void): void {
    this.#deadline?.cancel();
    this.#deadline = this.#context.clock.after(delayMs, action);
  }

  #onSendError(): () => void {
    const flow = this.#flow;
    return () => {
      if (this.#flow === flow) this.connectionLost();
    };
  }

  /** Sends the request on another flow when there is one. */
  #moveOn(): boolean {
    const next = this.#recover?.(this.#flow);
    if (next === undefined) return false;
    this.#retransmission?.cancel();
    this.#deadline?.cancel();
    this.#flow = next.flow;
    this.#request = next.request;
    this.start();
    return true;
  }

  #fail(cause: "timeout" | "transport"): void {
    const isUnanswered = cause === "timeout" && this.#state === "calling";
    this.#terminate();
    if (isUnanswered) this.#flow.unanswered?.(this.#startedMs);
    this.#context.tell(() => {
      if (cause === "timeout") this.#handler.onTimeout();
      else this.#handler.onTransportError();
    });
  }

  #tellResponse(response: SipResponse): void {
    this.#context.tell(() => {
      this.#handler.onResponse(response);
    });
  }

  #terminate(): void {
    this.dispose();
    this.#onTerminated();
  }
}
