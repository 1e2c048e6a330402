import type { EndReason } from "../core/end-reason.ts";
import type { Refusal } from "../dialplan/decision.ts";
import type { ExtraHeaders, IncomingInvite } from "../signaling/engine.ts";

/** Why a call was not placed; `foreign`: the far end sent it elsewhere, or a party asked for it. */
export type RefusedReason = Refusal | "foreign";

export const REFUSED_REASONS: readonly RefusedReason[] = [
  "premium",
  "not-allowed",
  "unknown",
  "limit",
  "loop",
  "foreign",
];

/** A call that somebody might have had to pay for, and that was not placed. */
export interface RefusedCall {
  readonly reason: RefusedReason;
  readonly from: { readonly kind: "user" | "trunk"; readonly id: string };
  /** What was dialled. */
  readonly to: string;
  /** The route that refused it. */
  readonly route?: string | undefined;
}

/** Who called, as refusals name it. */
export function partyOf({ party }: Pick<IncomingInvite, "party">): RefusedCall["from"] {
  return { kind: party.kind, id: party.kind === "user" ? party.userId : party.trunkId };
}

/** Refuses an INVITE; nothing happens to one that was answered or cancelled. */
export function rejectInvite(
  invite: IncomingInvite,
  reason: EndReason,
  headers: ExtraHeaders = reason.sipStatus === 503 ? [["Retry-After", "5"]] : [],
): void {
  const status = reason.sipStatus < 300 ? 480 : reason.sipStatus;
  invite.reject(status, {
    reason,
    headers,
  });
}
