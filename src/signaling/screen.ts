import { createHmac, randomBytes } from "node:crypto";
import type { Authenticator } from "./auth/authenticator.ts";
import type { DialogLayer } from "./dialog/dialog-layer.ts";
import { ourResponse } from "./dialog/responses.ts";
import type { SipRequest, SipResponse } from "./message/message.ts";
import type { RefusalLog } from "./refusal-log.ts";
import type { Flow } from "./transport/flow.ts";
import type { TrunkTable } from "./trunk/trunk-table.ts";

/**
 * Who is let in. It looks at a request before a transaction is made for it, so a stranger costs no
 * memory: the refusal is computed, sent and forgotten (RFC 3261 §8.2.7).
 */
export class Screen {
  readonly #parts: {
    readonly authenticator: Authenticator;
    readonly dialogs: DialogLayer;
    readonly trunks: TrunkTable;
    readonly refusals: RefusalLog;
  };
  readonly #tagKey = randomBytes(32);

  constructor(parts: {
    readonly authenticator: Authenticator;
    readonly dialogs: DialogLayer;
    readonly trunks: TrunkTable;
    readonly refusals: RefusalLog;
  }) {
    this.#parts = parts;
  }

  /** Who is not let in gets this response; undefined lets the request pass. */
  refusalOf(request: SipRequest, flow: Flow): SipResponse | undefined {
    // Neither can be challenged or refused (RFC 3261 §22.1); both do nothing without an INVITE.
    if (request.method === "ACK" || request.method === "CANCEL") return undefined;
    return isBrowser(flow) ? this.#screenBrowser(request, flow) : this.#screenTrunk(request, flow);
  }

  #screenBrowser(request: SipRequest, flow: Flow): SipResponse | undefined {
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
        return this.refuse(request, 403);
      }
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
    if (this.#parts.trunks.byFlow(flow) !== undefined) return undefined;
    this.#parts.refusals.note(request, flow, 403);
    const isUnknownDialog =
      request.toTag !== undefined && this.#parts.dialogs.find(request) === undefined;
    return this.refuse(request, isUnknownDialog ? 481 : 403);
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

/** A browser's connection; all others are trunks'. */
export function isBrowser(flow: Flow): boolean {
  return flow.transport === "WS" || flow.transport === "WSS";
}
