import type {
  CalledInstance,
  ExtraHeaders,
  IncomingMessage,
  IncomingSubscribe,
  OutgoingInvite,
  OutgoingInviteHandler,
  OutgoingSubscription,
  OutgoingSubscriptionHandler,
} from "../engine.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Replaces } from "../message/replaces.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import { ClientInvite } from "./client-invite.ts";
import type { ClientInviteOptions } from "./client-invite.ts";
import { sendStandalone } from "./client-request.ts";
import type { RequestAddresses } from "./client-request.ts";
import { ClientSubscription } from "./client-subscription.ts";
import type { ClientSubscriptionOptions } from "./client-subscription.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogUsage } from "./dialog-table.ts";
import { DEFAULT_TERMS } from "./leg-terms.ts";
import { contactField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import { findReplaced } from "./replaced-dialog.ts";
import type { ReplacedDialog, Replacer } from "./replaced-dialog.ts";
import { ourResponse } from "./responses.ts";
import { securityFacts } from "./security-facts.ts";
import { ServerInvite } from "./server-invite.ts";
import type { InviteExtras } from "./server-invite.ts";
import { MAX_MESSAGE_OCTETS, MESSAGE_TYPE, ServerMessage } from "./server-message.ts";
import { ServerSubscribe } from "./server-subscribe.ts";
import type { SubscribeOptions } from "./server-subscribe.ts";
import { termsRefusal } from "./terms-refusal.ts";

/** All dialogs: leads every message that belongs to one to it, and begins new ones. */
export class DialogLayer {
  readonly #context: DialogContext;

  constructor(context: DialogContext) {
    this.#context = context;
  }

  /** Legs that are not over. */
  get count(): number {
    return this.#context.table.count;
  }

  /** Sends an INVITE. Nothing is called before this returns. */
  invite(options: ClientInviteOptions, handler: OutgoingInviteHandler): OutgoingInvite {
    return new ClientInvite(this.#context, options, handler);
  }

  /**
   * Takes an INVITE outside a dialog.
   *
   * @returns undefined when it was refused: one that is here already (RFC 3261 §8.2.2.2), or one
   *   that does not fit the terms of its leg
   */
  receive(
    transaction: ServerTransaction,
    peer: Peer,
    extras: InviteExtras = {},
  ): ServerInvite | undefined {
    const refusal = termsRefusal(transaction.request, peer.terms ?? DEFAULT_TERMS);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return undefined;
    }
    if (!this.#context.table.arrive(transaction.request)) {
      transaction.respond(ourResponse(transaction.request, 482));
      return undefined;
    }
    return new ServerInvite(this.#context, transaction, peer, extras);
  }

  /** Sends a MESSAGE outside a dialog. @returns the final status */
  message(
    addresses: RequestAddresses,
    text: string,
    onChallenge?: (challenge: ExtraHeaders) => void,
  ): Promise<number> {
    const body = Buffer.from(text, "utf8");
    if (body.length > MAX_MESSAGE_OCTETS) return Promise.resolve(513);
    const contentType = `${MESSAGE_TYPE};charset=utf-8`;
    const content = { method: "MESSAGE", contentType, body } as const;
    return sendStandalone(this.#context, addresses, content, onChallenge);
  }

  /** Sends a NOTIFY that nobody has subscribed to. @returns the final status */
  notify(
    addresses: RequestAddresses & { readonly contactUser: string },
    event: string,
    content: { readonly contentType: string; readonly body: Buffer },
  ): Promise<number> {
    return sendStandalone(this.#context, addresses, {
      ...content,
      method: "NOTIFY",
      fields: (flow) => [
        contactField(flow, addresses.contactUser),
        ["Event", event],
        // There is no subscription that would go on.
        ["Subscription-State", "terminated"],
      ],
    });
  }

  /** Sends a SUBSCRIBE. Nothing is called before this returns. */
  subscribe(
    options: ClientSubscriptionOptions,
    handler: OutgoingSubscriptionHandler,
  ): OutgoingSubscription {
    return new ClientSubscription(this.#context, options, handler);
  }

  /** Takes a MESSAGE outside a dialog. */
  receiveMessage(
    transaction: ServerTransaction,
    peer: Peer,
    calledInstance?: CalledInstance,
    isToContact = false,
  ): IncomingMessage {
    return new ServerMessage(this.#context, transaction, peer, calledInstance, isToContact);
  }

  /** Takes a SUBSCRIBE outside a dialog. */
  receiveSubscribe(transaction: ServerTransaction, options: SubscribeOptions): IncomingSubscribe {
    return new ServerSubscribe(this.#context, transaction, options);
  }

  /** The dialog that a Replaces of the far end names (RFC 3891 §3). */
  replaced(replaces: Replaces, by: Replacer): ReplacedDialog {
    return findReplaced(this.#context.table, replaces, by);
  }

  /** The dialog that a request with a To-tag belongs to. */
  find(request: SipRequest): DialogUsage | undefined {
    const { table } = this.#context;
    return table.ofRequest(request) ?? table.subscriberOf(request);
  }

  /** A request with a To-tag: to its dialog when it comes from that dialog's far end. */
  onRequest(request: SipRequest, transaction: ServerTransaction, flow: Flow): void {
    const usage = this.find(request);
    const { method, callId } = request;
    const source = flow.remote.host;
    if (usage === undefined) {
      // A BYE that crosses another one finds none either.
      if (method === "INVITE") {
        securityFacts.publish({ event: "unknown-dialog", method, callId, source });
      }
      transaction.respond(ourResponse(request, 481)); // RFC 3261 §12.2.2
      return;
    }
    if (!usage.peer.admits(flow)) {
      // Right tags from a wrong place: the call goes on as if nothing had come.
      securityFacts.publish({ event: "foreign-source", method, callId, source });
      transaction.respond(ourResponse(request, 403));
      return;
    }
    usage.peer.heardOn(flow);
    usage.onRequest(request, transaction);
  }

  onAck(request: SipRequest, flow: Flow): void {
    const usage = this.find(request);
    if (usage === undefined || !usage.peer.admits(flow)) return;
    usage.peer.heardOn(flow);
    usage.onAck(request);
  }

  onCancel(cancel: SipRequest, invite: ServerTransaction): void {
    invite.onCancel?.(cancel);
  }

  /** A 2xx to an INVITE whose transaction is over (RFC 3261 §13.2.2.4). */
  onStrayResponse(response: SipResponse, flow: Flow): void {
    const { table, clock } = this.#context;
    const usage = table.ofResponse(response);
    if (usage !== undefined) {
      if (!usage.peer.admits(flow)) return;
      usage.peer.heardOn(flow);
      usage.onStrayAccept(response);
      return;
    }
    const invite = table.inviteOf(response, clock.monotonicMs());
    if (invite === undefined || !invite.peer.admits(flow)) return;
    invite.peer.heardOn(flow);
    invite.onStrayAccept(response);
  }

  /** Forgets everything and tells nobody. */
  close(): void {
    this.#context.table.clear();
  }
}
