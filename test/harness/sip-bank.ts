import { createSocket, type Socket } from "node:dgram";

import { type SocketAddress } from "../../src/core/address.ts";
import { randomToken } from "../../src/core/ids.ts";
import { encodeMuLaw } from "../../src/media/service/g711.ts";
import { buildRequest, buildResponse } from "../../src/signaling/message/build.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../src/signaling/message/message.ts";
import { parseMessage } from "../../src/signaling/message/parser.ts";
import { serializeMessage } from "../../src/signaling/message/serializer.ts";
import { audioPortOf, RtpPeer } from "./rtpengine.ts";
import { generateTone } from "./tone.ts";
import { within } from "./wait.ts";

const FRAME_MS = 20;
const FRAME = 160;
/** Calls send a frame each 20 ms, or only each 80 ms: enough to see whether they live. */
const SPARSE = 4;
const RESEND_MS = [500, 1500, 3500, 7500];
const ANSWER_TIMEOUT_MS = 20_000;

/** How a bank answers the calls that come. */
export interface BankOptions {
  readonly host: string;
  /** What its telephones send, a multiple of 50 Hz; default 600. */
  readonly toneHz?: number;
  /** Whether its telephones have sound at all; default true. */
  readonly hasSound?: boolean;
  /** What becomes of a call that comes, by the number dialled; default: 200. */
  readonly answer?: (number: string) => number | "ring";
}

/**
 * A PBX with as many telephones as there are calls: it dials, answers and takes changes by itself,
 * and each telephone sends packets to wherever the gateway's last SDP says.
 */
export class SipBank implements AsyncDisposable {
  readonly calls = new Map<string, BankCall>();
  readonly #options: BankOptions;
  readonly #socket: Socket;
  readonly #tone: Buffer;
  readonly #timer: ReturnType<typeof setInterval>;
  #gateway: SocketAddress = { host: "127.0.0.1", port: 5060 };
  #ticks = 0;

  static async open(options: BankOptions): Promise<SipBank> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, options.host, resolve);
    });
    return new SipBank(socket, options);
  }

  private constructor(socket: Socket, options: BankOptions) {
    this.#socket = socket;
    this.#options = options;
    const tone = { frequencyHz: options.toneHz ?? 600, seconds: 1, amplitude: 0.4 };
    const { samples } = generateTone({ ...tone, sampleRate: 8000 });
    this.#tone = Buffer.from(Uint8Array.from(samples, encodeMuLaw));
    socket.on("message", (octets) => {
      this.#onMessage(parseMessage(octets));
    });
    this.#timer = setInterval(() => {
      this.#tick();
    }, FRAME_MS);
  }

  get address(): SocketAddress {
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  /** The calls that are up. */
  get live(): readonly BankCall[] {
    return [...this.calls.values()].filter(({ state }) => state === "up");
  }

  sendTo(gateway: SocketAddress): void {
    this.#gateway = gateway;
  }

  /** Calls a number. @throws when it is refused, with its status */
  async dial(number: string): Promise<BankCall> {
    const call = await this.begin(number);
    await within(call.answered, { what: `an answer from ${number}`, timeoutMs: ANSWER_TIMEOUT_MS });
    return call;
  }

  /** Sends the INVITE only. */
  async begin(number: string): Promise<BankCall> {
    const call = await this.#newCall(randomToken(16));
    const { host, port } = this.#gateway;
    call.target = `sip:${number}@${host}:${port}`;
    call.localParty = `<sip:5550100@${this.#sentBy}>;tag=${randomToken(8)}`;
    call.remoteParty = `<${call.target}>`;
    const invite = this.#build(call, "INVITE", call.sdp);
    call.invite = invite;
    this.#resend(call, invite);
    return call;
  }

  cancel(call: BankCall): void {
    if (call.invite !== undefined) this.#send(this.#sameTransaction(call, call.invite, "CANCEL"));
  }

  /** Hangs up; the call is `over` when the 200 has come. */
  async hangUp(call: BankCall): Promise<void> {
    call.cseq += 1;
    this.#send(this.#build(call, "BYE"));
    await within(call.over, { what: "the 200 to BYE", timeoutMs: 10_000 });
  }

  /** Offers another direction. @returns once it is agreed on */
  async change(call: BankCall, direction: "sendonly" | "sendrecv" | "inactive"): Promise<void> {
    call.cseq += 1;
    const agreed = call.nextChange();
    this.#send(this.#build(call, "INVITE", call.sdp.replace("a=sendrecv", `a=${direction}`)));
    await within(agreed, { what: `the 200 to ${direction}`, timeoutMs: 10_000 });
  }

  /** Answers a call that rings. */
  answer(call: BankCall, status = 200): void {
    if (call.invite !== undefined) this.#respond(call, call.invite, status);
  }

  /** Nobody hears of it any more, as if its machine had been switched off. */
  forget(call: BankCall): void {
    this.calls.delete(call.id);
    call.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const call of this.calls.values()) call.end();
    await new Promise<void>((resolve) => {
      this.#socket.close(() => resolve());
    });
  }

  get #sentBy(): string {
    const { host, port } = this.address;
    return `${host}:${port}`;
  }

  async #newCall(id: string): Promise<BankCall> {
    const { host, hasSound = true } = this.#options;
    const call = new BankCall(id, host, hasSound ? await RtpPeer.open(host) : undefined);
    this.calls.set(id, call);
    return call;
  }

  #tick(): void {
    this.#ticks += 1;
    const at = (this.#ticks * FRAME) % this.#tone.length;
    const frame = this.#tone.subarray(at, at + FRAME);
    let index = 0;
    for (const call of this.calls.values()) {
      index += 1;
      const isDue = call.isDense || (index + this.#ticks) % SPARSE === 0;
      if (isDue && call.state === "up" && call.port !== undefined && !call.isSilent) {
        call.rtp?.send(call.port, 0, frame, { advance: call.isDense ? FRAME : FRAME * SPARSE });
      }
    }
  }

  #onMessage(message: SipMessage): void {
    if (message.kind === "response") {
      const call = this.calls.get(message.callId);
      if (call !== undefined) this.#onResponse(call, message);
      return;
    }
    void this.#onRequest(message);
  }

  async #onRequest(request: SipRequest): Promise<void> {
    const { method, callId } = request;
    const call = this.calls.get(callId);
    if (method === "ACK") return;
    if (method === "OPTIONS") {
      this.#send(buildResponse(request, 200));
    } else if (method === "INVITE") {
      await this.#onInvite(request, call);
    } else if (method === "BYE") {
      this.#send(buildResponse(request, call === undefined ? 481 : 200));
      call?.end(request);
    } else if (method === "CANCEL") {
      this.#send(buildResponse(request, 200));
      if (call?.invite !== undefined && call.state === "ringing")
        this.#respond(call, call.invite, 487);
    } else {
      this.#send(buildResponse(request, 200));
    }
  }

  async #onInvite(request: SipRequest, known: BankCall | undefined): Promise<void> {
    const text = request.body.toString();
    if (known !== undefined) {
      if (request.toTag === undefined) return;
      known.changes += 1;
      if (text !== "") known.port = audioPortOf(text);
      known.sdps.push(text);
      this.#respond(known, request, 200);
      return;
    }
    if (request.toTag !== undefined) {
      this.#send(buildResponse(request, 481));
      return;
    }
    const call = await this.#newCall(request.callId);
    call.invite = request;
    call.state = "ringing";
    const tag = randomToken(8);
    call.localTag = tag;
    call.localParty = `${request.headers.get("To") ?? ""};tag=${tag}`;
    call.remoteParty = request.headers.get("From") ?? "";
    call.target = request.contact?.uri ?? "";
    call.cseq = 100;
    call.sdps.push(text);
    if (text !== "") call.port = audioPortOf(text);
    const status = this.#options.answer?.(request.uri.user ?? "") ?? 200;
    this.#respond(call, request, status === "ring" ? 180 : status);
  }

  #respond(call: BankCall, request: SipRequest, status: number): void {
    const hasSdp = status === 200 && request.method === "INVITE";
    this.#send(
      buildResponse(request, status, {
        toTag: call.localTag,
        headers: status < 300 ? [["Contact", `<sip:bank@${this.#sentBy}>`]] : [],
        ...(hasSdp ? { body: call.sdp, contentType: "application/sdp" } : {}),
      }),
    );
    if (status >= 300) call.end();
    else if (status >= 200) call.begun();
  }

  #onResponse(call: BankCall, response: SipResponse): void {
    const { statusCode, cseq } = response;
    call.stopResending();
    if (cseq.method === "BYE") {
      call.end();
      return;
    }
    if (cseq.method !== "INVITE" || statusCode < 200 || call.invite === undefined) return;
    if (statusCode >= 300) {
      this.#send(this.#sameTransaction(call, call.invite, "ACK", response.headers.get("To")));
      call.refused(statusCode);
      return;
    }
    call.remoteParty = response.headers.get("To") ?? "";
    call.target = response.contact?.uri ?? call.target;
    call.port = audioPortOf(response.body.toString());
    this.#send(this.#build(call, "ACK", undefined, cseq.number));
    call.begun();
    call.onChanged?.();
  }

  /** CANCEL, and the ACK of a refusal (RFC 3261 §9.1, §17.1.1.3). */
  #sameTransaction(
    call: BankCall,
    invite: SipRequest,
    method: "ACK" | "CANCEL",
    to = call.remoteParty,
  ): SipRequest {
    const branch = invite.topmostVia.branch ?? "";
    return this.#build(
      { ...headOf(call), remoteParty: to, cseq: invite.cseq.number },
      method,
      "",
      undefined,
      branch,
    );
  }

  #build(
    call: Head,
    method: string,
    body?: string,
    cseq = call.cseq,
    branch = `z9hG4bK${randomToken(12)}`,
  ): SipRequest {
    return buildRequest({
      method,
      requestUri: call.target,
      headers: [
        ["Via", `SIP/2.0/UDP ${this.#sentBy};branch=${branch};rport`],
        ["Max-Forwards", "70"],
        ["From", call.localParty],
        ["To", call.remoteParty],
        ["Call-ID", call.id],
        ["CSeq", `${cseq} ${method}`],
        ["Contact", `<sip:bank@${this.#sentBy}>`],
      ],
      ...(body === undefined || body === "" ? {} : { body, contentType: "application/sdp" }),
    });
  }

  #resend(call: BankCall, request: SipRequest): void {
    this.#send(request);
    call.resendAt(RESEND_MS, () => this.#send(request));
  }

  #send(message: SipMessage): void {
    const { host, port } = this.#gateway;
    this.#socket.send(serializeMessage(message), port, host);
  }
}

/** What a request inside a call is made of. */
interface Head {
  readonly id: string;
  readonly target: string;
  readonly localParty: string;
  readonly remoteParty: string;
  readonly cseq: number;
}

function headOf({ id, target, localParty, remoteParty, cseq }: BankCall): Head {
  return { id, target, localParty, remoteParty, cseq };
}

/** One telephone in one call. */
export class BankCall {
  readonly id: string;
  readonly rtp: RtpPeer | undefined;
  readonly sdp: string;
  /** Settles when it is answered; fails with the status of a refusal. */
  readonly answered: Promise<void>;
  /** Settles when it has ended, whoever ended it. */
  readonly over: Promise<void>;
  state: "calling" | "ringing" | "up" | "over" = "calling";
  invite: SipRequest | undefined;
  /** The BYE that ended it. */
  bye: SipRequest | undefined;
  status: number | undefined;
  target = "";
  localParty = "";
  remoteParty = "";
  localTag: string | undefined;
  cseq = 1;
  /** re-INVITEs that have come. */
  changes = 0;
  readonly sdps: string[] = [];
  /** Where its packets go. */
  port: number | undefined;
  /** Sends a packet each 20 ms, as a telephone that somebody listens to. */
  isDense = false;
  isSilent = false;
  onChanged: (() => void) | undefined;
  #settleAnswered: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #settleOver: (() => void) | undefined;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(id: string, host: string, rtp: RtpPeer | undefined) {
    this.id = id;
    this.rtp = rtp;
    this.sdp = rtp?.sdp("0 101") ?? mutePhone(host);
    this.answered = new Promise((resolve, reject) => {
      this.#settleAnswered = { resolve, reject };
    });
    // Nobody may be waiting for it.
    this.answered.catch(() => {});
    this.over = new Promise((resolve) => {
      this.#settleOver = resolve;
    });
  }

  begun(): void {
    if (this.state === "over") return;
    this.state = "up";
    this.#settleAnswered?.resolve();
  }

  refused(status: number): void {
    this.status = status;
    this.#settleAnswered?.reject(new Error(`the call got ${status}`));
    this.end();
  }

  end(bye?: SipRequest): void {
    this.stopResending();
    if (this.state === "over") return;
    this.state = "over";
    this.bye = bye;
    this.rtp?.close();
    this.#settleOver?.();
  }

  resendAt(instants: readonly number[], send: () => void): void {
    for (const ms of instants) this.#timers.push(setTimeout(send, ms));
  }

  stopResending(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }

  /** Settles when the next change of ours is agreed on. */
  nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.onChanged = resolve;
    });
  }

  /** Longest time without a packet from `sinceMs` of the monotonic clock until now, milliseconds. */
  gapMs(sinceMs: number): number {
    let last = sinceMs;
    let longest = 0;
    for (const { atMs } of this.rtp?.received ?? []) {
      if (atMs < sinceMs) continue;
      longest = Math.max(longest, atMs - last);
      last = atMs;
    }
    return Math.round(Math.max(longest, performance.now() - last));
  }
}

function mutePhone(host: string): string {
  return [
    "v=0",
    `o=bank 7 1 IN IP4 ${host}`,
    "s=call",
    `c=IN IP4 ${host}`,
    "t=0 0",
    "m=audio 40000 RTP/AVP 0 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=ptime:20",
    "a=sendrecv",
    "",
  ].join("\r\n");
}
