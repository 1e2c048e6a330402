import { randomToken } from "../core/ids.ts";
import type { CallQuery, Caller, Decision } from "../dialplan/decision.ts";
import type { EngineHandler, IncomingInvite } from "../signaling/engine.ts";
import type { EndReason } from "../core/end-reason.ts";
import { Call } from "./call.ts";
import { completeReason } from "./cause.ts";
import { callRefused } from "./channels.ts";
import type { CallContext } from "./context.ts";
import { identifyCaller, numbersOf, type CallerIdentity } from "./presentation.ts";
import type { CallView } from "./record.ts";
import { partyOf, type RefusedReason } from "./refused.ts";

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
  #onIdle: (() => void)[] = [];

  constructor(options: CallTableOptions) {
    this.#context = options.context;
    this.#decide = options.decide;
    this.#groupsOf = options.groupsOf;
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
    const places = this.#takePlaces(invite);
    const { facts } = this.#context;
    const identity = identifyCaller(invite, this.#context);
    const decide = (): Decision =>
      this.#decide({
        from: this.#callerOf(invite, identity),
        to: invite.calledNumber,
        at: new Date(this.#context.clock.wallMs()),
        headers: (name) => invite.request.headers.get(name),
        facts: facts.now(),
      });
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
    const id = randomToken(22);
    const call = new Call({
      id,
      context: this.#context,
      invite,
      identity,
      decision,
      release: () => {
        for (const release of releases) release();
      },
      onEnded: () => this.#onCallEnded(id),
    });
    this.#calls.set(id, call);
    call.start();
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

  #callerOf({ party }: IncomingInvite, identity: CallerIdentity): Caller {
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

  #onCallEnded(id: string): void {
    this.#calls.delete(id);
    if (this.#calls.size > 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const resolve of waiting) resolve();
  }
}

function refuse(invite: IncomingInvite, reason: EndReason): void {
  invite.attach({ onCancelled() {} });
  invite.reject(reason.sipStatus, {
    reason: completeReason(reason),
    ...(reason.sipStatus === 503 ? { headers: [["Retry-After", "5"]] } : {}),
  });
}
