import { createSocket } from "node:dgram";
import { WebSocket } from "ws";
import type { SocketAddress } from "../../src/core/address.ts";
import { randomToken } from "../../src/core/ids.ts";
import { digestResponse } from "../../src/signaling/auth/digest.ts";
import {
  formatDigestCredentials,
  tryParseDigestChallenge,
} from "../../src/signaling/message/auth-header.ts";
import { buildRequest, buildResponse } from "../../src/signaling/message/build.ts";
import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../src/signaling/message/message.ts";
import { parseMessage } from "../../src/signaling/message/parser.ts";
import { serializeMessage } from "../../src/signaling/message/serializer.ts";
import { within } from "./wait.ts";

const RECEIVE_TIMEOUT_MS = 3000;

/** What carries a scripted peer's messages. */
export interface Wire {
  readonly transport: "UDP" | "WS" | "TCP" | "TLS";
  /** For Via and Contact. */
  readonly sentBy: string;
  readonly local: SocketAddress;
  send(octets: Buffer): void;
  close(): Promise<void>;
}

export interface RequestOptions {
  readonly uri: string;
  readonly from: string;
  readonly to: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly branch?: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: string;
  /** Default application/sdp. */
  readonly contentType?: string;
}

export interface ResponseOptions {
  readonly toTag?: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: string;
}

/**
 * A SIP user agent that does only what a test tells it: no retransmission, no automatic answer. It
 * speaks over a real UDP socket or a real WebSocket.
 */
export class SipPeer {
  readonly #wire: Wire;
  readonly #queue: SipMessage[] = [];
  readonly #waiting: (() => void)[] = [];
  #isClosed = false;

  private constructor(wire: Wire, onReceive: (receive: (octets: Buffer) => void) => void) {
    this.#wire = wire;
    onReceive((octets) => {
      this.#queue.push(parseMessage(octets));
      this.#wake();
    });
  }

  /** A peer on a free UDP port. @param toward where everything is sent; can be given later */
  static async udp(toward?: SocketAddress, host = "127.0.0.1"): Promise<SipPeer> {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, host, resolve);
    });
    const { address, port } = socket.address();
    const target = { current: toward };
    const wire: Wire = {
      transport: "UDP",
      sentBy: host.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
      local: { host: address, port },
      send(octets) {
        if (target.current === undefined) throw new Error("the peer does not know where to send");
        socket.send(octets, target.current.port, target.current.host);
      },
      close: () =>
        new Promise((resolve) => {
          socket.close(() => resolve());
        }),
    };
    const peer = new SipPeer(wire, (receive) => {
      socket.on("message", (octets) => receive(octets));
    });
    peer.#setTarget = (to) => {
      target.current = to;
    };
    return peer;
  }

  /** A browser's connection to `ws://…`. */
  static async webSocket(url: string, origin?: string): Promise<SipPeer> {
    const socket = new WebSocket(url, "sip", origin === undefined ? {} : { origin });
    await new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("error", reject);
    });
    const wire: Wire = {
      transport: "WS",
      sentBy: `${randomToken(8).replaceAll(/[^a-zA-Z0-9]/g, "0")}.invalid`,
      local: { host: "127.0.0.1", port: 0 },
      send(octets) {
        socket.send(octets, { binary: false });
      },
      close: () =>
        new Promise((resolve) => {
          if (socket.readyState === WebSocket.CLOSED) {
            resolve();
            return;
          }
          socket.once("close", () => resolve());
          socket.terminate();
        }),
    };
    const peer = new SipPeer(wire, (receive) => {
      socket.on("message", (data) => {
        receive(Buffer.isBuffer(data) ? data : Buffer.from(data as ArrayBuffer));
      });
    });
    socket.on("close", () => {
      peer.#isClosed = true;
      peer.#wake();
    });
    return peer;
  }

  /** A peer on a wire of the caller's. @param onReceive hands over what takes whole messages */
  static over(
    wire: Wire,
    onReceive: (receive: (octets: Buffer) => void, onClosed: () => void) => void,
  ): SipPeer {
    let receive: (octets: Buffer) => void = () => {};
    const peer = new SipPeer(wire, (take) => {
      receive = take;
    });
    onReceive(receive, () => {
      peer.#isClosed = true;
      peer.#wake();
    });
    return peer;
  }

  /** Where this peer listens. */
  get local(): SocketAddress {
    return this.#wire.local;
  }

  /** `host:port` of its Via and Contact. */
  get sentBy(): string {
    return this.#wire.sentBy;
  }

  /** Messages that have arrived and were not asked for. */
  get unread(): readonly SipMessage[] {
    return this.#queue;
  }

  /** Forgets what has arrived and was not asked for. */
  drain(): void {
    this.#queue.length = 0;
  }

  /** Sends everything there from now on. UDP only. */
  sendTo(address: SocketAddress): void {
    this.#setTarget?.(address);
  }

  #setTarget: ((to: SocketAddress) => void) | undefined;

  send(message: SipMessage): void {
    this.#wire.send(serializeMessage(message));
  }

  /** Sends octets as they are. */
  sendOctets(octets: Buffer): void {
    this.#wire.send(octets);
  }

  /** Builds a request with a Via, a Call-ID and a Contact of this peer's. */
  build(method: string, options: RequestOptions): SipRequest {
    const branch = options.branch ?? `z9hG4bK${randomToken(12)}`;
    const isUdp = this.#wire.transport === "UDP";
    return buildRequest({
      method,
      requestUri: options.uri,
      headers: [
        [
          "Via",
          `SIP/2.0/${this.#wire.transport} ${this.sentBy};branch=${branch}${isUdp ? ";rport" : ""}`,
        ],
        ["Max-Forwards", "70"],
        ["From", options.from],
        ["To", options.to],
        ["Call-ID", options.callId ?? randomToken(12)],
        ["CSeq", `${options.cseq ?? 1} ${method}`],
        ...(options.headers ?? [["Contact", this.contact]]),
      ],
      body: options.body,
      contentType: options.contentType ?? "application/sdp",
    });
  }

  /** Builds and sends. @returns the request as sent */
  request(method: string, options: RequestOptions): SipRequest {
    const request = this.build(method, options);
    this.send(request);
    return request;
  }

  get contact(): string {
    const { transport } = this.#wire;
    const parameter = transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`;
    return `<sip:peer@${this.sentBy}${parameter}>`;
  }

  respond(request: SipRequest, status: number, options: ResponseOptions = {}): SipResponse {
    const response = buildResponse(request, status, {
      toTag: options.toTag,
      headers: options.headers ?? (status < 300 ? [["Contact", this.contact]] : []),
      body: options.body,
      contentType: "application/sdp",
    });
    this.send(response);
    return response;
  }

  /** The next message that fits; others before it are kept for later. */
  async receive<Found extends SipMessage>(
    fits: (message: SipMessage) => message is Found,
    what: string,
    timeoutMs = RECEIVE_TIMEOUT_MS,
  ): Promise<Found> {
    const find = async (): Promise<Found> => {
      for (;;) {
        const index = this.#queue.findIndex((message) => fits(message));
        const found = index < 0 ? undefined : this.#queue.splice(index, 1)[0];
        if (found !== undefined && fits(found)) return found;
        if (this.#isClosed) throw new Error(`the connection closed before ${what} came`);
        await new Promise<void>((resolve) => {
          this.#waiting.push(resolve);
        });
      }
    };
    return await within(find(), {
      what,
      timeoutMs,
      detail: () => `unread: ${this.#queue.map((message) => nameOf(message)).join(", ")}`,
    });
  }

  async expectRequest(method: string): Promise<SipRequest> {
    const fits = (message: SipMessage): message is SipRequest =>
      message.kind === "request" && message.method === method;
    return await this.receive(fits, method);
  }

  /** @param method that of CSeq; default any */
  async expectResponse(status: number, method?: string): Promise<SipResponse> {
    const fits = (message: SipMessage): message is SipResponse =>
      message.kind === "response" &&
      message.statusCode === status &&
      (method === undefined || message.cseq.method === method);
    return await this.receive(fits, `${status}${method === undefined ? "" : ` to ${method}`}`);
  }

  /** The connection has been closed from the other side, or by `close`. */
  async closed(): Promise<void> {
    while (!this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** Signs in and registers as a browser does. @returns the 200 */
  async register(options: RegisterOptions): Promise<SipResponse> {
    const { user, password, domain } = options;
    const aor = `<sip:${user}@${domain}>`;
    const tag = randomToken(8);
    const common = {
      uri: `sip:${domain}`,
      from: `${aor};tag=${tag}`,
      to: aor,
      callId: options.callId ?? randomToken(12),
    };
    const headers: readonly HeaderField[] = [
      ["Contact", this.registerContact(options)],
      ["Supported", "outbound, path"],
      ["Expires", String(options.expires ?? 300)],
    ];
    const cseq = options.cseq ?? 1;
    const first = this.request("REGISTER", { ...common, cseq, headers });
    const challenge = await this.receive(
      (message): message is SipResponse => message.kind === "response",
      "a response to REGISTER",
    );
    if (challenge.statusCode !== 401) return challenge;
    const authorization = answerChallenge(first, challenge, user, password);
    this.request("REGISTER", {
      ...common,
      cseq: cseq + 1,
      headers: [...headers, ["Authorization", authorization]],
    });
    return await this.expectResponse(200, "REGISTER");
  }

  registerContact(options: { readonly instance?: string; readonly regId?: number }): string {
    const instance = options.instance === undefined ? "" : `;+sip.instance="<${options.instance}>"`;
    const regId = options.regId === undefined ? "" : `;reg-id=${options.regId}`;
    return `${this.contact}${regId}${instance}`;
  }

  async close(): Promise<void> {
    await this.#wire.close();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export interface RegisterOptions {
  readonly user: string;
  readonly password: string;
  readonly domain: string;
  readonly instance?: string;
  readonly regId?: number;
  readonly expires?: number;
  readonly callId?: string;
  readonly cseq?: number;
}

export interface AnswerOptions {
  /** Which of the challenges; default the first. */
  readonly index?: number;
  readonly nonceCount?: string;
  readonly uri?: string;
}

/** The Authorization value that answers a challenge, as a browser makes it. */
export function answerChallenge(
  request: SipRequest,
  response: SipResponse,
  username: string,
  password: string,
  options: AnswerOptions = {},
): string {
  const name = response.statusCode === 407 ? "Proxy-Authenticate" : "WWW-Authenticate";
  const value = response.headers.getAll(name)[options.index ?? 0] ?? "";
  const challenge = tryParseDigestChallenge(value);
  if (challenge === undefined) throw new Error(`no digest challenge: ${value}`);
  const algorithm = challenge.algorithm === "SHA-256" ? "SHA-256" : "MD5";
  const { realm, nonce } = challenge;
  const nc = options.nonceCount ?? "00000001";
  const cnonce = randomToken(8);
  const uri = options.uri ?? request.requestUri;
  const { method } = request;
  const proof = digestResponse({
    algorithm,
    username,
    realm,
    password,
    nonce,
    nonceCount: nc,
    cnonce,
    method,
    uri,
  });
  return formatDigestCredentials({
    username,
    realm,
    nonce,
    uri,
    response: proof,
    algorithm,
    cnonce,
    qop: "auth",
    nc,
  });
}

/** One side of a dialog of a scripted peer: builds requests inside it. */
export class PeerDialog {
  readonly callId: string;
  readonly #peer: SipPeer;
  readonly #target: string;
  readonly #local: string;
  readonly #remote: string;
  readonly #routes: readonly string[];
  cseq: number;

  private constructor(
    peer: SipPeer,
    init: {
      readonly callId: string;
      readonly target: string;
      readonly local: string;
      readonly remote: string;
      readonly cseq: number;
      readonly routes?: readonly string[];
    },
  ) {
    this.#peer = peer;
    this.callId = init.callId;
    this.#target = init.target;
    this.#local = init.local;
    this.#remote = init.remote;
    this.#routes = init.routes ?? [];
    this.cseq = init.cseq;
  }

  /** After a response to an INVITE of the peer's. */
  static asCaller(peer: SipPeer, invite: SipRequest, response: SipResponse): PeerDialog {
    return new PeerDialog(peer, {
      callId: invite.callId,
      target: response.contact?.uri ?? invite.requestUri,
      local: invite.headers.get("From") ?? "",
      remote: response.headers.get("To") ?? "",
      cseq: invite.cseq.number,
    });
  }

  /** After an INVITE that the peer answers with this tag. */
  static asCallee(peer: SipPeer, invite: SipRequest, localTag: string): PeerDialog {
    return new PeerDialog(peer, {
      callId: invite.callId,
      target: invite.contact?.uri ?? "",
      local: `${invite.headers.get("To") ?? ""};tag=${localTag}`,
      remote: invite.headers.get("From") ?? "",
      cseq: 0,
    });
  }

  /** The same dialog spoken from another socket. */
  from(peer: SipPeer): PeerDialog {
    return new PeerDialog(peer, {
      callId: this.callId,
      target: this.#target,
      local: this.#local,
      remote: this.#remote,
      cseq: this.cseq,
    });
  }

  request(
    method: string,
    options: {
      readonly cseq?: number;
      readonly headers?: readonly HeaderField[];
      readonly body?: string;
      readonly contentType?: string;
      readonly branch?: string;
    } = {},
  ): SipRequest {
    const isAck = method === "ACK";
    if (!isAck && options.cseq === undefined) this.cseq += 1;
    return this.#peer.request(method, {
      uri: this.#target,
      from: this.#local,
      to: this.#remote,
      callId: this.callId,
      cseq: options.cseq ?? this.cseq,
      headers: [
        ...this.#routes.map((route): HeaderField => ["Route", route]),
        ["Contact", this.#peer.contact],
        ...(options.headers ?? []),
      ],
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(options.contentType === undefined ? {} : { contentType: options.contentType }),
      ...(options.branch === undefined ? {} : { branch: options.branch }),
    });
  }
}

function nameOf(message: SipMessage): string {
  return message.kind === "request"
    ? message.method
    : `${message.statusCode} ${message.cseq.method}`;
}
