import { tryParseNumber } from "../dialplan/e164.ts";
import type { Forwarder } from "../dialplan/decision.ts";
import type { Home } from "../dialplan/e164.ts";
import { e164Candidates } from "../dialplan/number.ts";
import {
  assertedIdentity,
  diversionsOf,
  preferredIdentity,
  wantsPrivacy,
} from "../signaling/caller-claims.ts";
import type {
  Diversion,
  ExtraHeaders,
  Identity,
  IncomingInvite,
  InviteTarget,
} from "../signaling/engine.ts";
import {
  ANONYMOUS,
  diversionFields,
  identityFields,
  type DiversionHeader,
  type IdentityHeader,
} from "../signaling/identity-headers.ts";

/**
 * Who is shown to whom. A browser is believed about nothing: it chooses among its user's numbers,
 * and may withhold them. A trunk is believed about its callers where the configuration trusts it;
 * of any other one From alone counts. A number that is withheld goes to trusted trunks, and to
 * nobody else (RFC 3325 §7).
 */

/** How a trunk is told who calls, and whether it is believed. */
export interface IdentityTerms {
  readonly isTrusted: boolean;
  readonly header: IdentityHeader;
  readonly numbers: "as-is" | "e164" | "e164-without-plus" | "national";
  readonly fromHost?: string;
  /** Stands in From instead of the caller's number. */
  readonly fromUser?: string;
  readonly isPhone: boolean;
  readonly diversion: DiversionHeader;
}

/** The terms of a trunk that says nothing. */
const USUAL: IdentityTerms = {
  isTrusted: false,
  header: "from",
  numbers: "as-is",
  isPhone: false,
  diversion: "diversion",
};

/** The caller of a call, as the gateway knows it. */
export interface CallerIdentity {
  /** As browsers see the caller. */
  readonly shown: Identity;
  /** For trunks; undefined: not known. */
  readonly number: string | undefined;
  readonly displayName: string | undefined;
  /** By the caller: no browser and no trunk that is not trusted may learn the number. */
  readonly isWithheld: boolean;
  readonly kind: "user" | "trunk";
  /** Who forwarded the call before it came here, the last one first. */
  readonly diversions: readonly Diversion[];
}

/** What the lookups of a caller need. */
export interface Directory {
  user(userId: string): { readonly name: string; readonly numbers: readonly string[] } | undefined;
  trunk(trunkId: string): { readonly identity?: IdentityTerms | undefined } | undefined;
  /** ISO 3166 code: how national numbers are read. */
  readonly country: string | undefined;
}

/** Who calls, by what may be believed of the INVITE. */
export function identifyCaller(
  invite: Pick<IncomingInvite, "party" | "request" | "callerIdentity">,
  directory: Directory,
): CallerIdentity {
  const { party, callerIdentity } = invite;
  const { headers } = invite.request;
  if (party.kind === "trunk") {
    const isTrusted = directory.trunk(party.trunkId)?.identity?.isTrusted ?? false;
    const asserted = isTrusted ? assertedIdentity(headers) : undefined;
    const isUnknown = isNobody(callerIdentity.user);
    // RFC 3323 §4.1.1.3: a caller who withholds the number calls himself so in From.
    const isWithheld = wantsPrivacy(headers) || (isUnknown && callerIdentity.user !== "");
    const who = asserted ?? (isUnknown ? undefined : callerIdentity);
    const displayName =
      asserted?.displayName ?? (isWithheld ? undefined : callerIdentity.displayName);
    return {
      shown: shownAs(isWithheld ? undefined : who, displayName),
      number: who?.user,
      displayName,
      isWithheld,
      kind: "trunk",
      diversions: isTrusted ? diversionsOf(headers) : [],
    };
  }
  const user = directory.user(party.userId);
  const displayName = user?.name;
  const isWithheld = wantsPrivacy(headers);
  const wanted = preferredIdentity(headers)?.user;
  const preferred =
    wanted === undefined ? undefined : owned(wanted, user?.numbers ?? [], directory);
  return {
    shown: isWithheld ? ANONYMOUS : { user: party.userId, displayName },
    number: preferred ?? user?.numbers[0],
    displayName,
    isWithheld,
    kind: "user",
    diversions: [],
  };
}

/** Who has been called, for the time when a transfer makes a caller of it. */
export function identifyCallee(target: InviteTarget, directory: Directory): CallerIdentity {
  const rest = { isWithheld: false, diversions: [] };
  if (target.kind === "trunk") {
    const { number } = target;
    return { ...rest, shown: { user: number }, number, displayName: undefined, kind: "trunk" };
  }
  const { userId } = target.binding;
  const user = directory.user(userId);
  const displayName = user?.name;
  const shown = { user: userId, displayName };
  return { ...rest, shown, number: user?.numbers[0], displayName, kind: "user" };
}

/** @param who undefined: nobody may know, or nobody knows */
function shownAs(who: Identity | undefined, displayName: string | undefined): Identity {
  return who === undefined ? ANONYMOUS : { user: who.user, displayName };
}

/** The user's numbers, the one first that the browser has chosen. */
export function numbersOf(
  { number }: Pick<CallerIdentity, "number">,
  numbers: readonly string[],
): readonly string[] {
  if (number === undefined || numbers[0] === number) return numbers;
  return [number, ...numbers.filter((other) => other !== number)];
}

/** @returns the number of the user's that the text stands for; undefined: it is not its own */
function owned(
  wanted: string,
  numbers: readonly string[],
  { country }: Directory,
): string | undefined {
  const candidates = new Set([wanted, ...e164Candidates(wanted, country)]);
  return numbers.find((number) => candidates.has(number));
}

/** What the dialplan says of a call to a trunk. */
export interface Presentation {
  /** `anonymous` withholds it. */
  readonly callerNumber?: string | undefined;
  readonly displayName?: string | undefined;
  /** The user on whose behalf the call goes out: who has forwarded it. */
  readonly as?: string | undefined;
  /** Who has forwarded it before that user, the last one first. */
  readonly before?: readonly Forwarder[] | undefined;
  /** Why the call was forwarded: a word of RFC 5806. */
  readonly reason: string;
  /** Who answers emergencies must know the number, whatever the caller wants (RFC 6443 §4). */
  readonly isEmergency: boolean;
  /** The number that is dialled. */
  readonly called: string;
}

/** What an INVITE to a trunk says of the caller, and the number in the trunk's own way. */
export interface PresentedCall {
  readonly from: Identity;
  readonly headers: ExtraHeaders;
  readonly called: string;
}

/** How a trunk is told who calls. */
export function presentToTrunk(
  caller: CallerIdentity,
  presentation: Presentation,
  environment: Directory & { readonly domain: string; readonly terms: IdentityTerms | undefined },
): PresentedCall {
  const { domain, terms = USUAL, country } = environment;
  const { isTrusted, header, numbers, fromHost, fromUser, isPhone, diversion } = terms;
  const style = { host: fromHost ?? domain, isPhone };
  const home = { country, areaCode: undefined };
  const wanted = presentation.callerNumber;
  const isByPlan = wanted !== undefined && !isNobody(wanted);
  const isOfCaller = caller.isWithheld && (caller.kind === "user" || !isByPlan);
  const isWithheld =
    !presentation.isEmergency && (isOfCaller || (wanted !== undefined && !isByPlan));
  const number = isByPlan ? wanted : (caller.number ?? caller.shown.user);
  // The name of somebody who withholds the number does not go with one of the plan.
  const isNameOfOther = caller.isWithheld && isByPlan && !presentation.isEmergency;
  const name = isNameOfOther ? undefined : caller.displayName;
  const displayName = presentation.displayName ?? name;
  const known: Identity = {
    user: writtenAs(number, numbers, home),
    displayName,
    ...(fromHost !== undefined && { host: fromHost }),
    ...(isPhone && { isPhone }),
  };
  const isUnknown = isNobody(number);
  const called = presentation.isEmergency
    ? presentation.called
    : writtenAs(presentation.called, numbers, home);
  const { as, reason, before = [] } = presentation;
  const diversions = [
    ...(as === undefined ? [] : [{ user: as, reason }, ...before]).map((forwarder) => ({
      user: writtenAs(
        environment.user(forwarder.user)?.numbers[0] ?? forwarder.user,
        numbers,
        home,
      ),
      reason: forwarder.reason,
    })),
    ...(isTrusted ? caller.diversions : []),
  ];
  const shown = isWithheld || isUnknown ? ANONYMOUS : known;
  return {
    // An account says nothing of the caller; who withholds the number has no name either.
    from:
      fromUser === undefined
        ? shown
        : {
            user: fromUser,
            displayName: shown.displayName,
            ...(fromHost !== undefined && { host: fromHost }),
          },
    headers: [
      ...identityFields(header, (isWithheld && !isTrusted) || isUnknown ? undefined : known, {
        ...style,
        isWithheld,
      }),
      ...diversionFields(diversion, diversions, called, style),
    ],
    called,
  };
}

/** What stands in From for nobody (RFC 3323 §4.1.1.3), and nothing at all. */
function isNobody(user: string): boolean {
  return user === "" || user.toLowerCase() === "anonymous";
}

/** Fewer digits are an extension, or a service of the network. */
const MIN_DIGITS = 6;

/** A number as a trunk wants it; what is no telephone number of the plan stays as it is. */
function writtenAs(number: string, style: IdentityTerms["numbers"], home: Home): string {
  if (style === "as-is" || number.length < MIN_DIGITS) return number;
  // Without + or 0 it may be an extension, or E.164 without its plus sign: nobody can tell.
  if (!/^[+0]/.test(number)) return number;
  const parsed = tryParseNumber(number, home);
  if (parsed === undefined || parsed.line === "unknown") return number;
  switch (style) {
    case "e164":
      return parsed.e164;
    case "e164-without-plus":
      return parsed.e164.slice(1);
    case "national":
      return parsed.country === home.country ? parsed.national : parsed.e164;
  }
}
