import type { Decision } from "../dialplan/decision.ts";
import type { Replaces } from "../signaling/message/replaces.ts";
import { buildSipUri } from "../signaling/message/uri.ts";
import { NORMAL_CLEARING } from "./cause.ts";
import type { TrunkTerms } from "./context.ts";
import type { Leaving } from "./leaving.ts";
import type { TransferOutcome } from "./transferred-caller.ts";

/** What the peer of a trunk is asked for. */
interface PassedRefer {
  readonly referTo: string;
  readonly replaces?: Replaces;
}

/**
 * What the peer of the transferee's trunk can be asked for, when it wants to transfer its own parties
 * and the target is at the peer too; undefined: the gateway does it.
 */
export function referForPeer(
  transferee: Leaving,
  target: { readonly decision: Decision } | { readonly callee: Leaving },
  trunk: (id: string) => TrunkTerms | undefined,
): PassedRefer | undefined {
  const { party } = transferee.end.dialog;
  const terms = party.kind === "trunk" ? trunk(party.trunkId)?.transfer : undefined;
  if (party.kind !== "trunk" || terms?.isPassedOn !== true) return undefined;
  const { peerHost } = terms;
  if ("decision" in target) {
    const { action } = target.decision;
    const isThere = action.kind === "dial" && action.trunks[0] === party.trunkId;
    return isThere ? { referTo: buildSipUri({ user: action.number, host: peerHost }) } : undefined;
  }
  const { dialog, identity } = target.callee.end;
  if (dialog.party.kind !== "trunk" || dialog.party.trunkId !== party.trunkId) return undefined;
  // RFC 3891 §6.1: as the peer knows the dialog that it has with us.
  const { callId, remoteTag, localTag } = dialog;
  return {
    referTo: buildSipUri({ user: identity.number ?? identity.shown.user, host: peerHost }),
    replaces: { callId, toTag: remoteTag, fromTag: localTag, isEarlyOnly: false },
  };
}

/**
 * Asks the peer by REFER. When it has transferred its party, the call is over for us.
 *
 * @param referredBy a URI; undefined: the peer does not learn who asks
 * @param otherwise the peer has refused the REFER itself
 */
export function passOn(
  transferee: Leaving,
  refer: PassedRefer,
  options: {
    readonly referredBy: string | undefined;
    readonly outcome: TransferOutcome;
    readonly onOver: () => void;
    readonly otherwise: () => void;
  },
): void {
  const { outcome, referredBy, onOver } = options;
  let state: "asked" | "taken" | "over" = "asked";
  transferee.onGone = () => {
    if (state === "over") return;
    // A peer may hang up its party before it says that the transfer has come out.
    const isDone = state === "taken";
    state = "over";
    onOver();
    if (isDone) outcome.onAnswered();
    else outcome.onFailed(487, undefined);
  };
  transferee.end.dialog.refer(
    { ...refer, ...(referredBy === undefined ? {} : { referredBy }) },
    {
      onAccepted: () => {
        if (state === "asked") state = "taken";
      },
      onProgress: (status) => {
        if (state === "taken" && status > 100 && status < 200) outcome.onProgress(status);
      },
      onEnded: (status, reasonPhrase) => {
        if (state === "over") return;
        const wasTaken = state === "taken";
        state = "over";
        if (wasTaken && status < 300) {
          outcome.onAnswered();
          const { dialog } = transferee.end;
          for (const release of transferee.complete().places) release();
          dialog.bye(NORMAL_CLEARING);
          onOver();
        } else if (wasTaken) {
          outcome.onFailed(status, reasonPhrase);
          transferee.abandon({ sipStatus: status });
          onOver();
        } else options.otherwise();
      },
    },
  );
}
