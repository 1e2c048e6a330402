import type { Clock, Timer } from "../core/clock.ts";
import { randomToken } from "../core/ids.ts";
import { DialogState } from "../signaling/dialog/dialog-state.ts";
import { buildResponse } from "../signaling/message/build.ts";
import type { HeaderField } from "../signaling/message/headers.ts";
import type { SipRequest, SipResponse } from "../signaling/message/message.ts";
import { tryParseStatusFragment } from "../signaling/message/sip-fragment.ts";
import type { ServerTransaction } from "../signaling/transaction/transaction.ts";
import type { TransactionLayer } from "../signaling/transaction/transaction-layer.ts";
import type { Flow } from "../signaling/transport/flow.ts";
import { RtpEnd } from "./rtp-end.ts";
import type { CarrierScript, Turn } from "./scripts.ts";
import { ANSWER_TO, OwnDescription, readSound } from "./session-description.ts";
import type { Direction, FarSound } from "./session-description.ts";

/** What a call is made of. */
export interface CarrierCallOptions {
  readonly layer: TransactionLayer;
  readonly clock: Clock;
  readonly transaction: ServerTransaction;
  readonly script: CarrierScript;
  /** Where its media binds. */
  readonly host: string;
  /** Tells a person what happens. */
  readonly tell: (line: string) => void;
  readonly onOver: () => void;
}

const SDP = "application/sdp";
/** RFC 3261 §13.3.1.4: a 2xx is sent again from T1 on, doubled up to T2, for 64 × T1. */
const T1_MS = 500;
const T2_MS = 4000;
const GIVE_UP_MS = 64 * T1_MS;
const HELD_MS = 2000;
/** RFC 3261 §14.1: whoever does not own the Call-ID waits for less than two seconds. */
const GLARE_MS = 1000;
const SESSION_SECONDS = 90;
const USUAL_EVENT_TYPE = 101;
const OTHER_EVENT_TYPE = 127;
const ALLOW: HeaderField = ["Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY"];

/** One call that the carrier takes, from its INVITE to its end. */
export class CarrierCall {
  readonly #options: CarrierCallOptions;
  readonly #invite: SipRequest;
  readonly #flow: Flow;
  readonly #own = new OwnDescription();
  readonly #timers = new Set<Timer>();
  readonly #startedMs: number;
  #tag = randomToken(10);
  #state: "opening" | "answered" | "over" = "opening";
  #rtp: RtpEnd | undefined;
  #far: FarSound | undefined;
  #dialog: DialogState | undefined;
  #unacknowledged: Timer | undefined;

  constructor(options: CarrierCallOptions) {
    this.#options = options;
    this.#invite = options.transaction.request;
    this.#flow = options.transaction.flow;
    this.#startedMs = options.clock.monotonicMs();
  }

  /** The Call-ID with our tag, as requests in the dialog name them. */
  isFor(request: SipRequest): boolean {
    return request.callId === this.#invite.callId && request.toTag === this.#tag;
  }

  async start(): Promise<void> {
    const { script, clock, host } = this.#options;
    if (this.#hasOffer) {
      this.#far = readSound(this.#invite.body.toString());
      if (this.#far === undefined && script.final === 200) {
        this.#refuse(488);
        return;
      }
    }
    this.#rtp = await RtpEnd.open(host, clock);
    if (this.#state === "over") {
      this.#rtp.close();
      return;
    }
    this.#open();
    const { final, openingMs } = script;
    if (final === undefined) return;
    this.#after(openingMs, () => (final < 300 ? this.#answer() : this.#refuse(final)));
  }

  /** A CANCEL came: RFC 3261 §9.2. */
  cancelled(): void {
    if (this.#state === "opening") this.#refuse(487);
  }

  /** A request of the dialog. */
  onRequest(request: SipRequest, transaction: ServerTransaction): void {
    const { tell } = this.#options;
    const answer = (status: number, body?: string): void => {
      transaction.respond(this.#response(request, status, body));
    };
    if (this.#dialog?.acceptRemoteCseq(request.cseq.number) === false) {
      answer(500);
      return;
    }
    switch (request.method) {
      case "BYE":
        answer(200);
        this.#end("the caller has hung up");
        return;
      case "INVITE":
      case "UPDATE":
        this.#dialog?.refreshTarget(request);
        answer(200, this.#answerTo(request));
        return;
      case "NOTIFY": {
        const status = tryParseStatusFragment(request.body)?.status;
        tell(`NOTIFY ${status ?? ""}`);
        answer(200);
        return;
      }
      case "INFO":
      case "OPTIONS":
      case "MESSAGE":
        tell(request.method);
        answer(200);
        return;
      default:
        answer(501);
    }
  }

  /** The ACK to our 2xx. */
  onAck(request: SipRequest): void {
    if (this.#unacknowledged === undefined) return;
    this.#unacknowledged.cancel();
    this.#timers.delete(this.#unacknowledged);
    this.#unacknowledged = undefined;
    if (!this.#hasOffer) {
      this.#far = readSound(request.body.toString());
      this.#direct();
    }
    this.#turn(this.#options.script.turn);
  }

  /** The carrier stops. */
  stop(): void {
    if (this.#state === "answered") this.#hangUp("the carrier stops");
    else if (this.#state === "opening") this.#refuse(503);
  }

  get #hasOffer(): boolean {
    return this.#invite.body.length > 0;
  }

  #open(): void {
    const { script } = this.#options;
    switch (script.opening) {
      case "silence":
      case "trying":
      case "challenge":
        this.#respond(100);
        return;
      case "ringing":
        this.#respond(180);
        return;
      case "slow-183":
        this.#respond(180);
        this.#after(script.openingMs / 3, () => {
          this.#direct();
          this.#rtp?.play("tone");
          this.#respond(183, this.#describe("sendrecv"));
        });
        return;
      case "forks":
        this.#respond(183, this.#describe("sendrecv"));
        this.#after(script.openingMs / 2, () => {
          this.#tag = randomToken(10);
          this.#respond(183, this.#describe("sendrecv"));
        });
        return;
    }
  }

  #answer(): void {
    const { script, clock, tell } = this.#options;
    this.#state = "answered";
    this.#dialog = DialogState.ofServer(this.#invite, this.#tag, true);
    this.#direct();
    this.#rtp?.play(script.sound);
    const timer: readonly HeaderField[] =
      script.turn === "session-timer"
        ? [
            ["Session-Expires", `${SESSION_SECONDS};refresher=uas`],
            ["Require", "timer"],
          ]
        : [];
    const ok = this.#response(this.#invite, 200, this.#describe("sendrecv"), timer);
    const startMs = clock.monotonicMs();
    const send = (waitMs: number): void => {
      if (clock.monotonicMs() - startMs > GIVE_UP_MS) {
        this.#hangUp("no ACK came");
        return;
      }
      this.#options.transaction.respond(ok);
      this.#unacknowledged = this.#after(waitMs, () => send(Math.min(2 * waitMs, T2_MS)));
    };
    send(T1_MS);
    tell("200");
  }

  #refuse(status: number): void {
    const headers: HeaderField[] = [];
    if (status === 302) headers.push(["Contact", `<sip:200@${this.#flow.sentBy}>`]);
    if (status === 503) headers.push(["Retry-After", "5"]);
    const { transaction } = this.#options;
    transaction.respond(buildResponse(this.#invite, status, { toTag: this.#tag, headers }));
    this.#end(String(status));
  }

  #turn(turn: Turn | undefined): void {
    const { turnMs } = this.#options.script;
    switch (turn) {
      case undefined:
        return;
      case "hang-up":
        this.#after(turnMs, () => this.#hangUp("the carrier hangs up"));
        return;
      case "late-offer":
        this.#after(turnMs, () => this.#reinvite(undefined));
        return;
      case "hold":
        this.#after(turnMs, () => {
          this.#reinvite("sendonly");
          this.#after(HELD_MS, () => this.#reinvite("sendrecv"));
        });
        return;
      case "refer":
        this.#after(turnMs, () => this.#refer());
        return;
      case "new-payload-types":
        this.#after(turnMs, () => this.#reinvite("sendrecv", { isOther: true }));
        return;
      case "session-timer":
        this.#after(turnMs, () => this.#refresh());
        return;
    }
  }

  #refresh(): void {
    this.#reinvite("sendrecv", {
      headers: [
        ["Supported", "timer"],
        ["Session-Expires", `${SESSION_SECONDS};refresher=uac`],
      ],
    });
    this.#after((SESSION_SECONDS / 2) * 1000, () => this.#refresh());
  }

  /** @param direction undefined: without an offer */
  #reinvite(
    direction: Direction | undefined,
    options: { readonly isOther?: boolean; readonly headers?: readonly HeaderField[] } = {},
    isAgain = false,
  ): void {
    const dialog = this.#dialog;
    if (dialog === undefined || this.#state !== "answered") return;
    const { layer, tell } = this.#options;
    const body = direction === undefined ? undefined : this.#describe(direction, options.isOther);
    const request = dialog.request("INVITE", {
      headers: [this.#contact, ALLOW, ...(options.headers ?? [])],
      ...(body !== undefined && { body, contentType: SDP }),
    });
    tell(`re-INVITE ${direction ?? "without an offer"}`);
    let ack: SipRequest | undefined;
    layer.request(request, this.#flow, {
      onResponse: (response) => {
        if (response.statusCode < 200) return;
        if (response.statusCode >= 300) {
          tell(`re-INVITE refused with ${response.statusCode}`);
          if (response.statusCode === 491 && !isAgain) {
            this.#after(GLARE_MS, () => this.#reinvite(direction, options, true));
          }
          return;
        }
        if (ack === undefined) {
          const session = response.headers.get("Session-Expires");
          const timer = session === undefined ? "" : `, Session-Expires: ${session}`;
          tell(`re-INVITE answered with ${response.statusCode}${timer}`);
        }
        ack ??= this.#acknowledge(dialog, request, response, direction === undefined);
        layer.sendStateless(ack, this.#flow);
      },
      onTimeout: () => this.#hangUp("no answer to a re-INVITE"),
      onTransportError: () => this.#end("the way is gone"),
    });
  }

  #acknowledge(
    dialog: DialogState,
    request: SipRequest,
    response: SipResponse,
    isLate: boolean,
  ): SipRequest {
    dialog.refreshTarget(response);
    this.#far = readSound(response.body.toString()) ?? this.#far;
    this.#direct();
    return dialog.ack(request.cseq.number, {
      ...(isLate && { body: this.#describe("sendrecv"), contentType: SDP }),
    });
  }

  #refer(): void {
    const dialog = this.#dialog;
    if (dialog === undefined || this.#state !== "answered") return;
    const { layer, tell } = this.#options;
    const target = `<sip:200@${this.#flow.sentBy}>`;
    const request = dialog.request("REFER", { headers: [this.#contact, ["Refer-To", target]] });
    tell(`REFER to ${target}`);
    layer.request(request, this.#flow, {
      onResponse: ({ statusCode }) => tell(`REFER answered with ${statusCode}`),
      onTimeout: () => tell("REFER not answered"),
      onTransportError: () => {},
    });
  }

  #hangUp(why: string): void {
    const dialog = this.#dialog;
    if (dialog !== undefined && this.#state === "answered") {
      this.#options.layer.request(dialog.request("BYE"), this.#flow, {
        onResponse: () => {},
        onTimeout: () => {},
        onTransportError: () => {},
      });
    }
    this.#end(why);
  }

  #end(why: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    const seconds = (this.#options.clock.monotonicMs() - this.#startedMs) / 1000;
    const heard = this.#rtp?.received ?? 0;
    this.#rtp?.close();
    this.#options.tell(`over after ${seconds.toFixed(1)} s, ${heard} packets heard: ${why}`);
    this.#options.onOver();
  }

  get #contact(): HeaderField {
    const transport = this.#flow.transport === "TCP" ? ";transport=tcp" : "";
    return ["Contact", `<sip:carrier@${this.#flow.sentBy}${transport}>`];
  }

  #respond(status: number, body?: string): void {
    this.#options.transaction.respond(this.#response(this.#invite, status, body));
    if (status > 100) this.#options.tell(String(status));
  }

  #response(
    request: SipRequest,
    status: number,
    body?: string,
    headers: readonly HeaderField[] = [],
  ): SipResponse {
    return buildResponse(request, status, {
      toTag: this.#tag,
      headers: [...(status > 100 && status < 300 ? [this.#contact, ALLOW] : []), ...headers],
      ...(body !== undefined && { body, contentType: SDP }),
    });
  }

  /** Our SDP: the answer to what we know of the far end, else an offer. */
  #describe(direction: Direction, isOther = false): string | undefined {
    const address = this.#rtp?.address;
    if (address === undefined) return undefined;
    const far = this.#far;
    const usual = far === undefined ? (["PCMU", "PCMA"] as const) : far.codecs.slice(0, 1);
    const other = usual.includes("PCMA") ? (["PCMU"] as const) : (["PCMA"] as const);
    return this.#own.write({
      address,
      codecs: isOther ? other : usual,
      eventType: isOther ? OTHER_EVENT_TYPE : far === undefined ? USUAL_EVENT_TYPE : far.eventType,
      direction,
    });
  }

  /** The answer to an offer within the call; undefined when there is none, or none that we read. */
  #answerTo(request: SipRequest): string | undefined {
    const offered = readSound(request.body.toString());
    if (offered === undefined) {
      return request.method === "INVITE" ? this.#describe("sendrecv") : undefined;
    }
    this.#far = offered;
    this.#direct();
    return this.#describe(ANSWER_TO[offered.direction]);
  }

  #direct(): void {
    const far = this.#far;
    const hears = far?.direction === "sendrecv" || far?.direction === "recvonly";
    this.#rtp?.direct(hears ? far.address : undefined, far?.codecs[0] ?? "PCMU");
  }

  #after(delayMs: number, action: () => void): Timer {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      if (this.#state !== "over") action();
    });
    this.#timers.add(timer);
    return timer;
  }
}
