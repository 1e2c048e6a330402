/**
 * The way to the gateway: the WebSocket and the registration over it, kept up for ever. SIP.js gives
 * up after a few tries and mixes up its guards; here one state says where the link stands.
 */
import {
  Registerer,
  RegistererState,
  RequestPendingError,
  type UserAgent,
  UserAgentState,
} from "sip.js";
import { retryAfterMs, retryDelayMs } from "./backoff.ts";

/** What the link tells. */
export interface SipLinkEvents {
  onConnecting(): void;
  onRegistering(): void;
  onReady(): void;
  onLost(attempt: number, retryInMs: number): void;
  onRefused(status: number, reasonPhrase: string): void;
}

type State =
  | "idle"
  | "connecting"
  | "registering"
  | "ready"
  | "waiting"
  | "asking"
  | "refused"
  | "stopped";

const EXPIRES_SECONDS = 600;
const REFRESH_PERCENT = 75;
/** A connection that seems up after a change of network must answer within this time. */
const PROBE_MS = 4_000;
/** Every so manieth attempt is not asked for: HTTP may be closed where a WebSocket is not. */
const UNASKED_EVERY = 4;

/** See the head of this file. */
export class SipLink {
  readonly #userAgent: UserAgent;
  readonly #events: SipLinkEvents;
  readonly #isReachable: () => Promise<boolean>;
  #state: State = "idle";
  #attempt = 0;
  /** Connections begun, to tell what comes of the last from what comes of those before. */
  #connections = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #registerer: Registerer | undefined;

  /** @param isReachable asks without a WebSocket whether one could come about; never rejects */
  constructor(userAgent: UserAgent, events: SipLinkEvents, isReachable: () => Promise<boolean>) {
    this.#userAgent = userAgent;
    this.#events = events;
    this.#isReachable = isReachable;
  }

  /** Registered over an open WebSocket, for all that is known. */
  get isReady(): boolean {
    return this.#state === "ready" && this.isConnected;
  }

  /** The WebSocket is open. */
  get isConnected(): boolean {
    return this.#userAgent.isConnected();
  }

  start(): void {
    if (this.#state === "idle") this.#connect();
  }

  /** Tries now, or makes sure that what seems up is up. */
  retryNow(): void {
    switch (this.#state) {
      case "waiting":
      case "asking":
        this.#retry();
        return;
      case "ready":
        this.#probe();
        return;
      case "idle":
      case "connecting":
      case "registering":
      case "refused":
      case "stopped":
    }
  }

  /**
   * Makes a new connection at once: the browser is in another network, where the old one hears
   * nothing any more and only a time-out would tell.
   */
  renew(): void {
    switch (this.#state) {
      case "waiting":
      case "asking":
        this.#retry();
        return;
      case "connecting":
      case "registering":
      case "ready":
        this.#clearTimer();
        this.#userAgent.transport.disconnect().catch(ignore);
        this.#connect();
        return;
      case "idle":
      case "refused":
      case "stopped":
    }
  }

  /** For the user agent's delegate. */
  onDisconnected(): void {
    switch (this.#state) {
      case "registering":
      case "ready":
      case "refused":
        this.#lose();
        return;
      case "idle":
      case "connecting":
      case "waiting":
      case "asking":
      case "stopped":
    }
  }

  /** Takes the registration back, in this very moment, and never speaks again. */
  leave(): void {
    const wasReady = this.#state === "ready";
    this.stop();
    if (wasReady) this.#registerer?.unregister().catch(ignore);
  }

  /** Never speaks again. */
  stop(): void {
    this.#state = "stopped";
    this.#clearTimer();
  }

  #connect(): void {
    this.#state = "connecting";
    this.#connections += 1;
    const connection = this.#connections;
    const isCurrent = (): boolean =>
      this.#state === "connecting" && connection === this.#connections;
    this.#events.onConnecting();
    const connected =
      this.#userAgent.state === UserAgentState.Started
        ? this.#userAgent.reconnect()
        : this.#userAgent.start();
    connected.then(
      () => {
        if (isCurrent()) this.#register();
      },
      () => {
        if (isCurrent()) this.#lose();
      },
    );
  }

  #register(): void {
    this.#state = "registering";
    this.#events.onRegistering();
    this.#sendRegister();
  }

  #sendRegister(): void {
    this.#registerer ??= this.#createRegisterer();
    const registerer = this.#registerer;
    registerer
      .register({
        requestDelegate: {
          onAccept: () => this.#onRegistered(),
          onReject: ({ message }) =>
            this.#onNotRegistered(
              registerer,
              message.statusCode ?? 0,
              message.reasonPhrase ?? "",
              retryAfterMs(message.getHeader("Retry-After")),
            ),
        },
      })
      .catch((error: unknown) => {
        if (error instanceof RequestPendingError) this.#replaceRegisterer(registerer);
        else this.#onNotRegistered(registerer, 0, "");
      });
  }

  #onRegistered(): void {
    if (this.#state !== "registering" && this.#state !== "ready") return;
    this.#clearTimer();
    this.#attempt = 0;
    this.#state = "ready";
    this.#events.onReady();
  }

  #onNotRegistered(
    registerer: Registerer,
    status: number,
    reasonPhrase: string,
    leastMs = 0,
  ): void {
    if (registerer !== this.#registerer) return;
    if (this.#state !== "registering" && this.#state !== "ready") return;
    this.#clearTimer();
    if (status === 401 || status === 403 || status === 404 || status === 407) {
      // No storm of retries: the gateway has said no, and would say it again.
      this.#state = "refused";
      this.#events.onRefused(status, reasonPhrase);
      return;
    }
    this.#lose(leastMs);
  }

  /** @param leastMs how long the gateway wants us to wait */
  #lose(leastMs = 0): void {
    this.#clearTimer();
    this.#attempt += 1;
    this.#state = "waiting";
    const delayMs = Math.max(leastMs, retryDelayMs(this.#attempt, Math.random()));
    this.#timer = setTimeout(() => void this.#retryIfReachable(), delayMs);
    this.#events.onLost(this.#attempt, delayMs);
  }

  /**
   * Browsers let a WebSocket to where others have failed wait, Chromium for up to five seconds,
   * Firefox for up to a minute, also once all is well again. Attempts that nobody waits for are
   * therefore asked for over HTTP, which is not held back.
   */
  async #retryIfReachable(): Promise<void> {
    if (this.isConnected || this.#attempt % UNASKED_EVERY === 0) {
      this.#retry();
      return;
    }
    const attempt = this.#attempt;
    this.#state = "asking";
    this.#events.onConnecting();
    const isReachable = await this.#isReachable();
    if (this.#state !== "asking" || attempt !== this.#attempt) return;
    if (isReachable) this.#retry();
    else this.#lose();
  }

  #retry(): void {
    this.#clearTimer();
    if (this.isConnected) this.#register();
    else this.#connect();
  }

  #probe(): void {
    this.#clearTimer();
    this.#timer = setTimeout(() => {
      if (this.#state !== "ready") return;
      // The old socket's closing handshake may take a minute; a new one need not wait for it.
      this.#state = "connecting";
      this.#userAgent.transport.disconnect().catch(ignore);
      this.#lose();
    }, PROBE_MS);
    this.#sendRegister();
  }

  /**
   * A registerer whose request got no answer before the connection died blocks itself for 32 s. It
   * is left to end by itself, without a word to the gateway, and a new one takes its place.
   */
  #replaceRegisterer(blocked: Registerer): void {
    if (this.#state !== "registering" || blocked !== this.#registerer) return;
    this.#registerer = undefined;
    blocked.dispose().catch(ignore);
    this.#sendRegister();
  }

  #createRegisterer(): Registerer {
    const registerer = new Registerer(this.#userAgent, {
      expires: EXPIRES_SECONDS,
      refreshFrequency: REFRESH_PERCENT,
      // RFC 5626 §4.1: with the user agent's instance, so that a new connection replaces the old
      // binding instead of adding one.
      regId: 1,
      logConfiguration: false,
    });
    registerer.stateChange.addListener((state) => {
      // A refresh of SIP.js's own failed: the next try tells why.
      if (registerer !== this.#registerer || this.#state !== "ready") return;
      if (state === RegistererState.Unregistered) this.#lose();
    });
    return registerer;
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function ignore(): void {
  // What failed is over anyway.
}
