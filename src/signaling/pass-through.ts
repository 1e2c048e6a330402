import type { Clock, Timer } from "../core/clock.ts";
import { randomToken } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import { ownCopy } from "../core/own-copy.ts";
import type { AttemptLimit } from "./auth/attempt-limit.ts";
import type { Authenticator } from "./auth/authenticator.ts";
import { ChallengeAnswer } from "./auth/challenge-answer.ts";
import type { Transactions } from "./dialog/transactions.ts";
import { ourResponse } from "./dialog/responses.ts";
import type { CalledInstance, Party } from "./engine.ts";
import type { HeaderField } from "./message/headers.ts";
import type { SipRequest, SipResponse } from "./message/message.ts";
import { tryParseDigestChallenge } from "./message/auth-header.ts";
import { buildSipUri } from "./message/uri.ts";
import {
  buildPassedRegister,
  buildProbeRegister,
  instanceOfRegister,
  OWN_PARAMETER,
} from "./passed-register.ts";
import type { PassedRegister } from "./passed-register.ts";
import { tryReadContact } from "./registrar/contact.ts";
import { ContactTokens } from "./registrar/contact-tokens.ts";
import type { Registrar } from "./registrar/registrar.ts";
import type { ClientTransaction, ServerTransaction } from "./transaction/transaction.ts";
import type { Flow } from "./transport/flow.ts";
import { RegisterExchange } from "./trunk/register-exchange.ts";
import type { RegisterOutcome } from "./trunk/register-exchange.ts";
import { RegisterPace } from "./trunk/register-pace.ts";
import { grantedSeconds, MAX_EXPIRES_SECONDS } from "./trunk/register-response.ts";
import { TargetHunt } from "./trunk/target-hunt.ts";
import type { TargetWalk } from "./trunk/target-walk.ts";
import type { Trunk } from "./trunk/trunk.ts";
import type { TrunkTable } from "./trunk/trunk-table.ts";

/** Which trunk owns users, and how they register there. */
export interface PassThroughTerms {
  readonly trunkId: string;
  /** What leads the PBX's calls back: a Contact of ours, or a Path before the browser's own. */
  readonly contact: "gateway" | "path";
  /** REGISTERs a second toward the PBX. */
  readonly registersPerSecond: number;
  /** A browser registers again after at most this long. */
  readonly maxExpiresSeconds: number;
  /** At least 32 random octets that stay, so that contacts do. */
  readonly key: Buffer;
  /** Whether the gateway itself knows this user: then nothing of it goes to the PBX. */
  isOwnUser(userId: string): boolean;
}

export interface PassThroughParts {
  readonly terms: PassThroughTerms;
  readonly domain: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly trunks: TrunkTable;
  readonly transactions: Transactions;
  readonly registrar: Registrar;
  readonly authenticator: Authenticator;
  readonly attempts: AttemptLimit;
  readonly maxContactsPerUser: number;
}

/** What the PBX says to a user's password. */
export type PasswordVerdict =
  | "right"
  | "wrong"
  /** It does not tell without a contact. */
  | "unknown"
  | "unavailable";

/** A PBX that has said nothing for so long is not waited for: the browser's Timer F is 32 s. */
const RESPONSE_MS = 12_000;
/** Registrations under way on one connection. */
const MAX_PASSED = 16;
const MAX_CREDENTIALS = 8;
const MAX_REALMS = 4;
const DEFAULT_EXPIRES_SECONDS = 300;
/** Grants toward browsers lie between this part of what the PBX granted and all of it. */
const LEAST_PART = 0.85;
/** A refresh is answered here only if the PBX keeps the binding at least so much longer. */
const LEAST_LEFT_SECONDS = 20;

/** What is kept of one user on one connection. */
interface Passed extends PassedRegister {
  /** Monotonic; 0: the PBX holds nothing that we know of. */
  boundUntilMs: number;
  /** The server that has challenged, or has the binding. */
  walk: TargetWalk | undefined;
  /** A REGISTER that has no final response yet. */
  pending: Pending | undefined;
}

interface Pending {
  readonly leave: () => void;
}

/**
 * Registration that passes through to a PBX (`registrar: true`): the PBX owns the users and their
 * passwords, the gateway owns the connection. A REGISTER goes to the PBX with the browser's
 * credentials as they are, the PBX's challenge comes back as it is, and when the PBX says 200 the
 * connection belongs to the user, as if the gateway had asked for the password itself.
 *
 * It keeps no password and no digest: a browser's credentials live as long as their REGISTER.
 */
export class PassThrough {
  readonly #parts: PassThroughParts;
  readonly #pace: RegisterPace;
  readonly #tokens: ContactTokens;
  readonly #byFlow = new Map<Flow, Map<string, Passed>>();
  /** Browsers whose REGISTER the PBX has and has not answered, by their token. */
  readonly #underWay = new Map<string, CalledInstance>();
  /** Of the PBX's challenges to REGISTER, which nobody but the PBX itself can make. */
  readonly #realms = new Set<string>();

  constructor(parts: PassThroughParts) {
    this.#parts = parts;
    const { clock, terms, maxContactsPerUser } = parts;
    this.#pace = new RegisterPace({ clock, rate: terms.registersPerSecond });
    this.#tokens = new ContactTokens({
      clock,
      key: terms.key,
      maxPerUser: maxContactsPerUser,
    });
  }

  get trunkId(): string {
    return this.#parts.terms.trunkId;
  }

  /** Whether a user is the PBX's, and not one of the gateway's own. */
  owns(userId: string): boolean {
    return userId !== "" && !this.#parts.terms.isOwnUser(userId);
  }

  /** Whether a party is a user of the PBX. */
  ownsParty(party: Party): boolean {
    return party.kind === "user" && this.owns(party.userId);
  }

  /**
   * What becomes of a request at a browser's connection outside a dialog, or in one that it has not
   * proved to be its own: the gateway has no password to ask for.
   *
   * @returns undefined when it is not of a user of the PBX
   */
  judge(request: SipRequest, flow: Flow): "let in" | { readonly reasonPhrase: string } | undefined {
    const userId = request.from.sipUri.user ?? "";
    if (!this.owns(userId)) return undefined;
    const { attempts, authenticator, registrar } = this.#parts;
    if (request.method === "REGISTER") {
      const isBlocked =
        attempts.isSourceBlocked(flow.remote.host) || attempts.isAccountBlocked(userId);
      return isBlocked ? { reasonPhrase: "Too many failed attempts" } : "let in";
    }
    const isRegistered =
      authenticator.isPrincipal(flow, userId) && registrar.isRegisteredOn(flow, userId);
    return isRegistered ? "let in" : { reasonPhrase: "Register first" };
  }

  /** A REGISTER that `judge` has let in. */
  onRegister(request: SipRequest, transaction: ServerTransaction, flow: Flow): void {
    const userId = request.from.sipUri.user ?? "";
    const respond = (response: SipResponse): void => {
      this.#log(userId, flow, response.statusCode);
      transaction.respond(response);
    };
    const refusal = this.#refusalOf(request, flow, userId);
    if (refusal !== undefined) {
      respond(refusal);
      return;
    }
    const passed = this.#passedOn(flow, userId, request);
    if (passed === undefined) {
      respond(answer(request, 403, { reasonPhrase: "Too many users" }));
      return;
    }
    if (passed.pending !== undefined) {
      // RFC 3261 §10.2: one at a time.
      respond(answer(request, 500, { fields: [["Retry-After", "5"]] }));
      return;
    }
    const local = this.#answerHere(request, flow, userId, passed);
    if (local !== undefined) {
      respond(local);
      return;
    }
    const credentials = credentialsOf(request);
    const leave = this.#pace.enter({
      isUrgent: credentials.length > 0,
      start: () => this.#send({ request, flow, userId, passed, credentials, respond }),
      giveUp: () => {
        passed.pending = undefined;
        respond(this.#tooMuch(request));
      },
    });
    if (leave === undefined) respond(this.#tooMuch(request));
    else if (!this.#isAnswered(transaction)) passed.pending ??= { leave };
  }

  /**
   * Whom a request of the PBX calls by a contact that a browser has there.
   *
   * @returns undefined when it names no contact of that kind; 404 when nobody has it, 480 (430
   *   by a Path, RFC 5626 §5.3) while its browser has no connection
   */
  calledBy(request: SipRequest, trunkId: string): CalledInstance | 404 | 430 | 480 | undefined {
    const { terms, registrar } = this.#parts;
    const route = request.routes[0]?.sipUri;
    const uri = terms.contact === "path" ? route : request.uri;
    if (uri === undefined) return undefined;
    if (trunkId !== terms.trunkId) return uri.params.has(OWN_PARAMETER) ? 404 : undefined;
    const token = uri.user ?? "";
    // A PBX asks after a new contact at once, before we have heard that it is there.
    const coming = request.method === "OPTIONS" ? this.#underWay.get(token) : undefined;
    if (coming !== undefined) return coming;
    const called = this.#tokens.find(token);
    if (called === undefined) return uri.params.has(OWN_PARAMETER) ? 404 : undefined;
    const isHere = registrar
      .bindings(called.userId)
      .some(({ instanceId }) => instanceId === called.instanceId);
    if (isHere) return called;
    return terms.contact === "path" ? 430 : 480;
  }

  /**
   * What a call of a user of the PBX says there: its address-of-record, the Request-URI that its
   * digest is made for, and that digest.
   *
   * @returns undefined when the call is none of those
   */
  callOf(
    caller: { readonly party: Party; readonly request: SipRequest } | undefined,
    target: { readonly trunkId: string; readonly number: string },
  ):
    | {
        readonly requestUri: string;
        readonly fromUri: string;
        readonly credentials: readonly HeaderField[];
        /** In which challenges are for the caller; none when the trunk has credentials for calls. */
        readonly callersRealms: readonly string[];
      }
    | undefined {
    if (caller === undefined || target.trunkId !== this.trunkId) return undefined;
    const { party, request } = caller;
    if (party.kind !== "user" || !this.owns(party.userId)) return undefined;
    const { domain } = this.#parts;
    const isOwnAnswer = this.#trunk?.challenges === undefined;
    const isAsDialled = request.uri.user === target.number && request.uri.scheme === "sip";
    return {
      // RFC 3261 §22.4: the digest is over the Request-URI; another text would make it void.
      requestUri: isAsDialled
        ? request.requestUri
        : buildSipUri({ user: target.number, host: domain }),
      fromUri: buildSipUri({ user: party.userId, host: domain }),
      credentials: isOwnAnswer ? credentialsOf(request) : [],
      callersRealms: isOwnAnswer ? [domain, ...this.#realms] : [],
    };
  }

  /** Asks the PBX whether a password is right. */
  checkPassword(userId: string, password: string): Promise<PasswordVerdict> {
    const trunk = this.#trunk;
    return new Promise((resolve) => {
      if (trunk === undefined) {
        resolve("unavailable");
        return;
      }
      const register = newRegister("");
      let limit: Timer | undefined;
      const leave = this.#pace.enter({
        isUrgent: false,
        weight: 2,
        start: () => {
          const exchange = new RegisterExchange({
            trunk,
            transactions: this.#parts.transactions,
            challenges: new ChallengeAnswer({ username: userId, password }),
            walk: trunk.walk(),
            expiresSeconds: 0,
            build: (_flow, _seconds, credentials) =>
              buildProbeRegister(register, this.#aorOf(userId), credentials),
            onDone: (outcome) => {
              limit?.cancel();
              this.#pace.done(isSilence(outcome));
              resolve(verdictOf(outcome));
            },
          });
          limit = this.#parts.clock.after(RESPONSE_MS, () => {
            exchange.abandon();
            this.#pace.done(true);
            resolve("unavailable");
          });
        },
        giveUp: () => resolve("unavailable"),
      });
      if (leave === undefined) resolve("unavailable");
    });
  }

  onFlowClosed(flow: Flow): void {
    for (const { pending, token } of this.#byFlow.get(flow)?.values() ?? []) {
      pending?.leave();
      this.#underWay.delete(token);
    }
    this.#byFlow.delete(flow);
  }

  close(): void {
    this.#pace.close();
    this.#tokens.close();
    this.#byFlow.clear();
  }

  get #trunk(): Trunk | undefined {
    return this.#parts.trunks.get(this.trunkId);
  }

  #aorOf(userId: string): { readonly uri: string; readonly registrarUri: string } {
    const { domain } = this.#parts;
    return {
      uri: buildSipUri({ user: userId, host: domain }),
      registrarUri: buildSipUri({ host: domain }),
    };
  }

  #refusalOf(request: SipRequest, flow: Flow, userId: string): SipResponse | undefined {
    const { domain, registrar } = this.#parts;
    // The Request-URI crosses as it is; it must be one that leads to the PBX's users.
    if (request.uri.host !== domain.toLowerCase()) return answer(request, 404);
    if (request.contacts !== "*" && request.contacts.length > 1) {
      return answer(request, 403, { reasonPhrase: "One contact a browser" });
    }
    if (credentialsOf(request).length > MAX_CREDENTIALS) return answer(request, 400);
    return registrar.refusalOf(request, flow, userId);
  }

  #passedOn(flow: Flow, userId: string, request: SipRequest): Passed | undefined {
    const here = this.#byFlow.get(flow) ?? new Map<string, Passed>();
    const known = here.get(userId);
    const token = this.#tokens.of(userId, instanceOfRegister(request) ?? flow.id);
    const isAnother = known?.token !== token && request.contacts.length > 0;
    if (known !== undefined && (known.pending !== undefined || !isAnother)) return known;
    if (known === undefined && here.size >= MAX_PASSED) return undefined;
    const passed: Passed = {
      ...newRegister(token),
      boundUntilMs: 0,
      walk: undefined,
      pending: undefined,
    };
    here.set(userId, passed);
    this.#byFlow.set(flow, here);
    return passed;
  }

  /**
   * While too many wait, a refresh on the connection that the PBX has let in is answered here, for
   * a part of what is left of the PBX's own promise and no longer.
   */
  #answerHere(
    request: SipRequest,
    flow: Flow,
    userId: string,
    passed: Passed,
  ): SipResponse | undefined {
    const { authenticator, clock, random, registrar } = this.#parts;
    if (!this.#pace.isCongested || credentialsOf(request).length > 0) return undefined;
    if (request.contacts === "*" || request.contacts.length === 0) return undefined;
    if (askedSecondsOf(request) === 0) return undefined;
    const isKnown =
      authenticator.isPrincipal(flow, userId) && registrar.isRegisteredOn(flow, userId);
    const leftSeconds = (passed.boundUntilMs - clock.monotonicMs()) / 1000;
    if (!isKnown || leftSeconds < LEAST_LEFT_SECONDS) return undefined;
    const seconds = Math.floor(leftSeconds * (0.5 + random() / 4));
    return registrar.register(request, flow, userId, this.#cap(seconds));
  }

  #send(options: {
    readonly request: SipRequest;
    readonly flow: Flow;
    readonly userId: string;
    readonly passed: Passed;
    readonly credentials: readonly HeaderField[];
    readonly respond: (response: SipResponse) => void;
  }): void {
    const { request, flow, userId, passed, credentials, respond } = options;
    const { clock, transactions, terms } = this.#parts;
    const trunk = this.#trunk;
    let hunt: ClientTransaction | undefined;
    let isOver = false;
    const limit = clock.after(RESPONSE_MS, () => {
      hunt?.abandon();
      finish(true, this.#silence(request, passed, 504));
    });
    const finish = (isSilent: boolean, response: SipResponse): void => {
      isOver = true;
      limit.cancel();
      this.#underWay.delete(passed.token);
      passed.pending = undefined;
      this.#pace.done(isSilent);
      respond(response);
    };
    passed.walk = trunk && (this.#openWalk(passed) ?? trunk.walk());
    if (trunk !== undefined && passed.walk !== undefined) {
      hunt = TargetHunt.begin({
        ...trunk.huntOptions,
        transactions,
        walk: passed.walk,
        build: (toward) => {
          passed.cseqNumber += 1;
          return buildPassedRegister(request, passed, {
            flow: toward,
            way: terms.contact,
            aor: this.#aorOf(userId).uri,
            askedSeconds: askedSecondsOf(request),
            credentials,
          });
        },
        handler: {
          onResponse: (response) => {
            if (response.statusCode < 200 || isOver || hunt === undefined) return;
            finish(
              false,
              this.#onResponse(response, { request, flow, userId, passed, sent: hunt.request }),
            );
          },
          onTimeout: () => {
            if (!isOver) finish(true, this.#silence(request, passed, 504));
          },
          onTransportError: () => {
            if (!isOver) finish(true, this.#silence(request, passed, 503));
          },
        },
        deliver: (_flow, _isLate, tell) => tell(),
      });
    }
    if (hunt === undefined) {
      // The turn was taken for nothing; whoever gave it is still on the stack.
      finish(true, this.#silence(request, passed, 503));
      return;
    }
    passed.pending = { leave: () => {} };
    if (request.contacts !== "*" && askedSecondsOf(request) > 0) {
      const instanceId = instanceOfRegister(request) ?? flow.id;
      this.#underWay.set(passed.token, { userId, instanceId });
    }
  }

  /** @returns what the browser is told */
  #onResponse(
    response: SipResponse,
    sent: {
      readonly request: SipRequest;
      readonly flow: Flow;
      readonly userId: string;
      readonly passed: Passed;
      readonly sent: SipRequest;
    },
  ): SipResponse {
    const { request, flow, userId, passed } = sent;
    const { attempts, authenticator, registrar } = this.#parts;
    const { statusCode: status } = response;
    const hasCredentials = credentialsOf(request).length > 0;
    if (status < 300) {
      if (hasCredentials) attempts.succeeded(userId);
      return this.#accept(response, sent);
    }
    const isWrong = hasCredentials && isDenial(response);
    if (isWrong) attempts.failed(flow.remote.host, userId);
    if (status === 403 || status === 404) {
      // The PBX does not want this user any more.
      authenticator.disprove(flow, userId);
      registrar.removeFrom(flow, userId);
      passed.boundUntilMs = 0;
    }
    if (status === 401 || status === 407) this.#learnRealms(response);
    else passed.walk = undefined;
    // A redirect is not followed: the browser's credentials are for this PBX alone.
    if (status < 400) return answer(request, 502);
    return answer(request, status === 408 ? 504 : status, { fields: crossing(response) });
  }

  #accept(
    response: SipResponse,
    {
      request,
      flow,
      userId,
      passed,
      sent,
    }: {
      readonly request: SipRequest;
      readonly flow: Flow;
      readonly userId: string;
      readonly passed: Passed;
      readonly sent: SipRequest;
    },
  ): SipResponse {
    const { authenticator, clock, random, registrar } = this.#parts;
    const asked = askedSecondsOf(request);
    const contactUri = sent.contact?.uri;
    const granted =
      contactUri === undefined || asked === 0 ? 0 : grantedSeconds(response, contactUri, asked);
    if (contactUri === undefined) {
      // A question, or the end of all contacts.
      if (request.contacts === "*") this.#forgetUser(userId);
      return registrar.register(request, flow, userId, 0);
    }
    if (asked === 0) {
      passed.boundUntilMs = 0;
      this.#tokens.unbind(passed.token);
      return registrar.register(request, flow, userId, 0);
    }
    if (granted === 0) return answer(request, 502, { reasonPhrase: "The PBX keeps no contact" });
    const instanceId = instanceOfRegister(request) ?? flow.id;
    passed.boundUntilMs = clock.monotonicMs() + granted * 1000;
    this.#tokens.bind(passed.token, { userId, instanceId }, granted);
    // The PBX has the contact, the browser has gone: what calls it gets 480 until it is back.
    if (!flow.isOpen) return answer(request, 480);
    if (!authenticator.prove(flow, userId)) {
      return answer(request, 403, { reasonPhrase: "Too many users" });
    }
    // Browsers that came together, after a restart of the PBX for one, do not come together again.
    const part = LEAST_PART + (1 - LEAST_PART) * random();
    const seconds = Math.max(1, Math.floor(this.#cap(granted) * part));
    return registrar.register(request, flow, userId, seconds);
  }

  #learnRealms({ headers }: SipResponse): void {
    for (const name of ["WWW-Authenticate", "Proxy-Authenticate"]) {
      for (const value of headers.getAll(name)) {
        const realm = tryParseDigestChallenge(value)?.realm;
        if (realm !== undefined && this.#realms.size < MAX_REALMS) this.#realms.add(ownCopy(realm));
      }
    }
  }

  /** `Contact: *`: whatever the other browsers of the user know, the PBX knows nothing. */
  #forgetUser(userId: string): void {
    this.#tokens.unbindUser(userId);
    for (const here of this.#byFlow.values()) {
      const passed = here.get(userId);
      if (passed !== undefined) passed.boundUntilMs = 0;
    }
  }

  #openWalk({ walk }: Passed): TargetWalk | undefined {
    return walk?.current?.flow.isOpen === true ? walk : undefined;
  }

  #cap(seconds: number): number {
    return Math.min(seconds, this.#parts.terms.maxExpiresSeconds);
  }

  /** RFC 3261 §21.5.4: again, but not all at the same time. */
  #tooMuch(request: SipRequest): SipResponse {
    const leastSeconds = 5 + this.#pace.backlogMs / 1000;
    return this.#later(request, 503, leastSeconds);
  }

  #silence(request: SipRequest, passed: Passed, status: 503 | 504): SipResponse {
    passed.walk = undefined;
    return this.#later(request, status, SILENCE_SECONDS);
  }

  #later(request: SipRequest, status: 503 | 504, leastSeconds: number): SipResponse {
    const seconds = Math.ceil(leastSeconds * (1 + this.#parts.random()));
    return answer(request, status, { fields: [["Retry-After", String(seconds)]] });
  }

  #isAnswered({ state }: ServerTransaction): boolean {
    return state === "completed" || state === "terminated";
  }

  #log(user: string, flow: Flow, status: number): void {
    this.#parts.logger.debug("passed a REGISTER", { user, status, flow: flow.id });
  }
}

const SILENCE_SECONDS = 10;
const TAG_LENGTH = 12;

function newRegister(token: string): PassedRegister {
  return { token, callId: randomToken(22), fromTag: randomToken(TAG_LENGTH), cseqNumber: 0 };
}

function answer(
  request: SipRequest,
  status: number,
  options: { readonly reasonPhrase?: string; readonly fields?: readonly HeaderField[] } = {},
): SipResponse {
  return ourResponse(request, status, { ...options, toTag: randomToken(TAG_LENGTH) });
}

/** The browser's answers to the PBX's challenges, as they are. */
function credentialsOf({ headers }: SipRequest): readonly HeaderField[] {
  return (["Authorization", "Proxy-Authorization"] as const).flatMap((name) =>
    headers.getAll(name).map((value): HeaderField => [name, value]),
  );
}

/** Nothing else of the PBX's refusal is a browser's business. */
function crossing({ headers }: SipResponse): readonly HeaderField[] {
  return CROSSING.flatMap((name) =>
    headers.getAll(name).map((value): HeaderField => [name, value]),
  );
}

const CROSSING = ["WWW-Authenticate", "Proxy-Authenticate", "Min-Expires", "Retry-After"] as const;

/** Whether credentials were wrong, and not only old. */
function isDenial({ statusCode, headers }: SipResponse): boolean {
  if (statusCode === 403) return true;
  if (statusCode !== 401 && statusCode !== 407) return false;
  const name = statusCode === 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
  return headers.getAll(name).every((value) => tryParseDigestChallenge(value)?.isStale !== true);
}

function askedSecondsOf(request: SipRequest): number {
  const { contacts, expires } = request;
  if (contacts === "*") return 0;
  const [contact] = contacts;
  const read =
    contact && tryReadContact(contact, expires, true, DEFAULT_EXPIRES_SECONDS)?.expiresSeconds;
  return Math.min(read ?? expires ?? DEFAULT_EXPIRES_SECONDS, MAX_EXPIRES_SECONDS);
}

function isSilence(outcome: RegisterOutcome): boolean {
  if (outcome.kind === "accepted") return false;
  return outcome.reason === "no answer" || outcome.reason === "transport";
}

function verdictOf(outcome: RegisterOutcome): PasswordVerdict {
  switch (outcome.kind) {
    case "accepted":
      return "right";
    case "unavailable":
      return "unavailable";
    case "refused": {
      const { reason, status } = outcome;
      const isWrong = reason === "wrong credentials" || status === 403 || status === 404;
      return isWrong ? "wrong" : "unknown";
    }
  }
}
