import type { Clock, Timer } from "../../core/clock.ts";
import type { Transactions } from "../dialog/transactions.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { tryParseRetryAfter } from "../message/retry-after.ts";
import type { ClientTransaction, ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import type { TargetFault } from "./channels.ts";
import type { TargetHealth } from "./target-health.ts";
import type { Stop, TargetWalk } from "./target-walk.ts";

/** What one hunt is built with. */
export interface TargetHuntOptions {
  readonly clock: Clock;
  readonly transactions: Transactions;
  readonly health: TargetHealth;
  /** Stands at the first target to try. */
  readonly walk: TargetWalk;
  /** The request for a flow; `isNext` when a target before it did not take it. */
  readonly build: (flow: Flow, isNext: boolean) => SipRequest;
  readonly handler: ClientTransactionHandler;
  /** With another target left, one that says nothing for this long is given up. */
  readonly firstResponseMs: number;
  /** Whether the user has others to ask: then the last target is given up as well. Default false. */
  readonly hasAlternative?: boolean;
  /** Lets a response through to the handler; `isLate` from a target that was given up. */
  readonly deliver: (flow: Flow, isLate: boolean, tell: () => void) => void;
}

type State =
  /** Nothing but 100 has come from the current target: it may still be given up for the next. */
  | "hunting"
  /** The current target has it: the user was told, or does not want it any more. */
  | "settled"
  /** The last target said nothing; its user was told so, and asks others. */
  | "given-up"
  | "ended";

const GAVE_UP: readonly HeaderField[] = [
  ["Reason", 'SIP;cause=408;text="Another server is tried"'],
];

/**
 * One request that goes to one target after the other until one takes it: RFC 3263 §4.3. To its
 * user it is a single client transaction. For each target there is a new transaction with a branch
 * of its own; a target that did not answer in time gets CANCEL should it wake up, and one that has
 * answered with more than 100 is never left: nobody's phone rings twice.
 */
export class TargetHunt implements ClientTransaction {
  readonly #options: TargetHuntOptions;
  #state: State = "hunting";
  #transaction: ClientTransaction;
  #silence: Timer | undefined;

  /** Sends the request to the first target. @returns undefined when there is none */
  static begin(options: TargetHuntOptions): TargetHunt | undefined {
    const stop = options.walk.current;
    return stop === undefined ? undefined : new TargetHunt(options, stop);
  }

  private constructor(options: TargetHuntOptions, stop: Stop) {
    this.#options = options;
    this.#transaction = this.#send(stop, false);
  }

  get id(): string {
    return this.#transaction.id;
  }

  get request(): SipRequest {
    return this.#transaction.request;
  }

  get flow(): Flow {
    return this.#transaction.flow;
  }

  get state(): ClientTransaction["state"] {
    return this.#transaction.state;
  }

  cancel(headers?: Iterable<HeaderField>): void {
    this.#settle();
    this.#transaction.cancel(headers);
  }

  abandon(headers?: Iterable<HeaderField>): void {
    this.#settle();
    this.#transaction.abandon(headers);
  }

  #send({ target, flow }: Stop, isNext: boolean): ClientTransaction {
    const { transactions, health, clock, walk, build, firstResponseMs } = this.#options;
    health.trying(target);
    const transaction: ClientTransaction = transactions.request(build(flow, isNext), flow, {
      onResponse: (response) => this.#onResponse(transaction, response),
      onTimeout: () => this.#onSilence(transaction, "timeout"),
      onTransportError: () => this.#onSilence(transaction, "transport"),
    });
    if (walk.hasNext || this.#options.hasAlternative === true) {
      // RFC 3263 §4.3 waits for Timer B or F. Deviates: 32 seconds are no post-dial delay.
      this.#silence = clock.after(firstResponseMs, () => this.#onNoFirstResponse(transaction));
    }
    return transaction;
  }

  #onResponse(transaction: ClientTransaction, response: SipResponse): void {
    const { handler, health, walk, deliver } = this.#options;
    const status = response.statusCode;
    if (transaction !== this.#transaction || this.#state === "given-up") {
      // RFC 3261 §13.2.2.4: whoever is late with a 2xx must hear that we do not want it.
      const isAccept = status >= 200 && status < 300 && response.cseq.method === "INVITE";
      if (isAccept) deliver(transaction.flow, true, () => handler.onResponse(response));
      return;
    }
    this.#silence?.cancel();
    const target = walk.current?.target;
    if (status === 503) {
      if (target !== undefined) health.failed(target, "busy", retryAfterMs(response));
      if (this.#goOn()) return; // RFC 3263 §4.3
    } else if (status > 100 && target !== undefined) {
      health.answered(target);
    }
    if (status >= 200) this.#state = "ended";
    else if (status > 100) this.#settle();
    deliver(transaction.flow, false, () => handler.onResponse(response));
  }

  /** Timer B or F, or the transport's error. */
  #onSilence(transaction: ClientTransaction, fault: Exclude<TargetFault, "busy">): void {
    if (transaction !== this.#transaction) return;
    if (this.#state === "ended" || this.#state === "given-up") return;
    this.#silence?.cancel();
    this.#blame(fault);
    if (this.#goOn()) return;
    this.#state = "ended";
    if (fault === "timeout") this.#options.handler.onTimeout();
    else this.#options.handler.onTransportError();
  }

  #onNoFirstResponse(transaction: ClientTransaction): void {
    if (transaction !== this.#transaction || this.#state !== "hunting") return;
    this.#blame("timeout");
    if (this.#goOn()) {
      transaction.abandon(GAVE_UP);
      return;
    }
    this.#state = "given-up";
    transaction.abandon(GAVE_UP);
    this.#options.handler.onTimeout();
  }

  #blame(fault: TargetFault): void {
    const target = this.#options.walk.current?.target;
    // After CANCEL, silence is what a target may answer (RFC 3261 §9.1).
    if (target !== undefined && this.#state === "hunting") {
      this.#options.health.failed(target, fault);
    }
  }

  /** @returns false when the request stays where it is */
  #goOn(): boolean {
    if (this.#state !== "hunting" || !this.#options.walk.hasNext) return false;
    const stop = this.#options.walk.next();
    if (stop === undefined) return false;
    this.#transaction = this.#send(stop, true);
    return true;
  }

  #settle(): void {
    if (this.#state === "hunting") this.#state = "settled";
    this.#silence?.cancel();
  }
}

function retryAfterMs(response: SipResponse): number | undefined {
  const seconds = tryParseRetryAfter(response);
  return seconds === undefined ? undefined : seconds * 1000;
}
