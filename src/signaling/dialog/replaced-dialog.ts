import type { Dialog, OutgoingInvite, Party } from "../engine.ts";
import type { Replaces } from "../message/replaces.ts";
import { CallDialog } from "./call-dialog.ts";
import { ClientInvite } from "./client-invite.ts";
import type { DialogTable } from "./dialog-table.ts";

/** What a Replaces leads to. */
export type ReplacedDialog =
  | { readonly kind: "dialog"; readonly dialog: Dialog }
  | { readonly kind: "invite"; readonly invite: OutgoingInvite }
  | { readonly kind: "refused"; readonly status: 403 | 481 | 486 | 603 };

/** Who asks to take a dialog over. */
export interface Replacer {
  readonly party: Party;
  /** A trunk that is trusted with the dialogs of everybody. */
  readonly mayReplaceAny: boolean;
}

/**
 * Finds the dialog that a Replaces names, and says whether it may be taken over (RFC 3891 §3).
 *
 * Knowing the tags is not enough (§8): they stand in logs, in Refer-To and in every message of the
 * call. Whoever sends the INVITE must be the far end of that very dialog: the same user with any of
 * its browsers, or the same trunk.
 */
export function findReplaced(table: DialogTable, replaces: Replaces, by: Replacer): ReplacedDialog {
  const { callId, toTag, fromTag, isEarlyOnly } = replaces;
  const usage = table.find(callId, toTag, fromTag);
  if (usage === undefined) return refused(481);
  if (!by.mayReplaceAny && !isSameOwner(usage.peer.party, by.party)) return refused(403);
  if (usage instanceof CallDialog) {
    if (!usage.isLive) return refused(603); // RFC 3891 §3: the dialog has ended
    return isEarlyOnly ? refused(486) : { kind: "dialog", dialog: usage };
  }
  // RFC 3891 §3: an early dialog only when the INVITE was ours; anything but a call never.
  const invite = table.liveInvite(callId, toTag);
  return invite instanceof ClientInvite ? { kind: "invite", invite } : refused(481);
}

function isSameOwner(owner: Party, other: Party): boolean {
  if (owner.kind === "user") return other.kind === "user" && owner.userId === other.userId;
  return other.kind === "trunk" && owner.trunkId === other.trunkId;
}

function refused(status: 403 | 481 | 486 | 603): ReplacedDialog {
  return { kind: "refused", status };
}
