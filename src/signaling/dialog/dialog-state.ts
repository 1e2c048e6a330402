import { ownCopy } from "../../core/own-copy.ts";
import { buildRequest } from "../message/build.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { NameAddr } from "../message/name-addr.ts";
import { SipUri } from "../message/uri.ts";

/**
 * The state of RFC 3261 §12: tags, sequence numbers, route set and remote target, and the requests
 * that follow from it. No timers, no flows.
 */

/** What a request inside a dialog carries beside the dialog's own fields. */
export interface DialogRequestParts {
  readonly headers?: Iterable<HeaderField> | undefined;
  readonly body?: Buffer | string | undefined;
  readonly contentType?: string | undefined;
}

export class DialogState {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** The whole From value of our requests, tag included. */
  readonly #local: string;
  /** The whole To value of our requests, tag included. */
  readonly #remote: string;
  #routeSet: readonly NameAddr[];
  #localCseq: number;
  #remoteCseq: number | undefined;
  #remoteTarget: string;

  private constructor(init: {
    readonly callId: string;
    readonly localTag: string;
    readonly remoteTag: string;
    readonly local: string;
    readonly remote: string;
    readonly routeSet: readonly NameAddr[];
    readonly localCseq: number;
    readonly remoteCseq: number | undefined;
    readonly remoteTarget: string;
  }) {
    // A dialog outlives its messages by far: it must not keep their octets.
    this.callId = ownCopy(init.callId);
    this.localTag = ownCopy(init.localTag);
    this.remoteTag = ownCopy(init.remoteTag);
    this.#local = ownCopy(init.local);
    this.#remote = ownCopy(init.remote);
    this.#routeSet = init.routeSet;
    this.#localCseq = init.localCseq;
    this.#remoteCseq = init.remoteCseq;
    this.#remoteTarget = ownCopy(init.remoteTarget);
  }

  /**
   * The state after a request that we answer (RFC 3261 §12.1.1).
   *
   * @throws SipParseError when From, To, Contact or Record-Route is malformed
   */
  static ofServer(request: SipRequest, localTag: string, followsRoutes: boolean): DialogState {
    return new DialogState({
      callId: request.callId,
      localTag,
      remoteTag: request.fromTag ?? "",
      local: `${request.headers.get("To") ?? ""};tag=${localTag}`,
      remote: request.headers.get("From") ?? "",
      routeSet: followsRoutes ? request.recordRoutes : [],
      localCseq: 0,
      remoteCseq: request.cseq.number,
      remoteTarget: targetOf(request.contact) ?? request.from.uri,
    });
  }

  /**
   * The state after a response to a request of ours (RFC 3261 §12.1.2).
   *
   * @throws SipParseError when To, Contact or Record-Route is malformed
   */
  static ofClient(request: SipRequest, response: SipResponse, followsRoutes: boolean): DialogState {
    return new DialogState({
      callId: request.callId,
      localTag: request.fromTag ?? "",
      remoteTag: response.toTag ?? "",
      local: request.headers.get("From") ?? "",
      remote: response.headers.get("To") ?? "",
      routeSet: followsRoutes ? [...response.recordRoutes].reverse() : [],
      localCseq: request.cseq.number,
      remoteCseq: undefined,
      remoteTarget: targetOf(response.contact) ?? request.requestUri,
    });
  }

  /**
   * The state after a NOTIFY that answers a SUBSCRIBE of ours (RFC 6665 §4.4.1).
   *
   * @param localCseq the number of the SUBSCRIBE
   * @throws SipParseError when From, To, Contact or Record-Route is malformed
   */
  static ofNotify(notify: SipRequest, localCseq: number, followsRoutes: boolean): DialogState {
    return new DialogState({
      callId: notify.callId,
      localTag: notify.toTag ?? "",
      remoteTag: notify.fromTag ?? "",
      local: notify.headers.get("To") ?? "",
      remote: notify.headers.get("From") ?? "",
      routeSet: followsRoutes ? notify.recordRoutes : [],
      localCseq,
      remoteCseq: undefined,
      remoteTarget: targetOf(notify.contact) ?? notify.from.uri,
    });
  }

  /**
   * An early dialog of ours becomes confirmed: the route set is that of the 2xx, whatever the early
   * dialog had; the sequence numbers go on (RFC 3261 §13.2.2.4).
   *
   * @throws SipParseError when Contact or Record-Route is malformed
   */
  confirm(response: SipResponse, followsRoutes: boolean): void {
    this.#routeSet = followsRoutes ? [...response.recordRoutes].reverse() : [];
    this.refreshTarget(response);
  }

  get remoteTarget(): string {
    return this.#remoteTarget;
  }

  /** The URI that decides where a request goes (RFC 3261 §12.2.1.1, §8.1.2). */
  get nextHop(): string {
    return this.#routeSet[0]?.uri ?? this.#remoteTarget;
  }

  /**
   * Takes the sequence number of a request from the far end.
   *
   * @returns false when it is not higher than the last: answer 500 (RFC 3261 §12.2.2)
   */
  acceptRemoteCseq(number: number): boolean {
    // Retransmissions never come here, so an equal number is a different request that is out of
    // order just as a lower one is.
    if (this.#remoteCseq !== undefined && number <= this.#remoteCseq) return false;
    this.#remoteCseq = number;
    return true;
  }

  /**
   * Follows the Contact of a target refresh request or of its 2xx (RFC 3261 §12.2.1.2, §12.2.2).
   *
   * @throws SipParseError when the Contact is malformed
   */
  refreshTarget(message: SipRequest | SipResponse): void {
    this.#remoteTarget = targetOf(message.contact) ?? this.#remoteTarget;
  }

  /** The next request of ours inside the dialog (RFC 3261 §12.2.1.1). It has no Via yet. */
  request(method: string, parts: DialogRequestParts = {}): SipRequest {
    this.#localCseq += 1;
    return this.#build(method, this.#localCseq, parts);
  }

  /** The ACK to the 2xx of the INVITE with this number (RFC 3261 §13.2.2.4). It has no Via yet. */
  ack(cseqNumber: number, parts: DialogRequestParts = {}): SipRequest {
    return this.#build("ACK", cseqNumber, parts);
  }

  #build(method: string, cseqNumber: number, parts: DialogRequestParts): SipRequest {
    const { requestUri, routes } = this.#routed();
    return buildRequest({
      method,
      requestUri,
      headers: [
        ...routes.map((route): HeaderField => ["Route", route]),
        ["Max-Forwards", "70"],
        ["From", this.#local],
        ["To", this.#remote],
        ["Call-ID", this.callId],
        ["CSeq", `${cseqNumber} ${method}`],
        ...(parts.headers ?? []),
      ],
      ...(parts.body === undefined ? {} : { body: parts.body }),
      ...(parts.contentType === undefined ? {} : { contentType: parts.contentType }),
    });
  }

  #routed(): { readonly requestUri: string; readonly routes: readonly string[] } {
    const [first, ...rest] = this.#routeSet;
    if (first === undefined) return { requestUri: this.#remoteTarget, routes: [] };
    if (first.sipUri.params.has("lr")) {
      return {
        requestUri: this.#remoteTarget,
        routes: this.#routeSet.map((route) => route.toString()),
      };
    }
    // RFC 3261 §12.2.1.1: a strict router takes the place of the Request-URI.
    return {
      requestUri: first.uri,
      routes: [...rest.map((route) => route.toString()), `<${this.#remoteTarget}>`],
    };
  }
}

function targetOf(contact: NameAddr | undefined): string | undefined {
  return contact === undefined ? undefined : requestUriOf(contact.uri);
}

/**
 * The URI of a Contact, fit for a Request-URI: header fields in it would become ours otherwise
 * (RFC 3261 §19.1.1 forbids them there).
 *
 * @throws SipParseError when it is no URI
 */
export function requestUriOf(contactUri: string): string {
  const { headers } = SipUri.parse(contactUri);
  const suffix = headers === undefined ? "" : `?${headers}`;
  return suffix !== "" && contactUri.endsWith(suffix)
    ? contactUri.slice(0, -suffix.length)
    : contactUri;
}
