import type { EndReason } from "../core/end-reason.ts";
import type { Timer } from "../core/clock.ts";
import type { MediaDirection } from "../media/direction.ts";
import type { MediaLeg } from "../media/session.ts";
import type {
  Dialog,
  DialogHandler,
  ExtraHeaders,
  IncomingMessage,
  IncomingRefer,
  IncomingReinvite,
  IncomingRequest,
  Party,
} from "../signaling/engine.ts";
import type { Headers } from "../signaling/message/headers.ts";
import type { SipRequest } from "../signaling/message/message.ts";
import type { CallEnd, EndSdps } from "./call-end.ts";
import type { CallContext } from "./context.ts";
import type { EndIndex } from "./end-index.ts";
import { farewellFields } from "./farewell.ts";
import type { Leaving } from "./leaving.ts";
import type { CallerIdentity } from "./presentation.ts";
import type { Segment } from "./loss.ts";
import { infoPackagesOf } from "./trickle-ice.ts";

/** What happens on one end of a call, told to the call. */
export interface DialogEndOwner {
  onEndConfirmed(end: DialogEnd, sdp: string | undefined): void;
  onEndReinvite(end: DialogEnd, reinvite: IncomingReinvite): void;
  /** An INFO: of a package that the end takes, or a digit, if it is anything. The owner responds. */
  onEndInfo(end: DialogEnd, request: IncomingRequest): void;
  /** A text. The owner responds. */
  onEndMessage(end: DialogEnd, message: IncomingMessage): void;
  /** A REFER. The owner responds. */
  onEndRefer(end: DialogEnd, refer: IncomingRefer): void;
  /** The end that this one talks to is to leave the call. @returns undefined: not now */
  leaveFrom(end: DialogEnd): Leaving | undefined;
  /** The end is gone: it hung up, or it was lost. Final. */
  onEndGone(end: DialogEnd, reason: EndReason): void;
  onEndFlow(end: DialogEnd, isUp: boolean): void;
}

/** How long whoever has transferred a call may take to hang up by itself. */
const FAREWELL_MS = 1000;

/**
 * One established leg: a dialog with its place in the media session.
 *
 * It owns the grace period of a browser whose connection went: the dialog and its media stay, and
 * only when the instance has not come back in time is the end reported gone.
 */
export class DialogEnd implements CallEnd, DialogHandler {
  readonly dialog: Dialog;
  readonly leg: MediaLeg;
  readonly role: "caller" | "callee";
  /** Who is there, as others are shown it. */
  readonly identity: CallerIdentity;
  readonly infoPackages: readonly string[];
  /** The last SDP that the far end sent, and the last that it was sent. */
  remoteSdp: string | undefined;
  localSdp: string | undefined;
  /** Where packets are lost, as the browser there was last told. */
  toldSegment: Segment | undefined;
  /** What it last said of itself, in an offer or an answer. */
  direction: MediaDirection;
  readonly #owner: DialogEndOwner;
  readonly #context: CallContext;
  readonly #index: EndIndex<DialogEnd>;
  #grace: Timer | undefined;
  /** Of the far end's BYE. */
  #farewell: Headers | undefined;
  #isGone = false;

  constructor(options: {
    readonly dialog: Dialog;
    readonly leg: MediaLeg;
    readonly role: "caller" | "callee";
    readonly owner: DialogEndOwner;
    readonly context: CallContext;
    readonly identity: CallerIdentity;
    readonly index: EndIndex<DialogEnd>;
    readonly sdps: EndSdps;
  }) {
    this.dialog = options.dialog;
    this.leg = options.leg;
    this.role = options.role;
    this.infoPackages = infoPackagesOf(options.leg);
    this.#owner = options.owner;
    this.#context = options.context;
    this.identity = options.identity;
    this.remoteSdp = options.sdps.remoteSdp;
    this.localSdp = options.sdps.localSdp;
    this.direction = options.sdps.direction ?? "sendrecv";
    this.#index = options.index;
    this.#index.add(this);
    this.dialog.attach(this);
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /**
   * Sends BYE, unless the far end has gone already.
   *
   * @param other the end whose BYE may say something to this one
   */
  hangUp(reason: EndReason, other?: DialogEnd): void {
    if (this.#isGone) return;
    this.#close();
    const fields = other && other.#farewellTo(this.dialog.party);
    this.dialog.bye(reason, fields);
  }

  /** The end goes on in another call, which attaches to its dialog; no callback follows. */
  release(): void {
    if (!this.#isGone) this.#close();
  }

  /** The far end may hang up by itself first: it has something else to hear before. */
  hangUpSoon(reason: EndReason): void {
    if (this.#isGone) return;
    this.#close();
    const timer = this.#context.clock.after(FAREWELL_MS, () => this.dialog.bye(reason));
    const onGone = (): void => timer.cancel();
    this.dialog.attach({
      onConfirmed() {},
      onReinvite: (reinvite) => reinvite.reject(488),
      onRequest: (request) => request.respond(405),
      onBye: onGone,
      onLost: onGone,
      onFlowLost() {},
      onFlowRestored() {},
    });
  }

  /** Whoever this end talks to is to leave the call. */
  leavePeer(): Leaving | undefined {
    return this.#isGone ? undefined : this.#owner.leaveFrom(this);
  }

  onMessage(message: IncomingMessage): void {
    this.#owner.onEndMessage(this, message);
  }

  onRefer(refer: IncomingRefer): void {
    this.#owner.onEndRefer(this, refer);
  }

  onConfirmed(sdp: string | undefined): void {
    this.#owner.onEndConfirmed(this, sdp);
  }

  onReinvite(reinvite: IncomingReinvite): void {
    this.#owner.onEndReinvite(this, reinvite);
  }

  onRequest(request: IncomingRequest): void {
    if (request.request.method === "INFO") {
      this.#owner.onEndInfo(this, request);
      return;
    }
    request.respond(405, {
      headers: [["Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, MESSAGE"]],
    });
  }

  onBye(reason: EndReason | undefined, bye?: SipRequest): void {
    this.#farewell = bye?.headers;
    this.#gone(reason ?? { sipStatus: 200, q850: 16, text: "Normal call clearing" });
  }

  onLost(reason: EndReason): void {
    this.#gone(reason);
  }

  onFlowLost(): void {
    if (this.#isGone || this.#grace !== undefined) return;
    this.#owner.onEndFlow(this, false);
    this.#grace = this.#context.clock.after(this.#context.flowGraceMs, () => {
      this.#grace = undefined;
      const reason: EndReason = {
        sipStatus: 408,
        q850: 27,
        text: "The browser's connection was lost",
      };
      this.dialog.bye(reason);
      this.#gone(reason);
    });
  }

  onFlowRestored(): void {
    if (this.#grace === undefined) return;
    this.#grace.cancel();
    this.#grace = undefined;
    this.#owner.onEndFlow(this, true);
  }

  #farewellTo(party: Party): ExtraHeaders {
    return farewellFields(this.#farewell, this.dialog.party, party, this.#context);
  }

  #gone(reason: EndReason): void {
    if (this.#isGone) return;
    this.#close();
    this.#owner.onEndGone(this, reason);
  }

  #close(): void {
    this.#isGone = true;
    this.#index.remove(this);
    this.#grace?.cancel();
    this.#grace = undefined;
  }
}
