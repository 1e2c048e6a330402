import type { Clock, Timer } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import { contactField, PRODUCT } from "../dialog/our-headers.ts";
import { buildRequest } from "../message/build.ts";
import type { SipRequest } from "../message/message.ts";
import { formatNameAddr } from "../message/name-addr.ts";
import { buildSipUri } from "../message/uri.ts";
import type { ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Target } from "../transport/dns/target.ts";
import type { Flow } from "../transport/flow.ts";
import { trunkStateFacts } from "./channels.ts";
import type { TargetFault, TrunkState } from "./channels.ts";
import type { Trunk } from "./trunk.ts";

export interface OptionsPingOptions {
  readonly clock: Clock;
  readonly trunk: Trunk;
  readonly intervalMs: number;
  /** Questions without an answer, one after the other, until the trunk is down. */
  readonly missesToDown: number;
  /** Answered ones, one after the other, until a trunk that was down is up. */
  readonly hitsToUp: number;
  /** The trunk was down and is up again. */
  readonly onBack: () => void;
  /** Our URI for From. */
  readonly fromUri: (flow: Flow) => string;
  readonly send: (request: SipRequest, flow: Flow, handler: ClientTransactionHandler) => unknown;
}

/** What OPTIONS tells of a trunk. */
export interface PingView {
  readonly state: TrunkState;
  /** Why it is down; `no server` when its name leads to none that we can reach. */
  readonly reason: "timeout" | "transport" | "no server" | undefined;
  /** Unix milliseconds of the last change of `state`; undefined while it is `unknown`. */
  readonly sinceMs: number | undefined;
}

/** After the first answer of a trunk that was down: its next question comes soon. */
const CONFIRM_MS = 5000;

/** One round of OPTIONS: who was asked and has not answered. */
type Question = Set<Target>;

/**
 * Asks a trunk with OPTIONS whether it is there: all servers of its peer, which calls then avoid or
 * use again. Any response of any server answers a question. The first answer means up; several
 * questions without one mean down; and then it takes several answers to be up again, so that a trunk
 * that comes and goes is not called every time.
 */
export class OptionsPing {
  readonly #options: OptionsPingOptions;
  #state: TrunkState = "unknown";
  #sinceMs: number | undefined;
  #misses = 0;
  #hits = 0;
  #reason: PingView["reason"];
  /** The question that has no outcome yet. */
  #open: Question | undefined;
  #next: Timer | undefined;

  constructor(options: OptionsPingOptions) {
    this.#options = options;
  }

  get state(): TrunkState {
    return this.#state;
  }

  get view(): PingView {
    const reason = this.#state === "down" ? this.#reason : undefined;
    return { state: this.#state, reason, sinceMs: this.#sinceMs };
  }

  start(): void {
    this.#ask();
  }

  stop(): void {
    this.#open = undefined;
    this.#next?.cancel();
  }

  #ask(): void {
    const { trunk, clock, intervalMs } = this.#options;
    this.#giveUp();
    this.#next = clock.after(intervalMs, () => this.#ask());
    const question: Question = new Set(trunk.targets);
    this.#open = question;
    for (const target of question) this.#send(question, target);
    if (question.size === 0) this.#miss(question, "no server");
  }

  /** The interval is over: who has not answered counts as not there. */
  #giveUp(): void {
    const question = this.#open;
    for (const target of question ?? []) this.#onSilence(question, target, "timeout");
  }

  #send(question: Question, target: Target): void {
    const { trunk, send } = this.#options;
    const flow = trunk.flowTo(target);
    if (flow === undefined) {
      this.#onSilence(question, target, undefined);
      return;
    }
    send(this.#build(flow), flow, {
      onResponse: (response) => {
        trunk.noteAgent(response.headers);
        this.#onResponse(question, target);
      },
      onTimeout: () => this.#onSilence(question, target, "timeout"),
      onTransportError: () => this.#onSilence(question, target, "transport"),
    });
  }

  #onResponse(question: Question, target: Target): void {
    if (!question.delete(target)) return;
    this.#options.trunk.health.pinged(target);
    const isFirst = this.#open === question;
    if (isFirst) this.#open = undefined;
    this.#misses = 0;
    switch (this.#state) {
      case "unknown":
        this.#enter("up");
        return;
      case "up":
        return;
      case "down":
        if (isFirst) this.#hit();
        return;
    }
  }

  #hit(): void {
    const { clock, intervalMs, hitsToUp, onBack } = this.#options;
    this.#hits += 1;
    if (this.#hits >= hitsToUp) {
      this.#enter("up");
      onBack();
      return;
    }
    this.#next?.cancel();
    this.#next = clock.after(Math.min(intervalMs, CONFIRM_MS), () => this.#ask());
  }

  /** @param fault undefined when it could not be asked, which says nothing about it */
  #onSilence(
    question: Question | undefined,
    target: Target,
    fault: Exclude<TargetFault, "busy"> | undefined,
  ): void {
    if (question === undefined || !question.delete(target)) return;
    if (fault !== undefined) this.#options.trunk.health.failed(target, fault);
    if (question.size === 0) this.#miss(question, fault ?? "no server");
  }

  #build(flow: Flow): SipRequest {
    const { trunk, fromUri } = this.#options;
    const host = trunk.terms.contactHost;
    const from = formatNameAddr({
      uri: host === undefined ? fromUri(flow) : buildSipUri({ host }),
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
        // Microsoft Teams tells its customers by it, and answers no other OPTIONS.
        ...(host === undefined ? [] : [contactField(flow, "", { host })]),
        ["User-Agent", PRODUCT],
      ],
    });
  }

  #miss(question: Question, reason: PingView["reason"]): void {
    if (this.#open !== question) return;
    this.#open = undefined;
    this.#hits = 0;
    this.#misses += 1;
    this.#reason = reason;
    if (this.#misses >= this.#options.missesToDown) this.#enter("down");
  }

  #enter(state: TrunkState): void {
    const previous = this.#state;
    if (previous === state) return;
    this.#state = state;
    this.#sinceMs = this.#options.clock.wallMs();
    this.#hits = 0;
    trunkStateFacts.publish({ trunkId: this.#options.trunk.id, state, previous });
  }
}
