import type { Timer } from "../core/clock.ts";
import type { EndReason } from "../core/end-reason.ts";
import { tryParseAnnouncement } from "../dialplan/announce.ts";
import type { Exchange, MediaLeg, ServiceEndpoint } from "../media/session.ts";
import { announcementSound, type FailureAnnouncement } from "../media/sound/announcements.ts";
import { loadSoundFile } from "../media/sound/sound-file.ts";
import type { CallerOffers } from "./caller-offers.ts";
import type { CallContext } from "./context.ts";
import { SERVICE_LEG } from "./service-leg.ts";

/** A file that never ends must not keep the caller's line. */
const LONGEST_MS = 60_000;
/** How long the exchange with rtpengine and the first packet may take on top of the sound. */
const SLACK_MS = 5000;
const SAMPLES_PER_MS = 8;

/**
 * Tells a caller why its call fails, in early media before the final response: a service of ours
 * plays, the 183 carries its SDP. Whatever goes wrong with it, `onOver` comes once, and the failure
 * takes its course.
 */
export class Announcement {
  readonly #context: CallContext;
  readonly #offers: CallerOffers;
  readonly #callerLeg: MediaLeg;
  readonly #progress: (sdp: string) => void;
  readonly #onOver: () => void;
  #state: "new" | "playing" | "over" = "new";
  #service: ServiceEndpoint | undefined;
  #timer: Timer | undefined;

  constructor(options: {
    readonly context: CallContext;
    readonly offers: CallerOffers;
    readonly callerLeg: MediaLeg;
    /** Sends the 183. */
    readonly progress: (sdp: string) => void;
    readonly onOver: () => void;
  }) {
    this.#context = options.context;
    this.#offers = options.offers;
    this.#callerLeg = options.callerLeg;
    this.#progress = options.progress;
    this.#onOver = options.onOver;
  }

  /** @param announce a name of an announcement, or a file */
  async start(announce: string, reason: EndReason): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "playing";
    try {
      const sound = await soundOf(announce, reason, this.#context.country);
      await this.#play(sound);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.#context.logger.warn("an announcement could not be played", { announce, detail });
      this.#finish();
    }
  }

  /** The caller has gone, or the call ends: no callback follows. */
  close(): void {
    this.#state = "over";
    this.#timer?.cancel();
    this.#service?.close();
  }

  async #play(sound: Buffer): Promise<void> {
    const service = await this.#context.media.createService(
      "play",
      { onFinished: () => this.#finish(), onDigit() {} },
      { sound },
    );
    if (this.#isOver()) {
      service.close();
      return;
    }
    this.#service = service;
    const exchange: Exchange = {
      offerer: this.#callerLeg,
      answerer: SERVICE_LEG,
      branch: "announcement",
    };
    const answer = await this.#offers.inTurn(() => this.#offers.serve(service, exchange));
    if (this.#isOver()) return;
    const lengthMs = Math.min(sound.length / SAMPLES_PER_MS, LONGEST_MS);
    this.#timer = this.#context.clock.after(lengthMs + SLACK_MS, () => this.#finish());
    this.#progress(answer);
  }

  #isOver(): boolean {
    return this.#state === "over";
  }

  #finish(): void {
    if (this.#isOver()) return;
    this.close();
    this.#onOver();
  }
}

function soundOf(
  announce: string,
  reason: EndReason,
  country: string | undefined,
): Promise<Buffer> {
  const name = tryParseAnnouncement(announce);
  if (name === undefined) return loadSoundFile(announce);
  const chosen = name === "auto" ? announcementFor(reason) : name;
  return Promise.resolve(announcementSound(chosen, country));
}

/** What fits a reason: by its Q.850 cause, else by its status. */
export function announcementFor({ sipStatus, q850 }: EndReason): FailureAnnouncement {
  switch (q850) {
    // Q.850: unallocated, no route, number changed, invalid format.
    case 1:
    case 2:
    case 3:
    case 22:
    case 28:
      return "number-unknown";
    case 17:
      return "busy";
    // No circuit, network out of order, temporary failure, congestion, no resource.
    case 34:
    case 38:
    case 41:
    case 42:
    case 44:
    case 47:
      return "congestion";
    case undefined:
    default:
      break;
  }
  switch (sipStatus) {
    case 404:
    case 410:
    case 484:
    case 485:
    case 604:
      return "number-unknown";
    case 486:
    case 600:
      return "busy";
    default:
      return sipStatus >= 500 && sipStatus < 600 ? "congestion" : "unavailable";
  }
}
