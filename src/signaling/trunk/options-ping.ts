import type { Clock, Timer } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import { PRODUCT } from "../dialog/our-headers.ts";
import { buildRequest } from "../message/build.ts";
import type { SipRequest } from "../message/message.ts";
import { formatNameAddr } from "../message/name-addr.ts";
import type { ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import { trunkStateFacts } from "./channels.ts";
import type { TrunkState } from "./channels.ts";
import type { Trunk } from "./trunk.ts";

export interface OptionsPingOptions {
  readonly clock: Clock;
  readonly trunk: Trunk;
  readonly intervalMs: number;
  /** Our URI for From. */
  readonly fromUri: (flow: Flow) => string;
  readonly send: (request: SipRequest, flow: Flow, handler: ClientTransactionHandler) => unknown;
}

const MISSES_TO_DOWN = 3;

/**
 * Asks a trunk with OPTIONS whether it is there. Any response means up, at once; three questions
 * without one mean down.
 */
export class OptionsPing {
  readonly #options: OptionsPingOptions;
  #state: TrunkState = "unknown";
  #misses = 0;
  /** The question that has no outcome yet. */
  #open: object | undefined;
  #next: Timer | undefined;

  constructor(options: OptionsPingOptions) {
    this.#options = options;
  }

  get state(): TrunkState {
    return this.#state;
  }

  start(): void {
    this.#ask();
  }

  stop(): void {
    this.#open = undefined;
    this.#next?.cancel();
  }

  #ask(): void {
    if (this.#open !== undefined) this.#miss(this.#open);
    this.#next = this.#options.clock.after(this.#options.intervalMs, () => this.#ask());
    const question = {};
    this.#open = question;
    const { trunk } = this.#options;
    const flow = trunk.peer().flowTo(trunk.uriOf());
    if (flow === undefined) {
      this.#miss(question);
      return;
    }
    this.#options.send(this.#build(flow), flow, {
      onResponse: () => this.#hit(question),
      onTimeout: () => this.#miss(question),
      onTransportError: () => this.#miss(question),
    });
  }

  #build(flow: Flow): SipRequest {
    const { trunk, fromUri } = this.#options;
    const from = formatNameAddr({
      uri: fromUri(flow),
      params: new Map([["tag", randomToken(12)]]),
    });
    return buildRequest({
      method: "OPTIONS",
      requestUri: trunk.uriOf(),
      headers: [
        ["Max-Forwards", "70"],
        ["From", from],
        ["To", formatNameAddr({ uri: trunk.uriOf() })],
        ["Call-ID", randomToken(22)],
        ["CSeq", "1 OPTIONS"],
        ["User-Agent", PRODUCT],
      ],
    });
  }

  #hit(question: object): void {
    if (this.#open === question) this.#open = undefined;
    this.#misses = 0;
    this.#enter("up");
  }

  #miss(question: object): void {
    if (this.#open !== question) return;
    this.#open = undefined;
    this.#misses += 1;
    if (this.#misses >= MISSES_TO_DOWN) this.#enter("down");
  }

  #enter(state: TrunkState): void {
    const previous = this.#state;
    if (previous === state) return;
    this.#state = state;
    trunkStateFacts.publish({ trunkId: this.#options.trunk.id, state, previous });
  }
}
