import { createHash } from "node:crypto";
import type { Clock, Timer } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";
import { PRODUCT } from "../dialog/our-headers.ts";
import type { Transactions } from "../dialog/transactions.ts";
import { buildRequest } from "../message/build.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";
import { formatNameAddr } from "../message/name-addr.ts";
import { buildSipUri, SipUri } from "../message/uri.ts";
import { targetKey } from "../transport/dns/target.ts";
import type { Flow } from "../transport/flow.ts";
import { registrationFacts } from "./channels.ts";
import type { RegistrationState } from "./channels.ts";
import { RegisterExchange } from "./register-exchange.ts";
import type { RegisterOutcome, RegistrationReason } from "./register-exchange.ts";
import type { TargetWalk } from "./target-walk.ts";
import type { Trunk } from "./trunk.ts";
import type { TrunkChallenges } from "./trunk-peer.ts";

/** The account of a trunk at its peer. */
export interface RegistrationAccount {
  /** User of the address-of-record, of the Contact and of the digest. */
  readonly username: string;
  readonly expiresSeconds: number;
}

export interface RegistrationOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly trunk: Trunk;
  readonly account: RegistrationAccount;
  readonly challenges: TrunkChallenges;
  readonly transactions: Transactions;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
}

/** A registration for people; times in Unix milliseconds. */
export interface RegistrationView {
  readonly state: RegistrationState;
  /** Why it is `refused` or `waiting`. */
  readonly reason: RegistrationReason | undefined;
  /** The status of the response that says so. */
  readonly status: number | undefined;
  /** The last change of `state`. */
  readonly sinceMs: number;
  /** When the registrar forgets us, unless it is refreshed. */
  readonly expiresAtMs: number | undefined;
  /** When the next try is made. */
  readonly retryAtMs: number | undefined;
}

/** RFC 5626 §4.5: base-time when no flow works, and max-time. */
const BASE_MS = 30_000;
const MAX_MS = 1_800_000;
/** The longest Retry-After that is believed. */
const MAX_RETRY_AFTER_SECONDS = 3600;
/** After the loss of the connection, or when a peer that was away is back: at once, but not all. */
const SOON_MS = 2000;
/** Refreshed in this part of the time that was granted. */
const REFRESH_FROM = 0.7;
const REFRESH_TO = 0.85;
const MIN_REFRESH_MS = 1000;
const TOKEN_LENGTH = 22;

type State =
  | { readonly name: "off" }
  | { readonly name: "registering"; readonly exchange: RegisterExchange }
  | { readonly name: "registered"; readonly held: Held; readonly refresh: Timer }
  /** Registered all the while. */
  | { readonly name: "refreshing"; readonly held: Held; readonly exchange: RegisterExchange }
  | ({ readonly name: "refused" | "waiting"; readonly retry: Timer } & Failure)
  | { readonly name: "unregistering"; readonly exchange: RegisterExchange };

/** A binding at the registrar. */
interface Held {
  readonly flow: Flow;
  /** On the wall clock. */
  readonly expiresAtMs: number;
}

interface Failure {
  readonly reason: RegistrationReason;
  readonly status: number | undefined;
  /** On the wall clock. */
  readonly retryAtMs: number;
  readonly lostOn?: Flow | undefined;
}

/**
 * The registration of one trunk at its peer (RFC 3261 §10.2): made at the start, refreshed before it
 * runs out, made again after its connection has gone, removed at the end. One exchange at a time.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #callId = randomToken(TOKEN_LENGTH);
  readonly #tag = randomToken(TOKEN_LENGTH);
  /** The same after a restart, so that the binding of before is replaced and not doubled. */
  readonly #line: string;
  #cseqNumber = 0;
  /** More than the account says after a 423. */
  #expiresSeconds: number;
  #state: State = { name: "off" };
  #sinceMs: number;
  /** Failures since the last success. */
  #failures = 0;
  /** Stays at the server that has us. */
  #walk: TargetWalk | undefined;
  readonly #onOff: (() => void)[] = [];

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#expiresSeconds = options.account.expiresSeconds;
    this.#sinceMs = options.clock.wallMs();
    this.#line = createHash("sha256").update(options.trunk.id).digest("hex").slice(0, 12);
  }

  get state(): RegistrationState {
    return publicState(this.#state);
  }

  get view(): RegistrationView {
    const state = this.#state;
    const isFailed = state.name === "refused" || state.name === "waiting";
    const isHeld = state.name === "registered" || state.name === "refreshing";
    return {
      state: this.state,
      reason: isFailed ? state.reason : undefined,
      status: isFailed ? state.status : undefined,
      sinceMs: this.#sinceMs,
      expiresAtMs: isHeld ? state.held.expiresAtMs : undefined,
      retryAtMs: isFailed ? state.retryAtMs : undefined,
    };
  }

  /** How a Request-URI fits our Contact: by what makes it unique, or by its user alone. */
  fit(uri: SipUri): "line" | "user" | undefined {
    if (uri.params.get("line") === this.#line) return "line";
    return this.isAccount(uri) ? "user" : undefined;
  }

  /** Whether a Request-URI has the user of our Contact. */
  isAccount(uri: SipUri): boolean {
    return uri.user === this.#options.account.username;
  }

  start(): void {
    switch (this.#state.name) {
      case "off":
        this.#register();
        return;
      case "registering":
      case "registered":
      case "refreshing":
      case "refused":
      case "waiting":
      case "unregistering":
        return;
    }
  }

  /** The peer answers again after it did not: it may have forgotten us. */
  onPeerBack(): void {
    switch (this.#state.name) {
      case "waiting":
        this.#state.retry.cancel();
        this.#failures = 0;
        this.#enterFailed("waiting", this.#state, this.#soonMs());
        return;
      case "registered":
        this.#state.refresh.cancel();
        this.#enter({ ...this.#state, refresh: this.#refreshAfter(this.#soonMs()) });
        return;
      case "off":
      case "registering":
      case "refreshing":
      case "refused":
      case "unregistering":
        return;
    }
  }

  /** A connection has closed. */
  onFlowClosed(flow: Flow): void {
    switch (this.#state.name) {
      case "registered":
        if (this.#state.held.flow !== flow) return;
        this.#state.refresh.cancel();
        this.#walk = undefined;
        this.#enterFailed("waiting", CONNECTION_LOST, this.#soonMs());
        return;
      case "waiting":
        // The exchange has heard of it already. That no answer can come says nothing of the registrar;
        // one that closes the next connection too is left alone as any other that fails.
        if (this.#state.lostOn !== flow || this.#failures > 1) return;
        this.#state.retry.cancel();
        this.#enterFailed("waiting", CONNECTION_LOST, this.#soonMs());
        return;
      case "refreshing":
      case "off":
      case "registering":
      case "refused":
      case "unregistering":
        return;
    }
  }

  /** Removes the binding; resolves when that has an outcome. Nothing is registered any more. */
  unregister(): Promise<void> {
    switch (this.#state.name) {
      case "off":
        return Promise.resolve();
      case "refused":
      case "waiting":
        this.#state.retry.cancel();
        this.#enter({ name: "off" });
        return Promise.resolve();
      case "registered":
        this.#state.refresh.cancel();
        this.#enter({ name: "unregistering", exchange: this.#exchange(0) });
        break;
      // What is on its way may have been taken: the one that removes it has a higher CSeq.
      case "registering":
      case "refreshing":
        this.#state.exchange.abandon();
        this.#enter({ name: "unregistering", exchange: this.#exchange(0) });
        break;
      case "unregistering":
        break;
    }
    return new Promise((resolve) => {
      this.#onOff.push(resolve);
    });
  }

  /** Stops at once, whatever the registrar holds. */
  stop(): void {
    switch (this.#state.name) {
      case "registering":
      case "refreshing":
      case "unregistering":
        this.#state.exchange.abandon();
        break;
      case "registered":
        this.#state.refresh.cancel();
        break;
      case "refused":
      case "waiting":
        this.#state.retry.cancel();
        break;
      case "off":
        return;
    }
    this.#enter({ name: "off" });
  }

  /** The time of a refresh or of another try. */
  #register(): void {
    const state = this.#state;
    switch (state.name) {
      case "off":
      case "refused":
      case "waiting":
        this.#enter({ name: "registering", exchange: this.#exchange(this.#expiresSeconds) });
        return;
      case "registered": {
        const exchange = this.#exchange(this.#expiresSeconds);
        this.#enter({ name: "refreshing", held: state.held, exchange });
        return;
      }
      case "registering":
      case "refreshing":
      case "unregistering":
        return;
    }
  }

  #onDone(outcome: RegisterOutcome): void {
    switch (this.#state.name) {
      case "registering":
      case "refreshing":
        this.#expiresSeconds = this.#state.exchange.askedSeconds;
        if (outcome.kind === "accepted") this.#onAccepted(outcome);
        else this.#onFailed(outcome);
        return;
      case "unregistering":
        // Whether or not the registrar said yes: the binding runs out by itself.
        this.#enter({ name: "off" });
        return;
      case "off":
      case "registered":
      case "refused":
      case "waiting":
        return;
    }
  }

  #onAccepted({ flow, expiresSeconds }: Extract<RegisterOutcome, { kind: "accepted" }>): void {
    const { clock, trunk, random } = this.#options;
    const grantedMs = expiresSeconds * 1000;
    const part = REFRESH_FROM + (REFRESH_TO - REFRESH_FROM) * random();
    const held = { flow, expiresAtMs: clock.wallMs() + grantedMs };
    this.#failures = 0;
    trunk.registeredWith = flow.remote.host;
    const refresh = this.#refreshAfter(Math.max(grantedMs * part, MIN_REFRESH_MS));
    this.#enter({ name: "registered", held, refresh });
  }

  #onFailed(outcome: Exclude<RegisterOutcome, { kind: "accepted" }>): void {
    const { random } = this.#options;
    const { kind, retryAfterSeconds = 0 } = outcome;
    this.#failures += 1;
    this.#walk = undefined;
    // RFC 5626 §4.5: from half of it to all of it
    const upperMs =
      kind === "refused" ? MAX_MS : Math.min(BASE_MS * 2 ** Math.min(this.#failures, 10), MAX_MS);
    const askedMs = Math.min(retryAfterSeconds, MAX_RETRY_AFTER_SECONDS) * 1000;
    // Later than Retry-After says, so that not all come at the same time.
    const delayMs = Math.max((upperMs / 2) * (1 + random()), askedMs * (1 + random() / 10));
    this.#enterFailed(kind === "refused" ? "refused" : "waiting", outcome, delayMs);
  }

  #enterFailed(
    name: "refused" | "waiting",
    { reason, status, lostOn }: Omit<Failure, "retryAtMs">,
    delayMs: number,
  ): void {
    const { clock } = this.#options;
    const retry = clock.after(delayMs, () => this.#register());
    this.#enter({ name, reason, status, lostOn, retryAtMs: clock.wallMs() + delayMs, retry });
  }

  #refreshAfter(delayMs: number): Timer {
    return this.#options.clock.after(delayMs, () => this.#register());
  }

  #soonMs(): number {
    return SOON_MS * this.#options.random();
  }

  #exchange(expiresSeconds: number): RegisterExchange {
    const { trunk, transactions, challenges } = this.#options;
    this.#walk = this.#currentWalk() ?? trunk.walk();
    return new RegisterExchange({
      trunk,
      transactions,
      challenges,
      walk: this.#walk,
      expiresSeconds,
      build: (flow, seconds, credentials) => this.#build(flow, seconds, credentials),
      onDone: (outcome) => this.#onDone(outcome),
    });
  }

  /** The way to the server that has us, for as long as it is one of the peer's. */
  #currentWalk(): TargetWalk | undefined {
    const stop = this.#walk?.current;
    if (stop === undefined || !stop.flow.isOpen) return undefined;
    const key = targetKey(stop.target);
    const isKnown = this.#options.trunk.targets.some((target) => targetKey(target) === key);
    return isKnown ? this.#walk : undefined;
  }

  #build(flow: Flow, expiresSeconds: number, credentials: readonly HeaderField[]): SipRequest {
    const { trunk, account } = this.#options;
    // RFC 3261 §10.2: an address-of-record has no port.
    const aor = buildSipUri({ scheme: trunk.scheme, user: account.username, host: trunk.host });
    this.#cseqNumber += 1;
    return buildRequest({
      method: "REGISTER",
      requestUri: trunk.uriOf(),
      headers: [
        ["Max-Forwards", "70"],
        ["From", formatNameAddr({ uri: aor, params: new Map([["tag", this.#tag]]) })],
        ["To", formatNameAddr({ uri: aor })],
        ["Call-ID", this.#callId],
        ["CSeq", `${this.#cseqNumber} REGISTER`],
        ["Contact", `<${this.#contactUri(flow)}>`],
        ["Expires", String(expiresSeconds)],
        ...credentials,
        ["User-Agent", PRODUCT],
      ],
    });
  }

  /** Where the peer's calls come to us, known by `line` as this trunk's. */
  #contactUri(flow: Flow): string {
    const { username } = this.#options.account;
    const { host, port } = SipUri.parse(`sip:${flow.sentBy}`);
    const params: [string, string][] = [["line", this.#line]];
    const isSips = flow.scheme === "sips";
    if (!isSips && flow.transport !== "UDP") {
      params.unshift(["transport", flow.transport.toLowerCase()]);
    }
    const scheme = isSips ? "sips" : "sip";
    return buildSipUri({ scheme, user: username, host, port, params });
  }

  #enter(state: State): void {
    const previous = this.#state;
    this.#state = state;
    const isSame = publicState(state) === publicState(previous);
    if (!isSame) this.#sinceMs = this.#options.clock.wallMs();
    if (!isSame || isOtherFailure(state, previous)) this.#tell(publicState(previous));
    if (state.name === "off") for (const resolve of this.#onOff.splice(0)) resolve();
  }

  #tell(previous: RegistrationState): void {
    const { logger, trunk } = this.#options;
    const { state, reason, status, retryAtMs, expiresAtMs } = this.view;
    const fact = { trunkId: trunk.id, state, previous, reason, status };
    switch (state) {
      case "registered":
        logger.info("a trunk is registered", { ...fact, expiresAt: isoOf(expiresAtMs) });
        break;
      case "refused":
      case "waiting":
        logger.warn("a trunk is not registered", { ...fact, retryAt: isoOf(retryAtMs) });
        break;
      case "off":
      case "registering":
      case "unregistering":
        logger.debug("a trunk's registration goes on", fact);
        break;
    }
    registrationFacts.publish(fact);
  }
}

const CONNECTION_LOST = { reason: "connection lost", status: undefined } as const;

function publicState(state: State): RegistrationState {
  return state.name === "refreshing" ? "registered" : state.name;
}

function isOtherFailure(state: State, previous: State): boolean {
  const isFailed = state.name === "refused" || state.name === "waiting";
  const wasFailed = previous.name === "refused" || previous.name === "waiting";
  return isFailed && wasFailed && state.reason !== previous.reason;
}

function isoOf(unixMs: number | undefined): string | undefined {
  return unixMs === undefined ? undefined : new Date(unixMs).toISOString();
}
