/**
 * What a phone asks for beside its calls: whether messages wait at the mailbox (RFC 3842), what
 * colleagues' phones do (RFC 4235), and written messages (RFC 3428). A gateway that knows none of
 * them is asked again only after the next registration.
 */
import {
  type Message,
  Messager,
  type Notification,
  Subscriber,
  SubscriptionState,
  type URI,
  type UserAgent,
} from "sip.js";
import type { LampState } from "../around.ts";
import { tryParseLamp, tryParseVoicemail } from "./notify-bodies.ts";
import type { PhoneAgentHandler } from "./phone-agent.ts";

const EXPIRES_SECONDS = 600;
/** A message longer than this is cut: RFC 3428 §8 allows 1300 octets where nothing else is known. */
const LONGEST_TEXT = 8_000;

type Package = "dialog" | "message-summary";

/** RFC 4235 §3.6, RFC 3842 §3.5. */
const MEDIA_TYPES: Readonly<Record<Package, string>> = {
  dialog: "application/dialog-info+xml",
  "message-summary": "application/simple-message-summary",
};

/** What this needs of its agent. */
export interface SipAroundOptions {
  readonly userAgent: UserAgent;
  readonly handler: PhoneAgentHandler;
  /** Our own address of record. */
  readonly self: URI;
  readonly targetOf: (number: string) => URI;
}

/** See the head of this file. */
export class SipAround {
  readonly #options: SipAroundOptions;
  #voicemail: Subscriber | undefined;
  readonly #lamps = new Map<string, Subscriber>();
  #wanted: readonly string[] = [];
  #isReady = false;

  constructor(options: SipAroundOptions) {
    this.#options = options;
  }

  /** Registered over a new connection: what was subscribed to over the old one is asked for anew. */
  onReady(): void {
    this.#isReady = true;
    this.#forget();
    this.#voicemail = this.#subscribe(this.#options.self, "message-summary", (body) =>
      this.#onSummary(body),
    );
    this.#watch();
  }

  watch(numbers: readonly string[]): void {
    this.#wanted = numbers;
    if (this.#isReady) this.#watch();
  }

  send(id: string, number: string, text: string): void {
    const { handler, targetOf, userAgent } = this.#options;
    const messager = new Messager(userAgent, targetOf(number), text.slice(0, LONGEST_TEXT));
    messager
      .message({
        requestDelegate: {
          onAccept: () => handler.onMessageSettled(id, true),
          onReject: () => handler.onMessageSettled(id, false),
        },
      })
      .catch(() => handler.onMessageSettled(id, false));
  }

  /** For the user agent's delegate. */
  receive(message: Message): void {
    message.accept().catch(ignore);
    const { body, from } = message.request;
    const type = message.request.getHeader("Content-Type") ?? "text/plain";
    if (!/^\s*text\/plain/i.test(type) || body === "") return;
    const { displayName } = from;
    const name = displayName === "" ? undefined : displayName;
    this.#options.handler.onMessage(from.uri.user ?? "", name, body.slice(0, LONGEST_TEXT));
  }

  /** For the user agent's delegate: a PBX tells of its voicemail without being asked. */
  told(notification: Notification): void {
    const { request } = notification;
    if (!/^\s*message-summary\s*(?:;|$)/i.test(request.getHeader("Event") ?? "")) {
      notification.reject({ statusCode: 489 }).catch(ignore);
      return;
    }
    notification.accept().catch(ignore);
    this.#onSummary(request.body);
  }

  #onSummary(body: string): void {
    const voicemail = tryParseVoicemail(body);
    if (voicemail !== undefined) this.#options.handler.onVoicemail(voicemail);
  }

  /** Says that nothing more is wanted, in this very moment. */
  stop(): void {
    for (const subscriber of [this.#voicemail, ...this.#lamps.values()]) {
      if (subscriber?.state === SubscriptionState.Subscribed) {
        subscriber.unsubscribe().catch(ignore);
      }
    }
  }

  #watch(): void {
    for (const [number, subscriber] of this.#lamps) {
      if (this.#wanted.includes(number)) continue;
      this.#lamps.delete(number);
      subscriber.unsubscribe().catch(ignore);
    }
    for (const number of this.#wanted) {
      if (this.#lamps.has(number)) continue;
      const tell = (state: LampState): void => this.#options.handler.onLamp(number, state);
      const subscriber = this.#subscribe(this.#options.targetOf(number), "dialog", (body) => {
        const state = tryParseLamp(body);
        if (state !== undefined) tell(state);
      });
      this.#lamps.set(number, subscriber);
    }
  }

  #subscribe(target: URI, event: Package, onBody: (body: string) => void): Subscriber {
    const subscriber = new Subscriber(this.#options.userAgent, target, event, {
      expires: EXPIRES_SECONDS,
      extraHeaders: [`Accept: ${MEDIA_TYPES[event]}`],
      delegate: {
        onNotify: (notification: Notification) => {
          notification.accept().catch(ignore);
          onBody(notification.request.body);
        },
      },
    });
    subscriber.subscribe().catch(ignore);
    return subscriber;
  }

  #forget(): void {
    for (const subscriber of [this.#voicemail, ...this.#lamps.values()]) {
      subscriber?.dispose().catch(ignore);
    }
    this.#voicemail = undefined;
    this.#lamps.clear();
  }
}

function ignore(): void {
  // It is over, or the connection is: the next registration asks again.
}
