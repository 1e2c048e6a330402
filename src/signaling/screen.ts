import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import type { Authenticator } from "./auth/authenticator.ts";
import type { DialogLayer } from "./dialog/dialog-layer.ts";
import { ourResponse } from "./dialog/responses.ts";
import { securityFacts } from "./dialog/security-facts.ts";
import type { Overload } from "./guard/overload.ts";
import { isFromScanner } from "./guard/scanners.ts";
import type { SourceLimit, SourceVerdict } from "./guard/source-limit.ts";
import type { SipRequest, SipResponse } from "./message/message.ts";
import type { PassThrough } from "./pass-through.ts";
import type { RefusalLog } from "./refusal-log.ts";
import type { TransactionLayer } from "./transaction/transaction-layer.ts";
import type { Flow } from "./transport/flow.ts";
import type { TrunkTable } from "./trunk/trunk-table.ts";

/** What the screen asks. */
export interface ScreenParts {
  readonly authenticator: Authenticator;
  readonly dialogs: DialogLayer;
  readonly trunks: TrunkTable;
  readonly refusals: RefusalLog;
  readonly transactions: TransactionLayer;
  /** Default: nobody is limited. */
  readonly sources?: SourceLimit | undefined;
  /** Default: never overloaded. */
  readonly overload?: Overload | undefined;
  /** Users that a PBX owns; default: none. */
  readonly passThrough?: PassThrough | undefined;
  /** Parts of the User-Agent of programs that get no answer, in lower case. */
  readonly scanners: readonly string[];
}

/**
 * What becomes of a request. `ignored` gets no answer at all; `cut off` neither, and its connection
 * is closed.
 */
export type Judgement =
  | { readonly kind: "let in" }
  | { readonly kind: "refused"; readonly response: SipResponse }
  | { readonly kind: "ignored" }
  | { readonly kind: "cut off"; readonly reason: string };

const LET_IN: Judgement = { kind: "let in" };
const IGNORED: Judgement = { kind: "ignored" };

/**
 * Who is let in. It looks at a request before a transaction is made for it, so a stranger costs no
 * memory: the refusal is computed, sent and forgotten (RFC 3261 §8.2.7).
 */
export class Screen {
  readonly #parts: ScreenParts;
  readonly #tagKey = createSecretKey(randomBytes(32));
  #scanned = 0;

  constructor(parts: ScreenParts) {
    this.#parts = parts;
  }

  /** Requests of scanners that got no answer. */
  get scanned(): number {
    return this.#scanned;
  }

  /** Says what becomes of a request; only one that is let in may cost memory. */
  judge(request: SipRequest, flow: Flow): Judgement {
    const isOfUser = isBrowser(flow) && this.#parts.authenticator.hasPrincipal(flow);
    switch (this.#verdictOf(flow, isOfUser)) {
      case "taken":
        break;
      case "excess":
        return request.method === "ACK" ? IGNORED : refused(this.#tooMuch(request));
      case "banned":
        return { kind: "cut off", reason: "too many requests" };
    }
    // Nothing answers an ACK; without an INVITE it does nothing.
    if (request.method === "ACK") return LET_IN;
    if (request.method === "CANCEL") {
      // RFC 3261 §22.1: it cannot be challenged. RFC 3261 §9.2: without an INVITE it gets 481.
      return this.#parts.transactions.isKnown(request, flow)
        ? LET_IN
        : refused(this.refuse(request, 481));
    }
    if (!isOfUser && this.#isScanner(request, flow)) {
      this.#scanned += 1;
      return IGNORED;
    }
    const refusal = isBrowser(flow)
      ? this.#screenBrowser(request, flow)
      : this.#screenTrunk(request, flow);
    return refusal === undefined ? LET_IN : refused(refusal);
  }

  /** Counts what was no message against its sender. @returns whether the connection is to be closed */
  countFault(flow: Flow): boolean {
    const isOfUser = isBrowser(flow) && this.#parts.authenticator.hasPrincipal(flow);
    return this.#verdictOf(flow, isOfUser) === "banned";
  }

  /** A datagram's source has been looked at before it was read. */
  #verdictOf(flow: Flow, isOfUser: boolean): SourceVerdict {
    const { sources } = this.#parts;
    if (sources === undefined || flow.transport === "UDP") return "taken";
    return isOfUser ? sources.admitOfUser(flow) : sources.admitRequest(flow.remote.host);
  }

  #isScanner(request: SipRequest, flow: Flow): boolean {
    const { scanners, trunks } = this.#parts;
    return (
      isFromScanner(request, scanners) && (isBrowser(flow) || !trunks.accepts(flow.remote.host))
    );
  }

  /**
   * What is refused because the gateway has too much to do: new calls, and new sign-ins before
   * they have cost anything. Whatever is in progress goes on.
   */
  #overloadRefusal(request: SipRequest, flow: Flow): SipResponse | undefined {
    const { overload, transactions } = this.#parts;
    const { method } = request;
    if (overload === undefined || request.toTag !== undefined) return undefined;
    if (method === "REGISTER") {
      const isNew =
        !request.headers.has("Authorization") && !this.#parts.authenticator.hasPrincipal(flow);
      if (!isNew) return undefined;
    } else if (method !== "INVITE") {
      return undefined;
    }
    if (overload.isOverloaded && transactions.isKnown(request, flow)) return undefined;
    if (!overload.admits()) return this.#tooMuch(request);
    // A sign-in is answered at once.
    if (method === "REGISTER") overload.onServed();
    return undefined;
  }

  /** RFC 3261 §21.5.4: come again, but not all at the same time. */
  #tooMuch(request: SipRequest): SipResponse {
    const seconds = this.#parts.overload?.retryAfterSeconds() ?? RETRY_AFTER_SECONDS;
    return this.refuse(request, 503, { fields: [["Retry-After", String(seconds)]] });
  }

  #screenBrowser(request: SipRequest, flow: Flow): SipResponse | undefined {
    const tooMuch = this.#overloadRefusal(request, flow);
    if (tooMuch !== undefined) return tooMuch;
    if (request.toTag !== undefined) {
      // Inside a dialog nobody is challenged: whoever has signed in goes to the dialog's own check.
      if (this.#parts.authenticator.hasPrincipal(flow)) return undefined;
      const peer = this.#parts.dialogs.find(request)?.peer;
      if (peer === undefined) return this.refuse(request, 481);
      // But one: a browser that has lost its connection and has not registered on this one yet may
      // prove that it is the one.
      const isAway = peer.flowTo(request.requestUri) === undefined;
      if (peer.party.kind !== "user" || !isAway) {
        this.#parts.refusals.note(request, flow, 403);
        noteForeign(request, flow);
        return this.refuse(request, 403);
      }
    }
    const passed = this.#parts.passThrough?.judge(request, flow);
    if (passed === "let in") return undefined;
    if (passed !== undefined) {
      this.#parts.refusals.note(request, flow, 403);
      return this.refuse(request, 403, passed);
    }
    const admission = this.#parts.authenticator.admit(request, flow);
    if (admission.kind === "admitted") return undefined;
    const { status, reasonPhrase, fields } = admission;
    if (status !== 401) this.#parts.refusals.note(request, flow, status);
    return this.refuse(request, status, {
      ...(reasonPhrase === undefined ? {} : { reasonPhrase }),
      fields,
    });
  }

  #screenTrunk(request: SipRequest, flow: Flow): SipResponse | undefined {
    if (this.#parts.trunks.byFlow(flow) !== undefined) return this.#overloadRefusal(request, flow);
    this.#parts.refusals.note(request, flow, 403);
    if (request.toTag === undefined) return this.refuse(request, 403);
    if (this.#parts.dialogs.find(request) === undefined) return this.refuse(request, 481);
    noteForeign(request, flow);
    return this.refuse(request, 403);
  }

  /** A refusal that needs no state: the same request gets the same one again. */
  refuse(
    request: SipRequest,
    status: number,
    options: Omit<Parameters<typeof ourResponse>[2] & object, "toTag"> = {},
  ): SipResponse {
    return ourResponse(request, status, { ...options, toTag: this.#tagOf(request) });
  }

  /** RFC 3261 §8.2.7: without state, the same request must get the same To-tag again. */
  #tagOf(request: SipRequest): string {
    const { callId, fromTag, cseq, topmostVia } = request;
    return createHmac("sha256", this.#tagKey)
      .update([callId, fromTag ?? "", cseq.number, topmostVia.branch ?? ""].join("\n"), "latin1")
      .digest("base64url")
      .slice(0, 16);
  }
}

/** Somebody knows the tags of a call and is not its far end. */
function noteForeign({ method, callId }: SipRequest, flow: Flow): void {
  securityFacts.publish({ event: "foreign-source", method, callId, source: flow.remote.host });
}

const RETRY_AFTER_SECONDS = 5;

function refused(response: SipResponse): Judgement {
  return { kind: "refused", response };
}

/** A browser's connection; all others are trunks'. */
export function isBrowser(flow: Flow): boolean {
  return flow.transport === "WS" || flow.transport === "WSS";
}
