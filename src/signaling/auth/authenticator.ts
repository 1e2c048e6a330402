import type { HeaderField } from "../message/headers.ts";
import {
  formatDigestChallenge,
  tryParseAuthHeader,
  tryParseDigestCredentials,
} from "../message/auth-header.ts";
import type { DigestCredentials } from "../message/auth-header.ts";
import type { SipRequest } from "../message/message.ts";
import { SipUri } from "../message/uri.ts";
import type { Flow } from "../transport/flow.ts";
import type { AttemptLimit } from "./attempt-limit.ts";
import { digestResponse, equalInConstantTime, tryParseAlgorithm } from "./digest.ts";
import type { DigestAlgorithm } from "./digest.ts";
import type { Nonces } from "./nonces.ts";

/** The port that says who may sign in: users of the configuration, short-lived credentials. */
export interface Credentials {
  /** @param username as in the digest: `1001`, or `1764000000:1001` for short-lived credentials */
  find(username: string): { readonly userId: string; readonly password: string } | undefined;
}

/** What becomes of a request at a browser's connection. */
export type Admission =
  /** Sent by this user, proved on this connection now or before. */
  | { readonly kind: "admitted"; readonly userId: string }
  /** To be answered with this, without state. */
  | {
      readonly kind: "refused";
      readonly status: 400 | 401 | 403;
      readonly reasonPhrase?: string;
      readonly fields: readonly HeaderField[];
    };

export interface AuthenticatorOptions {
  /** The SIP domain; also the realm of RFC 3261 §22.1. */
  readonly realm: string;
  readonly credentials: Credentials;
  readonly nonces: Nonces;
  readonly limit: AttemptLimit;
}

const MAX_PRINCIPALS = 16;
const MAX_AUTHORIZATIONS = 8;
/**
 * MD5 first for clients that read the first line alone; SHA-256 for those that know RFC 8760. MD5
 * once more because stock SIP.js 0.21 and JsSIP 3.13 keep the last line alone, and give up when
 * that is not MD5.
 */
const OFFERED: readonly DigestAlgorithm[] = ["MD5", "SHA-256", "MD5"];
/** Compared against when there is no such user, so that the work is the same. */
const NO_PASSWORD = "no such user";

/**
 * Digest authentication of browsers (RFC 3261 §22, RFC 7616, RFC 8760). A connection that a user
 * has proved to own is not challenged again for that user; nothing is kept about any other one.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #principals = new WeakMap<Flow, Set<string>>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Whether the user has authenticated on this connection. */
  isPrincipal(flow: Flow, userId: string): boolean {
    return this.#principals.get(flow)?.has(userId) ?? false;
  }

  /** Whether anybody has authenticated on this connection. */
  hasPrincipal(flow: Flow): boolean {
    return (this.#principals.get(flow)?.size ?? 0) > 0;
  }

  /**
   * Somebody else who may say so has proved that the connection belongs to this user.
   *
   * @returns false when it belongs to too many already
   */
  prove(flow: Flow, userId: string): boolean {
    return this.#remember(flow, userId).kind === "admitted";
  }

  /** The connection does not belong to this user any more. */
  disprove(flow: Flow, userId: string): void {
    this.#principals.get(flow)?.delete(userId);
  }

  /** Says who sent a request. From must name the user that the connection or the digest proves. */
  admit(request: SipRequest, flow: Flow): Admission {
    const claimed = request.from.sipUri.user ?? "";
    if (this.isPrincipal(flow, claimed)) return { kind: "admitted", userId: claimed };
    if (this.#options.limit.isSourceBlocked(flow.remote.host)) return TOO_MANY;
    const given = this.#credentialsOf(request);
    if (given === undefined) return this.#challenge(false);
    if (!isSameUri(given.uri, request)) {
      // RFC 7616 §3.4.6: 400, and a sign of an attack
      return { kind: "refused", status: 400, reasonPhrase: "Digest URI mismatch", fields: [] };
    }
    return this.#verify(request, flow, given, claimed);
  }

  #verify(request: SipRequest, flow: Flow, given: DigestCredentials, claimed: string): Admission {
    const { credentials, limit, nonces, realm } = this.#options;
    const algorithm = tryParseAlgorithm(given.algorithm);
    const { nc, cnonce } = given;
    if (algorithm === undefined || nc === undefined || cnonce === undefined) {
      return this.#challenge(false);
    }
    if (given.qop?.toLowerCase() !== "auth") return this.#challenge(false);
    const verdict = nonces.check(given.nonce);
    if (verdict === "forged") return this.#challenge(false);

    const user = credentials.find(given.username);
    const account = user?.userId ?? given.username;
    const expected = digestResponse({
      algorithm,
      username: given.username,
      realm,
      password: user?.password ?? NO_PASSWORD,
      nonce: given.nonce,
      nonceCount: nc,
      cnonce,
      method: request.method,
      uri: given.uri,
    });
    const isRight = equalInConstantTime(expected, given.response.toLowerCase());
    if (limit.isAccountBlocked(account)) return TOO_MANY;
    if (user === undefined || !isRight) {
      limit.failed(flow.remote.host, account);
      return this.#challenge(false);
    }
    // RFC 7616 §3.3: stale says that only the nonce was wrong.
    if (verdict === "stale") return this.#challenge(true);
    if (!nonces.consume(given.nonce, Number.parseInt(nc, 16))) return this.#challenge(true);
    limit.succeeded(account);
    if (claimed !== user.userId) {
      return { kind: "refused", status: 403, reasonPhrase: "From is not yours", fields: [] };
    }
    return this.#remember(flow, user.userId);
  }

  #remember(flow: Flow, userId: string): Admission {
    const principals = this.#principals.get(flow) ?? new Set();
    if (principals.size >= MAX_PRINCIPALS && !principals.has(userId)) {
      return { kind: "refused", status: 403, reasonPhrase: "Too many users", fields: [] };
    }
    principals.add(userId);
    this.#principals.set(flow, principals);
    return { kind: "admitted", userId };
  }

  /** The one digest for our realm; those for other realms are not ours to read (RFC 3261 §22.3). */
  #credentialsOf(request: SipRequest): DigestCredentials | undefined {
    const values = request.headers.getAll("Authorization");
    if (values.length > MAX_AUTHORIZATIONS) return undefined;
    const ours = values.filter((value) => {
      const header = tryParseAuthHeader(value);
      return header?.scheme === "digest" && header.params.get("realm") === this.#options.realm;
    });
    const [only] = ours;
    return only === undefined || ours.length > 1 ? undefined : tryParseDigestCredentials(only);
  }

  #challenge(isStale: boolean): Admission {
    const { nonces, realm } = this.#options;
    const nonce = nonces.issue();
    return {
      kind: "refused",
      status: 401,
      fields: OFFERED.map((algorithm): HeaderField => [
        "WWW-Authenticate",
        formatDigestChallenge({ realm, nonce, algorithm, qop: ["auth"], isStale }),
      ]),
    };
  }
}

const TOO_MANY: Admission = {
  kind: "refused",
  status: 403,
  reasonPhrase: "Too many failed attempts",
  fields: [],
};

function isSameUri(uri: string, request: SipRequest): boolean {
  if (uri === request.requestUri) return true;
  const given = SipUri.tryParse(uri);
  // RFC 3261 §22.4 item 2 and RFC 7616 §3.4.6: equal as URIs, not as text
  return given?.equals(request.uri) ?? false;
}
