import { WebSocket } from "ws";

import { randomToken } from "../../src/core/ids.ts";
import { buildRequest, buildResponse } from "../../src/signaling/message/build.ts";
import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../src/signaling/message/message.ts";
import { parseMessage } from "../../src/signaling/message/parser.ts";
import { serializeMessage } from "../../src/signaling/message/serializer.ts";
import { buildSipUri } from "../../src/signaling/message/uri.ts";
import { browserSdp } from "./browser-sdp.ts";
import { type Gateway, PASSWORDS } from "./gateway.ts";
import { answerChallenge } from "./sip-peer.ts";
import { Inbox, isRequest, isResponse, MESSAGE_TIMEOUT_MS } from "./sip-inbox.ts";
import { within } from "./wait.ts";
import { IncomingCall, type Line, OutgoingCall, type RequestParts } from "./ws-call.ts";

/**
 * A web user without a browser: real SIP over a real WebSocket, a digest, and an SDP as Chromium
 * writes it, but no media. It does what a test tells it and nothing else, so that a test can stop
 * between any two messages.
 */

/** One frame as it was on the wire. */
export interface Frame {
  readonly direction: "sent" | "received";
  readonly text: string;
}

export interface WsCallerOptions {
  /** Default: that of the harness. */
  readonly password?: string;
  /** The same browser as this one, on another connection. */
  readonly sameAs?: WsCaller;
  /** Address that the connection comes from; default: what the system takes. */
  readonly localAddress?: string;
  /** Default: none, as a program that is no browser. */
  readonly origin?: string;
  /** Default `localhost`. */
  readonly domain?: string;
  /** More header fields of the upgrade, as a proxy adds them. */
  readonly upgradeHeaders?: Readonly<Record<string, string>>;
}

export interface InviteOptions {
  readonly sdp?: string;
  /** Added to those of the request. */
  readonly headers?: readonly HeaderField[];
  /** The user part of From; default: the user. */
  readonly fromUser?: string;
}

/** A web user on a WebSocket connection. */
export class WsCaller implements Line, AsyncDisposable {
  readonly user: string;
  readonly domain: string;
  readonly instance: string;
  /** Host of its Via and Contact, as browsers choose it. */
  readonly host: string;
  readonly frames: Frame[] = [];
  readonly #socket: WebSocket;
  readonly #password: string;
  readonly #inboxes = new Map<string, Inbox>();
  readonly #newCalls = new Inbox();
  readonly #closed: Promise<number>;
  readonly #registerCallId = randomToken(16);
  #registerCseq = 0;
  #closeCode: number | undefined;

  /** Opens a connection and proves nothing yet. @throws when the upgrade is refused */
  static async connect(
    gateway: Gateway,
    user: string,
    options: WsCallerOptions = {},
  ): Promise<WsCaller> {
    const { origin, localAddress, upgradeHeaders } = options;
    const socket = new WebSocket(gateway.wsUrl, "sip", {
      ...(origin === undefined ? {} : { origin }),
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(upgradeHeaders === undefined ? {} : { headers: upgradeHeaders }),
    });
    const caller = new WsCaller(socket, user, options);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("error", reject);
    });
    socket.on("error", () => {});
    return caller;
  }

  /** Opens a connection and registers on it, as a phone does when it is opened. */
  static async signIn(
    gateway: Gateway,
    user: keyof typeof PASSWORDS,
    options: WsCallerOptions = {},
  ): Promise<WsCaller> {
    const caller = await WsCaller.connect(gateway, user, options);
    const response = await caller.register();
    if (response.statusCode !== 200) throw new Error(`REGISTER got ${response.statusCode}`);
    return caller;
  }

  private constructor(socket: WebSocket, user: string, options: WsCallerOptions) {
    this.#socket = socket;
    this.user = user;
    this.domain = options.domain ?? "localhost";
    this.instance = options.sameAs?.instance ?? `urn:uuid:${crypto.randomUUID()}`;
    this.host =
      options.sameAs?.host ?? `${randomToken(12).replaceAll(/[^A-Za-z0-9]/g, "x")}.invalid`;
    this.#password = options.password ?? passwordOf(user);
    socket.on("message", (data) => {
      const octets = Buffer.isBuffer(data) ? data : Buffer.concat([data].flat().map(toBuffer));
      if (octets.toString("latin1").trim() === "") return;
      this.frames.push({ direction: "received", text: octets.toString("utf8") });
      this.#deliver(parseMessage(octets));
    });
    this.#closed = new Promise((resolve) => {
      socket.once("close", (code) => {
        this.#closeCode = code;
        for (const inbox of [...this.#inboxes.values(), this.#newCalls]) inbox.wake();
        resolve(code);
      });
    });
  }

  get aor(): string {
    return buildSipUri({ user: this.user, host: this.domain });
  }

  get contact(): string {
    return `<sip:${this.user}@${this.host};transport=ws;ob>`;
  }

  get isOpen(): boolean {
    return this.#closeCode === undefined;
  }

  /** Settles with the close code once the connection is closed. */
  get closed(): Promise<number> {
    return within(this.#closed, { what: "the connection to close", timeoutMs: MESSAGE_TIMEOUT_MS });
  }

  /** Raw octets in one frame. */
  sendRaw(octets: string | Buffer): void {
    this.#socket.send(octets);
  }

  send(message: SipMessage): void {
    const octets = serializeMessage(message);
    this.frames.push({ direction: "sent", text: octets.toString("utf8") });
    this.#socket.send(octets.toString("utf8"));
  }

  /** Builds a request outside a dialog, or inside one with a given Call-ID and tags. */
  build(method: string, parts: RequestParts): SipRequest {
    const { uri, from, to, callId, cseq, headers = [], body } = parts;
    const branch = parts.branch ?? `z9hG4bK${randomToken(12)}`;
    return buildRequest({
      method,
      requestUri: uri,
      headers: [
        ["Via", `SIP/2.0/WS ${this.host};branch=${branch}`],
        ["Max-Forwards", "70"],
        ["From", from],
        ["To", to],
        ["Call-ID", callId],
        ["CSeq", `${cseq} ${method}`],
        ...headers,
        ["User-Agent", "Harness browser 1.0"],
      ],
      body,
      contentType: parts.contentType ?? "application/sdp",
    });
  }

  /** Registers, answering one challenge. @returns the final response */
  async register(
    options: {
      readonly expires?: number;
      readonly password?: string;
      /** For each response. */
      readonly timeoutMs?: number;
    } = {},
  ): Promise<SipResponse> {
    const inbox = this.#inboxOf(this.#registerCallId);
    const from = `<${this.aor}>;tag=${randomToken(10)}`;
    const attempt = async (extra: readonly HeaderField[]): Promise<[SipRequest, SipResponse]> => {
      this.#registerCseq += 1;
      const request = this.build("REGISTER", {
        uri: `sip:${this.domain}`,
        from,
        to: `<${this.aor}>`,
        callId: this.#registerCallId,
        cseq: this.#registerCseq,
        headers: [
          ["Contact", `${this.contact};reg-id=1;+sip.instance="<${this.instance}>"`],
          ["Expires", String(options.expires ?? 600)],
          ["Supported", "outbound, path"],
          ...extra,
        ],
      });
      this.send(request);
      const response = await this.#take(
        inbox,
        isResponse(),
        "a response to REGISTER",
        options.timeoutMs,
      );
      return [request, response];
    };
    const [request, first] = await attempt([]);
    if (first.statusCode !== 401) return first;
    const password = options.password ?? this.#password;
    const credentials = answerChallenge(request, first, this.user, password);
    const [, second] = await attempt([["Authorization", credentials]]);
    return second;
  }

  /** Sends an INVITE. */
  invite(number: string, options: InviteOptions = {}): OutgoingCall {
    const callId = randomToken(20);
    const from = buildSipUri({ user: options.fromUser ?? this.user, host: this.domain });
    const uri = buildSipUri({ user: number, host: this.domain });
    const request = this.build("INVITE", {
      uri,
      from: `"Ann" <${from}>;tag=${randomToken(10)}`,
      to: `<${uri}>`,
      callId,
      cseq: 1,
      headers: [
        ["Contact", this.contact],
        ["Allow", "ACK,CANCEL,INVITE,MESSAGE,BYE,OPTIONS,INFO,NOTIFY,REFER"],
        ["Supported", "outbound"],
        ...(options.headers ?? []),
      ],
      body: options.sdp ?? browserSdp(),
    });
    const call = new OutgoingCall(this, this.#inboxOf(callId), request);
    this.send(request);
    return call;
  }

  /** Sends an INVITE that is challenged, by the gateway or by the PBX behind it, and answers that. */
  async inviteWithDigest(number: string, options: InviteOptions = {}): Promise<OutgoingCall> {
    const first = this.invite(number, options);
    const challenge = await first.refused();
    const digest = answerChallenge(first.invite, challenge, this.user, this.#password);
    const name = challenge.statusCode === 407 ? "Proxy-Authorization" : "Authorization";
    const headers: readonly HeaderField[] = [[name, digest]];
    return this.invite(number, { ...options, headers: [...(options.headers ?? []), ...headers] });
  }

  /** Sends a request outside a call; what comes for it is taken by its Call-ID. */
  ask(
    method: string,
    number: string,
    parts: Pick<RequestParts, "headers" | "body" | "contentType"> = {},
  ): SipRequest {
    const callId = randomToken(20);
    this.#inboxOf(callId);
    const uri = buildSipUri({ user: number, host: this.domain });
    const request = this.build(method, {
      ...parts,
      uri,
      from: `<${this.aor}>;tag=${randomToken(10)}`,
      to: `<${uri}>`,
      callId,
      cseq: 1,
      headers: [["Contact", this.contact], ...(parts.headers ?? [])],
    });
    this.send(request);
    return request;
  }

  /** The final response to what `ask` has sent. */
  async told({ callId }: SipRequest): Promise<SipResponse> {
    return await this.#take(
      this.#inboxOf(callId),
      isResponse((status) => status >= 200),
      "a final response",
    );
  }

  /** A NOTIFY of the subscription that `ask` has asked for, answered with 200. */
  async notified({ callId }: SipRequest): Promise<SipRequest> {
    const notify = await this.#take(this.#inboxOf(callId), isRequest("NOTIFY"), "a NOTIFY");
    this.send(buildResponse(notify, 200));
    return notify;
  }

  /** Ends a subscription. @param accepted the 200 to its SUBSCRIBE */
  async unsubscribe(subscribe: SipRequest, accepted: SipResponse): Promise<void> {
    this.send(
      this.build("SUBSCRIBE", {
        uri: accepted.contact?.uri ?? subscribe.requestUri,
        from: subscribe.headers.get("From") ?? "",
        to: accepted.headers.get("To") ?? "",
        callId: subscribe.callId,
        cseq: 2,
        headers: [
          ["Contact", this.contact],
          ["Event", subscribe.headers.get("Event") ?? ""],
          ["Expires", "0"],
        ],
      }),
    );
    await this.told(subscribe);
    await this.notified(subscribe);
  }

  /** The next MESSAGE that comes in, answered. */
  async text(status = 200): Promise<SipRequest> {
    const message = await this.#take(this.#newCalls, isRequest("MESSAGE"), "a MESSAGE");
    this.send(buildResponse(message, status, { toTag: randomToken(10) }));
    return message;
  }

  /** The next NOTIFY that nobody has subscribed to, answered. */
  async toldUnasked(status = 200): Promise<SipRequest> {
    const notify = await this.#take(this.#newCalls, isRequest("NOTIFY"), "a NOTIFY unasked");
    this.send(buildResponse(notify, status, { toTag: randomToken(10) }));
    return notify;
  }

  /** Calls and talks: INVITE, 200, ACK. */
  async call(number: string, options: InviteOptions = {}): Promise<OutgoingCall> {
    const call = this.invite(number, options);
    await call.answered();
    return call;
  }

  /** A call of this browser's that began on a connection that has gone. */
  resume(call: OutgoingCall): OutgoingCall {
    return call.movedTo(this, this.#inboxOf(call.callId));
  }

  /** The next call that comes in. */
  async incoming(timeoutMs = MESSAGE_TIMEOUT_MS): Promise<IncomingCall> {
    const isInvite = isRequest("INVITE");
    const invite = await this.#take(this.#newCalls, isInvite, "an incoming INVITE", timeoutMs);
    return new IncomingCall(this, this.#inboxOf(invite.callId), invite);
  }

  /** Ends the connection as a network does: without a close frame. */
  async cut(): Promise<void> {
    this.#socket.terminate();
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    await this.cut();
  }

  #inboxOf(callId: string): Inbox {
    let inbox = this.#inboxes.get(callId);
    if (inbox === undefined) {
      inbox = new Inbox();
      this.#inboxes.set(callId, inbox);
    }
    return inbox;
  }

  #deliver(message: SipMessage): void {
    const known = this.#inboxes.get(message.callId);
    if (known !== undefined) known.push(message);
    else if (message.kind === "request" && message.toTag === undefined) {
      this.#inboxOf(message.callId);
      this.#newCalls.push(message);
    }
  }

  #take<Found extends SipMessage>(
    inbox: Inbox,
    fits: (message: SipMessage) => message is Found,
    what: string,
    timeoutMs = MESSAGE_TIMEOUT_MS,
  ): Promise<Found> {
    return inbox.take(fits, what, timeoutMs, () => this.isOpen);
  }
}

function passwordOf(user: string): string {
  return user === "1001" || user === "1002" ? PASSWORDS[user] : "";
}

function toBuffer(data: Buffer | ArrayBuffer): Buffer {
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
