import type { Timer } from "../../core/clock.ts";
import type { EndReason } from "../../core/end-reason.ts";
import { randomToken } from "../../core/ids.ts";
import type {
  CalledInstance,
  Dialog,
  Identity,
  IncomingInvite,
  IncomingInviteHandler,
  OutgoingInvite,
  Party,
  ResponseOptions,
} from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { parseReason } from "../message/reason.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import { CallDialog } from "./call-dialog.ts";
import { dialledNumber } from "./dialled-number.ts";
import type { DialogContext } from "./dialog-context.ts";
import { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import { IncomingOffers } from "./incoming-offers.ts";
import { DEFAULT_TERMS } from "./leg-terms.ts";
import type { LegTerms } from "./leg-terms.ts";
import { isSameDescription, nextOfferOf } from "./next-offer.ts";
import { requires, supports } from "./option-tags.ts";
import { ALLOW, CALL_OPTIONS, contactField, supportedField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import { ReliableProvisionals } from "./reliable-provisionals.ts";
import {
  bodyRefusal,
  methodResponse,
  optionsResponse,
  ourResponse,
  packageRefusal,
  requireRefusal,
  respondTo,
} from "./responses.ts";
import { ServerRequest } from "./server-reinvite.ts";
import { SessionOffer } from "./session-terms.ts";

const TAG_LENGTH = 22;
const MAX_EXPIRES_SECONDS = 3600;

const NO_PRACK: EndReason = { sipStatus: 504, q850: 102, text: "No PRACK" };

/** What was found out about an INVITE before it was taken. */
export type InviteExtras = Partial<
  Pick<IncomingInvite, "calledInstance" | "isToContact" | "replaces" | "replacesInvite">
> & {
  /** Who is called, where the Request-URI does not say it; as it stands in a URI. */
  readonly calledUser?: string | undefined;
};

/**
 * An INVITE that has arrived, until its final response: the UAS of RFC 3261 §13.3, with one To-tag
 * for all that it answers; only a 199 begins another one. A 2xx makes a CallDialog and hands the
 * dialog id over to it.
 */
export class ServerInvite implements IncomingInvite, DialogUsage {
  readonly peer: Peer;
  /** Without its body once it is accepted: `sdp` is the same, and a call may last. */
  request: SipRequest;
  readonly callId: string;
  readonly calledNumber: string;
  readonly callerIdentity: Identity;
  readonly sdp: string | undefined;
  readonly calledInstance: CalledInstance | undefined;
  readonly isToContact: boolean;
  readonly replaces: Dialog | undefined;
  readonly replacesInvite: OutgoingInvite | undefined;
  readonly #context: DialogContext;
  readonly #flow: Flow;
  /** Undefined after the final response: a call may last, and needs no more of it. */
  #transaction: ServerTransaction | undefined;
  readonly #terms: LegTerms;
  readonly #offers: IncomingOffers;
  readonly #unwatch: () => void;
  #dialog: DialogState;
  #localTag = randomToken(TAG_LENGTH);
  #state: "proceeding" | "ended" = "proceeding";
  #handler: IncomingInviteHandler | undefined;
  /** The last provisional response, sent again every minute (RFC 3261 §13.3.1.1). */
  #provisional: SipResponse | undefined;
  #reliable: ReliableProvisionals | undefined;
  /** Our SDP as the caller has it reliably: the answer to its offer (RFC 3262 §5), or our offer. */
  #answer: string | undefined;
  /** What has become of our offer, when the INVITE brought none. */
  #ownOffer: "none" | "sent" | "answered" = "none";
  /** What the 2xx has made, while it waits for a PRACK. */
  #accepted: CallDialog | undefined;
  #repeat: Timer | undefined;
  readonly #expiry: Timer | undefined;
  /** Set while the caller's connection is away. */
  #flowLoss: Timer | undefined;

  constructor(
    context: DialogContext,
    transaction: ServerTransaction,
    peer: Peer,
    extras: InviteExtras = {},
  ) {
    const request = transaction.request;
    this.#context = context;
    this.#transaction = transaction;
    this.#flow = transaction.flow;
    this.peer = peer;
    this.#terms = peer.terms ?? DEFAULT_TERMS;
    this.request = request;
    this.callId = request.callId;
    // The user of a temporary GRUU says nothing to people (RFC 5627 §3.1.2).
    this.calledNumber =
      extras.calledInstance?.userId ?? dialledNumber(extras.calledUser ?? request.uri.user ?? "");
    this.callerIdentity = {
      user: request.from.sipUri.user ?? "",
      displayName: request.from.displayName,
    };
    this.sdp = request.sdp;
    this.calledInstance = extras.calledInstance;
    this.isToContact = extras.isToContact ?? false;
    this.replaces = extras.replaces;
    this.replacesInvite = extras.replacesInvite;
    this.#dialog = DialogState.ofServer(request, this.#localTag, peer.followsRoutes);
    this.#offers = new IncomingOffers(context, peer, {
      isOfferOpen: () => this.#answer === undefined || this.#ownOffer === "sent",
      handler: () => {
        const handler = this.#handler;
        return handler?.onReinvite === undefined
          ? undefined
          : (offer) => handler.onReinvite?.(offer);
      },
      onBegin() {},
      accept: (own, sdp) => this.#acceptOffer(own, sdp),
      onEnd() {},
    });
    this.#unwatch = peer.watch({
      onFlowLost: () => this.#onFlowLost(),
      onFlowRestored: () => this.#onFlowRestored(),
    });
    const expiresSeconds = request.expires;
    if (expiresSeconds !== undefined && expiresSeconds <= MAX_EXPIRES_SECONDS) {
      const reason: EndReason = { sipStatus: 487, text: "The INVITE has expired" };
      // RFC 3261 §13.3.1: an INVITE that expires before its answer is rejected with 487.
      this.#expiry = context.clock.after(1000 * expiresSeconds, () => this.#abort(reason));
    }
    context.table.begin(this);
    context.table.set(this.callId, this.#localTag, this.#dialog.remoteTag, this);
    transaction.onCancel = (cancel) => this.#abort(parseReason(cancel.headers, 487));
  }

  get party(): Party {
    return this.peer.party;
  }

  get needsEarlyOffer(): boolean {
    return (
      this.sdp === undefined && this.#terms.reliable !== "off" && requires(this.request, "100rel")
    );
  }

  attach(handler: IncomingInviteHandler): void {
    if (this.#state === "proceeding") this.#handler = handler;
  }

  progress(status: number, options: ResponseOptions = {}): void {
    if (this.#state === "ended" || status <= 100 || status >= 199) return;
    switch (this.#reliabilityOf(options)) {
      case "none":
        this.#provisional = this.#response(status, options);
        this.#sendProvisional();
        return;
      case "reliable":
        this.#sendReliably(status, options);
        return;
      case "impossible":
        return;
    }
  }

  endEarlyDialog(reason: EndReason): boolean {
    // RFC 6228 §5: to whoever asks for it. A caller that requires 100rel would have to
    // acknowledge it, in a dialog that is over.
    const isWanted = supports(this.request, "199") && !requires(this.request, "100rel");
    const hasProgressed = this.#provisional !== undefined || this.#reliable !== undefined;
    if (this.#state === "ended" || !isWanted || !hasProgressed) return false;
    // What has been offered there goes with it.
    this.#offers.cancel();
    this.#send(this.#response(199, { reason }));
    this.#repeat?.cancel();
    this.#reliable?.stop();
    this.#reliable = undefined;
    this.#provisional = undefined;
    this.#answer = undefined;
    const { table } = this.#context;
    table.delete(this.callId, this.#localTag, this.#dialog.remoteTag, this);
    this.#localTag = randomToken(TAG_LENGTH);
    this.#dialog = DialogState.ofServer(this.request, this.#localTag, this.peer.followsRoutes);
    table.set(this.callId, this.#localTag, this.#dialog.remoteTag, this);
    return true;
  }

  accept(sdp: string, options: ResponseOptions = {}): Dialog | undefined {
    const transaction = this.#transaction;
    if (transaction === undefined) return undefined;
    const answer = this.#answer;
    // What has been agreed on is within our offer, whatever else that had.
    const isCorrection =
      answer !== undefined && this.#ownOffer === "none" && !isSameDescription(answer, sdp);
    this.#end();
    const dialog = new CallDialog(this.#context, {
      state: this.#dialog,
      peer: this.peer,
      contactUser: this.#localTag,
      remoteAgent: this.request.headers.get("User-Agent"),
      ownsCallId: false,
      farMessage: this.request,
      localSdp: answer ?? sdp,
      session: new SessionOffer(this.#terms.session),
    });
    this.#accepted = dialog;
    dialog.accept({
      transaction,
      build: (fields) => {
        const own: readonly HeaderField[] = [
          ["Allow", ALLOW],
          supportedField({ withReliable: this.#terms.reliable !== "off" }),
          ...fields,
        ];
        // RFC 3261 §13.2.1: an offer is answered once.
        const { sdp: _replaced, ...rest } = options;
        return this.#response(200, answer === undefined ? { ...rest, sdp } : rest, own);
      },
      isOffer: this.sdp === undefined && answer === undefined,
      reliable: this.#reliable,
      nextOffer: isCorrection ? nextOfferOf(answer, sdp) : undefined,
    });
    this.request = this.request.withoutBody();
    return dialog;
  }

  reject(status: number, options: ResponseOptions = {}): void {
    const transaction = this.#transaction;
    if (transaction === undefined || status < 300) return;
    const response = this.#response(status, options);
    this.#reliable?.stop();
    this.#end();
    respondTo(this.#context, this.peer, transaction, response);
  }

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    if (!this.#dialog.acceptRemoteCseq(request.cseq.number)) {
      transaction.respond(ourResponse(request, 500)); // RFC 3261 §12.2.2
      return;
    }
    const refusal = requireRefusal(request, CALL_OPTIONS);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    switch (request.method) {
      case "BYE":
        // RFC 3261 §15: the caller may send BYE inside an early dialog.
        transaction.respond(ourResponse(request, 200));
        this.#abort(parseReason(request.headers));
        return;
      case "OPTIONS":
        transaction.respond(optionsResponse(request));
        return;
      case "UPDATE":
        this.#onUpdate(request, transaction);
        return;
      case "PRACK":
        this.#onPrack(request, transaction);
        return;
      case "INVITE":
        // RFC 3261 §14.2: a second INVITE before the final response to the first.
        this.#offers.putOff(transaction);
        return;
      case "INFO":
        this.#onInfo(request, transaction);
        return;
      case "MESSAGE":
      case "NOTIFY":
      case "REFER":
        transaction.respond(ourResponse(request, 491));
        return;
      default:
        transaction.respond(methodResponse(request));
    }
  }

  /** Nothing of ours has been accepted yet. */
  #onInfo(request: SipRequest, transaction: ServerTransaction): void {
    const handler = this.#handler;
    const refusal = packageRefusal(request, handler?.infoPackages);
    if (refusal !== undefined) transaction.respond(refusal);
    else if (handler?.onRequest === undefined) transaction.respond(ourResponse(request, 491));
    else {
      handler.onRequest(
        new ServerRequest(request, (status, options) =>
          respondTo(this.#context, this.peer, transaction, ourResponse(request, status, options)),
        ),
      );
    }
  }

  onAck(_request: SipRequest): void {}

  onStrayAccept(_response: SipResponse): void {}

  /** How the caller gets a provisional response. */
  #reliabilityOf({ sdp }: ResponseOptions): "none" | "reliable" | "impossible" {
    if (this.#terms.reliable === "off" || !supports(this.request, "100rel")) return "none";
    if (this.sdp !== undefined || this.#answer !== undefined) return "reliable";
    if (!this.needsEarlyOffer) return "none";
    // RFC 3262 §5: to a late offer the first reliable response must bring ours.
    return sdp === undefined ? "impossible" : "reliable";
  }

  #sendReliably(status: number, options: ResponseOptions): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    this.#reliable ??= new ReliableProvisionals(this.#context, {
      cseqNumber: this.request.cseq.number,
      // Also while the 2xx waits for its PRACK.
      send: (response) => respondTo(this.#context, this.peer, transaction, response),
      onGaveUp: () => this.#onNoPrack(),
    });
    this.#reliable.send((rseq) => {
      const { sdp, ...rest } = options;
      const isAnswer = sdp !== undefined && this.#answer === undefined;
      if (isAnswer) {
        this.#answer = sdp;
        if (this.sdp === undefined) this.#ownOffer = "sent";
      }
      return this.#response(status, isAnswer ? options : rest, [
        ["Require", "100rel"],
        ["RSeq", String(rseq)],
        ["Allow", ALLOW],
      ]);
    });
    this.#repeat?.cancel();
    this.#repeat = this.#context.clock.after(this.#context.limits.repeatProvisionalMs, () => {
      // RFC 3262 §3: not the same one again, which would be taken for a retransmission.
      this.#sendReliably(status, {});
    });
  }

  #onPrack(request: SipRequest, transaction: ServerTransaction): void {
    const reliable = this.#reliable;
    const { sdp } = request;
    const isAnswerAwaited = this.#ownOffer === "sent";
    if (isAnswerAwaited && sdp === undefined) {
      transaction.respond(ourResponse(request, 400)); // RFC 3262 §5: it must bring the answer
      return;
    }
    if (reliable?.acknowledge(request) !== true) {
      transaction.respond(ourResponse(request, 481)); // RFC 3262 §3
      return;
    }
    if (isAnswerAwaited && sdp !== undefined) {
      this.#ownOffer = "answered";
      transaction.respond(ourResponse(request, 200));
      this.#handler?.onEarlyAnswer?.(sdp);
      reliable.pump();
      return;
    }
    // RFC 3262 §5: once our answer has gone out reliably, its PRACK may bring another offer.
    if (sdp !== undefined) this.#offers.receive("PRACK", transaction);
    else transaction.respond(ourResponse(request, 200));
    reliable.pump();
  }

  #onNoPrack(): void {
    this.#accepted?.onNoPrack();
    if (this.#state === "ended") return;
    const handler = this.#handler;
    this.reject(504, { reason: NO_PRACK }); // RFC 3262 §3: a 5xx
    handler?.onCancelled(NO_PRACK);
  }

  #onUpdate(request: SipRequest, transaction: ServerTransaction): void {
    const refusal = bodyRefusal(request);
    if (refusal !== undefined) {
      transaction.respond(refusal);
    } else if (request.sdp === undefined) {
      this.#dialog.refreshTarget(request);
      transaction.respond(ourResponse(request, 200, { fields: [this.#contactField()] }));
    } else if (
      this.#answer === undefined ||
      (this.#ownOffer !== "sent" && this.#reliable?.holdsAccept === true)
    ) {
      // RFC 3311 §5.2: the offer of the INVITE has no answer yet. One of ours makes it 491.
      this.#offers.putOff(transaction);
    } else {
      this.#offers.receive("UPDATE", transaction);
    }
  }

  #acceptOffer(transaction: ServerTransaction, sdp: string): void {
    const { request } = transaction;
    this.#answer = sdp;
    this.#ownOffer = "none";
    this.#dialog.refreshTarget(request);
    const fields: readonly HeaderField[] = [this.#contactField(), ["Allow", ALLOW]];
    respondTo(this.#context, this.peer, transaction, ourResponse(request, 200, { sdp, fields }));
  }

  #response(
    status: number,
    options: ResponseOptions,
    fields: readonly HeaderField[] = [],
  ): SipResponse {
    const contact = status < 300 ? [this.#contactField()] : [];
    return ourResponse(this.request, status, {
      ...options,
      toTag: this.#localTag,
      fields: [...contact, ...fields],
    });
  }

  #contactField(): HeaderField {
    const { scheme } = this.request.uri;
    return contactField(this.#flow, this.#localTag, { scheme, host: this.#terms.contactHost });
  }

  #send(response: SipResponse): void {
    if (this.#transaction === undefined) return;
    respondTo(this.#context, this.peer, this.#transaction, response);
  }

  #sendProvisional(): void {
    if (this.#provisional === undefined) return;
    this.#send(this.#provisional);
    this.#repeat?.cancel();
    this.#repeat = this.#context.clock.after(this.#context.limits.repeatProvisionalMs, () => {
      this.#sendProvisional();
    });
  }

  #onFlowLost(): void {
    const reason: EndReason = {
      sipStatus: 487,
      q850: 27,
      text: "The caller's connection was lost",
    };
    this.#flowLoss ??= this.#context.clock.after(this.#context.limits.earlyFlowLossMs, () => {
      this.#abort(reason);
    });
  }

  #onFlowRestored(): void {
    this.#flowLoss?.cancel();
    this.#flowLoss = undefined;
    this.#sendProvisional();
  }

  /** Ends with 487 by the caller's will or fate. After the final response it does nothing. */
  #abort(reason: EndReason | undefined): void {
    if (this.#state === "ended") return;
    const handler = this.#handler;
    this.reject(487);
    handler?.onCancelled(reason);
  }

  #end(): void {
    this.#state = "ended";
    this.#handler = undefined;
    this.#repeat?.cancel();
    this.#expiry?.cancel();
    this.#flowLoss?.cancel();
    this.#unwatch();
    this.#offers.cancel();
    this.#provisional = undefined;
    const { table } = this.#context;
    if (this.#transaction !== undefined) table.settle(this.#transaction);
    this.#transaction = undefined;
    this.#context.onInviteEnd?.(this);
    table.delete(this.callId, this.#localTag, this.#dialog.remoteTag, this);
    table.end(this);
  }
}
