import type { IncomingReinvite, IncomingRequest, ResponseOptions } from "../engine.ts";
import type { SipRequest } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";

/** What an incoming re-INVITE or UPDATE needs of its dialog. */
export interface ServerReinvitePort {
  /** Sends the 2xx; for INVITE it is repeated until the ACK. */
  accept(sdp: string): void;
  reject(status: number, options: ResponseOptions): void;
}

/** A re-INVITE, UPDATE or PRACK of the far end with an offer, until its final response. */
export class ServerReinvite implements IncomingReinvite {
  readonly method: IncomingReinvite["method"];
  readonly sdp: string | undefined;
  readonly transaction: ServerTransaction;
  readonly #port: ServerReinvitePort;
  #state: "proceeding" | "ended" = "proceeding";

  constructor(
    method: IncomingReinvite["method"],
    transaction: ServerTransaction,
    port: ServerReinvitePort,
  ) {
    this.method = method;
    this.sdp = transaction.request.sdp;
    this.transaction = transaction;
    this.#port = port;
  }

  accept(sdp: string): void {
    if (!this.#end()) return;
    this.#port.accept(sdp);
  }

  reject(status: number, options: ResponseOptions = {}): void {
    if (!this.#end()) return;
    this.#port.reject(status, options);
  }

  /** CANCEL came (RFC 3261 §9.2), or the dialog ended (§15.1.2): 487, and nothing works any more. */
  cancel(): void {
    this.reject(487);
  }

  #end(): boolean {
    if (this.#state === "ended") return false;
    this.#state = "ended";
    return true;
  }
}

/** A request inside a dialog that the roof answers: INFO, NOTIFY, REFER, MESSAGE. */
export class ServerRequest implements IncomingRequest {
  readonly request: SipRequest;
  readonly #respond: (status: number, options: ResponseOptions) => void;
  #state: "proceeding" | "ended" = "proceeding";

  constructor(request: SipRequest, respond: (status: number, options: ResponseOptions) => void) {
    this.request = request;
    this.#respond = respond;
  }

  respond(status: number, options: ResponseOptions = {}): void {
    if (this.#state === "ended") return;
    if (status >= 200) this.#state = "ended";
    this.#respond(status, options);
  }
}
