import { trunkProfileKeys } from "./trunk-profile.ts";
import { trunkIdentityKeys } from "./trunk-identity.ts";
import { trunkProxyKeys } from "./trunk-proxy.ts";
import { trunkTransferKeys } from "./trunk-transfer.ts";

/** Keys of a trunk that have files of their own. */
export const trunkKeys = {
  ...trunkIdentityKeys,
  ...trunkProfileKeys,
  ...trunkTransferKeys,
  ...trunkProxyKeys,
} as const;
