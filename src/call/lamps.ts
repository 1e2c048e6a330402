import type { Decision, Outcomes } from "../dialplan/decision.ts";
import type {
  EventContent,
  IncomingSubscribe,
  InviteTarget,
  OutgoingSubscription,
  Subscription,
} from "../signaling/engine.ts";
import { buildSipUri } from "../signaling/message/uri.ts";
import { callChanged, callEnded, callStarted } from "./channels.ts";
import type { CallContext } from "./context.ts";
import { DIALOG_INFO, formatDialogInfo, type LampDialog } from "./dialog-info.ts";
import type { CallView } from "./record.ts";

/** The event packages that can be subscribed to. */
export const LAMP_EVENTS: readonly string[] = ["dialog", "message-summary"];

export interface LampsOptions {
  readonly context: CallContext;
  /** All live calls. */
  views(): readonly CallView[];
  groupsOf(userId: string): readonly string[];
  /** Decides as if the subscriber had called. */
  decide(subscribe: IncomingSubscribe): Decision;
}

/** Subscriptions of everybody. */
const MAX_LAMPS = 20_000;

interface Lamp {
  readonly subscription: Subscription;
  version: number;
  told: string;
}

/**
 * Lamps: who talks (`dialog`, RFC 4235) and who has messages (`message-summary`, RFC 3842). The state
 * of a web user is the gateway's to tell, by its live calls, to users who share a group with it, and
 * never with whom it talks. What is elsewhere is asked there: the subscription goes to the trunk that
 * the dialplan sends calls to, and its NOTIFYs come back as they are.
 */
export class Lamps {
  readonly #options: LampsOptions;
  /** By the user that is watched. */
  readonly #lamps = new Map<string, Set<Lamp>>();
  /** Live calls of watched users: user, then call and leg. */
  readonly #dialogs = new Map<string, Map<string, LampDialog>>();
  #count = 0;
  #ears: readonly (() => void)[] = [];

  constructor(options: LampsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  onSubscribe(subscribe: IncomingSubscribe): void {
    if (this.#count >= MAX_LAMPS) {
      subscribe.reject(503, { headers: [["Retry-After", "60"]] });
      return;
    }
    const { event, calledNumber, party } = subscribe;
    const isUser = this.#options.context.user(calledNumber) !== undefined;
    if (event === "dialog" && isUser) {
      this.#serve(subscribe, calledNumber);
      return;
    }
    const isOwnBox = party.kind === "user" && party.userId === calledNumber;
    if (event === "message-summary" && isUser && !isOwnBox) {
      subscribe.reject(403);
      return;
    }
    this.#passOn(subscribe);
  }

  close(): void {
    for (const unsubscribe of this.#ears) unsubscribe();
    this.#ears = [];
  }

  // Users of ours

  #serve(subscribe: IncomingSubscribe, userId: string): void {
    const { party, mediaTypes } = subscribe;
    if (!this.#mayWatch(party, userId)) {
      subscribe.reject(403);
      return;
    }
    if (mediaTypes.length > 0 && !mediaTypes.includes(DIALOG_INFO)) {
      subscribe.reject(406);
      return;
    }
    this.#listen();
    const dialogs = this.#dialogsOf(userId);
    const content = this.#contentOf(userId, 0, dialogs);
    const subscription = subscribe.accept(content);
    if (subscription === undefined) {
      this.#forgetIfDark(userId);
      return;
    }
    const lamp: Lamp = { subscription, version: 0, told: keyOf(dialogs) };
    const lamps = this.#lamps.get(userId) ?? new Set();
    this.#lamps.set(userId, lamps.add(lamp));
    this.#count += 1;
    subscription.attach({
      onRefreshed() {},
      onTerminated: () => {
        if (!lamps.delete(lamp)) return;
        this.#count -= 1;
        this.#forgetIfDark(userId);
      },
    });
  }

  /** Deny by default: a web user with a group of the other one's, or itself. */
  #mayWatch(party: IncomingSubscribe["party"], userId: string): boolean {
    if (party.kind !== "user") return false;
    if (party.userId === userId) return true;
    const own = new Set(this.#options.groupsOf(party.userId));
    return this.#options.groupsOf(userId).some((group) => own.has(group));
  }

  #contentOf(
    userId: string,
    version: number,
    dialogs: ReadonlyMap<string, LampDialog>,
  ): EventContent {
    const entity = buildSipUri({ user: userId, host: this.#options.context.domain });
    return {
      contentType: DIALOG_INFO,
      body: formatDialogInfo(entity, version, [...dialogs.values()]),
    };
  }

  /** The live calls of a user; looked up once, and followed from then on. */
  #dialogsOf(userId: string): Map<string, LampDialog> {
    const known = this.#dialogs.get(userId);
    if (known !== undefined) return known;
    const dialogs = new Map<string, LampDialog>();
    this.#dialogs.set(userId, dialogs);
    for (const view of this.#options.views()) this.#note(view, false, userId);
    return dialogs;
  }

  #listen(): void {
    if (this.#ears.length > 0) return;
    this.#ears = [
      callStarted.subscribe((view) => this.#onCall(view, false)),
      callChanged.subscribe((view) => this.#onCall(view, false)),
      callEnded.subscribe((record) => this.#onCall({ ...record, state: "ended" }, true)),
    ];
  }

  #onCall(view: CallView, isOver: boolean): void {
    for (const userId of this.#note(view, isOver, undefined)) this.#tell(userId);
  }

  /** @returns the watched users of the call */
  #note(view: CallView, isOver: boolean, only: string | undefined): ReadonlySet<string> {
    const seen = new Set<string>();
    for (const leg of view.legs) {
      const isWanted = leg.kind === "user" && (only === undefined || only === leg.id);
      const dialogs = isWanted ? this.#dialogs.get(leg.id) : undefined;
      if (dialogs === undefined) continue;
      seen.add(leg.id);
      const id = `${view.id}-${leg.tag}`;
      if (isOver || leg.state === "ended") dialogs.delete(id);
      else {
        dialogs.set(id, {
          id,
          direction: leg.direction === "in" ? "initiator" : "recipient",
          state: leg.state === "answered" ? "confirmed" : "early",
        });
      }
    }
    return seen;
  }

  #tell(userId: string): void {
    const dialogs = this.#dialogs.get(userId);
    if (dialogs === undefined) return;
    const now = keyOf(dialogs);
    for (const lamp of this.#lamps.get(userId) ?? []) {
      if (lamp.told === now) continue;
      lamp.told = now;
      lamp.version += 1;
      lamp.subscription.notify(this.#contentOf(userId, lamp.version, dialogs));
    }
  }

  #forgetIfDark(userId: string): void {
    if ((this.#lamps.get(userId)?.size ?? 0) > 0) return;
    this.#lamps.delete(userId);
    this.#dialogs.delete(userId);
    if (this.#lamps.size === 0) this.close();
  }

  // What is elsewhere

  #passOn(subscribe: IncomingSubscribe): void {
    const target = this.#targetOf(subscribe);
    if (target === undefined) {
      subscribe.reject(404);
      return;
    }
    const { context } = this.#options;
    const { party, event, mediaTypes, expiresSeconds } = subscribe;
    const subscriber = party.kind === "user" ? party.userId : "";
    let subscription: Subscription | undefined;
    let upstream: OutgoingSubscription | undefined;
    let waiting: EventContent | undefined;
    this.#count += 1;
    const over = (): void => {
      if (upstream === undefined) return;
      upstream = undefined;
      this.#count -= 1;
    };
    upstream = context.engine.subscribe(
      {
        target,
        from: { user: subscriber, displayName: context.user(subscriber)?.name },
        to: { user: target.number },
        event,
        accept: mediaTypes,
        expiresSeconds: Math.max(expiresSeconds, 60),
        onBehalfOf: subscribe,
      },
      {
        onNotify: ({ contentType, body }) => {
          if (upstream === undefined) return;
          const content = contentType === undefined ? undefined : { contentType, body };
          if (subscription !== undefined) {
            subscription.notify(content);
            return;
          }
          waiting = content;
          // What the peer says at once is the first that the subscriber hears.
          subscription = subscribe.accept(waiting);
          if (subscription === undefined) {
            upstream.unsubscribe();
            over();
            return;
          }
          subscription.attach({
            onRefreshed() {},
            onTerminated: () => {
              upstream?.unsubscribe();
              over();
            },
          });
        },
        onEnded: ({ status, retryAfterSeconds, challenge }) => {
          over();
          if (subscription !== undefined) {
            // A PBX that asks a user of its own anew gets the answer with a new subscription.
            const isAsked = status === 401 || status === 407;
            const mayReturn = retryAfterSeconds !== undefined || isAsked;
            subscription.terminate(mayReturn ? "deactivated" : "noresource");
          } else if (challenge !== undefined && status !== undefined) {
            // RFC 3261 §22.3: the subscriber answers it, and subscribes again.
            subscribe.reject(status, { headers: challenge });
          } else subscribe.reject(statusForSubscriber(status));
        },
      },
    );
  }

  /** Where calls to that number go, when that is a trunk; for a user's own box its voicemail. */
  #targetOf(subscribe: IncomingSubscribe): Extract<InviteTarget, { kind: "trunk" }> | undefined {
    // A trunk's lamps are its own business, and would be asked with our credentials elsewhere.
    if (subscribe.party.kind === "trunk") return undefined;
    const { action, refusal } = this.#options.decide(subscribe);
    if (refusal !== undefined) return undefined;
    if (action.kind === "dial") {
      const [trunkId] = action.trunks;
      if (trunkId === undefined || action.emergency !== undefined) return undefined;
      return { kind: "trunk", trunkId, number: action.number };
    }
    const box = subscribe.event === "message-summary" ? boxOf(action) : undefined;
    return box && { kind: "trunk", trunkId: box.trunk, number: box.mailbox };
  }
}

/** The voicemail that takes a user's calls, within its route. */
function boxOf(
  action: Decision["action"],
): Extract<Decision["action"], { kind: "voicemail" }> | undefined {
  if (action.kind === "voicemail") return action;
  if (!("then" in action)) return undefined;
  const { then, on = {} }: Outcomes = action;
  for (const next of [...Object.values(on).flat(), ...then]) {
    const box = boxOf(next);
    if (box !== undefined) return box;
  }
  return undefined;
}

/** What speaks of our credentials at the peer is no business of the subscriber's. */
function statusForSubscriber(status: number | undefined): number {
  if (status === undefined) return 500;
  if (status === 401 || status === 407 || status < 400) return 502;
  return status;
}

/** What can change in a document. */
function keyOf(dialogs: ReadonlyMap<string, LampDialog>): string {
  return Array.from(dialogs.values(), ({ id, state }) => `${id} ${state}`).join("\n");
}
