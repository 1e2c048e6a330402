import { createHmac } from "node:crypto";

/** A TURN server that shares a secret with us: coturn's `use-auth-secret`. */
export interface TurnSettings {
  /** Such as `turn:192.0.2.10:3478`. */
  readonly urls: readonly string[];
  readonly secret: string;
}

/** W3C RTCIceServer. */
export interface IceServer {
  readonly urls: readonly string[];
  readonly username: string;
  readonly credential: string;
}

/**
 * Credentials of the TURN REST convention (draft-uberti-behave-turn-rest-00 §2.2): the username is
 * `<unix expiry>:<user>`, the credential its HMAC-SHA1 in base64.
 */
export function buildIceServers(
  turn: TurnSettings | undefined,
  userId: string,
  expiresAtMs: number,
): readonly IceServer[] {
  if (turn === undefined || turn.urls.length === 0) return [];
  const username = `${Math.floor(expiresAtMs / 1000)}:${userId}`;
  const credential = createHmac("sha1", turn.secret).update(username, "utf8").digest("base64");
  return [{ urls: turn.urls, username, credential }];
}
