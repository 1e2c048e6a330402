import { randomToken } from "../../src/core/ids.ts";
import { buildResponse } from "../../src/signaling/message/build.ts";
import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../src/signaling/message/message.ts";
import { browserSdp } from "./browser-sdp.ts";
import { type Inbox, isRequest, isResponse, MESSAGE_TIMEOUT_MS } from "./sip-inbox.ts";

/** What a request is built of; Via, Max-Forwards and User-Agent are added. */
export interface RequestParts {
  readonly uri: string;
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  readonly branch?: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: string | undefined;
  /** Of the body; default `application/sdp`. */
  readonly contentType?: string | undefined;
}

/** The connection of a web user, as its calls need it. */
export interface Line {
  readonly contact: string;
  readonly isOpen: boolean;
  build(method: string, parts: RequestParts): SipRequest;
  send(message: SipMessage): void;
}

/** One call leg of a web user's, from its first INVITE on. */
class CallLeg {
  readonly caller: Line;
  readonly invite: SipRequest;
  readonly #inbox: Inbox;
  /** Set by whoever knows the far end's tag. */
  protected localParty = "";
  protected remoteParty = "";
  protected target = "";
  protected cseq = 1;

  constructor(caller: Line, inbox: Inbox, invite: SipRequest) {
    this.caller = caller;
    this.#inbox = inbox;
    this.invite = invite;
  }

  get callId(): string {
    return this.invite.callId;
  }

  /** Messages of this call that came and were not asked for. */
  get unread(): readonly string[] {
    return this.#inbox.names;
  }

  /** @param method that of CSeq; default any */
  async expectResponse(
    status: number | ((status: number) => boolean),
    method?: string,
    timeoutMs = MESSAGE_TIMEOUT_MS,
  ): Promise<SipResponse> {
    const fits = typeof status === "number" ? (code: number) => code === status : status;
    const what = `${typeof status === "number" ? status : "a response"} to ${method ?? "a request"}`;
    return await this.#inbox.take(
      isResponse(fits, method),
      what,
      timeoutMs,
      () => this.caller.isOpen,
    );
  }

  async expectRequest(method: string, timeoutMs = MESSAGE_TIMEOUT_MS): Promise<SipRequest> {
    return await this.#inbox.take(isRequest(method), method, timeoutMs, () => this.caller.isOpen);
  }

  /** Answers the BYE that comes. @returns the BYE */
  async hungUp(timeoutMs = MESSAGE_TIMEOUT_MS): Promise<SipRequest> {
    const bye = await this.expectRequest("BYE", timeoutMs);
    this.caller.send(buildResponse(bye, 200));
    return bye;
  }

  /** Sends a request inside the dialog. */
  request(
    method: string,
    options: {
      readonly headers?: readonly HeaderField[];
      readonly body?: string;
      readonly contentType?: string;
      readonly cseq?: number;
    } = {},
  ): SipRequest {
    if (options.cseq === undefined && method !== "ACK") this.cseq += 1;
    const request = this.caller.build(method, {
      uri: this.target,
      from: this.localParty,
      to: this.remoteParty,
      callId: this.callId,
      cseq: options.cseq ?? this.cseq,
      headers: [["Contact", this.caller.contact], ...(options.headers ?? [])],
      body: options.body,
      contentType: options.contentType,
    });
    this.caller.send(request);
    return request;
  }

  /** Hangs up and waits for the 200. */
  async bye(headers: readonly HeaderField[] = []): Promise<SipResponse> {
    this.request("BYE", { headers });
    return await this.expectResponse(200, "BYE");
  }

  /** Offers another direction and waits for the final answer, which it acknowledges. */
  async reinvite(sdp: string): Promise<SipResponse> {
    const request = this.request("INVITE", { body: sdp });
    const response = await this.expectResponse((status) => status >= 200, "INVITE");
    if (response.statusCode < 300) this.request("ACK", { cseq: request.cseq.number });
    return response;
  }

  respond(
    request: SipRequest,
    status: number,
    options: { readonly sdp?: string; readonly headers?: readonly HeaderField[] } = {},
  ): void {
    this.caller.send(
      buildResponse(request, status, {
        headers: [
          ...(status < 300 ? [["Contact", this.caller.contact] as const] : []),
          ...(options.headers ?? []),
        ],
        ...(options.sdp === undefined ? {} : { body: options.sdp, contentType: "application/sdp" }),
      }),
    );
  }
}

/** A call that the web user makes. */
export class OutgoingCall extends CallLeg {
  /** The 200, acknowledged. */
  async answered(timeoutMs = MESSAGE_TIMEOUT_MS): Promise<SipResponse> {
    const response = await this.expectResponse((status) => status >= 200, "INVITE", timeoutMs);
    if (response.statusCode !== 200) {
      throw new Error(`the call got ${response.statusCode} ${response.reasonPhrase}`);
    }
    this.confirm(response);
    this.request("ACK", { cseq: 1 });
    return response;
  }

  /** The final response that refuses the call, with the ACK that RFC 3261 §17.1.1.3 wants. */
  async refused(timeoutMs = MESSAGE_TIMEOUT_MS): Promise<SipResponse> {
    const response = await this.expectResponse((status) => status >= 200, "INVITE", timeoutMs);
    if (response.statusCode < 300) throw new Error("the call was answered");
    this.caller.send(
      this.caller.build("ACK", {
        uri: this.invite.requestUri,
        from: this.invite.headers.get("From") ?? "",
        to: response.headers.get("To") ?? "",
        callId: this.callId,
        cseq: 1,
        branch: this.invite.topmostVia.branch ?? "",
      }),
    );
    return response;
  }

  /** Sends CANCEL; its 200 and the INVITE's 487 are the test's to expect. */
  cancel(headers: readonly HeaderField[] = []): void {
    this.caller.send(
      this.caller.build("CANCEL", {
        uri: this.invite.requestUri,
        from: this.invite.headers.get("From") ?? "",
        to: this.invite.headers.get("To") ?? "",
        callId: this.callId,
        cseq: 1,
        branch: this.invite.topmostVia.branch ?? "",
        headers,
      }),
    );
  }

  /** The same call on another connection of the same instance. */
  movedTo(line: Line, inbox: Inbox): OutgoingCall {
    const moved = new OutgoingCall(line, inbox, this.invite);
    moved.localParty = this.localParty;
    moved.remoteParty = this.remoteParty;
    moved.target = this.target;
    moved.cseq = this.cseq;
    return moved;
  }

  /** Takes the dialog from a response that has a To-tag. */
  confirm(response: SipResponse): void {
    this.localParty = this.invite.headers.get("From") ?? "";
    this.remoteParty = response.headers.get("To") ?? "";
    this.target = response.contact?.uri ?? this.invite.requestUri;
  }
}

/** A call that comes to the web user. */
export class IncomingCall extends CallLeg {
  readonly localTag = randomToken(10);

  constructor(caller: Line, inbox: Inbox, invite: SipRequest) {
    super(caller, inbox, invite);
    this.localParty = `${invite.headers.get("To") ?? ""};tag=${this.localTag}`;
    this.remoteParty = invite.headers.get("From") ?? "";
    this.target = invite.contact?.uri ?? "";
    this.cseq = 0;
  }

  ring(): void {
    this.#respond(180);
  }

  /** Answers and waits for the ACK. */
  async answer(): Promise<SipRequest> {
    this.accept();
    return await this.expectRequest("ACK");
  }

  /** Sends the 200 and does not wait. */
  accept(sdp = browserSdp({ setup: "active" })): void {
    this.#respond(200, sdp);
  }

  /** Refuses and waits for the ACK. */
  async refuse(status: number, headers: readonly HeaderField[] = []): Promise<SipRequest> {
    this.#respond(status, undefined, headers);
    return await this.expectRequest("ACK");
  }

  /** Answers the CANCEL that comes: 200 to it, 487 to the INVITE. @returns the CANCEL */
  async cancelled(timeoutMs = MESSAGE_TIMEOUT_MS): Promise<SipRequest> {
    const cancel = await this.expectRequest("CANCEL", timeoutMs);
    this.caller.send(buildResponse(cancel, 200, { toTag: this.localTag }));
    await this.refuse(487);
    return cancel;
  }

  #respond(status: number, sdp?: string, headers: readonly HeaderField[] = []): void {
    this.caller.send(
      buildResponse(this.invite, status, {
        toTag: this.localTag,
        headers: [
          ...(status < 300 ? [["Contact", this.caller.contact] as const] : []),
          ["User-Agent", "Harness browser 1.0"],
          ...headers,
        ],
        ...(sdp === undefined ? {} : { body: sdp, contentType: "application/sdp" }),
      }),
    );
  }
}
