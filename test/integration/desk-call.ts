import { formatSocketAddress } from "../../src/core/address.ts";
import { randomToken } from "../../src/core/ids.ts";
import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../src/signaling/message/message.ts";
import type { Gateway } from "../harness/gateway.ts";
import { PeerDialog, type SipPeer } from "../harness/sip-peer.ts";

/** What a telephone offers or answers. */
export function telephoneSdp(
  host: string,
  options: { readonly direction?: string; readonly version?: number } = {},
): string {
  const { direction = "sendrecv", version = 1 } = options;
  return [
    "v=0",
    `o=pbx 4711 ${version} IN IP4 ${host}`,
    "s=call",
    `c=IN IP4 ${host}`,
    "t=0 0",
    "m=audio 40000 RTP/AVP 0 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    "a=ptime:20",
    `a=${direction}`,
    "",
  ].join("\r\n");
}

interface Answer {
  readonly sdp?: string;
  readonly headers?: readonly HeaderField[];
}

/** One leg at the PBX that the test plays: every message is the test's own. */
export class DeskCall {
  readonly peer: SipPeer;
  readonly invite: SipRequest;
  readonly #tag: string;
  #dialog: PeerDialog | undefined;

  /** The call to this number that the gateway sends. */
  static async incoming(peer: SipPeer, number: string): Promise<DeskCall> {
    const invite = await peer.receive(
      (message): message is SipRequest =>
        message.kind === "request" && message.method === "INVITE" && message.uri.user === number,
      `INVITE to ${number}`,
    );
    const tag = randomToken(8);
    const call = new DeskCall(peer, invite, tag);
    call.#dialog = PeerDialog.asCallee(peer, invite, tag);
    return call;
  }

  /** Calls a number at the gateway. */
  static dial(
    peer: SipPeer,
    gateway: Gateway,
    number: string,
    options: {
      readonly headers?: readonly HeaderField[];
      /** `late`: none, so that the 200 brings the offer. */
      readonly sdp?: string;
    } = {},
  ): DeskCall {
    const to = `sip:${number}@${formatSocketAddress(gateway.sip)}`;
    const tag = randomToken(8);
    const invite = peer.request("INVITE", {
      uri: to,
      from: `"Desk" <sip:5550100@${peer.sentBy}>;tag=${tag}`,
      to: `<${to}>`,
      callId: randomToken(16),
      headers: [["Contact", peer.contact], ...(options.headers ?? [])],
      ...(options.sdp === "late" ? {} : { body: options.sdp ?? telephoneSdp(peer.local.host) }),
    });
    return new DeskCall(peer, invite, tag);
  }

  private constructor(peer: SipPeer, invite: SipRequest, tag: string) {
    this.peer = peer;
    this.invite = invite;
    this.#tag = tag;
  }

  get localTag(): string {
    return this.#tag;
  }

  get dialog(): PeerDialog {
    if (this.#dialog === undefined) throw new Error("the call has no dialog yet");
    return this.#dialog;
  }

  /** Messages of this call that came and were not asked for. */
  get unread(): readonly string[] {
    return this.peer.unread
      .filter((message) => message.callId === this.invite.callId)
      .map((message) => (message.kind === "request" ? message.method : `${message.statusCode}`));
  }

  /** Answers the INVITE that came. */
  respond(status: number, options: Answer = {}): void {
    const { sdp, headers } = options;
    this.peer.respond(this.invite, status, {
      toTag: this.#tag,
      ...(sdp === undefined ? {} : { body: sdp }),
      ...(headers === undefined
        ? {}
        : {
            headers: [
              ...(status < 300 ? [["Contact", this.peer.contact] as const] : []),
              ...headers,
            ],
          }),
    });
  }

  /** 200 with SDP, then the gateway's ACK. */
  async answer(sdp = telephoneSdp(this.peer.local.host)): Promise<SipRequest> {
    this.respond(200, { sdp });
    return await this.expectRequest("ACK");
  }

  /** A final refusal, then the gateway's ACK. */
  async refuse(status: number, headers: readonly HeaderField[] = []): Promise<void> {
    this.respond(status, { headers });
    await this.expectRequest("ACK");
  }

  /** Answers the CANCEL that comes: 200 to it, 487 to the INVITE. @returns the CANCEL */
  async cancelled(): Promise<SipRequest> {
    const cancel = await this.expectRequest("CANCEL");
    this.peer.respond(cancel, 200, { toTag: this.#tag, headers: [] });
    await this.refuse(487);
    return cancel;
  }

  /** Answers the BYE that comes. @returns the BYE */
  async hungUp(): Promise<SipRequest> {
    const bye = await this.expectRequest("BYE");
    this.peer.respond(bye, 200, { headers: [] });
    return bye;
  }

  /** Hangs up and waits for the 200. */
  async bye(headers: readonly HeaderField[] = []): Promise<SipResponse> {
    this.dialog.request("BYE", { headers });
    return await this.expectResponse(200, "BYE");
  }

  /**
   * Waits for the 200 to our INVITE and acknowledges it.
   *
   * @param sdp the answer, when the 200 brought the offer
   */
  async answered(sdp?: string): Promise<SipResponse> {
    const response = await this.expectResponse(200, "INVITE");
    this.#dialog = PeerDialog.asCaller(this.peer, this.invite, response);
    this.#dialog.request("ACK", {
      cseq: this.invite.cseq.number,
      ...(sdp === undefined ? {} : { body: sdp }),
    });
    return response;
  }

  /**
   * Sends a re-INVITE and acknowledges its 200.
   *
   * @param sdp the offer; undefined asks for one
   * @param answer brought by the ACK when the 200 has the offer
   */
  async reinvite(
    sdp: string | undefined,
    answer?: (offer: string) => string,
  ): Promise<SipResponse> {
    const request = this.dialog.request("INVITE", sdp === undefined ? {} : { body: sdp });
    const response = await this.peer.receive(
      (message): message is SipResponse =>
        this.#isMine(message) &&
        message.kind === "response" &&
        message.statusCode >= 200 &&
        message.cseq.method === "INVITE" &&
        message.cseq.number === request.cseq.number,
      "the answer to a re-INVITE of the desk's",
    );
    const body = answer?.(response.body.toString());
    this.dialog.request("ACK", {
      cseq: request.cseq.number,
      ...(body === undefined ? {} : { body }),
    });
    return response;
  }

  /** Waits for the final refusal of our INVITE and acknowledges it. */
  async refused(timeoutMs?: number): Promise<SipResponse> {
    const response = await this.expectResponse((status) => status >= 300, "INVITE", timeoutMs);
    this.peer.request("ACK", {
      uri: this.invite.requestUri,
      from: this.invite.headers.get("From") ?? "",
      to: response.headers.get("To") ?? "",
      callId: this.invite.callId,
      branch: this.invite.topmostVia.branch ?? "",
      headers: [],
    });
    return response;
  }

  /** Sends CANCEL for our INVITE and waits for its 200. */
  async cancel(headers: readonly HeaderField[] = []): Promise<void> {
    this.peer.request("CANCEL", {
      uri: this.invite.requestUri,
      from: this.invite.headers.get("From") ?? "",
      to: this.invite.headers.get("To") ?? "",
      callId: this.invite.callId,
      branch: this.invite.topmostVia.branch ?? "",
      headers,
    });
    await this.expectResponse(200, "CANCEL");
  }

  async expectRequest(method: string): Promise<SipRequest> {
    return await this.peer.receive(
      (message): message is SipRequest =>
        this.#isMine(message) && message.kind === "request" && message.method === method,
      `${method} at the desk`,
    );
  }

  async expectResponse(
    status: number | ((status: number) => boolean),
    method: string,
    timeoutMs?: number,
  ): Promise<SipResponse> {
    const fits = typeof status === "number" ? (code: number) => code === status : status;
    return await this.peer.receive(
      (message): message is SipResponse =>
        this.#isMine(message) &&
        message.kind === "response" &&
        fits(message.statusCode) &&
        message.cseq.method === method,
      `${typeof status === "number" ? status : "a final response"} to ${method} at the desk`,
      timeoutMs,
    );
  }

  #isMine(message: SipMessage): boolean {
    return message.callId === this.invite.callId;
  }
}
