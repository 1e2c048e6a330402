import { Chain } from "../../core/chain.ts";
import type { Clock } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";
import { buildResponse } from "../message/build.ts";
import { SipRequest } from "../message/message.ts";
import type { SipMessage, SipResponse } from "../message/message.ts";
import type { Flow, TransportHandler } from "../transport/flow.ts";
import { isTooLargeForUdp, responseFlow, sendMessage } from "../transport/outbound.ts";
import type { Recover, TransactionContext } from "./context.ts";
import type { TransactionCarrier } from "./carrier.ts";
import { InviteClientTransaction } from "./invite-client.ts";
import { InviteServerTransaction } from "./invite-server.ts";
import { BRANCH_COOKIE, clientKey, clientKeyOf, isRfc2543, serverKey } from "./matching.ts";
import { NonInviteClientTransaction } from "./non-invite-client.ts";
import { NonInviteServerTransaction } from "./non-invite-server.ts";
import { timerValuesOf } from "./timer-values.ts";
import type { TimerValues } from "./timer-values.ts";
import type {
  ClientTransaction,
  ClientTransactionHandler,
  ServerTransaction,
  TransactionUser,
} from "./transaction.ts";

/** What the transaction layer is built with. */
export interface TransactionLayerOptions {
  readonly clock: Clock;
  readonly user: TransactionUser;
  readonly logger: Logger;
  /** Default `timerValuesOf()`. */
  readonly timers?: TimerValues;
  /**
   * Live server transactions, and as many client ones. Above it a new request gets 503 without
   * state, and a request of ours fails as if the transport had. Default 100 000.
   */
  readonly maxTransactions?: number;
}

/** Live transactions by side. */
export interface TransactionCounts {
  readonly client: number;
  readonly server: number;
}

type Client = InviteClientTransaction | NonInviteClientTransaction;
type Server = InviteServerTransaction | NonInviteServerTransaction;

const DEFAULT_MAX_TRANSACTIONS = 100_000;
/** Seconds in the Retry-After of an overload 503. */
const RETRY_AFTER_SECONDS = "5";

/**
 * All live transactions (RFC 3261 §17): finds the one that a message belongs to, or makes it. It
 * is the `TransportHandler` of the transport layer. Each message costs one lookup, and both tables
 * are bounded.
 */
export class TransactionLayer implements TransportHandler {
  readonly #user: TransactionUser;
  readonly #logger: Logger;
  readonly #context: TransactionContext;
  readonly #maxTransactions: number;
  /** Begins every branch of ours, so that a response to a request that we never sent is known. */
  readonly #branchPrefix = `${BRANCH_COOKIE}${randomToken(6)}`;
  readonly #clients = new Map<string, Client>();
  readonly #servers = new Map<string, Server>();
  /** The transactions of each connection; UDP flows never close and are not in it. */
  readonly #byConnection = new Map<Flow, Chain<Client | Server>>();
  /** Runs the transactions of its own flows. */
  #carrier: TransactionCarrier | undefined;
  #isClosed = false;

  constructor(options: TransactionLayerOptions) {
    this.#user = options.user;
    this.#logger = options.logger;
    this.#maxTransactions = options.maxTransactions ?? DEFAULT_MAX_TRANSACTIONS;
    this.#context = {
      clock: options.clock,
      timers: options.timers ?? timerValuesOf(),
      tell: (action) => {
        this.#tell(action);
      },
      sendCancel: (cancel, flow) => {
        this.#startClient(cancel, flow, cancel.topmostVia.branch ?? "", SILENT);
      },
    };
  }

  /** Live transactions: 0 when nothing is going on. */
  get count(): number {
    const { client, server } = this.counts;
    return client + server;
  }

  get counts(): TransactionCounts {
    const carried = this.#carrier?.counts;
    return {
      client: this.#clients.size + (carried?.client ?? 0),
      server: this.#servers.size + (carried?.server ?? 0),
    };
  }

  /**
   * Sends a request other than ACK and CANCEL in a new client transaction. Our Via with a fresh
   * branch is put on top; everything else is the caller's.
   */
  request(request: SipRequest, flow: Flow, handler: ClientTransactionHandler): ClientTransaction {
    if (this.#carrier?.carries(flow) === true) return this.#carrier.request(request, flow, handler);
    const branch = this.#freshBranch();
    const sent = withVia(request, flow, branch);
    const large =
      flow.forLarge !== undefined && isTooLargeForUdp(sent) ? flow.forLarge() : undefined;
    const way = large?.isOpen === true ? large : flow;
    return this.#startClient(
      way === flow ? sent : withVia(request, way, branch),
      way,
      branch,
      handler,
      { request, smaller: way === flow ? undefined : flow },
    );
  }

  /**
   * Sends a message outside any transaction: the ACK to a 2xx, a stateless response. A request
   * without a Via gets ours with a fresh branch; a response goes where its topmost Via says.
   *
   * @returns the message as sent, to be sent again unchanged
   */
  sendStateless<Message extends SipMessage>(message: Message, flow: Flow): Message;
  sendStateless(message: SipMessage, flow: Flow): SipMessage {
    if (this.#carrier?.carries(flow) === true) {
      this.#carrier.sendStateless(message, flow);
      return message;
    }
    if (message.kind === "response") {
      sendMessage(message, responseFlow(message.topmostVia, flow));
      return message;
    }
    const sent = message.headers.has("Via") ? message : withVia(message, flow, this.#freshBranch());
    sendMessage(sent, flow);
    return sent;
  }

  /**
   * Whether a request belongs to a transaction that there is: a retransmission, or the CANCEL of an
   * INVITE.
   */
  isKnown(request: SipRequest, flow: Flow): boolean {
    if (this.#carrier?.carries(flow) === true) return this.#carrier.inviteOf(request) !== undefined;
    const { method } = request;
    if (this.#servers.has(serverKey(request, flow, method))) return true;
    return method === "CANCEL" && this.#servers.has(serverKey(request, flow, "INVITE"));
  }

  /** Ends every transaction and clears every timer; calls nobody. New requests of ours fail. */
  close(): void {
    this.#isClosed = true;
    this.#carrier?.close();
    for (const transaction of this.#clients.values()) transaction.dispose();
    for (const transaction of this.#servers.values()) transaction.dispose();
    this.#clients.clear();
    this.#servers.clear();
    this.#byConnection.clear();
  }

  onMessage(message: SipMessage, flow: Flow): void {
    if (this.#isClosed) return;
    if (this.#carrier?.carries(flow) === true) this.#receiveCarried(message, flow, this.#carrier);
    else if (message.kind === "response") this.#receiveResponse(message, flow);
    else if (message.method === "ACK") this.#receiveAck(message, flow);
    else this.#receiveRequest(message, flow);
  }

  onFlowOpen(flow: Flow): void {
    this.#tell(() => {
      this.#user.onFlowOpen(flow);
    });
  }

  onFlowClosed(flow: Flow, reason: string): void {
    const transactions = this.#byConnection.get(flow)?.drain() ?? [];
    this.#byConnection.delete(flow);
    for (const transaction of transactions) transaction.connectionLost();
    this.#tell(() => {
      this.#user.onFlowClosed(flow, reason);
    });
  }

  /** From now on this carrier runs the transactions of its flows. */
  use(carrier: TransactionCarrier): void {
    this.#carrier = carrier;
  }

  #receiveCarried(message: SipMessage, flow: Flow, carrier: TransactionCarrier): void {
    if (message.kind === "response") return;
    if (message.method === "ACK") {
      this.#tell(() => this.#user.onAck(message, flow));
    } else if (message.method === "CANCEL") {
      const invite = carrier.inviteOf(message);
      if (invite !== undefined) this.#tell(() => this.#user.onCancel(message, invite, flow));
    } else {
      const transaction = carrier.accept(message);
      if (transaction === undefined) return;
      this.#tell(
        () => this.#user.onRequest(message, transaction, flow),
        () => transaction.respond(buildResponse(message, 500, { toTag: randomToken(8) })),
      );
    }
  }

  #receiveRequest(request: SipRequest, flow: Flow): void {
    const key = serverKey(request, flow, request.method);
    const known = this.#servers.get(key);
    if (known !== undefined) {
      known.receiveRetransmission();
      return;
    }
    if (request.method === "CANCEL") {
      this.#receiveCancel(request, flow, key);
      return;
    }
    if (this.#servers.size >= this.#maxTransactions) {
      this.sendStateless(overloaded(request), flow);
      return;
    }
    const transaction = this.#startServer(request, flow, key);
    this.#tell(
      () => {
        this.#user.onRequest(request, transaction, flow);
      },
      () => {
        // Nobody else will answer it; a final response that was sent already stands.
        transaction.respond(buildResponse(request, 500, { toTag: randomToken(8) }));
      },
    );
  }

  /** RFC 3261 §17.2.3: an ACK matches the INVITE that it acknowledges, if that was not a 2xx. */
  #receiveAck(ack: SipRequest, flow: Flow): void {
    const invite = this.#servers.get(serverKey(ack, flow, "INVITE"));
    // RFC 3261 §17.2.3: without a unique branch the To-tag must be that of our response.
    const isOurs =
      invite instanceof InviteServerTransaction &&
      (!isRfc2543(ack) || invite.localTag === ack.toTag);
    if (isOurs && invite.receiveAck()) return;
    this.#tell(() => {
      this.#user.onAck(ack, flow);
    });
  }

  /** RFC 3261 §9.2. */
  #receiveCancel(cancel: SipRequest, flow: Flow, key: string): void {
    const found = this.#servers.get(serverKey(cancel, flow, "INVITE"));
    const invite = found instanceof InviteServerTransaction ? found : undefined;
    const response = buildResponse(cancel, invite === undefined ? 481 : 200, {
      toTag: invite?.localTag ?? randomToken(8),
    });
    if (this.#servers.size >= this.#maxTransactions) this.sendStateless(response, flow);
    else this.#startServer(cancel, flow, key).respond(response);
    // RFC 3261 §9.2: after a final response a CANCEL has no effect.
    if (invite?.state !== "proceeding") return;
    this.#tell(() => {
      this.#user.onCancel(cancel, invite, flow);
    });
  }

  #receiveResponse(response: SipResponse, flow: Flow): void {
    // RFC 3261 §8.1.3.3: we are no proxy, so a response to us has one Via.
    if (response.vias.length !== 1) return;
    const key = clientKeyOf(response);
    if (key === undefined) return;
    const client = this.#clients.get(key);
    if (client !== undefined && client.receive(response)) return;
    const isStray2xx =
      response.statusCode >= 200 &&
      response.statusCode < 300 &&
      response.cseq.method === "INVITE" &&
      key.startsWith(this.#branchPrefix);
    if (!isStray2xx) return;
    this.#tell(() => {
      this.#user.onStrayResponse(response, flow);
    });
  }

  #startClient(
    request: SipRequest,
    flow: Flow,
    branch: string,
    handler: ClientTransactionHandler,
    plain?: { readonly request: SipRequest; readonly smaller: Flow | undefined },
  ): Client {
    const key = clientKey(branch, request.method);
    const ways =
      plain === undefined || flow.reopen === undefined
        ? undefined
        : otherWays(plain.request, branch, plain.smaller);
    const recover: Recover = (lost) => {
      if (this.#isClosed || this.#clients.get(key) !== transaction) return undefined;
      const next = ways?.(lost);
      if (next?.flow.isOpen !== true) return undefined;
      this.#forget(transaction);
      this.#remember(transaction, next.flow);
      return next;
    };
    const options = {
      id: branch,
      request,
      flow,
      handler,
      context: this.#context,
      onTerminated: (): void => {
        this.#clients.delete(key);
        this.#forget(transaction);
      },
      ...(ways === undefined ? {} : { recover }),
    };
    const transaction: Client =
      request.method === "INVITE"
        ? new InviteClientTransaction(options)
        : new NonInviteClientTransaction(options);
    if (this.#isClosed || !flow.isOpen || this.#clients.size >= this.#maxTransactions) {
      // The caller has no transaction yet: it hears of the failure later.
      queueMicrotask(() => {
        if (!this.#isClosed) transaction.connectionLost();
      });
      return transaction;
    }
    this.#clients.set(key, transaction);
    this.#remember(transaction);
    transaction.start();
    return transaction;
  }

  #startServer(request: SipRequest, flow: Flow, key: string): ServerTransaction {
    const options = {
      id: key,
      request,
      flow,
      context: this.#context,
      onTerminated: (): void => {
        this.#servers.delete(key);
        this.#forget(transaction);
      },
    };
    const transaction: Server =
      request.method === "INVITE"
        ? new InviteServerTransaction(options)
        : new NonInviteServerTransaction(options);
    this.#servers.set(key, transaction);
    this.#remember(transaction);
    if (transaction instanceof InviteServerTransaction) transaction.start();
    return transaction;
  }

  #remember(transaction: Client | Server, flow: Flow = transaction.flow): void {
    if (!flow.isReliable) return;
    let others = this.#byConnection.get(flow);
    if (others === undefined) {
      others = new Chain();
      this.#byConnection.set(flow, others);
    }
    others.add(transaction);
  }

  #forget(transaction: Client | Server): void {
    const all = this.#byConnection.get(transaction.flow);
    if (all === undefined) return;
    all.delete(transaction);
    // While it is open others will come; `onFlowClosed` ends it.
    if (all.first === undefined && !transaction.flow.isOpen) {
      this.#byConnection.delete(transaction.flow);
    }
  }

  #freshBranch(): string {
    return this.#branchPrefix + randomToken(18);
  }

  /** Calls the user: a fault of its own ends with a log line, not with the process. */
  #tell(action: () => void, onFault?: () => void): void {
    try {
      action();
    } catch (cause) {
      this.#logger.error("a transaction's user failed", { cause });
      onFault?.();
    }
  }
}

/** Nobody waits for the response to a CANCEL: the INVITE's own tells the outcome. */
const SILENT: ClientTransactionHandler = {
  onResponse() {},
  onTimeout() {},
  onTransportError() {},
};

/**
 * The ways that are left to a request that got no response at all, each of them once. The branch
 * stays: should the far end have seen the request, this is a retransmission to it.
 */
function otherWays(request: SipRequest, branch: string, smaller: Flow | undefined): Recover {
  let toUdp = smaller;
  let mayReopen = true;
  return (lost) => {
    // RFC 3261 §18.1.1: where TCP is refused a large request goes over UDP after all. A connection
    // that was up may have been a stale one.
    let flow: Flow | undefined;
    if (lost.hasConnected === false) {
      flow = toUdp;
      toUdp = undefined;
    } else if (mayReopen) {
      flow = lost.reopen?.();
      mayReopen = false;
    }
    return flow === undefined ? undefined : { flow, request: withVia(request, flow, branch) };
  };
}

/** Puts our Via on top (RFC 3261 §18.1.1). */
function withVia(request: SipRequest, flow: Flow, branch: string): SipRequest {
  // RFC 3581 §3: rport asks a UDP peer to answer to the port that we send from.
  const rport = flow.transport === "UDP" ? ";rport" : "";
  // RFC 5923 §4: on a connection of ours the far end may send its own requests, too.
  const alias = flow.offersAlias === true ? ";alias" : "";
  const via = `SIP/2.0/${flow.transport} ${flow.sentBy};branch=${branch}${rport}${alias}`;
  const headers = request.headers.prepend("Via", via);
  return new SipRequest(request.method, request.requestUri, headers, request.body);
}

function overloaded(request: SipRequest): SipResponse {
  return buildResponse(request, 503, {
    toTag: randomToken(8),
    headers: [["Retry-After", RETRY_AFTER_SECONDS]],
  });
}
