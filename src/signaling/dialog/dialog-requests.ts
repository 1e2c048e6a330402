import { LazyMap } from "../../core/lazy-map.ts";
import type { EndReason } from "../../core/end-reason.ts";
import type { ExtraHeaders } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipResponse } from "../message/message.ts";
import type { DialogContext } from "./dialog-context.ts";
import type { DialogState } from "./dialog-state.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeOutcome } from "./exchange.ts";
import {
  ALLOW,
  PRODUCT,
  contactField,
  reasonFields,
  safeExtras,
  supportedField,
} from "./our-headers.ts";
import type { Peer } from "./peer.ts";

/** A request of ours inside a dialog. */
export interface RequestParts {
  readonly contentType?: string | undefined;
  readonly body?: Buffer | string | undefined;
  /** Asked anew for every attempt. */
  readonly fields: () => readonly HeaderField[];
}

/** Sends the requests of ours inside one dialog, early or confirmed, and forgets them with it. */
export class DialogRequests {
  readonly #context: DialogContext;
  readonly #peer: Peer;
  readonly #dialog: DialogState;
  readonly #contactUser: string;
  /** On their way, each with what tells its sender that it was given up. */
  readonly #exchanges = new LazyMap<Exchange, () => void>();

  constructor(context: DialogContext, peer: Peer, dialog: DialogState, contactUser: string) {
    this.#context = context;
    this.#peer = peer;
    this.#dialog = dialog;
    this.#contactUser = contactUser;
  }

  /** Sends any request but INVITE, ACK and BYE. */
  send(
    method: string,
    parts: RequestParts,
    onDone: (outcome: ExchangeOutcome) => void,
    onAbandoned: () => void = () => {},
  ): void {
    const exchange = new Exchange(this.#context, {
      peer: this.#peer,
      nextHop: () => this.#dialog.nextHop,
      build: (flow, credentials) =>
        this.#dialog.request(method, {
          headers: [
            contactField(flow, this.#contactUser, { host: this.#peer.terms?.contactHost }),
            ["User-Agent", PRODUCT],
            ...credentials,
            ...parts.fields(),
          ],
          body: parts.body,
          contentType: parts.contentType,
        }),
      onDone: (outcome) => {
        this.#exchanges.delete(exchange);
        onDone(outcome);
      },
    });
    this.#exchanges.set(exchange, onAbandoned);
  }

  /** Sends a re-INVITE; whoever asks for it keeps it. */
  reinvite(options: {
    readonly sdp: string | undefined;
    readonly fields: () => readonly HeaderField[];
    readonly onDone: (outcome: ExchangeOutcome) => void;
    readonly onRepeatedAccept: (response: SipResponse) => void;
  }): Exchange {
    return new Exchange(this.#context, {
      peer: this.#peer,
      nextHop: () => this.#dialog.nextHop,
      limitMs: this.#context.limits.noFinalResponseMs,
      build: (flow, credentials) =>
        this.#dialog.request("INVITE", {
          headers: [
            contactField(flow, this.#contactUser, { host: this.#peer.terms?.contactHost }),
            ["Allow", ALLOW],
            // A re-INVITE gets no reliable provisional response: nobody here would wait for one.
            supportedField({ withReliable: false }),
            ["User-Agent", PRODUCT],
            ...credentials,
            ...options.fields(),
          ],
          body: options.sdp,
          contentType: "application/sdp",
        }),
      onDone: options.onDone,
      onRepeatedAccept: options.onRepeatedAccept,
    });
  }

  /**
   * Sends a BYE that lives on alone: challenged, or waiting for a browser to come back, it ends by
   * itself.
   */
  bye(reason: EndReason | undefined, extras: ExtraHeaders | undefined): void {
    // oxlint-disable-next-line no-new
    new Exchange(this.#context, {
      peer: this.#peer,
      nextHop: () => this.#dialog.nextHop,
      build: (_flow, credentials) =>
        this.#dialog.request("BYE", {
          headers: [
            ["User-Agent", PRODUCT],
            ...credentials,
            ...reasonFields(reason),
            ...safeExtras(extras),
          ],
        }),
      onDone: () => {},
    });
  }

  /** Gives up everything but BYEs. */
  abandon(): void {
    for (const [exchange, onAbandoned] of this.#exchanges) {
      exchange.abandon();
      onAbandoned();
    }
    this.#exchanges.clear();
  }
}
