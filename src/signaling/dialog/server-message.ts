import type { Timer } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import type {
  CalledInstance,
  Identity,
  IncomingMessage,
  Party,
  ResponseOptions,
} from "../engine.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { Peer } from "./peer.ts";
import { ourResponse, respondTo } from "./responses.ts";

/** The media type of a MESSAGE that every user agent takes (RFC 3428 §7). */
export const MESSAGE_TYPE = "text/plain";
/** The longest text that we take and send, in octets. */
export const MAX_MESSAGE_OCTETS = 8192;

const TAG_LENGTH = 12;

/** What a MESSAGE gets that cannot be shown to anybody; undefined when it can. */
export function messageRefusal(request: SipRequest): SipResponse | undefined {
  // RFC 3261 §8.2.3
  if (request.headers.has("Content-Encoding") || request.contentType !== MESSAGE_TYPE) {
    return ourResponse(request, 415, {
      fields: [
        ["Accept", MESSAGE_TYPE],
        ["Accept-Encoding", "identity"],
      ],
    });
  }
  return request.body.length > MAX_MESSAGE_OCTETS ? ourResponse(request, 413) : undefined;
}

/** A MESSAGE of the far end, until its final response (RFC 3428 §7). */
export class ServerMessage implements IncomingMessage {
  readonly party: Party;
  readonly request: SipRequest;
  readonly calledNumber: string;
  readonly calledInstance: CalledInstance | undefined;
  readonly senderIdentity: Identity;
  readonly isToContact: boolean;
  readonly #context: DialogContext;
  readonly #transaction: ServerTransaction;
  readonly #peer: Peer;
  readonly #unanswered: Timer;
  #state: "proceeding" | "ended" = "proceeding";

  constructor(
    context: DialogContext,
    transaction: ServerTransaction,
    peer: Peer,
    calledInstance?: CalledInstance,
    isToContact = false,
  ) {
    const { request } = transaction;
    this.#context = context;
    this.#transaction = transaction;
    this.#peer = peer;
    this.party = peer.party;
    this.request = request;
    this.calledInstance = calledInstance;
    this.isToContact = isToContact;
    this.calledNumber = calledInstance?.userId ?? request.uri.user ?? "";
    const { sipUri, displayName } = request.from;
    this.senderIdentity = { user: sipUri.user ?? "", displayName };
    // The sender has given up by then (Timer F); its transaction must not stay.
    this.#unanswered = context.clock.after(context.timers.timerF, () => this.respond(480));
  }

  get callId(): string {
    return this.request.callId;
  }

  get text(): string {
    return this.request.body.toString("utf8");
  }

  respond(status: number, options: ResponseOptions = {}): void {
    // RFC 4320 §4.1: a non-INVITE request gets no provisional response over UDP but 100.
    if (this.#state === "ended" || status < 200) return;
    this.#state = "ended";
    this.#unanswered.cancel();
    const response = ourResponse(this.request, status, {
      ...options,
      toTag: randomToken(TAG_LENGTH),
    });
    respondTo(this.#context, this.#peer, this.#transaction, response);
  }
}
