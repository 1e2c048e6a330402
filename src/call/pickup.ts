import type { OutgoingInvite } from "../signaling/engine.ts";
import type { Attempt } from "./attempt.ts";
import type { Leaving } from "./leaving.ts";
import type { ServiceChoice } from "./service-call.ts";

/** A call that nobody has answered yet. */
export interface RingingCall {
  /**
   * Stops everything that rings and answers the caller in silence, so that it can leave for the call
   * of whoever picks it up.
   *
   * @param attempt the one that was named
   * @returns the caller; undefined when somebody has answered meanwhile, or the caller has gone
   */
  pickUp(attempt: Attempt): Promise<Leaving | undefined>;
}

interface Ringing {
  readonly call: RingingCall;
  readonly attempt: Attempt;
}

/** What rings, by our INVITE, for those who name its early dialog in Replaces (RFC 3891 §3). */
export class RingingIndex {
  readonly #ringing = new Map<OutgoingInvite, Ringing>();
  readonly #invites = new Map<RingingCall, Set<OutgoingInvite>>();

  add(call: RingingCall, attempt: Attempt): void {
    const { invite } = attempt;
    if (invite === undefined) return;
    this.#ringing.set(invite, { call, attempt });
    const invites = this.#invites.get(call);
    if (invites === undefined) this.#invites.set(call, new Set([invite]));
    else invites.add(invite);
  }

  /** @returns undefined when it rings no more */
  find(invite: OutgoingInvite): Ringing | undefined {
    const ringing = this.#ringing.get(invite);
    return ringing?.attempt.state === "ringing" ? ringing : undefined;
  }

  /**
   * The call is answered or over: nothing of it rings. An INVITE is remembered half a minute longer
   * than a call, and must not keep it; nor need a call keep what has rung for as long as it is up.
   */
  forget(call: RingingCall): void {
    for (const invite of this.#invites.get(call) ?? []) this.#ringing.delete(invite);
    this.#invites.delete(call);
  }
}

const SILENCE_SECONDS = 30;
const OCTETS_A_SECOND = 8000;
/** Of µ-law. */
const SILENT = 0xff;

/** What a caller hears between the answer and the one who has picked its call up. */
export function silence(): ServiceChoice {
  return { kind: "play", sound: Buffer.alloc(SILENCE_SECONDS * OCTETS_A_SECOND, SILENT) };
}
