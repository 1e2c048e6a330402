import { Link } from "../../core/chain.ts";
import type { Timer } from "../../core/clock.ts";
import { buildResponse } from "../message/build.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";
import { responseFlow, sendMessage } from "../transport/outbound.ts";
import type { TransactionContext } from "./context.ts";
import { remainderOf } from "./remainder.ts";
import type {
  InviteServerState,
  ServerTransaction,
  ServerTransactionEnd,
  ServerTransactionHandler,
} from "./transaction.ts";

/** What still identifies an INVITE that has been accepted (RFC 3261 §17.2.3). */
const REMAINDER = ["Via", "From", "To", "Call-ID", "CSeq"];

interface SentResponse {
  readonly message: SipResponse;
  readonly octets: Buffer;
}

/**
 * The INVITE server transaction: RFC 3261 §17.2.1 with RFC 6026 §7.1 (Accepted, Timer L).
 *
 * Sends 100 by itself, absorbs retransmitted INVITEs, retransmits a 300 to 699 until its ACK.
 */
export class InviteServerTransaction extends Link implements ServerTransaction {
  onCancel: ((cancel: SipRequest) => void) | undefined;
  readonly id: string;
  readonly flow: Flow;
  #responseFlow: Flow;
  readonly #context: TransactionContext;
  readonly #onTerminated: () => void;
  #handler: ServerTransactionHandler = {};
  #state: InviteServerState = "proceeding";
  #request: SipRequest;
  /** To be sent again when the INVITE comes again; nothing in the state `accepted`. */
  #last: SentResponse | undefined;
  #localTag: string | undefined;
  /** The wait before our own 100; then Timer G. */
  #retransmission: Timer | undefined;
  /** Timer H, then I; or L. */
  #deadline: Timer | undefined;

  constructor(options: {
    readonly id: string;
    readonly request: SipRequest;
    readonly flow: Flow;
    readonly context: TransactionContext;
    readonly onTerminated: () => void;
  }) {
    super();
    this.id = options.id;
    this.#request = options.request;
    this.flow = options.flow;
    this.#responseFlow = responseFlow(options.request.topmostVia, options.flow);
    this.#context = options.context;
    this.#onTerminated = options.onTerminated;
  }

  get state(): InviteServerState {
    return this.#state;
  }

  /** As it came; once it is accepted, without its body and all but the fields that identify it. */
  get request(): SipRequest {
    return this.#request;
  }

  /** The To-tag of the response that was sent last. */
  get localTag(): string | undefined {
    return this.#localTag;
  }

  attach(handler: ServerTransactionHandler): void {
    this.#handler = handler;
  }

  /** Begins the wait after which 100 is sent when the user has said nothing. */
  start(): void {
    const { clock, timers } = this.#context;
    if (timers.trying === 0) {
      this.#sendTrying();
      return;
    }
    // RFC 3261 §17.2.1: 100 unless the user answers within 200 ms.
    this.#retransmission = clock.after(timers.trying, () => {
      this.#sendTrying();
    });
  }

  respond(response: SipResponse): void {
    const status = response.statusCode;
    switch (this.#state) {
      case "proceeding":
        this.#retransmission?.cancel();
        if (status >= 300) this.#reject(response);
        else if (status >= 200) this.#accept(response);
        else this.#send(response);
        return;
      case "accepted":
        // RFC 6026 §7.1: the user retransmits its 2xx through here.
        if (status >= 200 && status < 300) this.#send(response);
        return;
      case "completed":
      case "confirmed":
      case "terminated":
        // RFC 3261 §17.2.1: any other final response is discarded.
        return;
    }
  }

  /** The INVITE came again. */
  receiveRetransmission(): void {
    switch (this.#state) {
      case "proceeding":
        // RFC 3261 §17.2.1: the latest provisional response again; the client waits for one.
        if (this.#last === undefined) {
          this.#retransmission?.cancel();
          this.#sendTrying();
        } else {
          this.#resend();
        }
        return;
      case "completed":
        this.#resend();
        return;
      case "confirmed":
      case "accepted":
      case "terminated":
        // RFC 6026 §7.1: absorbed.
        return;
    }
  }

  /** @returns false when the ACK is for the user: it acknowledges a 2xx */
  receiveAck(): boolean {
    switch (this.#state) {
      case "accepted":
        return false;
      case "completed":
        this.#confirm();
        return true;
      case "proceeding":
      case "confirmed":
      case "terminated":
        break;
    }
    return true;
  }

  /**
   * The connection has gone.
   *
   * Deviates from RFC 6026 §7.1, which lets the transaction go on: a connection that is closed
   * brings no retransmission that would have to be absorbed.
   */
  connectionLost(): void {
    // RFC 3261 §18.2.2: a client with an address of its own is called back.
    if (this.flow.transport === "TCP") return;
    switch (this.#state) {
      case "proceeding":
      case "completed":
        this.#terminate("transport");
        return;
      case "accepted":
      case "confirmed":
        this.#terminate("done");
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

  #sendTrying(): void {
    this.#send(buildResponse(this.request, 100));
  }

  #accept(response: SipResponse): void {
    this.#state = "accepted";
    // RFC 6026 §8.7: Timer L runs over every transport.
    this.#deadline = this.#context.clock.after(this.#context.timers.timerL, () => {
      this.#terminate("done");
    });
    this.#send(response);
    // Timer L is long and calls are many: what is left to do needs little of the message.
    this.#request = remainderOf(this.#request, REMAINDER);
  }

  #reject(response: SipResponse): void {
    const { clock, timers } = this.#context;
    this.#state = "completed";
    // RFC 3261 §17.2.1: Timer G only over an unreliable transport, Timer H always.
    if (!this.flow.isReliable) this.#retransmitAfter(timers.timerG);
    this.#deadline = clock.after(timers.timerH, () => {
      this.#terminate("timeout");
    });
    this.#send(response);
  }

  #confirm(): void {
    this.#state = "confirmed";
    this.#retransmission?.cancel();
    this.#deadline?.cancel();
    // RFC 3261 §17.2.1: Timer I is zero over a reliable transport.
    if (this.flow.isReliable) {
      this.#terminate("done");
      return;
    }
    this.#deadline = this.#context.clock.after(this.#context.timers.timerI, () => {
      this.#terminate("done");
    });
  }

  #retransmitAfter(delayMs: number): void {
    const { clock, timers } = this.#context;
    this.#retransmission = clock.after(delayMs, () => {
      this.#resend();
      // RFC 3261 §17.2.1: Timer G doubles up to T2.
      this.#retransmitAfter(Math.min(delayMs * 2, timers.t2));
    });
  }

  #send(message: SipResponse): void {
    const octets = sendMessage(message, this.#way(), { onError: this.#onSendError });
    this.#localTag = message.toTag;
    // RFC 6026 §7.1: in `accepted` a repeated INVITE is absorbed, nothing is sent again.
    this.#last = this.#state === "accepted" ? undefined : { message, octets };
  }

  #resend(): void {
    if (this.#last === undefined) return;
    const { message, octets } = this.#last;
    sendMessage(message, this.#way(), { octets, onError: this.#onSendError });
  }

  /** RFC 3261 §18.2.2: when the connection has gone, a new one to the client. */
  #way(): Flow {
    if (!this.#responseFlow.isOpen) {
      this.#responseFlow = responseFlow(this.request.topmostVia, this.flow);
    }
    return this.#responseFlow;
  }

  readonly #onSendError = (): void => {
    if (this.#state === "terminated") return;
    this.#context.tell(() => {
      this.#handler.onTransportError?.();
    });
  };

  #terminate(end: ServerTransactionEnd): void {
    this.dispose();
    this.#onTerminated();
    this.#context.tell(() => {
      this.#handler.onTerminated?.(end);
    });
  }
}
