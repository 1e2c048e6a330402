import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../core/clock.ts";

/** What a phone signs in to SIP with, for a while. */
export interface IssuedCredentials {
  readonly username: string;
  readonly password: string;
  /** For the user's own part of the API; of no use to SIP, as `password` is of none to the API. */
  readonly token: string;
  /** Unix milliseconds, a whole second. */
  readonly expiresAtMs: number;
}

/** Twelve hours: a working day. */
export const DEFAULT_CREDENTIAL_LIFE_SECONDS = 12 * 60 * 60;

const KEY_OCTETS = 32;
const MAX_TOKEN_LENGTH = 1024;
/** Digits of a Unix time in seconds, until the year 33658. */
const MAX_EXPIRY_DIGITS = 12;

/**
 * Short-lived SIP credentials that nobody has to store: the username says until when and for whom
 * (`<unix expiry>:<user id>`), and the password is its HMAC-SHA256 under a key of the gateway's.
 * The user's real password never reaches the page's SIP stack.
 *
 * With the same key they survive a restart; a new key makes all of them void.
 */
export class SessionCredentials {
  readonly #key: Buffer;
  readonly #lifeSeconds: number;
  readonly #clock: Clock;

  /**
   * @param options.key at least 32 random octets; default: made here, so it ends with the process
   * @param options.lifeSeconds default 12 hours
   */
  constructor(options: {
    readonly clock: Clock;
    readonly key?: Buffer;
    readonly lifeSeconds?: number;
  }) {
    this.#clock = options.clock;
    this.#key = options.key ?? randomBytes(KEY_OCTETS);
    this.#lifeSeconds = options.lifeSeconds ?? DEFAULT_CREDENTIAL_LIFE_SECONDS;
  }

  issue(userId: string): IssuedCredentials {
    const expirySeconds = Math.floor(this.#clock.wallMs() / 1000) + this.#lifeSeconds;
    const username = `${expirySeconds}:${userId}`;
    return {
      username,
      password: this.#sign(username),
      token: `${Buffer.from(username, "utf8").toString("base64url")}.${this.#signToken(username)}`,
      expiresAtMs: expirySeconds * 1000,
    };
  }

  /**
   * Reads a username that `issue` may have made. The caller proves it by the password, as digest
   * authentication does, and checks that the user still exists.
   *
   * @returns undefined when it has another form or its time is over
   */
  find(username: string): { readonly userId: string; readonly password: string } | undefined {
    const colon = username.indexOf(":");
    if (colon < 1 || colon > MAX_EXPIRY_DIGITS) return undefined;
    const digits = username.slice(0, colon);
    const userId = username.slice(colon + 1);
    if (!/^[1-9]\d*$/.test(digits) || userId === "") return undefined;
    if (Number(digits) * 1000 <= this.#clock.wallMs()) return undefined;
    return { userId, password: this.#sign(username) };
  }

  /**
   * Reads a token of `issue`, and proves it. The caller checks that the user still exists.
   *
   * @returns the user's id; undefined when the token is another one or its time is over
   */
  userOf(token: string): string | undefined {
    if (token.length > MAX_TOKEN_LENGTH) return undefined;
    const dot = token.indexOf(".");
    const username = Buffer.from(token.slice(0, Math.max(dot, 0)), "base64url").toString("utf8");
    const given = Buffer.from(token.slice(dot + 1), "utf8");
    const right = Buffer.from(this.#signToken(username), "utf8");
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    return this.find(username)?.userId;
  }

  /** No username of `issue` begins so, which keeps passwords and tokens apart. */
  #signToken(username: string): string {
    return this.#sign(`token ${username}`);
  }

  #sign(username: string): string {
    return createHmac("sha256", this.#key).update(username, "utf8").digest("base64url");
  }
}
