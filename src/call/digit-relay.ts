import { LazyMap } from "../core/lazy-map.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { DtmfWay, Exchange, LegKind, MediaLeg, MediaSession } from "../media/session.ts";
import type { IncomingRequest } from "../signaling/engine.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { DTMF, DTMF_RELAY, formatDigit, readDigit, type InfoDigit } from "./dtmf-info.ts";
import { KeyPresses } from "./key-presses.ts";
import { reasonOfMediaError } from "./media-reason.ts";
import { isMediaControl, MEDIA_CONTROL, PictureUpdates } from "./picture-update.ts";
import type { DigitsView } from "./record.ts";

/** Sends an INFO to one end. @returns the status of its final response */
export type SendInfo = (content: {
  readonly contentType: string;
  readonly body: Buffer;
}) => Promise<number>;

/** The pair that digits cross now: the call's, or that of early media. */
export interface DigitPath {
  readonly exchange: Exchange;
  /** Undefined for an end that takes no INFO: a service of ours. */
  readonly infoTo: (tag: string) => SendInfo | undefined;
}

/** The path between the two ends of a call, or to the one whose early media plays. */
export function digitPathOf(pair: {
  readonly early: { readonly exchange: Exchange; sendInfo: SendInfo } | undefined;
  readonly exchange: Exchange | undefined;
  readonly ends: readonly (DialogEnd | undefined)[];
}): DigitPath | undefined {
  const { early, exchange, ends } = pair;
  if (early !== undefined) {
    const send: SendInfo = (content) => early.sendInfo(content);
    const { answerer } = early.exchange;
    return {
      exchange: early.exchange,
      infoTo: (tag) => (tag === answerer.tag ? send : undefined),
    };
  }
  if (exchange === undefined) return undefined;
  return {
    exchange,
    infoTo: (tag) => {
      const end = ends.find((each) => each?.leg.tag === tag);
      return end === undefined ? undefined : (content) => end.dialog.request("INFO", content);
    },
  };
}

/** Digits on their way to one end by INFO: each waits for the response to the one before it. */
const MAX_WAITING = 64;

/** Digits of one direction and way. */
interface DigitCounts {
  readonly of: Omit<DigitsView, "count" | "lost">;
  count: number;
  lost: number;
  /** Those of which nobody has said yet whether they have arrived. */
  pending: number;
}

/** How a digit of a leg goes on. */
interface DigitWay {
  readonly path: DigitPath;
  /** The leg that it comes from. */
  readonly kind: LegKind;
  readonly to: string;
  readonly way: DtmfWay;
}

interface InfoLine {
  last: Promise<void>;
  waiting: number;
  /** The one that the far end takes. */
  type: typeof DTMF_RELAY | typeof DTMF;
}

/**
 * Carries the digits of a call that rtpengine does not carry by itself: those that come by SIP INFO,
 * and those that go that way. It keeps their order, and counts them; which digits they are is
 * nobody's business, for they are often secret. Requests for key frames, in INFO too, take the same
 * path.
 */
export class DigitRelay {
  readonly #media: MediaSession;
  readonly #logger: Logger;
  readonly #path: () => DigitPath | undefined;
  readonly #onCarried: () => void;
  readonly #keys: KeyPresses;
  readonly #pictures: PictureUpdates;
  readonly #lines = new LazyMap<string, InfoLine>();
  readonly #counts = new LazyMap<string, DigitCounts>();

  constructor(options: {
    readonly media: MediaSession;
    readonly logger: Logger;
    readonly clock: Clock;
    /** Undefined while nothing is joined. */
    readonly path: () => DigitPath | undefined;
    /** A digit went another way than those before it. */
    readonly onCarried: () => void;
  }) {
    this.#media = options.media;
    this.#logger = options.logger;
    this.#path = options.path;
    this.#onCarried = options.onCarried;
    this.#keys = new KeyPresses(options.clock);
    this.#pictures = new PictureUpdates(options.clock);
  }

  /** What was carried so far. */
  views(): readonly DigitsView[] {
    return [...this.#counts.values()].map(({ of, count, lost }) => ({
      ...of,
      count,
      ...(lost === 0 ? {} : { lost }),
    }));
  }

  /** Takes an INFO of one end and answers it. */
  onInfo(fromTag: string, request: IncomingRequest): void {
    if (isMediaControl(request)) {
      this.#pictures.take(fromTag, request, this.#farEndOf(fromTag));
      return;
    }
    const digit = readDigit(request.request);
    if (digit === "unsupported") {
      request.respond(415, { headers: [["Accept", `${DTMF_RELAY}, ${DTMF}, ${MEDIA_CONTROL}`]] });
    } else if (digit === "unusable") {
      request.respond(400, { reasonPhrase: "No digit in the body" });
    } else if (this.#takeInfo(fromTag, digit)) {
      request.respond(200);
    } else {
      request.respond(480, { reasonPhrase: "Nobody is there to hear the digit" });
    }
  }

  /** Takes a digit that rtpengine has seen or heard. @param isHeld and has kept back */
  onEvent(fromTag: string, digit: string, durationMs: number, isHeld: boolean): void {
    this.#keys.onEvent(fromTag, digit, durationMs);
    // A leg that takes tones gives tones.
    const isTone = this.#media.negotiated().dtmf?.[fromTag] === "inband";
    const as = isTone ? "inband" : "rfc4733";
    if (isHeld) {
      this.#carry(fromTag, as, { digit, durationMs });
    } else if (isTone) {
      // rtpengine has made an event of it.
      const found = this.#wayFrom(fromTag);
      if (found?.way !== "rfc4733") return;
      this.#begin({ from: fromTag, as, to: found.to, way: "rfc4733" })("count");
    }
  }

  /** The call is over: what has not arrived will not. */
  close(): void {
    this.#keys.close();
    for (const counts of this.#counts.values()) {
      counts.lost += counts.pending;
      counts.pending = 0;
    }
  }

  /** @returns false when there is no way for it */
  #takeInfo(from: string, digit: InfoDigit): boolean {
    const found = this.#wayFrom(from);
    if (found === undefined) return false;
    // Whether the leg could have sent an event for this key, or a tone that becomes one.
    const own = this.#media.negotiated().dtmf?.[from];
    const isTone = own === "inband" && found.way !== "inband" && found.kind === "rtp";
    if (own !== "rfc4733" && !isTone) return this.#carry(from, "info", digit);
    return this.#keys.onInfo(from, digit.digit, () => this.#carry(from, "info", digit));
  }

  #farEndOf(
    from: string,
  ): { readonly leg: MediaLeg; readonly send: SendInfo | undefined } | undefined {
    const path = this.#path();
    if (path === undefined) return undefined;
    const { offerer, answerer } = path.exchange;
    const leg = from === offerer.tag ? answerer : offerer;
    return { leg, send: path.infoTo(leg.tag) };
  }

  #wayFrom(from: string): DigitWay | undefined {
    const path = this.#path();
    if (path === undefined) return undefined;
    const { offerer, answerer } = path.exchange;
    const [{ kind }, { tag: to }] =
      from === offerer.tag ? [offerer, answerer] : [answerer, offerer];
    const { dtmf, srtp } = this.#media.negotiated();
    const way = dtmf?.[to];
    if (way === undefined || way === "none") return undefined;
    // rtpengine would send the tones of a secret number in the clear.
    const isEncrypted = (srtp?.[to] ?? "none") !== "none";
    return { path, kind, to, way: way === "inband" && isEncrypted ? "info" : way };
  }

  /** @returns false when there is no way for it */
  #carry(from: string, as: DigitsView["as"], digit: InfoDigit): boolean {
    const found = this.#wayFrom(from);
    if (found === undefined) return false;
    const { path, to, way } = found;
    if (way === "info") {
      const send = path.infoTo(to);
      return send !== undefined && this.#sendInfo(to, send, digit, { from, as, to, way });
    }
    const onEnd = this.#begin({ from, as, to, way });
    this.#media.playDigit(path.exchange, { from, ...digit }).then(
      () => onEnd("count"),
      (error: unknown) => {
        this.#logger.warn("a digit was lost", { to, reason: reasonOfMediaError(error).text });
        onEnd("lost");
      },
    );
    return true;
  }

  #sendInfo(to: string, send: SendInfo, digit: InfoDigit, of: DigitCounts["of"]): boolean {
    let line = this.#lines.get(to);
    if (line === undefined) {
      line = { last: Promise.resolve(), waiting: 0, type: DTMF_RELAY };
      this.#lines.set(to, line);
    }
    if (line.waiting >= MAX_WAITING) return false;
    const own = line;
    own.waiting += 1;
    const onEnd = this.#begin(of);
    own.last = own.last.then(async () => {
      let status = await send({ contentType: own.type, body: formatDigit(own.type, digit) });
      if (status === 415 && own.type === DTMF_RELAY) {
        own.type = DTMF;
        status = await send({ contentType: own.type, body: formatDigit(own.type, digit) });
      }
      own.waiting -= 1;
      if (status >= 300) this.#logger.warn("a digit was refused", { to, status });
      onEnd(status >= 300 ? "lost" : "count");
    });
    return true;
  }

  /** A digit is on its way. @returns to be told of its end */
  #begin(of: DigitCounts["of"]): (end: "count" | "lost") => void {
    const key = `${of.from} ${of.as} ${of.to} ${of.way}`;
    let counts = this.#counts.get(key);
    const isNew = counts === undefined;
    if (counts === undefined) {
      counts = { of, count: 0, lost: 0, pending: 0 };
      this.#counts.set(key, counts);
    }
    const own = counts;
    own.pending += 1;
    if (isNew) this.#onCarried();
    return (end) => {
      if (own.pending === 0) return;
      own.pending -= 1;
      own[end] += 1;
    };
  }
}
