import type { EndReason } from "../core/end-reason.ts";
import type { Action, Charge } from "../dialplan/decision.ts";
import { outcomeOf, type Outcome } from "../dialplan/outcome.ts";
import type { CodecPolicy, MediaLeg } from "../media/session.ts";
import type { ExtraHeaders, Identity, IncomingInvite, InviteTarget } from "../signaling/engine.ts";
import { chooseCodecs, type CodecChoice } from "./codec-choice.ts";
import { trunkLeg, type CallContext, type TrunkTerms } from "./context.ts";
import { crossingHeaders, NO_RULES, type HeaderRules } from "./header-policy.ts";
import { presentToTrunk, type CallerIdentity } from "./presentation.ts";

/** Attempts that run together; the next stage begins when all have failed or the time is over. */
export interface Stage {
  readonly targets: readonly Target[];
  readonly timeoutMs: number;
  /** The reason when nothing could even be tried. */
  readonly otherwise: EndReason;
  /** Whether the next stage is the next trunk of the same action: only the trunk's own failure leads there. */
  readonly isFailover: boolean;
  /** Whether a call that is answered here is recorded; undefined: the route does not say. */
  readonly isRecorded: boolean | undefined;
  /** Whether another trunk is next: one that says nothing does not hold the call for long. */
  readonly hasAlternative?: boolean;
  /** An emergency call goes out whatever the limits say. */
  readonly isEmergency?: boolean;
}

/** What of a stage each of its attempts goes by. */
export type StageTerms = Pick<Stage, "isEmergency" | "isRecorded" | "hasAlternative">;

/** One whom a stage tries. */
export interface Target {
  readonly target: InviteTarget;
  readonly leg: Omit<MediaLeg, "tag">;
  readonly codecs: CodecChoice;
  readonly from: Identity;
  readonly to: Identity;
  readonly headers?: ExtraHeaders;
  /** Of `headers`, those of the caller's own that may cross. */
  readonly crossing?: ExtraHeaders;
  /** How long after the first of its stage. */
  readonly afterMs?: number;
  /** Who has its calls forwarded there: it counts beside that user's own. */
  readonly as?: string | undefined;
  /** What the call counts for, over a trunk. */
  readonly charge?: { readonly keys: readonly string[]; readonly price: number };
}

/** The caller that somebody is looked for. */
export interface Caller {
  readonly invite: IncomingInvite;
  readonly leg: MediaLeg;
  /** What it offers now. */
  readonly offer: () => string | undefined;
  readonly identity: CallerIdentity;
  /** Its SDP stands in for one that it will be asked for when somebody answers. */
  readonly isStandIn: boolean;
  /** What a trunk is told of the transfer that the caller comes from. */
  readonly headersFor: ((trunkId: string) => ExtraHeaders) | undefined;
}

const SIGNED_OUT: EndReason = { sipStatus: 480, q850: 20, text: "The user is not signed in" };
const NO_CALLS: EndReason = { sipStatus: 486, q850: 17, text: "The user takes no calls now" };
/** Q.850 20, subscriber absent: nobody of that name has a telephone here now. */
const ABSENT = 20;

/**
 * Who is tried, by what the dialplan decided: makes the stages of an action out of the telephones that
 * are signed in now and the trunks that there are. It starts nothing.
 */
export class StagePlan {
  readonly #context: CallContext;
  readonly #caller: Caller;

  constructor(context: CallContext, caller: Caller) {
    this.#context = context;
    this.#caller = caller;
  }

  /** The telephones of these users that are signed in, together. */
  ring(
    action: Extract<Action, { kind: "ring" }>,
    users: readonly string[],
    timeoutMs: number,
  ): Stage {
    const { record, delaysMs = {}, away = [] } = action;
    const codecs = this.#chooseCodecs(action.codecPolicy, undefined);
    const { party, calledInstance, calledNumber } = this.#caller.invite;
    const targets: Target[] = [];
    for (const userId of users) {
      const instances = new Set<string>();
      for (const binding of this.#context.engine.locations.bindings(userId)) {
        // RFC 5626 §7: an instance with several connections is one telephone, and rings once.
        if (instances.has(binding.instanceId)) continue;
        instances.add(binding.instanceId);
        // RFC 5627 §3.4: a GRUU means this browser and no other of the user.
        const isOther =
          calledInstance?.userId === userId && calledInstance.instanceId !== binding.instanceId;
        if (isOther) continue;
        const isCaller =
          party.kind === "user" &&
          party.userId === userId &&
          party.instanceId === binding.instanceId;
        if (isCaller) continue;
        targets.push({
          target: { kind: "binding", binding },
          leg: { kind: "webrtc", video: this.#context.hasVideo },
          codecs,
          from: this.#caller.identity.shown,
          to: { user: calledNumber },
          crossing: this.#crossing(undefined),
          ...(Object.hasOwn(delaysMs, userId) && { afterMs: delaysMs[userId] ?? 0 }),
        });
      }
    }
    return {
      targets,
      timeoutMs,
      otherwise: users.length === 0 && away.length > 0 ? NO_CALLS : SIGNED_OUT,
      isFailover: false,
      isRecorded: record,
    };
  }

  /** Trunks whose servers failed lately are tried after all others. */
  dial(action: Extract<Action, { kind: "dial" }>, before: EndReason | undefined): Stage[] {
    const isAvoided = (id: string): number => (this.#context.trunk(id)?.isAvoided?.() ? 1 : 0);
    const trunks = action.trunks.toSorted((a, b) => isAvoided(a) - isAvoided(b));
    return trunks.map((trunkId, index) => {
      const stage = this.#dialOne(trunkId, action, before);
      return index < trunks.length - 1 ? { ...stage, hasAlternative: true } : stage;
    });
  }

  #dialOne(
    trunkId: string,
    action: Extract<Action, { kind: "dial" }>,
    failure: EndReason | undefined,
  ): Stage {
    const trunk = this.#context.trunk(trunkId);
    const { callerNumber, displayName, as, before, emergency } = action;
    const { from, headers, called } = presentToTrunk(
      this.#caller.identity,
      {
        callerNumber,
        displayName,
        as,
        before,
        reason: action.reason ?? diversionReasonOf(failure),
        isEmergency: emergency !== undefined,
        called: action.number,
      },
      this.#directoryFor(trunk),
    );
    return {
      targets: [
        {
          target: { kind: "trunk", trunkId, number: called },
          leg: trunkLeg(trunk),
          codecs: this.#chooseCodecs(action.codecPolicy, trunk?.codecPolicy),
          from,
          to: { user: called },
          headers: [
            ...headers,
            ...locationFields(emergency?.location),
            ...(this.#caller.headersFor?.(trunkId) ?? []),
          ],
          crossing: this.#crossing(trunk?.headers ?? NO_RULES),
          // What the plan's own routes forward is the plan's affair.
          as: action.reason === undefined ? undefined : as,
          ...(emergency === undefined && { charge: chargeOf(action.charge, trunkId) }),
        },
      ],
      timeoutMs: action.timeoutMs,
      otherwise: cannotTake(trunkId),
      isFailover: true,
      isRecorded: action.record,
      isEmergency: emergency !== undefined,
    };
  }

  #directoryFor(trunk: TrunkTerms | undefined) {
    const context = this.#context;
    return {
      user: (id: string) => context.user(id),
      trunk: (id: string) => context.trunk(id),
      country: context.country,
      domain: context.domain,
      terms: trunk?.identity,
    };
  }

  /** The caller's own header fields that may go on. @param to undefined: a browser is called */
  #crossing(to: HeaderRules | undefined): ExtraHeaders {
    const { party, request } = this.#caller.invite;
    const from =
      party.kind === "trunk"
        ? (this.#context.trunk(party.trunkId)?.headers ?? NO_RULES)
        : undefined;
    return crossingHeaders(request.headers, from, to);
  }

  /** RFC 5806: the voicemail learns from Diversion whose messages it takes. */
  voicemail(action: Extract<Action, { kind: "voicemail" }>, before: EndReason | undefined): Stage {
    const { trunk: trunkId, number, mailbox, timeoutMs } = action;
    const trunk = this.#context.trunk(trunkId);
    return {
      targets: [
        {
          target: { kind: "trunk", trunkId, number },
          leg: trunkLeg(trunk),
          codecs: this.#chooseCodecs(action.codecPolicy, trunk?.codecPolicy),
          from: this.#caller.identity.shown,
          to: { user: number },
          headers: [
            [
              "Diversion",
              `<sip:${mailbox}@${this.#context.domain}>;reason=${diversionReasonOf(before)}`,
            ],
          ],
          charge: chargeOf(undefined, trunkId),
        },
      ],
      timeoutMs,
      otherwise: cannotTake(trunkId),
      isFailover: true,
      isRecorded: action.record,
    };
  }

  #chooseCodecs(route: CodecPolicy | undefined, calleeTrunk: CodecPolicy | undefined): CodecChoice {
    const { party } = this.#caller.invite;
    return chooseCodecs({
      route,
      calleeTrunk,
      callerTrunk:
        party.kind === "trunk" ? this.#context.trunk(party.trunkId)?.codecPolicy : undefined,
      usual: this.#context.codecPolicy,
    });
  }
}

function cannotTake(trunkId: string): EndReason {
  return { sipStatus: 503, q850: 34, text: `Trunk ${trunkId} cannot take the call` };
}

/** What a failure was, as the dialplan has it. */
export function outcomeOfReason({ sipStatus, q850 }: EndReason): Outcome {
  return outcomeOf(sipStatus, q850 === ABSENT);
}

/** How Diversion names why a call goes on. */
function diversionReasonOf(reason: EndReason | undefined): string {
  if (reason === undefined) return "unconditional";
  // RFC 5806 §4.1: its caller finds the user busy, who forwards is told why.
  if (reason === NO_CALLS) return "do-not-disturb";
  switch (outcomeOfReason(reason)) {
    case "busy":
      return "user-busy";
    case "no-answer":
      return "no-answer";
    case "unreachable":
      return "unavailable";
    case "rejected":
      return "do-not-disturb";
  }
}

/** RFC 6442 §4.1: by reference, and the network may route by it. */
function locationFields(location: string | undefined): ExtraHeaders {
  if (location === undefined) return [];
  return [
    ["Geolocation", `<${location}>`],
    ["Geolocation-Routing", "yes"],
  ];
}

function chargeOf(charge: Charge | undefined, trunkId: string) {
  const price =
    charge !== undefined && Object.hasOwn(charge.prices, trunkId) ? charge.prices[trunkId] : 0;
  return { keys: [...(charge?.keys ?? []), `trunk ${trunkId}`], price: price ?? 0 };
}
