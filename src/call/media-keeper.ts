import { LazyMap } from "../core/lazy-map.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { EndReason } from "../core/end-reason.ts";
import { OffhookError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { directionOf } from "../media/direction.ts";
import type { LegHealth, MediaSession } from "../media/session.ts";
import type { CallMediaFact } from "./channels.ts";
import type { Peer } from "./renegotiation.ts";
import type { MediaPace } from "./media-pace.ts";
import type { ReanchorOutcome } from "./reanchor.ts";

/** What the keeper needs of its call. */
export interface KeptCall {
  readonly media: MediaSession;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pace: MediaPace;
  /** Both ends, once they are joined; undefined before and after. */
  ends(): readonly [Peer, Peer] | undefined;
  /**
   * Moves the media. Only while `ends` are there; `busy` while something else is changed.
   *
   * @param isUseless the sound cannot come back where it is
   */
  reanchor(ends: readonly [Peer, Peer], isUseless: boolean): Promise<ReanchorOutcome>;
  /** For the call's timeline and the fact channel. */
  told(event: CallMediaFact["event"], detail: string): void;
  end(reason: EndReason): void;
}

/** Why the media must move, for people. */
interface Cause {
  readonly why: string;
  /** An end and rtpengine have no keys in common, and will not get any where they are. */
  readonly isUseless: boolean;
  /** The sound may well stay where it is: an end that refuses is not asked again. */
  readonly isOptional?: boolean;
}

/** After the ends were joined: DTLS takes some 50 ms, so that these are late enough to be sure. */
const DTLS_CHECKS_MS = [1200, 2500] as const;
const SOUND_CHECK_MS = 5000;
/** A repair that changed nothing is not tried for ever. */
const MAX_REPAIRS = 4;
/** Between two tries to move: at once, then slower; an end may be busy or out of reach. */
const RETRY_MS = [100, 300, 1000, 2000, 4000] as const;

/**
 * Keeps the sound of one call alive: moves it when its rtpengine is lost, negotiates it anew when no
 * sound comes after the answer, and ends the call when an end has been silent for too long.
 *
 * rtpengine is asked three times in the first seconds and at the pace of all calls after that;
 * nothing is done for a packet or a message.
 */
export class MediaKeeper {
  readonly #call: KeptCall;
  #state: "watching" | "moving" | "closed" = "watching";
  /** Why the media must move; undefined when it is well. */
  #wanted: Cause | undefined;
  #tries = 0;
  #repairs = 0;
  #retry: Timer | undefined;
  #check: Timer | undefined;
  /** Takes the call out of the pace's count; undefined before its ends are joined. */
  #unwatch: (() => void) | undefined;
  /** What was counted from each leg, and when that last became more. */
  readonly #heard = new LazyMap<string, { packets: number; atMs: number }>();
  /** Legs whose DTLS has been done on this rtpengine: done again it may take its time. */
  readonly #secured = new Set<string>();

  constructor(call: KeptCall) {
    this.#call = call;
  }

  /** Whether the rtpengine that has the call is lost, and nothing has been moved yet. */
  get isLost(): boolean {
    return this.#wanted !== undefined;
  }

  /** The call was moved by itself, before its ends were joined. */
  onMoved(): void {
    this.#wanted = undefined;
  }

  /** Both ends are joined. */
  onJoined(): void {
    this.#unwatch ??= this.#call.pace.watch();
    this.#scheduleChecks();
    this.#tryMove();
  }

  /**
   * A change that an end asked for is over; it may have brought a new path and new keys.
   *
   * @param whyMove why the media should go elsewhere now, if an end agrees
   */
  onRenegotiated(whyMove?: string): void {
    if (whyMove !== undefined && this.#wanted === undefined) {
      this.#want({ why: whyMove, isUseless: false, isOptional: true });
      return;
    }
    if (this.#state === "watching" && this.#wanted === undefined) this.#scheduleChecks();
    this.onIdle();
  }

  /** Something that kept the call busy is over. */
  onIdle(): void {
    if (this.#retry === undefined) this.#tryMove();
  }

  /** The media has to go elsewhere: its rtpengine is lost, or drained, or has changed its side. */
  move(why: string): void {
    this.#want({ why, isUseless: false });
  }

  #want(cause: Cause): void {
    if (this.#state === "closed") return;
    this.#wanted = cause;
    this.#tries = 0;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#tryMove();
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#unwatch?.();
    this.#retry?.cancel();
    this.#check?.cancel();
  }

  #tryMove(): void {
    if (this.#wanted === undefined || this.#state !== "watching") return;
    const ends = this.#call.ends();
    // Before the answer nobody has to be asked; the answer brings us here again.
    if (ends === undefined) return;
    this.#state = "moving";
    this.#check?.cancel();
    void this.#move(ends, this.#wanted);
  }

  async #move(ends: readonly [Peer, Peer], cause: Cause): Promise<void> {
    const { clock } = this.#call;
    const startedMs = clock.monotonicMs();
    const outcome = await this.#call.reanchor(ends, cause.isUseless);
    if (this.#isClosed()) return;
    this.#state = "watching";
    switch (outcome.kind) {
      case "moved": {
        const tookMs = Math.round(clock.monotonicMs() - startedMs);
        this.#call.told("moved", `${cause.why}; ${tookMs} ms`);
        // What was lost again meanwhile is another matter.
        if (this.#wanted === cause) this.#wanted = undefined;
        this.#tries = 0;
        for (const heard of this.#heard.values()) heard.packets = 0;
        this.#secured.clear();
        break;
      }
      case "failed":
        this.#call.told("move-failed", outcome.why);
        if (cause.isOptional === true && this.#wanted === cause) this.#wanted = undefined;
        break;
      case "busy":
        break;
    }
    this.#scheduleChecks();
    if (this.#wanted === undefined) return;
    const delayMs = RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)] ?? 0;
    this.#tries += 1;
    this.#retry = clock.after(delayMs, () => {
      this.#retry = undefined;
      this.#tryMove();
    });
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  /** From the join, or the last move, on. */
  #scheduleChecks(): void {
    this.#checkAfter(0, [...DTLS_CHECKS_MS, SOUND_CHECK_MS]);
  }

  #checkAfter(passedMs: number, instants: readonly number[]): void {
    this.#check?.cancel();
    const [next, ...later] = instants;
    const afterMs = next === undefined ? this.#call.pace.pollMs : next - passedMs;
    this.#check = this.#call.clock.after(afterMs, () => {
      void this.#onCheck(next ?? 0, later);
    });
  }

  async #onCheck(atMs: number, later: readonly number[]): Promise<void> {
    const ends = this.#call.ends();
    if (ends === undefined || this.#state !== "watching") return;
    let health: Readonly<Record<string, LegHealth>> | undefined;
    try {
      health = await this.#call.media.health();
    } catch (error) {
      const isForgotten =
        error instanceof OffhookError && error.code === "ERR_OFFHOOK_MEDIA_UNKNOWN_CALL";
      if (this.#isClosed()) return;
      if (isForgotten) this.move("its rtpengine no longer knew it");
    }
    if (this.#state !== "watching" || this.#wanted !== undefined) return;
    this.#checkAfter(atMs, later);
    if (health === undefined) return;
    if (this.#hasDied(ends, health)) return;
    const missing =
      atMs === 0 ? undefined : missingIn(ends, health, this.#secured, atMs >= SOUND_CHECK_MS);
    for (const [tag, leg] of Object.entries(health)) if (leg.isSecured) this.#secured.add(tag);
    if (missing === undefined || this.#repairs >= MAX_REPAIRS) return;
    this.#repairs += 1;
    this.#call.told("repaired", missing.why);
    this.#call.logger.warn("a call without sound is negotiated anew", { why: missing.why });
    this.#want(missing);
  }

  /** Ends the call when an end that should send has been silent for too long. */
  #hasDied(ends: readonly [Peer, Peer], health: Readonly<Record<string, LegHealth>>): boolean {
    const nowMs = this.#call.clock.monotonicMs();
    for (const [end, peer] of [ends, [ends[1], ends[0]] as const]) {
      const { tag } = legOf(end);
      const packets = health[tag]?.packets ?? 0;
      const heard = this.#heard.get(tag);
      // Who is held, or holds, may be silent as long as it likes.
      if (heard === undefined || packets > heard.packets || !shouldSend(end, peer)) {
        this.#heard.set(tag, { packets, atMs: nowMs });
        continue;
      }
      if (nowMs - heard.atMs < this.#call.pace.timeoutMs) continue;
      const seconds = Math.round((nowMs - heard.atMs) / 1000);
      const who = end.kind === "service" ? "service" : end.end.role;
      const text = `No sound from the ${who} for ${seconds} s`;
      this.#call.told("timed-out", text);
      this.#call.end({ sipStatus: 408, q850: 27, text });
      return true;
    }
    return false;
  }
}

/** What should have come by now and has not; undefined when all is well. */
function missingIn(
  ends: readonly [Peer, Peer],
  health: Readonly<Record<string, LegHealth>>,
  secured: ReadonlySet<string>,
  isSoundDue: boolean,
): Cause | undefined {
  for (const [end, peer] of [ends, [ends[1], ends[0]] as const]) {
    const { tag } = legOf(end);
    const leg = health[tag];
    if (leg === undefined) continue;
    // Its packets arrive, but nobody has the keys: somebody disturbed the handshake. rtpengine may
    // even take it for complete, with the stranger's part in it (CVE-2023-51275, seen with 10.5). A
    // browser that has had keys is in another network now, and gets the longer time.
    const isDue = isSoundDue || (!secured.has(tag) && (leg.hasPath || leg.isUnreadable));
    // Nothing at all has come from this browser: its network lets nothing through. Another port of
    // ours is no help, and would only begin its search for a relay anew.
    if (!leg.isSecured && !leg.hasPath && !leg.isUnreadable && leg.packets === 0) continue;
    if (!leg.isSecured && isDue) return { why: `no DTLS from ${tag}`, isUseless: true };
    if (leg.isUnreadable) {
      return { why: `no packet that can be decrypted from ${tag}`, isUseless: true };
    }
    if (isSoundDue && leg.packets === 0 && shouldSend(end, peer)) {
      return { why: `no packet from ${tag}`, isUseless: false };
    }
  }
  return undefined;
}

/** Whoever holds with `sendonly` may have no music, and is as silent as the one that is held. */
function shouldSend(end: Peer, peer: Peer): boolean {
  return (
    directionOf(remoteSdpOf(end) ?? "") === "sendrecv" &&
    directionOf(remoteSdpOf(peer) ?? "") === "sendrecv"
  );
}

function legOf(peer: Peer) {
  return peer.kind === "service" ? peer.leg : peer.end.leg;
}

function remoteSdpOf(peer: Peer): string | undefined {
  return peer.kind === "service" ? peer.service.sdp : peer.end.remoteSdp;
}
