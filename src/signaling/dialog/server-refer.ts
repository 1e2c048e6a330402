import type { Timer } from "../../core/clock.ts";
import type { EventContent, IncomingRefer, ReferProgress, ResponseOptions } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";
import type { ReferTo } from "../message/refer-to.ts";
import { SIP_FRAGMENT, formatStatusFragment } from "../message/sip-fragment.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogContext } from "./dialog-context.ts";
import { contactField } from "./our-headers.ts";
import type { Peer } from "./peer.ts";
import { ourResponse, respondTo } from "./responses.ts";
import type { ServedSubscription } from "./served-subscription.ts";

/** Option tags that a REFER may require of us. */
export const REFER_OPTIONS: readonly string[] = ["norefersub", "nosub"];

export interface ServerReferOptions {
  readonly transaction: ServerTransaction;
  readonly peer: Peer;
  readonly contactUser: string;
  readonly referTo: ReferTo;
  /** Opens the implicit subscription. */
  readonly subscribe: () => ServedSubscription;
}

/** A REFER of the far end, until its final response. */
export class ServerRefer implements IncomingRefer {
  readonly request: SipRequest;
  readonly referTo: ReferTo;
  readonly referredBy: string | undefined;
  readonly #context: DialogContext;
  readonly #options: ServerReferOptions;
  readonly #unanswered: Timer;
  #state: "proceeding" | "ended" = "proceeding";

  constructor(context: DialogContext, options: ServerReferOptions) {
    this.#context = context;
    this.#options = options;
    this.request = options.transaction.request;
    this.referTo = options.referTo;
    this.referredBy = this.request.headers.get("Referred-By");
    // The far end has given up by then (Timer F); its transaction must not stay.
    this.#unanswered = context.clock.after(context.timers.timerF, () => this.reject(480));
  }

  accept(): ReferProgress | undefined {
    if (this.#state === "ended") return undefined;
    const isSubscribed = wantsSubscription(this.request);
    const { transaction, contactUser } = this.#options;
    // RFC 4488 §4: says that there will be no NOTIFY.
    const refused: readonly HeaderField[] = isSubscribed ? [] : [["Refer-Sub", "false"]];
    this.#respond(202, { fields: [contactField(transaction.flow, contactUser), ...refused] });
    if (!isSubscribed) return SILENT;
    const progress = new SubscribedProgress(this.#options.subscribe());
    progress.notify(100); // RFC 3515 §2.4.4: a NOTIFY at once
    return progress;
  }

  reject(status: number, options: ResponseOptions = {}): void {
    if (status >= 300) this.#respond(status, options);
  }

  #respond(
    status: number,
    options: ResponseOptions & { readonly fields?: readonly HeaderField[] },
  ): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#unanswered.cancel();
    const { transaction, peer } = this.#options;
    respondTo(this.#context, peer, transaction, ourResponse(this.request, status, options));
  }
}

class SubscribedProgress implements ReferProgress {
  readonly #subscription: ServedSubscription;

  constructor(subscription: ServedSubscription) {
    this.#subscription = subscription;
  }

  notify(status: number, reasonPhrase?: string): void {
    const content: EventContent = {
      contentType: SIP_FRAGMENT,
      body: formatStatusFragment(status, reasonPhrase),
    };
    // RFC 3515 §2.4.7: a final status ends the subscription.
    if (status >= 200) this.#subscription.terminate("noresource", content);
    else this.#subscription.notify(content);
  }
}

const SILENT: ReferProgress = { notify() {} };

/** RFC 4488 §4: `Refer-Sub: false`; RFC 7614 §5: `nosub`. */
function wantsSubscription({ headers }: SipRequest): boolean {
  const [value = ""] = (headers.get("Refer-Sub") ?? "").split(";");
  if (value.trim().toLowerCase() === "false") return false;
  return !headers.list("Require").some((option) => option.toLowerCase() === "nosub");
}
