import type { Clock, Timer } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import { buildResponse } from "../message/build.ts";
import { Headers } from "../message/headers.ts";
import type { HeaderField } from "../message/headers.ts";
import { SipRequest, SipResponse } from "../message/message.ts";
import { BRANCH_COOKIE } from "../transaction/matching.ts";
import type { ClientTransaction, ClientTransactionHandler } from "../transaction/transaction.ts";
import type { CarriedFlow } from "./flow.ts";
import type { SipEvent } from "./frames.ts";

/** What a transaction asks of the carrier. */
export interface ClientTransactionContext {
  readonly clock: Clock;
  /** Calls the user; what that throws goes no further. */
  tell(action: () => void): void;
  /** Sends CANCEL. */
  cancel(transaction: CarriedClientTransaction, headers: Headers): void;
  /** Finds out whether the far end is there. @param onAnswer not called when it is not */
  ask(flow: CarriedFlow, onAnswer: () => void): void;
  /** An INVITE inside a dialog got a provisional response and then nothing. */
  onSwallowed(transaction: CarriedClientTransaction): void;
  onTerminated(transaction: CarriedClientTransaction): void;
}

/** drachtio-server gives up after 32 s; should it not say so, this does. */
const SILENCE_MS = 35_000;
/** An INVITE that the far end works on without a word to us; RFC 3261 §16.6 has it for proxies. */
const WORKING_MS = 180_000;
/** Without a response after this long the far end is asked whether it is there. */
const QUIET_MS = 1000;
/** RFC 3261 §9.1: 64·T1 after CANCEL. */
const CANCELLED_MS = 32_000;
/** For the final response of a re-INVITE that the server does not show; see `receive`. */
const SWALLOWED_MS = 4000;

/** A request of ours that drachtio-server carries; it retransmits, acknowledges and times out. */
export class CarriedClientTransaction implements ClientTransaction {
  readonly id = `${BRANCH_COOKIE}${randomToken(24)}`;
  readonly request: SipRequest;
  readonly flow: CarriedFlow;
  readonly #context: ClientTransactionContext;
  readonly #handler: ClientTransactionHandler;
  readonly #via: string;
  #state: "calling" | "proceeding" | "terminated" = "calling";
  #transactionId: string | undefined;
  #limit: Timer;
  #quiet: Timer | undefined;
  /** A CANCEL that waits for the server's id. */
  #cancel: "none" | Headers | "sent" = "none";

  constructor(
    request: SipRequest,
    flow: CarriedFlow,
    handler: ClientTransactionHandler,
    context: ClientTransactionContext,
  ) {
    this.#via = `SIP/2.0/${flow.transport} ${flow.sentBy};branch=${this.id}`;
    this.request = new SipRequest(
      request.method,
      request.requestUri,
      request.headers.prepend("Via", this.#via),
      request.body,
    );
    this.flow = flow;
    this.#handler = handler;
    this.#context = context;
    this.#limit = context.clock.after(SILENCE_MS, () => this.#timeOut());
  }

  get state(): ClientTransaction["state"] {
    if (this.#state !== "calling") return this.#state;
    return this.request.method === "INVITE" ? "calling" : "trying";
  }

  /** The server's id; undefined before it has taken the request. */
  get transactionId(): string | undefined {
    return this.#transactionId;
  }

  cancel(headers: Iterable<HeaderField> = []): void {
    if (this.request.method !== "INVITE" || this.#state === "terminated") return;
    if (this.#cancel !== "none") return;
    this.#cancel = Headers.of(headers);
    this.#sendCancel();
  }

  abandon(headers?: Iterable<HeaderField>): void {
    this.cancel(headers);
  }

  /** The server has sent the request. */
  onSent(transactionId: string): void {
    if (this.#state === "terminated") return;
    this.#transactionId = transactionId;
    if (this.request.method === "INVITE" && this.request.toTag === undefined) {
      this.#quiet = this.#context.clock.after(QUIET_MS, () => this.#askWhetherItWorks());
    }
    this.#sendCancel();
  }

  /** Nothing has been sent, or the server has gone. */
  fail(): void {
    this.#end(() => this.#handler.onTransportError());
  }

  /** We answer for the far end. */
  refuse(status: number, reasonPhrase: string): void {
    const response = buildResponse(this.request, status, {
      reasonPhrase,
      toTag: randomToken(8),
    });
    this.#end(() => this.#handler.onResponse(response));
  }

  receive(received: SipResponse, event: SipEvent): void {
    if (this.#state === "terminated") return;
    if (event.octets === 0) {
      // Made up by the server: nothing came, or nothing could be sent.
      if (received.statusCode === 408) this.#timeOut();
      else this.fail();
      return;
    }
    const response = this.#asOurs(received);
    if (response.statusCode >= 200) {
      this.#end(() => this.#handler.onResponse(response));
      return;
    }
    this.#state = "proceeding";
    this.#quiet?.cancel();
    if (this.request.method === "INVITE" && this.#cancel !== "sent") {
      this.#limit.cancel();
      // What follows a provisional response to a re-INVITE never reaches an application.
      if (this.request.toTag !== undefined) this.#swallowedAfter(SWALLOWED_MS);
    }
    this.#tell(response);
  }

  dispose(): void {
    this.#state = "terminated";
    this.#quiet?.cancel();
    this.#limit.cancel();
  }

  /** The server numbers requests by itself inside dialogs, and its Via is not ours. */
  #asOurs({ statusCode, reasonPhrase, headers, body }: SipResponse): SipResponse {
    const { number, method } = this.request.cseq;
    const own = headers.with("Via", this.#via).with("CSeq", `${number} ${method}`);
    return new SipResponse(statusCode, reasonPhrase, own, body);
  }

  /** What a 100 would tell; the server keeps it to itself. */
  #askWhetherItWorks(): void {
    this.#context.ask(this.flow, () => {
      if (this.#state !== "calling" || this.#cancel !== "none") return;
      this.#limit.cancel();
      this.#limit = this.#context.clock.after(WORKING_MS, () => this.#timeOut());
      this.#tell(buildResponse(this.request, 100));
    });
  }

  #sendCancel(): void {
    if (typeof this.#cancel === "string" || this.#transactionId === undefined) return;
    const headers = this.#cancel;
    this.#cancel = "sent";
    this.#limit.cancel();
    this.#limit = this.#context.clock.after(CANCELLED_MS, () => this.#timeOut());
    this.#context.cancel(this, headers);
  }

  #swallowedAfter(delayMs: number): void {
    this.#limit = this.#context.clock.after(delayMs, () => {
      this.#context.onSwallowed(this);
      this.refuse(500, "No Final Response Seen");
    });
  }

  #timeOut(): void {
    this.#end(() => this.#handler.onTimeout());
  }

  #end(action: () => void): void {
    if (this.#state === "terminated") return;
    this.dispose();
    this.#context.onTerminated(this);
    this.#context.tell(action);
  }

  #tell(response: SipResponse): void {
    this.#context.tell(() => this.#handler.onResponse(response));
  }
}
