import type { Action, Decision } from "../dialplan/decision.ts";
import type { ExtraHeaders, Identity, IncomingMessage, InviteTarget } from "../signaling/engine.ts";
import { callRefused } from "./channels.ts";
import type { CallContext } from "./context.ts";
import { presentToTrunk, type CallerIdentity } from "./presentation.ts";
import { partyOf } from "./refused.ts";

export interface MessagesOptions {
  readonly context: CallContext;
  /** Who sends, as a caller would be known. */
  identify(message: IncomingMessage): CallerIdentity;
  /** Decides as if the sender had called. */
  decide(message: IncomingMessage, sender: CallerIdentity): Decision;
}

type OnChallenge = (challenge: ExtraHeaders) => void;

/** Texts under way, of everybody and of one sender. */
const MAX_PENDING = 500;
const MAX_PENDING_OF_SENDER = 20;
/** The sender gives up after 32 s (RFC 3261 §17.1.2.2, Timer F), and must hear before. */
const ANSWER_WITHIN_MS = 25_000;
const DEFAULT_HOPS = 70;

/**
 * Texts (MESSAGE, RFC 3428) between web users and trunks: whoever may call somebody may write to it.
 * Nothing is kept: the response says whether somebody has the text, and why not.
 */
export class Messages {
  readonly #options: MessagesOptions;
  readonly #pending = new Map<string, number>();
  #total = 0;

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  /** Texts that nobody has answered yet. */
  get pending(): number {
    return this.#total;
  }

  async onMessage(message: IncomingMessage): Promise<void> {
    const { kind, id } = partyOf(message);
    const key = `${kind} ${id}`;
    const own = this.#pending.get(key) ?? 0;
    if (own >= MAX_PENDING_OF_SENDER || this.#total >= MAX_PENDING) {
      message.respond(503, { headers: [["Retry-After", "5"]] });
      return;
    }
    this.#pending.set(key, own + 1);
    this.#total += 1;
    const limit = this.#options.context.clock.after(ANSWER_WITHIN_MS, () => message.respond(408));
    try {
      let challenge: ExtraHeaders = [];
      const status = await this.#deliver(message, (asked) => (challenge = asked));
      // RFC 3261 §22.3: the sender answers it, and sends again; our own credentials are not its
      // business.
      if (challenge.length > 0) message.respond(status, { headers: challenge });
      else message.respond(status === 401 || status === 407 ? 502 : status);
    } finally {
      limit.cancel();
      this.#total -= 1;
      const left = (this.#pending.get(key) ?? 1) - 1;
      if (left === 0) this.#pending.delete(key);
      else this.#pending.set(key, left);
    }
  }

  /** @returns the status for the sender */
  async #deliver(message: IncomingMessage, onChallenge: OnChallenge): Promise<number> {
    const sender = this.#options.identify(message);
    const { calledInstance, isToContact = false } = message;
    if (isToContact && calledInstance !== undefined) {
      return this.#toUsers(message, sender, [calledInstance.userId]);
    }
    const { action, refusal, route } = this.#options.decide(message, sender);
    if (refusal !== undefined) {
      const to = message.calledNumber;
      callRefused.publish({ reason: refusal, from: partyOf(message), to, route });
    }
    switch (action.kind) {
      case "ring":
        return this.#toUsers(message, sender, action.users);
      case "dial":
        return this.#toTrunks(message, sender, action, onChallenge);
      case "reject":
        return action.status;
      case "voicemail":
      case "ask":
      case "echo":
      case "play":
      case "read-digits":
      case "set":
      case "hang-up":
        // Nobody there can read.
        return 488;
    }
  }

  /** Every browser of the users gets it; one that has it is enough. */
  async #toUsers(
    message: IncomingMessage,
    sender: CallerIdentity,
    users: readonly string[],
  ): Promise<number> {
    const { locations } = this.#options.context.engine;
    const { party, calledInstance } = message;
    const instances = new Map<string, InviteTarget>();
    for (const binding of users.flatMap((userId) => locations.bindings(userId))) {
      const { userId, instanceId } = binding;
      const isOther = calledInstance?.userId === userId && calledInstance.instanceId !== instanceId;
      const isSender =
        party.kind === "user" && party.userId === userId && party.instanceId === instanceId;
      const key = `${userId} ${instanceId}`;
      if (!isOther && !isSender && !instances.has(key)) {
        instances.set(key, { kind: "binding", binding });
      }
    }
    const statuses = await Promise.all(
      Array.from(instances.values(), (target) => this.#send(message, target, sender.shown)),
    );
    return statuses.find(isTaken) ?? statuses[0] ?? 480;
  }

  async #toTrunks(
    message: IncomingMessage,
    sender: CallerIdentity,
    action: Extract<Action, { kind: "dial" }>,
    onChallenge: OnChallenge,
  ): Promise<number> {
    const { context } = this.#options;
    let status = 503;
    for (const trunkId of action.trunks) {
      const { from, headers, called } = presentToTrunk(
        sender,
        {
          callerNumber: action.callerNumber,
          displayName: action.displayName,
          as: undefined,
          reason: "unconditional",
          isEmergency: action.emergency !== undefined,
          called: action.number,
        },
        {
          user: (id) => context.user(id),
          trunk: (id) => context.trunk(id),
          country: context.country,
          domain: context.domain,
          terms: context.trunk(trunkId)?.identity,
        },
      );
      const target: InviteTarget = { kind: "trunk", trunkId, number: called };
      status = await this.#send(message, target, from, { headers, onChallenge });
      // Only a trunk that could not take it is followed by the next one: nobody reads a text twice.
      if (status !== 503) return status;
    }
    return status;
  }

  #send(
    message: IncomingMessage,
    target: InviteTarget,
    from: Identity,
    more: { readonly headers?: ExtraHeaders; readonly onChallenge?: OnChallenge } = {},
  ): Promise<number> {
    const { calledNumber, text, request } = message;
    const { headers = [], onChallenge } = more;
    const to = { user: target.kind === "trunk" ? target.number : calledNumber };
    const hops = Math.min(request.maxForwards ?? DEFAULT_HOPS, DEFAULT_HOPS) - 1;
    return this.#options.context.engine.message({
      target,
      from,
      to,
      text,
      headers: [["Max-Forwards", String(Math.max(0, hops))], ...headers],
      onBehalfOf: message,
      ...(onChallenge !== undefined && { onChallenge }),
    });
  }
}

function isTaken(status: number): boolean {
  return status >= 200 && status < 300;
}
