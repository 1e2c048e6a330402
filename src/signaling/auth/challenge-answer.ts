import { randomToken } from "../../core/ids.ts";
import { securityFacts } from "../dialog/security-facts.ts";
import { formatDigestCredentials, tryParseDigestChallenge } from "../message/auth-header.ts";
import type { DigestChallenge } from "../message/auth-header.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { digestResponse, legacyDigestResponse, tryParseAlgorithm } from "./digest.ts";

/** Where a challenge stands and where its answer goes (RFC 3261 §22.2, §22.3). */
const FIELDS: ReadonlyMap<number, readonly [challenge: string, answer: string]> = new Map([
  [401, ["WWW-Authenticate", "Authorization"]],
  [407, ["Proxy-Authenticate", "Proxy-Authorization"]],
]);

const NONCE_COUNT = "00000001";

/**
 * Answers the challenges of one trunk with that trunk's credentials (RFC 3261 §22).
 *
 * The realm is learned from the first challenge to a request that opens something at the trunk
 * itself: a registration, a call, a message, a subscription. A challenge for another realm, or to
 * any other request before that, gets no answer: a peer that is called must not be able to make us
 * sign what it wants. REGISTER never goes further than to the trunk, so it may show two realms: that
 * of the registrar (401) and that of a proxy before it (407).
 */
export class ChallengeAnswer {
  readonly #username: string;
  readonly #password: string;
  readonly #trunkId: string | undefined;
  /** By the status of the challenge that showed it. */
  readonly #realms = new Map<number, string>();

  /** @param trunkId whose credentials they are, for the log */
  constructor(auth: { readonly username: string; readonly password: string }, trunkId?: string) {
    this.#trunkId = trunkId;
    this.#username = auth.username;
    this.#password = auth.password;
  }

  /**
   * The header field to send the request again with.
   *
   * @param attempt how often this request has been sent with credentials: 0 at first. A second
   *   answer is given only to `stale=true`, a third never.
   * @returns undefined when the challenge gets no answer
   */
  authorize(request: SipRequest, response: SipResponse, attempt: number): HeaderField | undefined {
    const fields = FIELDS.get(response.statusCode);
    if (fields === undefined || attempt > 1) return undefined;
    const [challengeName, answerName] = fields;
    let foreign: string | undefined;
    for (const value of response.headers.getAll(challengeName)) {
      const challenge = tryParseDigestChallenge(value);
      // RFC 8760 §2.4: the topmost that we know
      if (challenge === undefined || !isKnown(challenge)) continue;
      // RFC 3261 §22.3: there may be others for other realms
      if (!this.#trusts(request, response.statusCode, challenge.realm)) {
        foreign = challenge.realm;
        continue;
      }
      if (attempt === 1 && challenge.isStale !== true) return undefined;
      return [answerName, this.#answer(request, challenge)];
    }
    if (foreign !== undefined) {
      const { method, callId } = request;
      const event = "foreign-realm";
      securityFacts.publish({ event, method, callId, trunkId: this.#trunkId, realm: foreign });
    }
    return undefined;
  }

  #trusts(request: SipRequest, status: number, realm: string): boolean {
    if ([...this.#realms.values()].includes(realm)) return true;
    const isOpening = OPENING.has(request.method) && request.toTag === undefined;
    const mayLearn =
      request.method === "REGISTER"
        ? !this.#realms.has(status)
        : isOpening && this.#realms.size === 0;
    if (mayLearn) this.#realms.set(status, realm);
    return mayLearn;
  }

  #answer(request: SipRequest, challenge: DigestChallenge): string {
    const { realm, nonce, opaque, qop } = challenge;
    const username = this.#username;
    const password = this.#password;
    const uri = request.requestUri;
    const algorithm = tryParseAlgorithm(challenge.algorithm) ?? "MD5";
    const input = { algorithm, username, realm, password, nonce, method: request.method, uri };
    // RFC 7616 §3.3: an algorithm or opaque that was not given is not given back.
    const echoed = { algorithm: challenge.algorithm, opaque };
    if (qop === undefined) {
      const response = legacyDigestResponse(input);
      return formatDigestCredentials({ username, realm, nonce, uri, response, ...echoed });
    }
    const cnonce = randomToken(16);
    const response = digestResponse({ ...input, nonceCount: NONCE_COUNT, cnonce });
    const quality = { cnonce, qop: "auth", nc: NONCE_COUNT };
    return formatDigestCredentials({
      username,
      realm,
      nonce,
      uri,
      response,
      ...echoed,
      ...quality,
    });
  }
}

/** Methods that we send to the trunk itself, outside a dialog. */
const OPENING: ReadonlySet<string> = new Set(["INVITE", "MESSAGE", "SUBSCRIBE"]);

function isKnown(challenge: DigestChallenge): boolean {
  if (tryParseAlgorithm(challenge.algorithm) === undefined) return false;
  return challenge.qop === undefined || challenge.qop.includes("auth");
}
