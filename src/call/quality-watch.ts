import { LazyMap } from "../core/lazy-map.ts";
import type { Clock } from "../core/clock.ts";
import type { MediaReport, MediaSession, StreamQuality } from "../media/session.ts";
import type { IncomingRequest } from "../signaling/engine.ts";
import type { DialogEnd } from "./dialog-end.ts";
import {
  describeLoss,
  lossBetween,
  NO_PACKETS,
  worstSegment,
  type PacketCounts,
  type Segment,
  type SegmentLoss,
} from "./loss.ts";
import { QUALITY_TYPE, tryParseQuality, type BrowserQuality } from "./quality-info.ts";
import type { QualityView } from "./record.ts";

/** A browser sends its numbers every five seconds; more often they are refused. */
const LEAST_INTERVAL_MS = 2_000;
/** Nor is rtpengine asked more often, whoever looks at the call. */
const LEAST_QUERY_MS = 2_000;

/** One browser of the call. */
interface Browser {
  readonly quality: BrowserQuality;
  readonly counts: PacketCounts | undefined;
  readonly loss: SegmentLoss | undefined;
  readonly atMs: number;
}

/**
 * How the sound of one call fares: what its browsers say, joined with what rtpengine counts in the
 * same moment. It asks rtpengine when a browser reports and when somebody looks, never by itself.
 */
export class QualityWatch {
  readonly #clock: Clock;
  readonly #media: MediaSession;
  /** The other leg of the call; undefined before it is answered. */
  readonly #farEndOf: (tag: string) => string | undefined;
  readonly #onChanged: (report: MediaReport) => void;
  readonly #browsers = new LazyMap<string, Browser>();
  #legs: Readonly<Record<string, StreamQuality>> | undefined;
  #queriedMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly clock: Clock;
    readonly media: MediaSession;
    readonly farEndOf: (tag: string) => string | undefined;
    readonly onChanged: (report: MediaReport) => void;
  }) {
    this.#clock = options.clock;
    this.#media = options.media;
    this.#farEndOf = options.farEndOf;
    this.#onChanged = options.onChanged;
  }

  /** Whether an INFO is one of a browser's reports. */
  static isReport(request: IncomingRequest): boolean {
    return request.request.contentType === QUALITY_TYPE;
  }

  /** A browser says how its sound is, and is told when it suffers, and when no more. */
  async answer(
    end: DialogEnd,
    request: IncomingRequest,
    isLive: () => boolean,
    onTold: (detail: string) => void,
  ): Promise<void> {
    const segment = await this.onReport(end.leg.tag, request);
    if (segment === "refused" || !isLive() || end.isGone) return;
    if (segment === end.toldSegment) return;
    end.toldSegment = segment;
    if (segment !== undefined) onTold(`${end.leg.tag} ${segment}`);
    await end.dialog.request("INFO", {
      contentType: QUALITY_TYPE,
      body: Buffer.from(JSON.stringify({ segment: segment ?? null })),
    });
  }

  /** What is known; undefined as long as nothing is. */
  view(): QualityView | undefined {
    if (this.#legs === undefined && this.#browsers.size === 0) return undefined;
    const worst = this.#worst();
    return {
      legs: this.#legs ?? {},
      browsers: Object.fromEntries(
        Array.from(this.#browsers, ([tag, { quality, loss }]) => [
          tag,
          { ...quality, ...(loss === undefined ? {} : { loss }) },
        ]),
      ),
      ...(worst === undefined ? {} : { problem: worst }),
    };
  }

  /** Takes the statistics with which the call ended. */
  finish(report: MediaReport): void {
    if (report.quality !== undefined) this.#legs = report.quality;
  }

  /**
   * Takes a report of a browser and answers it.
   *
   * @returns where its packets are lost now; `refused` when nothing was taken
   */
  async onReport(tag: string, request: IncomingRequest): Promise<Segment | undefined | "refused"> {
    const before = this.#browsers.get(tag);
    const atMs = this.#clock.monotonicMs();
    const quality = tryParseQuality(request.request.body);
    if (quality === undefined) {
      request.respond(400, { reasonPhrase: "Not the numbers of a call" });
      return "refused";
    }
    if (before !== undefined && atMs - before.atMs < LEAST_INTERVAL_MS) {
      request.respond(503, { headers: [["Retry-After", "5"]] });
      return "refused";
    }
    request.respond(200);
    this.#browsers.set(tag, { quality, counts: undefined, loss: before?.loss, atMs });
    const report = await this.#query();
    const counts = report === undefined ? undefined : this.#counts(tag, quality, report);
    // The first report is about the time since the call began.
    const since = before === undefined ? NO_PACKETS : before.counts;
    const loss =
      counts === undefined || since === undefined ? undefined : lossBetween(since, counts);
    this.#browsers.set(tag, { quality, counts, loss, atMs });
    if (report !== undefined) this.#onChanged(report);
    return loss === undefined ? undefined : worstSegment(loss);
  }

  /** Somebody looks at the call: what is shown next is fresher. */
  refresh(): void {
    if (this.#clock.monotonicMs() - this.#queriedMs < LEAST_QUERY_MS) return;
    void this.#query().then((report) => {
      if (report !== undefined) this.#onChanged(report);
    });
  }

  async #query(): Promise<MediaReport | undefined> {
    this.#queriedMs = this.#clock.monotonicMs();
    try {
      const report = await this.#media.query();
      if (report.quality !== undefined) this.#legs = report.quality;
      return report;
    } catch {
      // The call is ending, or rtpengine is away: the next report finds out.
      return undefined;
    }
  }

  #counts(tag: string, quality: BrowserQuality, report: MediaReport): PacketCounts | undefined {
    const farEnd = this.#farEndOf(tag);
    const mine = report.quality?.[tag];
    const theirs = farEnd === undefined ? undefined : report.quality?.[farEnd];
    if (mine === undefined || theirs === undefined) return undefined;
    return {
      browser: {
        sent: quality.outbound.packets,
        reportedLost: quality.outbound.lost,
        received: quality.inbound.packets,
        lost: quality.inbound.lost,
      },
      gateway: {
        fromBrowser: mine.packets,
        fromFarEnd: theirs.packets,
        errors: mine.errors + theirs.errors,
      },
    };
  }

  #worst(): string | undefined {
    for (const { loss } of this.#browsers.values()) {
      const problem = loss === undefined ? undefined : describeLoss(loss);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
}
