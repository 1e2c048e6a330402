import type { Timer } from "../../core/clock.ts";
import type { Transactions } from "../dialog/transactions.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { tryParseRetryAfter } from "../message/retry-after.ts";
import type { ClientTransaction } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import { grantedSeconds, MAX_EXPIRES_SECONDS, tryParseMinExpires } from "./register-response.ts";
import { TargetHunt } from "./target-hunt.ts";
import type { TargetWalk } from "./target-walk.ts";
import type { TrunkChallenges, TrunkWays } from "./trunk-peer.ts";

/** Why a registration is not there. */
export type RegistrationReason =
  /** Nothing answered. */
  | "no answer"
  /** It could not be sent. */
  | "transport"
  /** The peer's name leads to no server that a listener of ours can reach. */
  | "no server"
  /** The connection that it was made on has closed. */
  | "connection lost"
  /** The credentials were answered with another challenge. */
  | "wrong credentials"
  /** A challenge in a realm that is not the trunk's, or of a kind that we do not answer. */
  | "challenge not answered"
  /** A 2xx that keeps no binding of ours. */
  | "no binding"
  /** Any other final response, told by `status`. */
  | "response";

export type RegisterOutcome =
  | {
      readonly kind: "accepted";
      readonly flow: Flow;
      readonly expiresSeconds: number;
    }
  | {
      /** `refused`: the same again would get the same answer. */
      readonly kind: "refused" | "unavailable";
      readonly reason: RegistrationReason;
      readonly status: number | undefined;
      readonly retryAfterSeconds: number | undefined;
      /** The connection on which the answer was waited for, and on which none can come any more. */
      readonly lostOn?: Flow | undefined;
    };

export interface RegisterExchangeOptions {
  readonly trunk: TrunkWays;
  readonly transactions: Transactions;
  readonly challenges: TrunkChallenges;
  /** Where to, best first; the exchange leaves it at the server that it came to. */
  readonly walk: TargetWalk;
  /** 0 removes the binding. */
  readonly expiresSeconds: number;
  readonly build: (
    flow: Flow,
    expiresSeconds: number,
    credentials: readonly HeaderField[],
  ) => SipRequest;
  /** Final; never called from inside the constructor. */
  readonly onDone: (outcome: RegisterOutcome) => void;
}

/** Responses after which the same may come out well later. */
const TRANSIENT: ReadonlySet<number> = new Set([408, 429, 480, 491, 500, 502, 503, 504]);
/** Challenges in one exchange: two of the registrar, two of a proxy before it. */
const MAX_CHALLENGES = 4;

/**
 * One REGISTER with what may lie between it and its outcome: other servers (RFC 3263 §4.3), the
 * challenges of a proxy and of the registrar, and a 423. Nothing is called after `abandon`.
 */
export class RegisterExchange {
  readonly #options: RegisterExchangeOptions;
  /** By header field: one for the registrar, one for a proxy. */
  readonly #credentials = new Map<string, string>();
  /** How often each kind of challenge was answered. */
  readonly #attempts = new Map<number, number>();
  #expiresSeconds: number;
  #isIntervalRaised = false;
  /** undefined: over. */
  #transaction: ClientTransaction | undefined;
  /** Tells that there was nowhere to send, after the constructor. */
  #nowhere: Timer | undefined;

  constructor(options: RegisterExchangeOptions) {
    this.#options = options;
    this.#expiresSeconds = options.expiresSeconds;
    this.#send();
  }

  /** What was asked for last: more than at the beginning after a 423. */
  get askedSeconds(): number {
    return this.#expiresSeconds;
  }

  /** Forgets it: the request is not sent again. */
  abandon(): void {
    this.#transaction?.abandon();
    this.#dispose();
  }

  #send(): void {
    const { trunk, transactions, walk, build } = this.#options;
    const credentials = [...this.#credentials];
    this.#transaction = TargetHunt.begin({
      ...trunk.huntOptions,
      transactions,
      walk,
      build: (flow) => build(flow, this.#expiresSeconds, credentials),
      handler: {
        onResponse: (response) => this.#onResponse(response),
        onTimeout: () => this.#fail("unavailable", "no answer", undefined),
        onTransportError: () => {
          const lostOn = this.#transaction?.flow;
          this.#finish({ ...failure("unavailable", "transport", undefined), lostOn });
        },
      },
      deliver: (_flow, _isLate, tell) => tell(),
    });
    if (this.#transaction !== undefined) return;
    this.#nowhere = trunk.huntOptions.clock.after(0, () => {
      this.#finish(failure("unavailable", "no server", undefined));
    });
  }

  #onResponse(response: SipResponse): void {
    const transaction = this.#transaction;
    const { statusCode: status } = response;
    if (transaction === undefined || status < 200) return;
    if (status < 300) {
      this.#accept(transaction, response);
      return;
    }
    if (status === 401 || status === 407) {
      this.#onChallenge(transaction.request, response);
      return;
    }
    if (status === 423 && this.#raiseInterval(response)) return;
    // A redirect is not followed: nobody but the trunk gets its credentials.
    this.#fail(TRANSIENT.has(status) ? "unavailable" : "refused", "response", response);
  }

  #accept({ request, flow }: ClientTransaction, response: SipResponse): void {
    const asked = this.#expiresSeconds;
    const contactUri = request.contact?.uri ?? "";
    const expiresSeconds = asked === 0 ? 0 : grantedSeconds(response, contactUri, asked);
    if (expiresSeconds === 0 && asked > 0) {
      this.#fail("refused", "no binding", response);
      return;
    }
    this.#finish({ kind: "accepted", flow, expiresSeconds });
  }

  #onChallenge(request: SipRequest, response: SipResponse): void {
    const { statusCode: status } = response;
    const attempt = this.#attempts.get(status) ?? 0;
    const count = [...this.#attempts.values()].reduce((sum, each) => sum + each, 0);
    const answer =
      count < MAX_CHALLENGES
        ? this.#options.challenges.authorize(request, response, attempt)
        : undefined;
    if (answer === undefined) {
      const reason = attempt > 0 ? "wrong credentials" : "challenge not answered";
      this.#fail("refused", reason, response);
      return;
    }
    this.#attempts.set(status, attempt + 1);
    this.#credentials.set(answer[0], answer[1]);
    this.#send();
  }

  /** RFC 3261 §10.2.8, once. */
  #raiseInterval(response: SipResponse): boolean {
    const seconds = tryParseMinExpires(response);
    const isUsable =
      seconds !== undefined && seconds > this.#expiresSeconds && seconds <= MAX_EXPIRES_SECONDS;
    if (!isUsable || this.#isIntervalRaised || this.#expiresSeconds === 0) return false;
    this.#isIntervalRaised = true;
    this.#expiresSeconds = seconds;
    // Its nonce may be used up.
    this.#credentials.clear();
    this.#attempts.clear();
    this.#send();
    return true;
  }

  #fail(
    kind: "refused" | "unavailable",
    reason: RegistrationReason,
    response: SipResponse | undefined,
  ): void {
    this.#finish(failure(kind, reason, response));
  }

  #finish(outcome: RegisterOutcome): void {
    const isOver = this.#transaction === undefined && this.#nowhere === undefined;
    this.#dispose();
    if (!isOver) this.#options.onDone(outcome);
  }

  #dispose(): void {
    this.#transaction = undefined;
    this.#nowhere?.cancel();
    this.#nowhere = undefined;
  }
}

function failure(
  kind: "refused" | "unavailable",
  reason: RegistrationReason,
  response: SipResponse | undefined,
): Exclude<RegisterOutcome, { kind: "accepted" }> {
  const retryAfterSeconds = response === undefined ? undefined : tryParseRetryAfter(response);
  return { kind, reason, status: response?.statusCode, retryAfterSeconds };
}
