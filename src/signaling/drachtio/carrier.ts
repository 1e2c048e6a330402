import type { SocketAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";
import { buildRequest, buildResponse } from "../message/build.ts";
import { Headers } from "../message/headers.ts";
import type { ParserLimits } from "../message/limits.ts";
import { SipRequest } from "../message/message.ts";
import type { SipMessage, SipResponse } from "../message/message.ts";
import { SipMessageError, tryParseMessage } from "../message/parser.ts";
import type { TransactionCarrier } from "../transaction/carrier.ts";
import type {
  ClientTransaction,
  ClientTransactionHandler,
  ServerTransaction,
} from "../transaction/transaction.ts";
import type { Flow, FlowTransport, TransportHandler } from "../transport/flow.ts";
import { CarriedClientTransaction } from "./client-transaction.ts";
import type { ClientTransactionContext } from "./client-transaction.ts";
import { CarriedDialogs } from "./dialogs.ts";
import type { CarriedDialog } from "./dialogs.ts";
import { DrachtioError } from "./errors.ts";
import { EarlyResponses } from "./early-responses.ts";
import { CarriedFlow, flowId } from "./flow.ts";
import { transactionIdOf } from "./frames.ts";
import type { Reply, SipEvent } from "./frames.ts";
import { asGiven, withOurSequence } from "./given.ts";
import { Link, MAX_COMMAND_OCTETS } from "./link.ts";
import type { CarriedTransport, LinkHandler, OnReply } from "./link.ts";
import type { DrachtioServer } from "./options.ts";
import { Orphans } from "./orphans.ts";
import { Questions } from "./questions.ts";
import { CarriedServerTransaction } from "./server-transaction.ts";
import {
  cancelText,
  dialogRequestText,
  LAST_CSEQ,
  lateByeText,
  newRequestText,
  responseText,
} from "./texts.ts";
import type { CommandText } from "./texts.ts";

export interface CarrierOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** In the order of preference: the first that is there carries new requests of ours. */
  readonly servers: readonly DrachtioServer[];
  /** Where requests go up. */
  readonly handler: TransportHandler;
  readonly parser?: ParserLimits | undefined;
  /** Whether a source may ask now. */
  readonly admits?: ((host: string) => boolean) | undefined;
  readonly random: () => number;
}

const MAX_FLOWS = 10_000;
/** The start waits no longer than this for a server. */
const START_MS = 3000;
const FOREIGN = 'SIP;cause=481;text="A BYE from elsewhere has ended the dialog"';
const LOST = 'SIP;cause=503;text="drachtio-server was lost"';

/** The request that is handed up now. */
interface Given {
  readonly request: SipRequest;
  readonly flow: CarriedFlow;
  /** undefined: nobody wants an answer. */
  readonly transactionId: string | undefined;
  /** Whether it got a 2xx at once. */
  isTaken: boolean;
}

/**
 * Our stack over drachtio-servers: they have the sockets, the transactions and a book of the
 * dialogs; everything above transactions is the same as over our own sockets. The server's ids of
 * transactions and dialogs do not leave this room.
 */
export class Carrier implements TransactionCarrier, LinkHandler {
  readonly #options: CarrierOptions;
  readonly #links: readonly Link[];
  readonly #flows = new Map<string, CarriedFlow>();
  readonly #dialogs = new CarriedDialogs();
  readonly #orphans = new Orphans();
  readonly #clients = new Set<CarriedClientTransaction>();
  readonly #clientsById = new Map<string, CarriedClientTransaction>();
  /** INVITEs without a final response, by the server's id. */
  readonly #invites = new Map<string, CarriedServerTransaction>();
  readonly #servers = new Set<CarriedServerTransaction>();
  readonly #early = new EarlyResponses();
  readonly #questions = new Questions((request, flow, handler) => {
    this.request(request, flow, handler);
  });
  readonly #context: ClientTransactionContext;
  #given: Given | undefined;
  #onSettled: (() => void) | undefined;

  constructor(options: CarrierOptions) {
    this.#options = options;
    const { clock, logger, random } = options;
    this.#links = options.servers.map(
      (server) => new Link({ clock, logger, server, random, handler: this }),
    );
    this.#context = {
      clock,
      tell: (action) => this.#tell(action),
      cancel: ({ transactionId = "", flow }, headers) => {
        this.#command(flow.link, cancelText(transactionId, headers));
      },
      ask: (flow, onAnswer) => this.#questions.ask(flow, onAnswer),
      onSwallowed: ({ request, flow }) => {
        // Whenever the far end accepts, or has accepted: without ACK it would hang up.
        const dialog = this.#dialogs.of(request);
        if (dialog === undefined) return;
        const ack = new SipRequest("ACK", request.requestUri, Headers.of([]));
        this.#command(flow.link, dialogRequestText(ack, dialog.id));
      },
      onTerminated: (transaction) => this.#forget(transaction),
    };
  }

  get counts(): TransactionCarrier["counts"] {
    return { client: this.#clients.size, server: this.#servers.size };
  }

  /** Where the far ends find us, as `udp:192.0.2.10:5060`. */
  get listeners(): readonly {
    readonly transport: CarriedTransport;
    readonly local: SocketAddress;
  }[] {
    return this.#links.flatMap(({ isUp, listens }) =>
      isUp ? [...listens].map(([transport, local]) => ({ transport, local })) : [],
    );
  }

  /** Connects; resolves when every server that is there is connected, or when none comes. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      const limit = this.#options.clock.after(START_MS, resolve);
      this.#onSettled = () => {
        limit.cancel();
        resolve();
      };
      for (const link of this.#links) link.start();
    });
  }

  close(): void {
    for (const transaction of this.#clients) transaction.dispose();
    this.#clients.clear();
    this.#clientsById.clear();
    this.#invites.clear();
    this.#servers.clear();
    this.#dialogs.clear();
    for (const link of this.#links) link.stop();
    this.#flows.clear();
  }

  /** The flow to a server of a trunk's, over the first drachtio-server that can. */
  flowTo(transport: FlowTransport, remote: SocketAddress): CarriedFlow | undefined {
    if (transport === "WS" || transport === "WSS") return undefined;
    const link = this.#links.find(({ isUp, listens }) => isUp && listens.has(transport));
    return link && this.#flow(link, transport, remote);
  }

  /** Whether a trunk may be reached so; as long as no server is there, nobody knows. */
  supports(transport: CarriedTransport): boolean {
    const up = this.#links.filter(({ isUp }) => isUp);
    return up.length === 0 || up.some(({ listens }) => listens.has(transport));
  }

  carries(flow: Flow): boolean {
    return flow instanceof CarriedFlow;
  }

  request(request: SipRequest, flow: Flow, handler: ClientTransactionHandler): ClientTransaction {
    if (!(flow instanceof CarriedFlow)) throw new TypeError("The flow is not one of drachtio's");
    const transaction = new CarriedClientTransaction(request, flow, handler, this.#context);
    this.#clients.add(transaction);
    // Nothing may be told from inside.
    queueMicrotask(() => this.#start(transaction, request));
    return transaction;
  }

  #start(transaction: CarriedClientTransaction, request: SipRequest): void {
    const { flow } = transaction;
    const dialog = request.toTag === undefined ? undefined : this.#dialogs.of(request);
    if (request.toTag !== undefined && dialog === undefined) {
      transaction.refuse(481, "Call/Transaction Does Not Exist");
      return;
    }
    const text =
      dialog === undefined
        ? newRequestText(request, flow.route)
        : dialogRequestText(request, dialog.id);
    const link = dialog?.link ?? flow.link;
    const outcome = this.#command(link, text, (reply) => {
      if (reply === undefined) transaction.fail();
      else if (reply.isOk) this.#onSent(transaction, reply);
      else this.#onRefusedCommand(transaction, reply);
    });
    if (outcome === "too large") transaction.refuse(513, "Message Too Large");
    else if (outcome === "gone") transaction.fail();
  }

  #onSent(transaction: CarriedClientTransaction, reply: Reply): void {
    const id = transactionIdOf(reply);
    if (transaction.state !== "terminated") this.#clientsById.set(id, transaction);
    transaction.onSent(id);
    for (const receive of this.#early.take(id)) receive();
  }

  #onRefusedCommand(transaction: CarriedClientTransaction, { fields }: Reply): void {
    const [why = ""] = fields;
    this.#options.logger.debug("drachtio-server did not send a request", {
      method: transaction.request.method,
      why,
    });
    if (!why.includes("unable to find dialog")) {
      transaction.fail();
      return;
    }
    const dialog = this.#dialogs.of(transaction.request);
    if (dialog !== undefined) this.#dialogs.close(dialog.id);
    transaction.refuse(481, "Call/Transaction Does Not Exist");
  }

  sendStateless(message: SipMessage, flow: Flow): void {
    if (message.kind === "response") {
      const given = this.#given;
      if (given?.transactionId === undefined) return;
      this.#command(given.flow.link, responseText(message, given.transactionId, true));
      return;
    }
    const dialog = this.#dialogs.of(message);
    if (dialog === undefined) return;
    if (this.#command(dialog.link, dialogRequestText(message, dialog.id)) !== "too large") return;
    this.#endDialog(dialog, 'SIP;cause=513;text="Message Too Large"', flow);
  }

  accept(request: SipRequest): ServerTransaction | undefined {
    const given = this.#given;
    if (given === undefined || given.request !== request) return undefined;
    const { flow, transactionId } = given;
    const transaction = new CarriedServerTransaction(
      request,
      flow,
      transactionId,
      (own, response) => {
        this.#respond(own, response);
      },
    );
    if (transactionId === undefined) return transaction;
    this.#servers.add(transaction);
    if (request.method === "INVITE") this.#invites.set(transactionId, transaction);
    return transaction;
  }

  inviteOf(cancel: SipRequest): ServerTransaction | undefined {
    const given = this.#given;
    if (given === undefined || given.request !== cancel) return undefined;
    return given.transactionId === undefined ? undefined : this.#invites.get(given.transactionId);
  }

  onUp(link: Link): void {
    this.onTried();
    for (const { text, otherwise } of this.#orphans.take(link.name)) {
      link.send(text, (reply) => {
        if (reply?.isOk === false && otherwise !== undefined) link.send(otherwise);
      });
    }
  }

  onTried(): void {
    const isSettled = this.#links.every(({ hasTried }) => hasTried);
    if (isSettled && this.#links.some(({ isUp }) => isUp)) this.#onSettled?.();
  }

  /**
   * The server routes what belongs to a lost connection to nobody any more: what was going on there
   * has ended for us, and is ended at the far ends as soon as the server can be told.
   */
  onDown(link: Link): void {
    this.#early.dropOf(link);
    for (const transaction of [...this.#clients].filter(({ flow }) => flow.link === link)) {
      const { transactionId, request } = transaction;
      if (request.method === "INVITE" && request.toTag === undefined) {
        this.#orphans.addInvite(link.name, transactionId);
      }
      transaction.fail();
    }
    for (const invite of [...this.#invites.values()].filter(({ flow }) => flow.link === link)) {
      this.#orphans.addUnanswered(link.name, invite.transactionId);
      this.#cancelled(invite);
    }
    for (const dialog of this.#dialogs.takeOf(link)) {
      if (dialog.isCall) this.#orphans.addDialog(link.name, dialog);
      this.#handUp(byeOf(dialog, LOST), dialog.flow, undefined);
    }
    for (const [key, flow] of this.#flows) {
      if (flow.link !== link) continue;
      this.#flows.delete(key);
      this.#options.handler.onFlowClosed(flow, "drachtio-server was lost");
    }
  }

  onSip(link: Link, event: SipEvent): void {
    const message = tryParseMessage(event.message, { limits: this.#options.parser });
    if (message instanceof SipMessageError) {
      this.#onUnreadable(link, event, message);
    } else if (message.kind === "response") {
      this.#onResponse(link, event, message);
    } else if (event.source === "application") {
      const dialog = this.#dialogs.get(event.dialogId);
      const reason = message.headers.get("Reason");
      if (dialog !== undefined) this.#endDialog(dialog, reason ?? LOST, dialog.flow);
    } else {
      this.#onRequest(link, event, message);
    }
  }

  #onUnreadable(link: Link, event: SipEvent, { partial, status }: SipMessageError): void {
    this.#options.logger.debug("drachtio-server sent what is no SIP message to work on");
    if (partial === undefined || partial.method === "ACK") return;
    const response = buildResponse(partial, status, { toTag: randomToken(8) });
    this.#command(link, responseText(response, event.transactionId, true));
  }

  #onResponse(link: Link, event: SipEvent, response: SipResponse): void {
    const transaction = this.#clientsById.get(event.transactionId);
    if (transaction === undefined) {
      this.#early.add(link, event.transactionId, () => {
        if (this.#clientsById.has(event.transactionId)) this.#onResponse(link, event, response);
      });
      return;
    }
    this.#learn(transaction, event, response);
    transaction.receive(asGiven(response), event);
  }

  /** What a response says of the server's dialogs. */
  #learn(transaction: CarriedClientTransaction, event: SipEvent, response: SipResponse): void {
    const { request, flow } = transaction;
    const status = response.statusCode;
    if (request.toTag !== undefined) {
      const isOver =
        status >= 200 &&
        status !== 401 &&
        status !== 407 &&
        (request.method === "BYE" || isLast(request));
      const dialog = isOver ? this.#dialogs.of(request) : undefined;
      if (dialog !== undefined) this.#dialogs.close(dialog.id);
      return;
    }
    const isCall = request.method === "INVITE";
    if (!isCall && request.method !== "SUBSCRIBE") return;
    const { callId, fromTag = "" } = request;
    if (status >= 300) {
      this.#dialogs.close(CarriedDialogs.idOf(callId, fromTag));
    } else if (event.dialogId !== "" && response.toTag !== undefined) {
      const remoteTag = response.toTag;
      const way = this.#flow(flow.link, flow.transport, event.remote);
      this.#dialogs.open({
        id: event.dialogId,
        link: flow.link,
        callId,
        localTag: fromTag,
        remoteTag,
        localParty: request.headers.get("From") ?? "",
        remoteParty: response.headers.get("To") ?? "",
        target: response.contact?.uri ?? request.requestUri,
        isCall,
        flow: way,
      });
    }
  }

  #onRequest(link: Link, event: SipEvent, received: SipRequest): void {
    const transport = transportOf(event.protocol);
    const flow = this.#flow(link, transport, event.remote);
    if (this.#options.admits?.(event.remote.host) === false) return;
    const dialog = this.#dialogs.get(event.dialogId);
    const request = withOurSequence(asGiven(received), dialog?.sequences);
    if (request.method === "CANCEL") {
      const invite = this.#invites.get(event.transactionId);
      // The server has sent 200 and 487.
      if (invite !== undefined) this.#cancelled(invite, request);
      return;
    }
    const isTaken = this.#handUp(request, flow, event.transactionId);
    if (dialog === undefined) return;
    // The server has ended the dialog, whoever has sent the BYE: a call that we kept would be deaf.
    if (request.method === "BYE" && !isTaken) {
      this.#endDialog(dialog, FOREIGN, dialog.flow);
      this.#command(link, lateByeText(dialog, dialog.flow.route, FOREIGN));
    } else if (request.method === "BYE" || (isLast(request) && !dialog.isCall)) {
      this.#dialogs.close(dialog.id);
    }
  }

  #cancelled(invite: CarriedServerTransaction, cancel?: SipRequest): void {
    const { request, flow, transactionId } = invite;
    invite.end();
    this.#handUp(cancel ?? cancelOf(request), flow, transactionId);
    this.#servers.delete(invite);
    if (transactionId !== undefined) this.#invites.delete(transactionId);
  }

  /** The server has ended a dialog by itself, or we cannot go on with it. */
  #endDialog(dialog: CarriedDialog, reason: string, flow: Flow): void {
    this.#dialogs.close(dialog.id);
    this.#handUp(
      byeOf(dialog, reason),
      flow instanceof CarriedFlow ? flow : dialog.flow,
      undefined,
    );
  }

  /** @returns whether it got a 2xx at once */
  #handUp(request: SipRequest, flow: CarriedFlow, transactionId: string | undefined): boolean {
    const before = this.#given;
    const given: Given = { request, flow, transactionId, isTaken: false };
    this.#given = given;
    try {
      this.#options.handler.onMessage(request, flow);
    } finally {
      this.#given = before;
    }
    return given.isTaken;
  }

  #respond(transaction: CarriedServerTransaction, response: SipResponse): void {
    const { request, flow, transactionId, hasTag } = transaction;
    const { statusCode } = response;
    if (this.#given?.request === request && statusCode >= 200 && statusCode < 300) {
      this.#given.isTaken = true;
    }
    if (statusCode >= 200) {
      this.#servers.delete(transaction);
      if (request.method === "INVITE" && transactionId !== undefined) {
        this.#invites.delete(transactionId);
      }
    }
    if (transactionId === undefined) return;
    const isInside = request.toTag !== undefined;
    const dialog = isInside ? undefined : this.#openedBy(request, response, flow);
    const text = responseText(response, transactionId, !isInside && !hasTag);
    const outcome = this.#command(flow.link, text, (reply) => {
      this.#onResponded(response, dialog, reply);
    });
    if (outcome !== "too large") return;
    if (statusCode >= 200) {
      const instead = buildResponse(request, 500, { toTag: response.toTag ?? randomToken(8) });
      this.#command(flow.link, responseText(instead, transactionId, !hasTag));
    }
    if (dialog !== undefined && statusCode >= 200) {
      this.#endDialog(dialog, 'SIP;cause=513;text="Message Too Large"', flow);
    }
  }

  /** The dialog that a response of ours makes. */
  #openedBy(
    request: SipRequest,
    response: SipResponse,
    flow: CarriedFlow,
  ): CarriedDialog | undefined {
    const isCall = request.method === "INVITE";
    if (!isCall && request.method !== "SUBSCRIBE") return undefined;
    const { callId, fromTag: remoteTag = "" } = request;
    const id = CarriedDialogs.idOf(callId, remoteTag);
    if (response.statusCode >= 300) this.#dialogs.close(id);
    if (response.statusCode >= 300 || response.toTag === undefined) return undefined;
    const localTag = response.toTag;
    return this.#dialogs.open({
      id,
      link: flow.link,
      callId,
      localTag,
      remoteTag,
      localParty: response.headers.get("To") ?? "",
      remoteParty: request.headers.get("From") ?? "",
      target: request.contact?.uri ?? "",
      isCall,
      flow,
    });
  }

  #onResponded(
    response: SipResponse,
    dialog: CarriedDialog | undefined,
    reply: Reply | undefined,
  ): void {
    if (reply === undefined) return;
    if (!reply.isOk) {
      const [why] = reply.fields;
      const { statusCode: status, cseq } = response;
      this.#options.logger.debug("drachtio-server did not send a response", {
        status,
        method: cseq.method,
        why,
      });
      return;
    }
    const ours = response.headers.get("RSeq");
    if (ours === undefined || dialog === undefined) return;
    const sent = tryParseMessage(reply.message);
    const theirs = sent instanceof SipMessageError ? undefined : sent.headers.get("RSeq");
    if (theirs !== undefined) dialog.sequences.set(theirs.trim(), ours);
  }

  #command(link: Link, text: CommandText, onReply?: OnReply): "sent" | "gone" | "too large" {
    if (text === undefined || Buffer.byteLength(text) > MAX_COMMAND_OCTETS) {
      const error = new DrachtioError(
        "ERR_OFFHOOK_DRACHTIO_TOO_LARGE",
        text === undefined
          ? "The message is no UTF-8 text; drachtio-server carries nothing else"
          : `The message has more than ${MAX_COMMAND_OCTETS} octets; drachtio-server takes none so long`,
      );
      this.#options.logger.error("a message cannot go through drachtio-server", { err: error });
      return "too large";
    }
    return link.send(text, onReply) ? "sent" : "gone";
  }

  #flow(link: Link, transport: CarriedTransport, remote: SocketAddress): CarriedFlow {
    const key = flowId(link, transport, remote);
    const known = this.#flows.get(key);
    if (known !== undefined) return known;
    const flow = new CarriedFlow(link, transport, remote, (other) =>
      this.#flow(link, transport, other),
    );
    this.#flows.set(key, flow);
    if (this.#flows.size > MAX_FLOWS) {
      for (const oldest of this.#flows.keys()) {
        this.#flows.delete(oldest);
        break;
      }
    }
    return flow;
  }

  #forget(transaction: CarriedClientTransaction): void {
    this.#clients.delete(transaction);
    const { transactionId } = transaction;
    if (transactionId !== undefined) this.#clientsById.delete(transactionId);
  }

  #tell(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.#options.logger.error("a transaction's user failed", { cause });
    }
  }
}

/** A NOTIFY that is the last of its subscription (RFC 6665 §4.4.1). */
function isLast({ method, headers }: SipRequest): boolean {
  if (method !== "NOTIFY") return false;
  return headers.get("Subscription-State")?.trim().toLowerCase().startsWith("terminated") === true;
}

/** Secure and plain WebSocket show as `tcp`. */
function transportOf(protocol: string): CarriedTransport {
  switch (protocol) {
    case "udp":
      return "UDP";
    case "tls":
      return "TLS";
    default:
      return "TCP";
  }
}

/** What the far end would say, had it hung up. */
function byeOf({ callId, localTag, remoteTag }: CarriedDialog, reason: string): SipRequest {
  return buildRequest({
    method: "BYE",
    requestUri: "sip:drachtio.invalid",
    headers: [
      ["Via", `SIP/2.0/UDP drachtio.invalid;branch=z9hG4bK${randomToken(16)}`],
      ["Max-Forwards", "70"],
      ["From", `<sip:far-end.invalid>;tag=${remoteTag}`],
      ["To", `<sip:drachtio.invalid>;tag=${localTag}`],
      ["Call-ID", callId],
      ["CSeq", `${LAST_CSEQ} BYE`],
      ["Reason", reason],
    ],
  });
}

/** The caller can be told nothing any more: as if it had given up. */
function cancelOf(invite: SipRequest): SipRequest {
  const headers = invite.headers
    .with("CSeq", `${invite.cseq.number} CANCEL`)
    .with("Reason", LOST)
    .without("Content-Type");
  return new SipRequest("CANCEL", invite.requestUri, headers);
}
