/**
 * When the sound suffers, Opus bears what G.711 and G.722 do not: it has forward error correction and
 * hides gaps better. The phone then offers Opus alone, which the gateway takes for a wish, and gives
 * it to this browser whatever the other side speaks.
 */
import { type DirectionCounts, lossOf } from "./stats-reading.ts";

/** The packets of some seconds. */
export interface LossSample {
  readonly inbound: DirectionCounts;
  readonly outbound: DirectionCounts;
}

/** RFC 7587 has no figure; above this share of lost packets speech in G.711 is audibly broken. */
export const LOSS_LIMIT = 0.03;
/** A share of less than a second of sound says nothing. */
const FEWEST_PACKETS = 50;
const MOST_TRIES = 2;

/** Decides once for a call whether to ask for Opus. Pure. */
export class OpusWish {
  #state: "waiting" | "asking" | "settled" = "waiting";
  #tries = 0;

  /** @returns whether to ask now; the outcome must follow by `onOutcome` */
  onSample(sample: LossSample, speaksOpus: boolean): boolean {
    if (this.#state !== "waiting") return false;
    if (speaksOpus) return false;
    const { inbound, outbound } = sample;
    const isLossy =
      (inbound.packets >= FEWEST_PACKETS && lossOf(inbound, true) > LOSS_LIMIT) ||
      (outbound.packets >= FEWEST_PACKETS && lossOf(outbound, false) > LOSS_LIMIT);
    if (!isLossy) return false;
    this.#state = "asking";
    this.#tries += 1;
    return true;
  }

  /** @param isGiven whether the far end has agreed; a refusal is asked about once more */
  onOutcome(isGiven: boolean): void {
    this.#state = isGiven || this.#tries >= MOST_TRIES ? "settled" : "waiting";
  }
}

/** Whether the first codec of an SDP's audio section is Opus. */
export function speaksOpus(sdp: string): boolean {
  const first = /^m=audio \d+ \S+ (\d+)/m.exec(sdp)?.[1];
  return first !== undefined && new RegExp(`^a=rtpmap:${first} opus/48000`, "im").test(sdp);
}
