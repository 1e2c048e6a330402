import { flag, word } from "../dialplan/scalar.ts";
import type { TrunkConfig } from "./config.ts";
import { tryParsePeerUri } from "./values.ts";

/** Keys of a trunk that say how calls with it are transferred; to be spread into its schema. */
export const trunkTransferKeys = {
  transfer: word("gateway", "pass-through").optional().meta({
    description:
      "Who transfers a party that is at the peer: `gateway` calls the target itself and keeps the media; `pass-through` asks the peer by REFER when the target is at the peer too, and does it itself when the peer refuses",
    default: "gateway",
    example: "pass-through",
  }),
  replaces: word("own", "any").optional().meta({
    description:
      "Which calls the peer may take over by an INVITE with Replaces (RFC 3891): `own`, those that it has on this trunk; `any`, for a PBX whose telephones reach the gateway over two trunks",
    default: "own",
    example: "any",
  }),
  "referred-by": flag().optional().meta({
    description:
      "true: the peer learns who has transferred a call to it (Referred-By, RFC 3892); else nothing leaves of that",
    default: "false",
  }),
} as const;

/** Fills in the defaults. */
export function toTrunkTransfer(
  values: {
    readonly transfer?: "gateway" | "pass-through" | undefined;
    readonly replaces?: "own" | "any" | undefined;
    readonly "referred-by"?: boolean | undefined;
  },
  peer: string,
): Pick<TrunkConfig, "mayReplaceAny" | "transfer"> {
  return {
    mayReplaceAny: values.replaces === "any",
    transfer: {
      isPassedOn: values.transfer === "pass-through",
      isReferredByTold: values["referred-by"] ?? false,
      peerHost: tryParsePeerUri(peer)?.host ?? "",
    },
  };
}
