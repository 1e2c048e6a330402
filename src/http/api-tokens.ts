import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { ApiRole, ApiToken } from "../config/config.ts";

/** From the least to the most: each may do what the ones before it may. */
export const API_ROLES: readonly ApiRole[] = ["viewer", "operator", "admin"];

/** Who sent a request, by token. */
export interface Principal {
  readonly name: string;
  readonly role: ApiRole;
}

const MAX_TOKEN_LENGTH = 1024;

/**
 * The bearer tokens of the configuration (RFC 6750 §2.1). Tokens are compared as keyed digests, all
 * of them and in constant time, so neither a token's length nor its first octets show.
 */
export class ApiTokens {
  readonly #digestKey = randomBytes(32);
  readonly #entries: readonly { readonly digest: Buffer; readonly principal: Principal }[];

  constructor(tokens: readonly ApiToken[]) {
    this.#entries = tokens
      .filter(({ token }) => token !== "")
      .map(({ name, role, token }) => ({ digest: this.#digest(token), principal: { name, role } }));
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** @param authorization the Authorization field; undefined when it is missing or wrong */
  authenticate(authorization: string | undefined): Principal | undefined {
    const token = tryParseBearer(authorization);
    if (token === undefined) return undefined;
    const digest = this.#digest(token);
    let found: Principal | undefined;
    for (const entry of this.#entries) {
      if (timingSafeEqual(entry.digest, digest)) found = entry.principal;
    }
    return found;
  }

  #digest(token: string): Buffer {
    return createHmac("sha256", this.#digestKey).update(token, "utf8").digest();
  }
}

/** Whether a principal of role `held` may do what `needed` may. */
export function isRoleSufficient(held: ApiRole, needed: ApiRole): boolean {
  return API_ROLES.indexOf(held) >= API_ROLES.indexOf(needed);
}

/** @returns the token of an Authorization field (RFC 6750 §2.1); undefined when it has none */
export function tryParseBearer(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MAX_TOKEN_LENGTH) return undefined;
  // RFC 9110 §11.1: the scheme's name has no case.
  if (authorization.slice(0, 7).toLowerCase() !== "bearer ") return undefined;
  const token = authorization.slice(7).trim();
  return token === "" ? undefined : token;
}
