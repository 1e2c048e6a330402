import type { Timer } from "../core/clock.ts";
import {
  asAnswerTo,
  directionOf,
  isReceiving,
  withDirection,
  type MediaDirection,
} from "../media/direction.ts";
import type { MediaLeg, MediaSession } from "../media/session.ts";
import type { CallContext } from "./context.ts";

/** One end of a held call. */
export interface HoldParty {
  readonly leg: MediaLeg;
  readonly direction: MediaDirection;
}

/** How long a trunk that holds with `sendonly` may take to begin its own music. */
const OWN_MUSIC_MS = 400;
/** Packets in that time that are more than a few late ones. */
const OWN_MUSIC_PACKETS = 8;

/**
 * Who is held, and the music that the held one hears.
 *
 * An end that takes no media (`sendonly`, `inactive`, the address 0.0.0.0) holds the other one. The
 * music goes to an end that listens while the other one does not: to nobody when both hold. A trunk
 * that holds with `sendonly` and sends has music of its own, and we play nothing.
 */
export class Hold {
  readonly #context: CallContext;
  readonly #media: MediaSession;
  readonly #note: (event: string, detail: string) => void;
  /** Who hears our music now, and in whose place. */
  #playing: { readonly held: HoldParty; readonly holder: HoldParty } | undefined;
  #timer: Timer | undefined;
  /** Counts the decisions, so that one that waited too long gives way. */
  #turn = 0;

  constructor(options: {
    readonly context: CallContext;
    readonly media: MediaSession;
    readonly note: (event: string, detail: string) => void;
  }) {
    this.#context = options.context;
    this.#media = options.media;
    this.#note = options.note;
  }

  /**
   * Takes note of both ends' directions after a change.
   *
   * @param open tells the held end that something is to be heard, where it does not know yet
   */
  async update(one: HoldParty, other: HoldParty, open?: () => Promise<void>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#timer?.cancel();
    const held = heldOf(one, other);
    const holder = held === one ? other : one;
    const before = this.#playing?.held.leg.tag;
    if (before !== undefined && before !== held?.leg.tag) {
      this.#playing = undefined;
      await this.#media.sounds.stopPlaying(before);
    }
    if (held === undefined || this.#playing !== undefined || turn !== this.#turn) return;
    const isSilent = await this.#isSilent(holder);
    if (turn !== this.#turn) return;
    await open?.();
    if (turn === this.#turn && isSilent) await this.#play(held, holder, turn);
  }

  /** Plays the music anew, when something else has taken its place. */
  async restart(): Promise<void> {
    const playing = this.#playing;
    if (playing !== undefined) await this.#play(playing.held, playing.holder, this.#turn);
  }

  /** The call ends; the media session ends the music. */
  close(): void {
    this.#turn += 1;
    this.#playing = undefined;
    this.#timer?.cancel();
  }

  async #play(held: HoldParty, holder: HoldParty, turn: number): Promise<void> {
    const music = this.#context.holdMusic;
    if (music === undefined) return;
    const to = held.leg.tag;
    try {
      const sound = await music.sound();
      if (turn !== this.#turn) return;
      this.#playing = { held, holder };
      const { file } = music;
      await this.#media.sounds.play({ to, instead: [holder.leg.tag], sound, file, isLooped: true });
      this.#note("music", to);
    } catch (error) {
      // A held party without music is held all the same.
      this.#playing = undefined;
      const detail = error instanceof Error ? error.message : String(error);
      this.#context.logger.warn("no music on hold", { detail });
    }
  }

  /** Whether the holder sends nothing that the held party should hear. */
  async #isSilent({ leg, direction }: HoldParty): Promise<boolean> {
    // A browser has no music of its own; who says `inactive` sends none.
    if (leg.kind === "webrtc" || direction !== "sendonly") return true;
    try {
      const before = await this.#packetsFrom(leg.tag);
      await new Promise<void>((resolve) => {
        this.#timer = this.#context.clock.after(OWN_MUSIC_MS, resolve);
      });
      return (await this.#packetsFrom(leg.tag)) - before < OWN_MUSIC_PACKETS;
    } catch {
      return true;
    }
  }

  async #packetsFrom(tag: string): Promise<number> {
    const { packetsFrom } = await this.#media.query();
    return packetsFrom[tag] ?? 0;
  }
}

/** The end that listens while the other one does not; undefined when there is none. */
export function heldOf(one: HoldParty, other: HoldParty): HoldParty | undefined {
  const isOneReceiving = isReceiving(one.direction);
  if (isOneReceiving === isReceiving(other.direction)) return undefined;
  return isOneReceiving ? one : other;
}

/**
 * An offer as rtpengine and the other end get it. With music a hold is `sendonly` however it was
 * spelt: the held end goes on listening, and rtpengine plays to no one in an `inactive` pair.
 */
export function offerForPeer(offer: string, hasMusic: boolean): string {
  const direction = directionOf(offer);
  if (direction === "inactive") return withDirection(offer, hasMusic ? "sendonly" : "inactive");
  return offer;
}

/**
 * The peer's answer as rtpengine gets it: with music, a peer that holds (`inactive`) sends to the
 * other end all the same, through us.
 */
export function answerFromPeer(answer: string, hasMusic: boolean): string {
  return hasMusic && directionOf(answer) === "inactive"
    ? withDirection(answer, "sendonly")
    : answer;
}

/** RFC 3264 §6.1: what the answer to an end's offer may say, made of what rtpengine made of it. */
export function answerFor(offer: string, answer: string): string {
  return asAnswerTo(offer, soundAnswerFor(directionOf(offer), answer));
}

function soundAnswerFor(offered: MediaDirection, answer: string): string {
  switch (offered) {
    case "inactive":
      return withDirection(answer, "inactive");
    case "sendonly":
      return directionOf(answer) === "inactive" ? answer : withDirection(answer, "recvonly");
    case "recvonly":
      return directionOf(answer) === "inactive" ? answer : withDirection(answer, "sendonly");
    case "sendrecv":
      return answer;
  }
}
