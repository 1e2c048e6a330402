import { randomToken } from "../core/ids.ts";
import type { CallQuery, Caller, Decision } from "../dialplan/decision.ts";
import type { CallFacts } from "../dialplan/facts.ts";
import type {
  Dialog,
  EngineHandler,
  IncomingInvite,
  IncomingMessage,
  IncomingSubscribe,
  OutgoingInvite,
} from "../signaling/engine.ts";
import type { EndReason } from "../core/end-reason.ts";
import { Call } from "./call.ts";
import { CANCELLED, completeReason, NORMAL_CLEARING } from "./cause.ts";
import { callRefused } from "./channels.ts";
import type { CallContext } from "./context.ts";
import { LAMP_EVENTS, Lamps } from "./lamps.ts";
import { Messages } from "./messages.ts";
import { RingingIndex } from "./pickup.ts";
import { identifyCaller, numbersOf, type CallerIdentity } from "./presentation.ts";
import type { CallView } from "./record.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { EndIndex } from "./end-index.ts";
import type { Handover, Leaving } from "./leaving.ts";
import { partyOf, rejectInvite, type RefusedReason } from "./refused.ts";
import type { TakenEnds } from "./takeover.ts";
import {
  NOTHING_TO_DECIDE,
  Transfers,
  type CallSurroundings,
  type TransferCall,
} from "./transfers.ts";

/** What the table needs beside what every call needs. */
export interface CallTableOptions {
  readonly context: CallContext;
  readonly decide: (query: CallQuery) => Decision;
  readonly groupsOf: (userId: string) => readonly string[];
}

/**
 * All live calls. It admits a new INVITE (limits, media, dialplan) or refuses it, and knows when
 * the last call is over.
 */
export class CallTable implements EngineHandler {
  readonly #context: CallContext;
  readonly #decide: CallTableOptions["decide"];
  readonly #groupsOf: CallTableOptions["groupsOf"];
  readonly #calls = new Map<string, Call>();
  readonly #ends = new EndIndex<DialogEnd>();
  readonly #ringing = new RingingIndex();
  readonly #surroundings: CallSurroundings;
  #onIdle: (() => void)[] = [];
  /** Whoever has a call may take it over from another place (RFC 3891). */
  readonly handlesReplaces = true;
  readonly events = LAMP_EVENTS;
  readonly #messages: Messages;
  readonly #lamps: Lamps;

  constructor(options: CallTableOptions) {
    this.#context = options.context;
    this.#decide = options.decide;
    this.#groupsOf = options.groupsOf;
    const { clock, logger, domain } = options.context;
    const transfers = new Transfers({
      ends: this.#ends,
      clock,
      logger,
      domain,
      trunk: (id) => this.#context.trunk(id),
      decide: ({ end, to }) =>
        this.#decide({
          from: this.#callerAt(end),
          to,
          at: new Date(clock.wallMs()),
          facts: this.#context.facts.now(),
        }),
      begin: (call, ready) => this.#beginTransfer(call, ready),
    });
    const identify = (message: IncomingMessage): CallerIdentity =>
      identifyCaller({ ...pick(message), callerIdentity: message.senderIdentity }, options.context);
    this.#messages = new Messages({
      context: options.context,
      identify,
      decide: (message, sender) => this.#decideByPlan(message, sender, WITHOUT_SETTINGS),
    });
    this.#lamps = new Lamps({
      context: options.context,
      views: () => this.views(),
      groupsOf: (userId) => this.#groupsOf(userId),
      decide: (subscribe) => {
        const callerIdentity = { user: subscribe.request.from.sipUri.user ?? "" };
        const who = identifyCaller({ ...pick(subscribe), callerIdentity }, options.context);
        return this.#decideByPlan(subscribe, who, WITHOUT_SETTINGS);
      },
    });
    this.#surroundings = {
      ends: this.#ends,
      ringing: this.#ringing,
      onRefer: (...refer) => transfers.onRefer(...refer),
    };
  }

  get size(): number {
    return this.#calls.size;
  }

  views(): CallView[] {
    return Array.from(this.#calls.values(), (call) => call.view());
  }

  view(id: string): CallView | undefined {
    return this.#calls.get(id)?.look();
  }

  /** @returns whether there was such a call */
  hangUp(id: string, reason?: EndReason): boolean {
    const call = this.#calls.get(id);
    call?.hangUp(reason);
    return call !== undefined;
  }

  /** @returns undefined: no such call; false: it is in no state for that */
  record(id: string, action: "start" | "stop"): boolean | undefined {
    const call = this.#calls.get(id);
    return call?.record(action);
  }

  hangUpAll(reason: EndReason): void {
    for (const call of this.#calls.values()) call.hangUp(reason);
  }

  /** Resolves when no call is left. */
  whenIdle(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }

  onInvite(invite: IncomingInvite): void {
    if (invite.replaces !== undefined) {
      this.#replace(invite, invite.replaces);
      return;
    }
    if (invite.replacesInvite !== undefined) {
      void this.#pickUp(invite, invite.replacesInvite);
      return;
    }
    const places = this.#takePlaces(invite);
    const identity = identifyCaller(invite, this.#context);
    const { calledInstance, isToContact } = invite;
    const decide = (): Decision =>
      isToContact === true && calledInstance !== undefined
        ? toContact(calledInstance.userId)
        : this.#decideByPlan(invite, identity);
    if ("refused" in places) {
      // No limit holds an emergency call; without media there is none.
      const isPossible = this.#context.media.isReady && invite.calledNumber.length <= 10;
      const emergency = isPossible ? decide() : undefined;
      if (emergency?.action.kind !== "dial" || emergency.action.emergency === undefined) {
        if (this.#context.media.isReady) this.#noteRefused(invite, "limit");
        refuse(invite, places.refused);
        return;
      }
      this.#begin(invite, identity, emergency, []);
      return;
    }
    this.#begin(invite, identity, decide(), places.releases);
  }

  onMessage(message: IncomingMessage): void {
    void this.#messages.onMessage(message);
  }

  onSubscribe(subscribe: IncomingSubscribe): void {
    this.#lamps.onSubscribe(subscribe);
  }

  #decideByPlan(
    invite: Pick<IncomingInvite, "party" | "request" | "calledNumber">,
    identity: CallerIdentity,
    without: Partial<CallFacts> = {},
  ): Decision {
    const { facts, clock } = this.#context;
    return this.#decide({
      from: this.#callerOf(invite, identity),
      to: invite.calledNumber,
      at: new Date(clock.wallMs()),
      headers: (name) => invite.request.headers.get(name),
      facts: { ...facts.now(), ...without },
    });
  }

  #begin(
    invite: IncomingInvite,
    identity: CallerIdentity,
    decision: Decision,
    places: readonly (() => void)[],
  ): void {
    const { refusal, route } = decision;
    if (refusal !== undefined) this.#noteRefused(invite, refusal, route);
    const { party } = invite;
    const releases =
      party.kind === "user" ? [...places, this.#context.facts.enter(party.userId)] : places;
    this.#start({ invite, identity, decision, releases }).start();
  }

  #start(call: {
    readonly invite: IncomingInvite;
    readonly identity: CallerIdentity;
    readonly decision: Decision;
    /** Give back the places of the call; those of ends that it takes over are added. */
    readonly releases: readonly (() => void)[];
    readonly taken?: Omit<TakenEnds, "onHandover">;
  }): Call {
    const { invite, identity, decision, taken } = call;
    let releases = [...call.releases];
    const id = randomToken(22);
    const [ownPlace] = releases;
    const onHandover = ({ places, isWhole }: Handover): void => {
      // The place of the call that an end began stands for this call.
      if (isWhole) ownPlace?.();
      releases = [...releases, ...places];
    };
    const made = new Call({
      id,
      context: this.#context,
      invite,
      identity,
      decision,
      release: () => {
        for (const release of releases) release();
      },
      onEnded: (ended) => this.#onCallEnded(ended),
      surroundings: this.#surroundings,
      taken: taken && { ...taken, onHandover },
    });
    this.#calls.set(id, made);
    return made;
  }

  #beginTransfer(transfer: TransferCall, ready: (id: string) => void): number | undefined {
    const { invite, decision, caller, callee, depth, from, headersFor } = transfer;
    if (!this.#context.media.isReady) return 503;
    const { limits } = this.#context;
    const place = limits.takeCall();
    if ("refused" in place) return place.refused.sipStatus;
    const own = from.by.kind === "user" ? limits.takeTransfer(from.by.id) : undefined;
    if (own !== undefined && "refused" in own) {
      place.release();
      return own.refused.sipStatus;
    }
    const releases = [place.release, ...(own === undefined ? [] : [own.release])];
    const { identity } = caller.end;
    const taken = { caller, callee, depth, from, headersFor };
    const call = this.#start({ invite, identity, decision, releases, taken });
    ready(call.id);
    call.start();
    return undefined;
  }

  /** Another telephone of the same party takes the place of one that talks (RFC 3891). */
  #replace(invite: IncomingInvite, replaced: Dialog): void {
    const end = this.#ends.find(replaced);
    const callee = end?.leavePeer();
    if (end === undefined || callee === undefined) {
      // RFC 3891 §3: it is over, or in the middle of a change.
      refuse(invite, { sipStatus: end === undefined ? 481 : 491 });
      return;
    }
    const places = this.#takePlaces(invite);
    if ("refused" in places) {
      callee.abandon(places.refused);
      refuse(invite, places.refused);
      return;
    }
    this.#takeCallee(invite, end.identity, callee, places.releases);
  }

  /** Another telephone of the same party takes a call that still rings there (RFC 3891 §3). */
  async #pickUp(invite: IncomingInvite, replaced: OutgoingInvite): Promise<void> {
    const ringing = this.#ringing.find(replaced);
    if (ringing === undefined || invite.sdp === undefined) {
      refuse(invite, ringing === undefined ? { sipStatus: 481 } : NO_OFFER);
      return;
    }
    const places = this.#takePlaces(invite);
    if ("refused" in places) {
      refuse(invite, places.refused);
      return;
    }
    let gone: EndReason | undefined;
    invite.attach({
      onCancelled: (reason = CANCELLED) => {
        gone = reason;
      },
    });
    const caller = await ringing.call.pickUp(ringing.attempt);
    if (caller !== undefined && gone === undefined) {
      this.#takeCallee(invite, ringing.attempt.callee, caller, places.releases);
      return;
    }
    for (const release of places.releases) release();
    caller?.abandon(gone ?? NORMAL_CLEARING);
    if (gone === undefined) refuse(invite, { sipStatus: 481 });
  }

  /** Begins the call of a telephone that somebody in another call is to talk to. */
  #takeCallee(
    invite: IncomingInvite,
    identity: CallerIdentity,
    callee: Leaving,
    places: readonly (() => void)[],
  ): void {
    const { party } = invite;
    const entered = party.kind === "user" ? [this.#context.facts.enter(party.userId)] : [];
    this.#start({
      invite,
      identity,
      decision: NOTHING_TO_DECIDE,
      releases: [...places, ...entered],
      taken: { callee, depth: 0, from: { call: callee.callId } },
    }).start();
  }

  #noteRefused(invite: IncomingInvite, reason: RefusedReason, route?: string): void {
    if (!callRefused.hasSubscribers) return;
    callRefused.publish({ reason, from: partyOf(invite), to: invite.calledNumber, route });
  }

  #takePlaces(
    invite: IncomingInvite,
  ): { readonly releases: readonly (() => void)[] } | { readonly refused: EndReason } {
    if (!this.#context.media.isReady) {
      return { refused: { sipStatus: 503, q850: 47, text: "No media server is available" } };
    }
    const { limits } = this.#context;
    const releases: (() => void)[] = [];
    const { party } = invite;
    for (const place of [
      () => limits.takeCall(),
      () =>
        party.kind === "user" ? limits.takeUser(party.userId) : limits.takeTrunk(party.trunkId),
    ]) {
      const taken = place();
      if ("refused" in taken) {
        for (const release of releases) release();
        return { refused: taken.refused };
      }
      releases.push(taken.release);
    }
    return { releases };
  }

  #callerOf({ party }: Pick<IncomingInvite, "party">, identity: CallerIdentity): Caller {
    if (party.kind === "trunk") {
      const { number, isWithheld } = identity;
      return { kind: "trunk", id: party.trunkId, number: isWithheld ? undefined : number };
    }
    const numbers = this.#context.user(party.userId)?.numbers ?? [];
    return {
      kind: "user",
      id: party.userId,
      groups: this.#groupsOf(party.userId),
      numbers: numbersOf(identity, numbers),
    };
  }

  /** An end of a call as one who dials. */
  #callerAt(end: DialogEnd): Caller {
    return this.#callerOf(end.dialog, end.identity);
  }

  #onCallEnded(call: Call): void {
    this.#calls.delete(call.id);
    this.#ringing.forget(call);
    if (this.#calls.size > 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const resolve of waiting) resolve();
  }
}

/** The PBX that owns the user has decided; how long it rings is the PBX's matter too. */
function toContact(userId: string): Decision {
  return {
    route: undefined,
    action: { kind: "ring", users: [userId], timeoutMs: CONTACT_RING_MS, then: [] },
    trace: [],
  };
}

/** Calls are forwarded; texts and lamps are for the user all the same. */
const WITHOUT_SETTINGS: Partial<CallFacts> = { settingsOf: undefined };

const CONTACT_RING_MS = 180_000;
const NO_OFFER: EndReason = {
  sipStatus: 488,
  q850: 88,
  text: "An INVITE with Replaces needs an offer",
};

function pick({ party, request }: Pick<IncomingInvite, "party" | "request">) {
  return { party, request };
}

function refuse(invite: IncomingInvite, reason: EndReason): void {
  invite.attach({ onCancelled() {} });
  rejectInvite(invite, completeReason(reason));
}

/** The handler of an engine that is made before the table. */
export function handlerOf(table: () => CallTable): EngineHandler {
  return {
    handlesReplaces: true,
    events: LAMP_EVENTS,
    onInvite: (invite) => table().onInvite(invite),
    onMessage: (message) => table().onMessage(message),
    onSubscribe: (subscribe) => table().onSubscribe(subscribe),
  };
}
