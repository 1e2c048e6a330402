import { causeOfDiversion } from "./caller-claims.ts";
import type { Diversion, ExtraHeaders, Identity } from "./engine.ts";
import { formatNameAddr } from "./message/name-addr.ts";
import { buildSipUri } from "./message/uri.ts";

/** The header in which a caller's identity is told beside From; `from`: in none. */
export type IdentityHeader = "from" | "pai" | "ppi" | "rpid";

/** How forwards are told. */
export type DiversionHeader = "off" | "diversion" | "history-info" | "both";

/** RFC 3323 §4.1.1.3: who does not want to be shown. */
export const ANONYMOUS: Identity = {
  user: "anonymous",
  host: "anonymous.invalid",
  displayName: "Anonymous",
};

/** How a URI of a person or a number is written. */
export interface UriStyle {
  readonly host: string;
  /** Adds `user=phone` to telephone numbers (RFC 3261 §19.1.1). */
  readonly isPhone: boolean;
}

/** Whether a user part is a telephone number. */
export function isTelephoneNumber(user: string): boolean {
  return /^\+?[0-9]{3,32}$/.test(user);
}

/** The URI of somebody at a host. */
export function uriOf(user: string, { host, isPhone }: UriStyle): string {
  const params = isPhone && isTelephoneNumber(user) ? [["user", "phone"] as const] : [];
  return buildSipUri({ user, host, params });
}

/**
 * What says who calls, beside From.
 *
 * @param identity undefined: nobody may know
 */
export function identityFields(
  header: IdentityHeader,
  identity: Identity | undefined,
  options: UriStyle & { readonly isWithheld: boolean },
): ExtraHeaders {
  const { isWithheld } = options;
  const privacy: ExtraHeaders = isWithheld ? [["Privacy", "id"]] : [];
  if (identity === undefined || identity.user === "") return privacy;
  const { displayName } = identity;
  const uri = uriOf(identity.user, options);
  switch (header) {
    case "from":
      return privacy;
    case "pai":
      return [["P-Asserted-Identity", formatNameAddr({ displayName, uri })], ...privacy];
    case "ppi":
      return [["P-Preferred-Identity", formatNameAddr({ displayName, uri })], ...privacy];
    case "rpid": {
      const params = [
        ["party", "calling"],
        ["privacy", isWithheld ? "full" : "off"],
        ["screen", "yes"],
      ] as const;
      return [["Remote-Party-ID", formatNameAddr({ displayName, uri, params })], ...privacy];
    }
  }
}

/**
 * Diversion and History-Info of a call that was forwarded.
 *
 * @param diversions the last one first
 * @param target where the call goes now
 */
export function diversionFields(
  header: DiversionHeader,
  diversions: readonly Diversion[],
  target: string,
  style: UriStyle,
): ExtraHeaders {
  if (diversions.length === 0 || header === "off") return [];
  const fields: (readonly [string, string])[] = [];
  if (header !== "history-info") {
    for (const { user, displayName, reason } of diversions) {
      const params = [["reason", reason]] as const;
      fields.push(["Diversion", formatNameAddr({ displayName, uri: uriOf(user, style), params })]);
    }
  }
  if (header !== "diversion") fields.push(...history(diversions, target, style));
  return fields;
}

/** RFC 7044 §10: oldest first; RFC 4458: `cause` stands in the URI that the call came to. */
function history(diversions: readonly Diversion[], target: string, style: UriStyle): ExtraHeaders {
  const oldestFirst = diversions.toReversed();
  const stations = [...oldestFirst.map(({ user }) => user), target];
  let index = "1";
  return stations.map((user, at) => {
    if (at > 0) index = `${index}.1`;
    const cause = at === 0 ? undefined : causeOfDiversion(oldestFirst[at - 1]?.reason ?? "");
    const uri = uriOf(user, style) + (cause === undefined ? "" : `;cause=${cause}`);
    const params: (readonly [string, string])[] = [["index", index]];
    // RFC 7044 §5: `mp` names the entry whose target was changed to another user.
    if (at > 0) params.push(["mp", index.slice(0, -2)]);
    return ["History-Info", formatNameAddr({ uri, params })] as const;
  });
}
