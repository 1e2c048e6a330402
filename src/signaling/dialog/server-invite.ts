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
import { CallDialog } from "./call-dialog.ts";
import type { DialogContext } from "./dialog-context.ts";
import { DialogState } from "./dialog-state.ts";
import type { DialogUsage } from "./dialog-table.ts";
import { ALLOW, SUPPORTED, contactField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import {
  methodResponse,
  optionsResponse,
  ourResponse,
  requireRefusal,
  respondTo,
} from "./responses.ts";

const TAG_LENGTH = 22;
const MAX_EXPIRES_SECONDS = 3600;

/** What was found out about an INVITE before it was taken. */
export type InviteExtras = Partial<
  Pick<IncomingInvite, "calledInstance" | "replaces" | "replacesInvite">
>;

/**
 * An INVITE that has arrived, until its final response: the UAS of RFC 3261 §13.3, with one To-tag
 * for all that it answers. A 2xx makes a CallDialog and hands the dialog id over to it.
 */
export class ServerInvite implements IncomingInvite, DialogUsage {
  readonly peer: Peer;
  readonly request: SipRequest;
  readonly callId: string;
  readonly calledNumber: string;
  readonly callerIdentity: Identity;
  readonly sdp: string | undefined;
  readonly calledInstance: CalledInstance | undefined;
  readonly replaces: Dialog | undefined;
  readonly replacesInvite: OutgoingInvite | undefined;
  readonly #context: DialogContext;
  readonly #transaction: ServerTransaction;
  readonly #dialog: DialogState;
  readonly #localTag = randomToken(TAG_LENGTH);
  readonly #unwatch: () => void;
  #state: "proceeding" | "ended" = "proceeding";
  #handler: IncomingInviteHandler | undefined;
  /** The last provisional response, sent again every minute (RFC 3261 §13.3.1.1). */
  #provisional: SipResponse | undefined;
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
    this.peer = peer;
    this.request = request;
    this.callId = request.callId;
    // The user of a temporary GRUU says nothing to people (RFC 5627 §3.1.2).
    this.calledNumber = extras.calledInstance?.userId ?? request.uri.user ?? "";
    this.callerIdentity = {
      user: request.from.sipUri.user ?? "",
      displayName: request.from.displayName,
    };
    this.sdp = request.sdp;
    this.calledInstance = extras.calledInstance;
    this.replaces = extras.replaces;
    this.replacesInvite = extras.replacesInvite;
    this.#dialog = DialogState.ofServer(request, this.#localTag, peer.followsRoutes);
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
    context.table.cancellable(transaction, (cancel) => {
      this.#abort(parseReason(cancel.headers, 487));
    });
  }

  get party(): Party {
    return this.peer.party;
  }

  attach(handler: IncomingInviteHandler): void {
    if (this.#state === "proceeding") this.#handler = handler;
  }

  progress(status: number, options: ResponseOptions = {}): void {
    if (this.#state === "ended" || status <= 100 || status >= 200) return;
    this.#provisional = this.#response(status, options);
    this.#sendProvisional();
  }

  accept(sdp: string, options: ResponseOptions = {}): Dialog | undefined {
    if (this.#state === "ended") return undefined;
    const fields: readonly HeaderField[] = [
      ["Allow", ALLOW],
      ["Supported", SUPPORTED.join(", ")],
    ];
    const response = this.#response(200, { ...options, sdp }, fields);
    this.#end();
    const dialog = new CallDialog(this.#context, {
      state: this.#dialog,
      peer: this.peer,
      contactUser: this.#localTag,
      remoteAgent: this.request.headers.get("User-Agent"),
      ownsCallId: false,
    });
    dialog.accept(this.#transaction, response, this.sdp === undefined);
    return dialog;
  }

  reject(status: number, options: ResponseOptions = {}): void {
    if (this.#state === "ended" || status < 300) return;
    const response = this.#response(status, options);
    this.#end();
    respondTo(this.#context, this.peer, this.#transaction, response);
  }

  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    if (!this.#dialog.acceptRemoteCseq(request.cseq.number)) {
      transaction.respond(ourResponse(request, 500)); // RFC 3261 §12.2.2
      return;
    }
    const refusal = requireRefusal(request, []);
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
      case "INVITE":
        // RFC 3261 §14.2: a second INVITE before the final response to the first.
        transaction.respond(ourResponse(request, 500, { fields: [["Retry-After", "2"]] }));
        return;
      case "INFO":
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
  onAck(_request: SipRequest): void {}

  onStrayAccept(_response: SipResponse): void {}

  #onUpdate(request: SipRequest, transaction: ServerTransaction): void {
    if (request.sdp !== undefined) {
      // RFC 3311 §5.2: the offer of the INVITE has no answer yet.
      transaction.respond(ourResponse(request, 500, { fields: [["Retry-After", "2"]] }));
      return;
    }
    this.#dialog.refreshTarget(request);
    transaction.respond(ourResponse(request, 200, { fields: [this.#contactField()] }));
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
    const { flow, request } = this.#transaction;
    return contactField(flow, this.#localTag, request.uri.scheme);
  }

  #sendProvisional(): void {
    if (this.#provisional === undefined) return;
    respondTo(this.#context, this.peer, this.#transaction, this.#provisional);
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
    const { table } = this.#context;
    table.settle(this.request);
    table.delete(this.callId, this.#localTag, this.#dialog.remoteTag, this);
    table.end(this);
  }
}
