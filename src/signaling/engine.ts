import type { EndReason } from "../core/end-reason.ts";
import type { SipRequest, SipResponse } from "./message/message.ts";
import type { ReferTo } from "./message/refer-to.ts";
import type { Replaces } from "./message/replaces.ts";
import type { SubscriptionEnd } from "./message/subscription-state.ts";

/**
 * What src/call needs of SIP, whichever engine stands behind it. The embedded engine is
 * endpoint.ts; src/signaling/drachtio/ will implement the same interfaces.
 *
 * The rules that every engine keeps:
 * - a handler is attached synchronously, inside the callback that handed the object over;
 * - an expected outcome is a value, nothing is thrown into or out of a handler;
 * - each IncomingInvite, OutgoingInvite and Dialog ends with exactly one final callback, and
 *   nothing is called after it.
 */

/** Who is at the far end: proved by authentication or by source address, never by a header. */
export type Party =
  | {
      readonly kind: "user";
      readonly userId: string;
      /** `+sip.instance` without quotes and brackets (RFC 5626 §4.1), or an id of the flow. */
      readonly instanceId: string;
    }
  | { readonly kind: "trunk"; readonly trunkId: string };

/** Extra header fields of ours: name and value, both already safe to send. */
export type ExtraHeaders = readonly (readonly [name: string, value: string])[];

/** An identity as it is shown to the far end. */
export interface Identity {
  /** The user part of the SIP URI: a user id or a telephone number. */
  readonly user: string;
  readonly displayName?: string | undefined;
  /** The host of the SIP URI. Default: ours, as this far end knows it. */
  readonly host?: string | undefined;
  /** Whether `user=phone` stands in the SIP URI. Default false. */
  readonly isPhone?: boolean | undefined;
}

/** Somebody who has forwarded a call. */
export interface Diversion extends Identity {
  /** A word of RFC 5806 §4.1, such as `no-answer`. */
  readonly reason: string;
}

/** One registered contact of a web user (RFC 3261 §10, RFC 5626). */
export interface Binding {
  readonly id: string;
  readonly userId: string;
  readonly instanceId: string;
  readonly regId: number | undefined;
  /** The Contact URI as registered, such as `sip:x@y.invalid;transport=ws`. */
  readonly contactUri: string;
  readonly userAgent: string | undefined;
  /** `host:port` of the connection. */
  readonly remoteAddress: string;
  /** The Path of the registration, topmost first (RFC 3327); none when nothing stands between. */
  readonly path?: readonly string[];
  /**
   * Names the connection: a request with `Route: <sip:TOKEN@us;lr;ob>` goes to what is registered on
   * it, or gets 430 when it has gone (RFC 5626 §5.3).
   */
  readonly flowToken?: string;
  /** Unix milliseconds. */
  readonly registeredAtMs: number;
  readonly expiresAtMs: number;
}

/** Where a new call leg goes. */
export type InviteTarget =
  | { readonly kind: "binding"; readonly binding: Binding }
  | {
      readonly kind: "trunk";
      readonly trunkId: string;
      /** The user part of the Request-URI: the number dialled at the trunk. */
      readonly number: string;
    };

export interface OutgoingInviteOptions {
  readonly target: InviteTarget;
  /** The caller as shown to the callee. */
  readonly from: Identity;
  /** The callee as dialled. */
  readonly to: Identity;
  /** The offer; undefined makes an INVITE without SDP (late offer). */
  readonly sdp: string | undefined;
  readonly headers?: ExtraHeaders;
  /**
   * Whether others are tried when nothing comes from this target: a trunk then has no more time for
   * its first response than its `failoverAfterMs`. Default false.
   */
  readonly hasAlternative?: boolean | undefined;
  /**
   * The call that this leg is made for. Its Max-Forwards goes on with one less (RFC 3261 §16.6
   * step 3), and a trunk leg remembers what it has passed here, so that a loop is found.
   */
  readonly onBehalfOf?: Pick<IncomingInvite, "party" | "request" | "calledNumber"> | undefined;
}

export interface ProvisionalResponse {
  readonly status: number;
  readonly reasonPhrase: string;
  readonly sdp: string | undefined;
  /** The fork that sent it. */
  readonly remoteTag: string;
}

/** How an outgoing INVITE failed. */
export interface InviteFailure {
  /**
   * `response`: a final response of 300 or more; `timeout`: Timer B, or no final response in time;
   * `transport`: nothing could be sent; `cancelled`: `cancel()` took effect.
   */
  readonly cause: "response" | "timeout" | "transport" | "cancelled";
  /** 408 for a timeout, 503 for a transport error, 487 when cancelled (RFC 3261 §8.1.3.1). */
  readonly reason: EndReason;
  readonly reasonPhrase: string;
  /**
   * The URIs of the Contacts of a 3xx, best first (RFC 3261 §8.1.3.4). The engine never follows
   * them: whoever answers a call does not decide where the gateway calls, and at whose cost.
   */
  readonly contacts?: readonly string[];
  /**
   * The challenge of a 401 or 407 that is for the caller and not for us: the far end owns the user
   * (`registrar: true`). It is told in the response to the caller.
   */
  readonly challenge?: ExtraHeaders;
}

export interface OutgoingInviteHandler {
  /** Every 101 to 198, once each; what came reliably has been acknowledged (RFC 3262). */
  onProvisional(response: ProvisionalResponse): void;
  /**
   * An offer of the callee's before it answers, in UPDATE (RFC 3311), once a reliable response has
   * answered ours. Without this method it gets 488.
   */
  onReinvite?(reinvite: IncomingReinvite, remoteTag: string): void;
  /** An INFO of the callee's before it answers. Without this method it gets 491. */
  onRequest?(request: IncomingRequest, remoteTag: string): void;
  /**
   * The first 2xx; its ACK has been sent when the INVITE carried the offer. `sdp` is what the far
   * end has agreed to, in the 2xx or reliably before it. With a late offer
   * it is the far end's offer, and `Dialog.acknowledge` must bring the answer. Later 2xx of
   * other forks are acknowledged and hung up by the engine (RFC 3261 §13.2.2.4).
   * The handler attaches a DialogHandler.
   */
  onAccepted(dialog: Dialog, sdp: string | undefined, response: SipResponse | undefined): void;
  onFailed(failure: InviteFailure): void;
}

export interface OutgoingInvite {
  readonly callId: string;
  /**
   * Gives the attempt up at any time: CANCEL as soon as RFC 3261 §9.1 allows; a 2xx that crosses
   * it is acknowledged and hung up by the engine. `onFailed` follows with `cancelled`.
   */
  cancel(reason?: EndReason): void;
  /**
   * Sends an INFO to the fork that rang last, before any has answered.
   *
   * @returns the final response's status, 408 without one; 481 when no fork has rung
   */
  info?(options: { readonly contentType: string; readonly body: Buffer }): Promise<number>;
}

export interface ResponseOptions {
  readonly reasonPhrase?: string;
  readonly sdp?: string;
  readonly headers?: ExtraHeaders;
  /** Becomes a Reason header field (RFC 3326). */
  readonly reason?: EndReason;
}

/** One browser of a user. */
export interface CalledInstance {
  readonly userId: string;
  readonly instanceId: string;
}

/** A call that arrives. The engine has sent 100 and has authenticated the party. */
export interface IncomingInvite {
  readonly party: Party;
  readonly request: SipRequest;
  readonly callId: string;
  /**
   * The user part of the Request-URI, unescaped: what the caller dialled, a telephone number
   * without its visual separators.
   */
  readonly calledNumber: string;
  /** The caller as it stands in From; believed only as far as the party allows. */
  readonly callerIdentity: Identity;
  /**
   * The instance that the Request-URI names with a GRUU of ours (RFC 5627 §3.4), or a Route with a
   * flow token (RFC 5626 §5.3): it alone is to be called. It is registered now.
   */
  readonly calledInstance?: CalledInstance | undefined;
  /**
   * The PBX that owns the user calls the contact that `calledInstance` has there: it has decided,
   * and no dialplan does.
   */
  readonly isToContact?: boolean | undefined;
  /** The confirmed dialog that this call takes the place of (RFC 3891); hang it up after accepting. */
  readonly replaces?: Dialog | undefined;
  /** The call of ours that is still ringing there, and that this one takes the place of. */
  readonly replacesInvite?: OutgoingInvite | undefined;
  /** The offer; undefined with a late offer. */
  readonly sdp: string | undefined;
  /**
   * A late offer whose caller takes provisional responses reliably or not at all: it hears of nothing
   * before the first of them has brought our offer, which `onEarlyAnswer` answers (RFC 3262 §5).
   */
  readonly needsEarlyOffer?: boolean;
  attach(handler: IncomingInviteHandler): void;
  /**
   * Sends a 101 to 198, reliably where the caller and the terms of its leg want it (RFC 3262). All
   * responses carry one To-tag, but after `endEarlyDialog`: the caller sees one dialog.
   */
  progress(status: number, options?: ResponseOptions): void;
  /**
   * Whoever rang has gone, and others are tried: tells a caller that asks for it with 199
   * (RFC 6228), and goes on with another To-tag.
   *
   * @returns false for any other caller, for which nothing has happened
   */
  endEarlyDialog?(reason: EndReason): boolean;
  /**
   * Sends the 200, retransmitted until its ACK (RFC 3261 §13.3.1.4); after the PRACK when an answer
   * that was sent reliably has none yet (RFC 3262 §5).
   * @returns undefined when the INVITE has ended meanwhile
   */
  accept(sdp: string, options?: ResponseOptions): Dialog | undefined;
  /** Sends a 300 to 699. Does nothing after the INVITE has ended. */
  reject(status: number, options?: ResponseOptions): void;
}

export interface IncomingInviteHandler {
  /**
   * INFO packages that go to `onRequest` (RFC 6086), in lower case: those that our messages have
   * listed in Recv-Info. Any other gets 469. Default none.
   */
  readonly infoPackages?: readonly string[];
  /** CANCEL came, or the caller's connection went for good; 487 has been sent where it can be. */
  onCancelled(reason: EndReason | undefined): void;
  /**
   * An offer of the caller's before we answer, in UPDATE or PRACK, once a reliable response has
   * answered the first one. Without this method it gets 488.
   */
  onReinvite?(reinvite: IncomingReinvite): void;
  /** The answer to our offer in a reliable response, in the PRACK of that. */
  onEarlyAnswer?(sdp: string): void;
  /** An INFO of the caller's before we answer. Without this method it gets 491. */
  onRequest?(request: IncomingRequest): void;
}

/** The outcome of a re-INVITE that we sent. */
export type ReinviteResult =
  | { readonly ok: true; readonly sdp: string | undefined }
  | { readonly ok: false; readonly reason: EndReason };

/**
 * A re-INVITE, UPDATE or PRACK that arrived with an offer, or a re-INVITE that asks for one. In an
 * early dialog it is an UPDATE or PRACK.
 */
export interface IncomingReinvite {
  readonly method: "INVITE" | "UPDATE" | "PRACK";
  /** undefined asks us for an offer (late offer). */
  readonly sdp: string | undefined;
  accept(sdp: string): void;
  reject(status: number, options?: ResponseOptions): void;
}

/** Any other request inside a dialog: INFO, NOTIFY, REFER, MESSAGE. */
export interface IncomingRequest {
  readonly request: SipRequest;
  respond(status: number, options?: ResponseOptions): void;
}

/** A MESSAGE that arrives (RFC 3428), with text/plain of at most 8 KiB. */
export interface IncomingMessage {
  readonly party: Party;
  readonly request: SipRequest;
  readonly callId: string;
  /** The user part of the Request-URI, unescaped. */
  readonly calledNumber: string;
  /** The instance that the Request-URI names with a GRUU of ours. */
  readonly calledInstance?: CalledInstance | undefined;
  /** The PBX that owns the user has named its browser: where the text goes is decided. */
  readonly isToContact?: boolean;
  /** The sender as it stands in From; believed only as far as the party allows. */
  readonly senderIdentity: Identity;
  readonly text: string;
  /** Sends a final response, soon: the sender waits for it for 32 s. */
  respond(status: number, options?: ResponseOptions): void;
}

/** A REFER inside a dialog (RFC 3515). */
export interface IncomingRefer {
  readonly request: SipRequest;
  readonly referTo: ReferTo;
  /** The value of Referred-By (RFC 3892), as it came. Proves nothing. */
  readonly referredBy: string | undefined;
  /**
   * Answers 202 and opens the implicit subscription with a NOTIFY of 100 (RFC 3515 §2.4.4), unless
   * the far end wants none (RFC 4488, RFC 7614).
   *
   * @returns undefined when the REFER has been answered already
   */
  accept(): ReferProgress | undefined;
  reject(status: number, options?: ResponseOptions): void;
}

/** Tells the far end how its REFER goes. */
export interface ReferProgress {
  /** Sends a NOTIFY of message/sipfrag; a status of 200 or more is the last one. */
  notify(status: number, reasonPhrase?: string): void;
}

export interface OutgoingReferOptions {
  /** A URI; with `replaces` an attended transfer. */
  readonly referTo: string;
  readonly replaces?: Replaces;
  /** A URI for Referred-By (RFC 3892). */
  readonly referredBy?: string;
  /** false asks for no NOTIFY (RFC 4488). Default true. */
  readonly hasSubscription?: boolean;
  readonly headers?: ExtraHeaders;
}

/** What becomes of a REFER of ours. */
export interface OutgoingReferHandler {
  /** The far end has taken the REFER. */
  onAccepted(): void;
  /** A NOTIFY told how far the far end is: 100 to 699. */
  onProgress(status: number, reasonPhrase: string): void;
  /**
   * Final. The last status that was told; that of the REFER's own response when it was refused, or
   * when there is no subscription; 408 when nothing came.
   */
  onEnded(status: number, reasonPhrase: string): void;
}

/** The body of a NOTIFY. */
export interface EventContent {
  readonly contentType: string;
  readonly body: Buffer | string;
}

/** A SUBSCRIBE that arrives for an event package of `EngineHandler.events` (RFC 6665). */
export interface IncomingSubscribe {
  readonly party: Party;
  readonly request: SipRequest;
  readonly callId: string;
  /** The event package, such as `message-summary`. */
  readonly event: string;
  /** The user part of the Request-URI, unescaped: whose state is asked for. */
  readonly calledNumber: string;
  /** Media types of Accept, in lower case; empty: the package's default. */
  readonly mediaTypes: readonly string[];
  /** What is asked for, within our bounds; 0 asks once. */
  readonly expiresSeconds: number;
  /**
   * Sends the 200 and at once the first NOTIFY (RFC 6665 §4.2.1.2).
   *
   * @param content the state now; undefined when there is none to show yet
   * @returns undefined when it has been answered already
   */
  accept(
    content: EventContent | undefined,
    options?: SubscriptionOptions,
  ): Subscription | undefined;
  reject(status: number, options?: ResponseOptions): void;
}

export interface SubscriptionOptions {
  /** At most what was asked for. Default that. */
  readonly expiresSeconds?: number;
  /** Default `active`. */
  readonly state?: "active" | "pending";
}

/** A subscription that we serve. */
export interface Subscription {
  readonly party: Party;
  readonly event: string;
  attach(handler: SubscriptionHandler): void;
  /** Sends the state. Of several that wait for their turn the last is sent. */
  notify(content: EventContent | undefined, state?: "active" | "pending"): void;
  /** Ends it with a last NOTIFY. No callback follows. */
  terminate(reason: SubscriptionEnd, content?: EventContent): void;
}

export interface SubscriptionHandler {
  /** It was prolonged; the last state has been sent again. */
  onRefreshed(expiresSeconds: number): void;
  /** The far end ended it, it ran out, or the far end takes no NOTIFY any more. Final. */
  onTerminated(): void;
}

export interface OutgoingSubscribeOptions {
  readonly target: InviteTarget;
  readonly from: Identity;
  readonly to: Identity;
  /** The event package, such as `message-summary` or `dialog`. */
  readonly event: string;
  /** Media types for Accept. */
  readonly accept?: readonly string[];
  /** Default 3600. */
  readonly expiresSeconds?: number;
  readonly headers?: ExtraHeaders;
  readonly onBehalfOf?: OnBehalfOf;
}

/** A NOTIFY of a subscription of ours. */
export interface EventNotification {
  readonly state: "active" | "pending" | "terminated";
  /** In lower case, without parameters; undefined without a body. */
  readonly contentType: string | undefined;
  readonly body: Buffer;
  /** The fork that sent it (RFC 6665 §4.4.1): each tells its own state. */
  readonly remoteTag: string;
}

export interface OutgoingSubscriptionHandler {
  onNotify(notification: EventNotification): void;
  /** All of it is over. Final. */
  onEnded(end: SubscriptionOutcome): void;
}

/** Why a subscription of ours is over. */
export interface SubscriptionOutcome {
  /** Of Subscription-State, or ours: `refused`, `expired`, `no-notify`. */
  readonly reason: string;
  /** That of the response that refused it; 408 without one. */
  readonly status: number | undefined;
  /** When to subscribe again (RFC 6665 §4.1.3); undefined: do not. */
  readonly retryAfterSeconds: number | undefined;
  /** What the peer asks of whom we have subscribed on behalf of. */
  readonly challenge?: ExtraHeaders;
}

/** The message that a request of ours is sent because of. */
export type OnBehalfOf = Pick<IncomingMessage, "party" | "request">;

/** A subscription of ours. It is prolonged by itself. */
export interface OutgoingSubscription {
  readonly callId: string;
  /** Ends it. No callback follows. */
  unsubscribe(): void;
}

export interface OutgoingMessageOptions {
  readonly target: InviteTarget;
  readonly from: Identity;
  readonly to: Identity;
  readonly text: string;
  readonly headers?: ExtraHeaders;
  readonly onBehalfOf?: OnBehalfOf;
  /** What the peer asks of whom we send on behalf of; its status follows. */
  readonly onChallenge?: (challenge: ExtraHeaders) => void;
}

export interface DialogHandler {
  /**
   * INFO packages that go to `onRequest` (RFC 6086), in lower case: those that our messages have
   * listed in Recv-Info. Any other gets 469. Default none.
   */
  readonly infoPackages?: readonly string[];
  /** The ACK of a 2xx of ours; `sdp` is the answer to a late offer. */
  onConfirmed(sdp: string | undefined): void;
  onReinvite(reinvite: IncomingReinvite): void;
  onRequest(request: IncomingRequest): void;
  /** A REFER; without this method it goes to `onRequest`. */
  onRefer?(refer: IncomingRefer): void;
  /** A MESSAGE; without this method it goes to `onRequest`. */
  onMessage?(message: IncomingMessage): void;
  /** The far end hung up; 200 has been sent. Final. */
  onBye(reason: EndReason | undefined, bye?: SipRequest): void;
  /**
   * The dialog is gone without a BYE from the far end: no ACK in 64·T1, or 481/408 to a request of
   * ours (RFC 3261 §12.2.1.2). The engine has sent BYE where that could help. Final.
   */
  onLost(reason: EndReason): void;
  /** The browser's connection went; the dialog waits for its instance to come back. */
  onFlowLost(): void;
  /** The same user and instance has a connection again. */
  onFlowRestored(): void;
}

/** An established call leg (RFC 3261 §12). */
export interface Dialog {
  readonly party: Party;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** The far end's User-Agent or Server, for records. */
  readonly remoteAgent: string | undefined;
  attach(handler: DialogHandler): void;
  /** Sends the ACK with the answer to a late offer; nothing otherwise. */
  acknowledge(sdp: string): void;
  /**
   * Sends a re-INVITE; 491 is retried as RFC 3261 §14.1 says, 401/407 answered where it may be.
   * One at a time: a second one waits for the first.
   */
  reinvite(sdp: string | undefined, headers?: ExtraHeaders): Promise<ReinviteResult>;
  /** Sends any other request. @returns the final response's status, 408 without one */
  request(
    method: string,
    options: {
      readonly contentType?: string;
      readonly body?: Buffer;
      readonly headers?: ExtraHeaders;
    },
  ): Promise<number>;
  /**
   * Sends a REFER (RFC 3515). Nothing is called before this returns.
   *
   * @throws SipFormatError when a URI has characters that none may have
   */
  refer(options: OutgoingReferOptions, handler: OutgoingReferHandler): void;
  /** Hangs up. No callback follows. @param headers of the BYE, if one is sent */
  bye(reason?: EndReason, headers?: ExtraHeaders): void;
}

/** The roof's side: what an engine calls when something new arrives. */
export interface EngineHandler {
  /** Called after authentication and 100. The handler must attach synchronously. */
  onInvite(invite: IncomingInvite): void;
  /**
   * True when the handler looks at `IncomingInvite.replaces`. Otherwise Replaces is not understood:
   * left alone, and refused with 420 where it is required.
   */
  readonly handlesReplaces?: boolean;
  /** A MESSAGE outside a dialog. Without this method: 405. */
  onMessage?(message: IncomingMessage): void;
  /** The event packages that can be subscribed to, by name. */
  readonly events?: readonly string[];
  /** A SUBSCRIBE for one of `events`. Without this method: 405. */
  onSubscribe?(subscribe: IncomingSubscribe): void;
}

/** Reads where a user can be reached now. */
export interface Locations {
  /** The live bindings of a user, newest first; empty when the user is not registered. */
  bindings(userId: string): readonly Binding[];
  /** All live bindings, for the API. */
  all(): Iterable<Binding>;
}

export interface SignalingEngine {
  readonly locations: Locations;
  /** Opens the listeners. @throws TransportError when an address cannot be bound */
  start(): Promise<void>;
  /** Closes everything; live dialogs get no BYE (src/call hangs up first). */
  stop(): Promise<void>;
  /** While draining, new INVITEs outside a dialog get 503 with Retry-After. */
  drain(): void;
  invite(options: OutgoingInviteOptions, handler: OutgoingInviteHandler): OutgoingInvite;
  /**
   * Sends a MESSAGE outside a dialog (RFC 3428).
   *
   * @returns the final status; 513 when the text is too long for the way, 480 when the user and
   *   503 when the trunk cannot be reached, 408 without an answer
   */
  message(options: OutgoingMessageOptions): Promise<number>;
  /** Subscribes to the state of something (RFC 6665). Nothing is called before this returns. */
  subscribe(
    options: OutgoingSubscribeOptions,
    handler: OutgoingSubscriptionHandler,
  ): OutgoingSubscription;
  /** Live transactions, dialogs and flows: all 0 on an idle gateway without browsers. */
  readonly counts: {
    readonly transactions: number;
    readonly dialogs: number;
    readonly flows: number;
  };
}
