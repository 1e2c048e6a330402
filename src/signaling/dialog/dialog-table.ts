import { Chain, Link } from "../../core/chain.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { Peer } from "./peer.ts";

/** What a dialog id leads to: an early or a confirmed dialog (RFC 3261 §12). */
export interface DialogUsage {
  readonly peer: Peer;
  /** A request inside the dialog, already known to come from the far end. */
  onRequest(request: SipRequest, transaction: ServerTransaction): void;
  /** An ACK to a 2xx. */
  onAck(request: SipRequest): void;
  /** A 2xx to an INVITE that belongs to no transaction any more. */
  onStrayAccept(response: SipResponse): void;
}

/** An INVITE of ours: takes the 2xx that arrive when its transaction is over. */
export interface InviteUsage {
  readonly peer: Peer;
  onStrayAccept(response: SipResponse): void;
}

const MAX_RECENT_INVITES = 1000;

/**
 * Finds dialogs by Call-ID and tags. It owns nothing: whoever enters something here takes it out
 * again, except for invites that have ended, which are forgotten by age and number.
 */
export class DialogTable {
  readonly #usages = new Map<string, DialogUsage>();
  /** Ended INVITEs of ours. */
  readonly #recentInvites = new Map<string, RecentInvite>();
  /** The same, oldest first: a Map from which the first goes again and again is slow to begin. */
  readonly #byAge = new Chain<RecentInvite>();
  readonly #invites = new Map<string, InviteUsage>();
  /** Subscriptions of ours, which any fork may notify (RFC 6665 §4.4.1). */
  readonly #subscribers = new Map<string, DialogUsage>();
  /** Call-ID, From-tag and CSeq of INVITEs that wait for a final response (RFC 3261 §8.2.2.2). */
  readonly #arriving = new Set<string>();
  /** Legs that are not over; several early dialogs of one INVITE count once. */
  readonly #live = new Set<object>();

  /** Legs that are not over. */
  get count(): number {
    return this.#live.size;
  }

  begin(leg: object): void {
    this.#live.add(leg);
  }

  end(leg: object): void {
    this.#live.delete(leg);
  }

  set(callId: string, localTag: string, remoteTag: string, usage: DialogUsage): void {
    this.#usages.set(keyOf(callId, localTag, remoteTag), usage);
  }

  /** An INVITE of ours that has no final response yet. */
  liveInvite(callId: string, localTag: string): InviteUsage | undefined {
    return this.#invites.get(keyOf(callId, localTag, ""));
  }

  /** Takes the entry out when it still leads to `usage`. */
  delete(callId: string, localTag: string, remoteTag: string, usage: DialogUsage): void {
    const key = keyOf(callId, localTag, remoteTag);
    if (this.#usages.get(key) === usage) this.#usages.delete(key);
  }

  /** The dialog that a request from outside belongs to: its To-tag is ours. */
  ofRequest(request: SipRequest): DialogUsage | undefined {
    // A peer of RFC 2543 may have no From-tag: RFC 3261 §12.1.1 takes it for an empty one.
    return this.#usages.get(keyOf(request.callId, request.toTag ?? "", request.fromTag ?? ""));
  }

  /** The dialog that a response belongs to: its From-tag is ours. */
  ofResponse(response: SipResponse): DialogUsage | undefined {
    return this.#usages.get(keyOf(response.callId, response.fromTag ?? "", response.toTag ?? ""));
  }

  setSubscriber(callId: string, localTag: string, usage: DialogUsage): void {
    this.#subscribers.set(keyOf(callId, localTag, ""), usage);
  }

  deleteSubscriber(callId: string, localTag: string): void {
    this.#subscribers.delete(keyOf(callId, localTag, ""));
  }

  /** The subscription of ours that a NOTIFY of a new fork belongs to. */
  subscriberOf(request: SipRequest): DialogUsage | undefined {
    if (request.method !== "NOTIFY") return undefined;
    return this.#subscribers.get(keyOf(request.callId, request.toTag ?? "", ""));
  }

  /** The dialog with these tags, whatever its far end is. */
  find(callId: string, localTag: string, remoteTag: string): DialogUsage | undefined {
    return this.#usages.get(keyOf(callId, localTag, remoteTag));
  }

  setInvite(callId: string, localTag: string, usage: InviteUsage): void {
    this.#invites.set(keyOf(callId, localTag, ""), usage);
  }

  /** The INVITE is over; a late 2xx is still led to it until `expiresAtMs` of the monotonic clock. */
  retireInvite(
    callId: string,
    localTag: string,
    { nowMs, expiresAtMs }: { readonly nowMs: number; readonly expiresAtMs: number },
  ): void {
    const key = keyOf(callId, localTag, "");
    const usage = this.#invites.get(key);
    if (usage === undefined) return;
    this.#invites.delete(key);
    this.#forgetOldInvites(nowMs);
    if (this.#recentInvites.size >= MAX_RECENT_INVITES) this.#forget(this.#byAge.first);
    this.#forget(this.#recentInvites.get(key));
    const recent = new RecentInvite(key, usage, expiresAtMs);
    this.#recentInvites.set(key, recent);
    this.#byAge.add(recent);
  }

  /** The INVITE of ours that a 2xx answers, live or recently over. */
  inviteOf(response: SipResponse, nowMs: number): InviteUsage | undefined {
    const key = keyOf(response.callId, response.fromTag ?? "", "");
    const live = this.#invites.get(key);
    if (live !== undefined) return live;
    this.#forgetOldInvites(nowMs);
    return this.#recentInvites.get(key)?.usage;
  }

  #forgetOldInvites(nowMs: number): void {
    let oldest = this.#byAge.first;
    while (oldest !== undefined && oldest.expiresAtMs <= nowMs) {
      this.#forget(oldest);
      oldest = this.#byAge.first;
    }
  }

  #forget(recent: RecentInvite | undefined): void {
    if (recent === undefined) return;
    this.#byAge.delete(recent);
    this.#recentInvites.delete(recent.key);
  }

  /**
   * Notes an INVITE that arrives outside a dialog.
   *
   * @returns false when the same one is here already by another way (RFC 3261 §8.2.2.2)
   */
  arrive(request: SipRequest): boolean {
    const key = arrivalKeyOf(request);
    if (this.#arriving.has(key)) return false;
    this.#arriving.add(key);
    return true;
  }

  /** The INVITE has its final response: a CANCEL does nothing to it any more. */
  settle(transaction: ServerTransaction): void {
    this.#arriving.delete(arrivalKeyOf(transaction.request));
    transaction.onCancel = undefined;
  }

  clear(): void {
    this.#usages.clear();
    this.#invites.clear();
    this.#subscribers.clear();
    this.#recentInvites.clear();
    this.#byAge.drain();
    this.#arriving.clear();
    this.#live.clear();
  }
}

class RecentInvite extends Link {
  readonly key: string;
  readonly usage: InviteUsage;
  readonly expiresAtMs: number;

  constructor(key: string, usage: InviteUsage, expiresAtMs: number) {
    super();
    this.key = key;
    this.usage = usage;
    this.expiresAtMs = expiresAtMs;
  }
}

// No header value holds a line feed, so it can separate.
function keyOf(callId: string, localTag: string, remoteTag: string): string {
  return `${callId}\n${localTag}\n${remoteTag}`;
}

function arrivalKeyOf(request: SipRequest): string {
  return `${request.callId}\n${request.fromTag ?? ""}\n${request.cseq.number}`;
}
