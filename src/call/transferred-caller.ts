import type { EndReason } from "../core/end-reason.ts";
import { withDirection } from "../media/direction.ts";
import type {
  Dialog,
  Identity,
  IncomingInvite,
  IncomingInviteHandler,
  Party,
  ResponseOptions,
} from "../signaling/engine.ts";
import { Headers } from "../signaling/message/headers.ts";
import { SipRequest } from "../signaling/message/message.ts";
import type { Leaving } from "./leaving.ts";

/** What becomes of a transferred caller. `onAnswered` or `onFailed` comes once, last. */
export interface TransferOutcome {
  onProgress(status: number): void;
  onAnswered(): void;
  onFailed(status: number, reasonPhrase: string | undefined): void;
}

/**
 * The caller of a call that a transfer makes: somebody who is talking already. It has sent no INVITE;
 * whoever asked for the transfer is told what an INVITE's responses would tell.
 */
export class TransferredCaller implements IncomingInvite {
  readonly party: Party;
  readonly request: SipRequest;
  readonly callId: string;
  readonly calledNumber: string;
  readonly callerIdentity: Identity;
  readonly sdp: string;
  readonly #leaving: Leaving;
  readonly #outcome: TransferOutcome;
  #state: "proceeding" | "ended" = "proceeding";

  constructor(options: {
    readonly leaving: Leaving;
    readonly calledNumber: string;
    /** Of the request that asked for it: hops are counted across it. */
    readonly maxForwards: number | undefined;
    readonly outcome: TransferOutcome;
  }) {
    const { leaving, calledNumber } = options;
    const { dialog, identity, remoteSdp = "" } = leaving.end;
    this.party = dialog.party;
    this.callId = dialog.callId;
    this.calledNumber = calledNumber;
    this.callerIdentity = identity.shown;
    // Whoever was held talks again.
    this.sdp = withDirection(remoteSdp, "sendrecv");
    this.#leaving = leaving;
    this.#outcome = options.outcome;
    // Nothing of the request that asked for the transfer goes on, but its hops.
    this.request = new SipRequest(
      "INVITE",
      "sip:transfer.invalid",
      Headers.of([["Max-Forwards", String(options.maxForwards ?? 70)]]),
    );
  }

  attach(handler: IncomingInviteHandler): void {
    this.#leaving.onGone = (reason: EndReason) => {
      if (this.#state === "ended") return;
      this.#state = "ended";
      this.#outcome.onFailed(487, "The transferred party has gone");
      handler.onCancelled(reason);
    };
  }

  progress(status: number): void {
    if (this.#state === "proceeding") this.#outcome.onProgress(status);
  }

  accept(): Dialog | undefined {
    if (this.#state === "ended") return undefined;
    this.#state = "ended";
    this.#outcome.onAnswered();
    return this.#leaving.end.dialog;
  }

  reject(status: number, options: ResponseOptions = {}): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#outcome.onFailed(status, options.reasonPhrase);
  }
}
