import type { Clock } from "../core/clock.ts";
import { randomToken } from "../core/ids.ts";
import { asDtlsClient, followEndpoint } from "./browser-endpoint.ts";
import type { BrowserEndpoint } from "./browser-endpoint.ts";
import type { Codec } from "./codecs.ts";
import { formatCodec, isSpeech, isTelephoneEvent } from "./codecs.ts";
import { DigitQueue, wayTo, withEvents, type DigitCommand } from "./digits.ts";
import { MediaError } from "./errors.ts";
import { isDictionary } from "./ng-client.ts";
import type { NgArguments, NgCommand, NgReply } from "./ng-client.ts";
import type { RtpengineNode } from "./rtpengine-node.ts";
import { planCodecs, profileOf } from "./profile.ts";
import type { CodecPlan, FlaggedArguments, OfferedTransport } from "./profile.ts";
import { readMediaStatistics } from "./report.ts";
import type { Sdp, SdpLimits, SdpOrigin } from "./sdp.ts";
import { formatSdp, newOriginId } from "./sdp.ts";
import type { LegDescription, LegLayout } from "./sdp-filter.ts";
import {
  readDescription,
  sdpForLeg,
  sdpForRtpengine,
  selectAnswerCodecs,
  selectOfferCodecs,
} from "./sdp-filter.ts";
import type {
  CodecPolicy,
  DtmfWay,
  Exchange,
  MediaLeg,
  MediaReport,
  MediaSession,
  MediaSessionHandler,
  OpusParameters,
  PlayedDigit,
} from "./session.ts";
import type { MediaSecurity } from "./srtp.ts";

export interface RtpengineSessionOptions {
  readonly policy: CodecPolicy;
  /** Of what the legs send; default SDP_LIMITS. */
  readonly sdpLimits?: SdpLimits | undefined;
  readonly clock: Clock;
  /** What senders of Opus are asked for; undefined: what the two sides ask each other. */
  readonly opus?: OpusParameters | undefined;
  /** Differentiated services code point of what rtpengine sends; undefined: left alone. */
  readonly dscp?: number | undefined;
  /** Whether rtpengine is an ICE-lite agent toward browsers; default false. */
  readonly isIceLite?: boolean | undefined;
  /** Told of digits for legs with `dtmf: info`; undefined: rtpengine reports none. */
  readonly handler?: MediaSessionHandler | undefined;
  /** Called once, at the end. */
  readonly onClosed?: () => void;
  /** Nodes to try for the first offer, best first; empty when none is healthy. */
  readonly nodes: () => readonly RtpengineNode[];
}

/** What we remember of one leg. */
interface LegState {
  readonly originId: string;
  readonly tlsId: string;
  version: number;
  /** The last SDP that the leg got. */
  lastSent: string | undefined;
  layout: LegLayout | undefined;
  codec: Codec | undefined;
  /** How its last offer was carried; an answer to it is carried in the same way. */
  offered: OfferedTransport | undefined;
  security: MediaSecurity | undefined;
  /** Whether its own last SDP had a telephone-event. */
  hasEvents: boolean;
  /** The telephone-event that rtpengine takes it to have. */
  events: Codec | undefined;
  /** The way that digits go to it; undefined before it has sent an SDP. */
  way: DtmfWay | undefined;
  /** The telephone-event that rtpengine last meant for it. */
  meantEvents: Codec | undefined;
  /** The browser there, as rtpengine knows it. */
  endpoint: BrowserEndpoint | undefined;
}

/** What we remember of one attempt. */
interface BranchState {
  /** The last offer's command, to be repeated before an answer that changes the codec. */
  offer: FlaggedArguments;
  /** The last answer's command; undefined before one. */
  answer: FlaggedArguments | undefined;
  readonly offererTag: string;
  readonly answererTag: string;
  /** Flags that came to be needed: `always transcode`, `inject DTMF`. */
  readonly flags: Set<string>;
  /** Whether the answerer's tag is known to rtpengine. */
  isAnswered: boolean;
  /** Codecs of the last answer to that offer. */
  answeredCodecs: string | undefined;
  state: "live" | "dropped";
}

/**
 * Between the first command with `inject DTMF` and the first digit rtpengine must have decoded
 * packets of the sender, or it takes the digit and plays nothing (measured with 10.5).
 */
const SETTLE_PACKETS = 3;

/** rtpengine needs an `o=` line and we write our own behind it. */
const ANY_ORIGIN: SdpOrigin = { id: "0", version: 0 };

/**
 * The media of one call on one rtpengine. Commands go out one after another, so a session that is
 * closed while an offer is on its way ends after it and leaves nothing behind.
 */
export class RtpengineSession implements MediaSession {
  readonly id = randomToken(22);
  readonly #options: RtpengineSessionOptions;
  readonly #legs = new Map<string, LegState>();
  readonly #branches = new Map<string, BranchState>();
  /** The tags of the two legs that the last answer joined. */
  #joined: readonly string[] = [];
  /** Branches that rtpengine has ever had. */
  #attempts = 0;
  #node: RtpengineNode | undefined;
  #state: "open" | "closed" = "open";
  #queue: Promise<unknown> = Promise.resolve();
  readonly #digits: DigitQueue;
  /** Tags whose events rtpengine keeps to itself. */
  readonly #blocked = new Set<string>();
  #closing: Promise<MediaReport | undefined> | undefined;

  constructor(options: RtpengineSessionOptions) {
    this.#options = options;
    this.#digits = new DigitQueue(options.clock, (command) =>
      this.#inTurn(() => this.#playDigit(command)),
    );
  }

  offer(exchange: Exchange, sdp: string): Promise<string> {
    return this.#inTurn(() => this.#offer(exchange, sdp));
  }

  answer(exchange: Exchange, sdp: string): Promise<string> {
    return this.#inTurn(() => this.#answer(exchange, sdp));
  }

  async dropBranch(branch: string): Promise<void> {
    try {
      await this.#inTurn(async () => {
        const state = this.#branches.get(branch);
        if (state === undefined || state.state === "dropped") return;
        state.state = "dropped";
        await this.#deleteDropped();
      });
    } catch {
      // The session is closed, or rtpengine is gone: the branch is too.
    }
  }

  negotiated(): MediaReport {
    const [one, other] = this.#joined.map((tag) => this.#legs.get(tag)?.codec?.key);
    return {
      ...this.#agreed(),
      isTranscoded: one !== other || [...this.#branches.values()].some(hasTranscodingFlag),
      packetsFrom: {},
    };
  }

  playDigit({ branch }: Pick<Exchange, "branch">, digit: PlayedDigit): Promise<void> {
    return this.#digits.push(digit, () => this.#prepareInjection(branch, digit.from));
  }

  /** rtpengine reports a digit that a leg has sent in RTP. */
  reportDigit(fromTag: string, digit: string, durationMs: number): void {
    if (this.#state === "open" && this.#blocked.has(fromTag)) {
      this.#options.handler?.onDigit(fromTag, digit, durationMs);
    }
  }

  query(): Promise<MediaReport> {
    return this.#inTurn(async () => this.#report(await this.#command("query", {})));
  }

  close(): Promise<MediaReport | undefined> {
    if (this.#closing === undefined) {
      this.#closing = this.#queue.then(() => this.#end());
      this.#options.onClosed?.();
      this.#state = "closed";
      this.#queue = this.#closing;
    }
    return this.#closing;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    if (this.#state === "closed") {
      return Promise.reject(
        new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "the media session is closed"),
      );
    }
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #offer(exchange: Exchange, sdp: string): Promise<string> {
    const { offerer, answerer, branch } = exchange;
    const description = this.#read(offerer, sdp);
    const plan = planCodecs({
      policy: exchange.policy ?? this.#options.policy,
      offererKind: offerer.kind,
      answererKind: answerer.kind,
      offered: description.codecs.filter(isSpeech).map((codec) => codec.key),
      accepted: answerer.codecs,
      current: this.#legs.get(answerer.tag)?.codec?.key,
    });
    const known = this.#branches.get(branch);
    const way = this.#noteEvents(offerer, description);
    const flags = new Set(known?.flags);
    // Tones must come out of the answerer's events, if it has any; it is offered some.
    if (way === "inband" && !wantsOtherWay(answerer)) flags.add("always transcode");
    // Tones must come out of the offerer's events.
    if (answerer.dtmf === "inband" && this.#leg(offerer.tag).hasEvents) {
      flags.add("always transcode");
    }
    const { dscp } = this.#options;
    const command = withFlags(
      {
        "from-tag": offerer.tag,
        "to-tag": known?.isAnswered === true ? answerer.tag : undefined,
        "via-branch": branch,
        ...profileOf({
          sender: { ...offerer, host: description.audio.connection.host },
          receiver: answerer,
        }),
        ...this.#iceMode(),
        // RFC 2474 §3: the upper six of eight bits.
        TOS: dscp === undefined ? undefined : dscp << 2,
        codec: transcodingOf(plan, way === "inband" && !this.#leg(offerer.tag).hasEvents),
        sdp: this.#toRtpengine(
          offerer,
          "offer",
          description,
          this.#withEventsOf(
            answerer,
            plan,
            this.#codecsFrom(
              offerer,
              selectOfferCodecs(description.codecs, plan.keep),
              isReplacedWay(way),
            ),
          ),
        ),
      },
      flags,
    );
    const reply = await this.#firstOrLaterOffer(command);
    if (known === undefined) this.#attempts += 1;
    this.#branches.set(branch, {
      offer: command,
      answer: undefined,
      offererTag: offerer.tag,
      answererTag: answerer.tag,
      flags,
      isAnswered: known?.isAnswered === true,
      answeredCodecs: undefined,
      state: "live",
    });
    const leg = this.#leg(offerer.tag);
    leg.layout = description.layout;
    leg.offered = { protocol: description.audio.protocol, security: description.security };
    leg.security = description.security;
    await this.#deleteDropped();
    return this.#toLeg(answerer, "offer", reply);
  }

  async #answer(exchange: Exchange, sdp: string): Promise<string> {
    const { offerer, answerer, branch } = exchange;
    const description = this.#read(answerer, sdp);
    const way = this.#noteEvents(answerer, description);
    const codecs = this.#codecsFrom(
      answerer,
      selectAnswerCodecs(description.codecs),
      isReplacedWay(way),
    );
    const codecNames = codecs.map(formatCodec).join(" ");
    const state = this.#branches.get(branch);
    const offererLeg = this.#leg(offerer.tag);
    if (state !== undefined && state.offererTag === offerer.tag) {
      const needsTones = way === "inband" && offererLeg.hasEvents;
      const isNew = needsTones && !state.flags.has("always transcode");
      if (isNew) {
        state.flags.add("always transcode");
        state.offer = withFlags(state.offer, state.flags);
      }
      // rtpengine 10.5 answers the offerer without any speech codec when a second answer to one
      // offer (183, then 200) has another codec than the first. The offer anew makes it the first.
      const hasChanged = state.answeredCodecs !== undefined && state.answeredCodecs !== codecNames;
      if (isNew || hasChanged) await this.#command("offer", state.offer);
    }
    const command = withFlags(
      {
        "from-tag": offerer.tag,
        "to-tag": answerer.tag,
        "via-branch": branch,
        ...profileOf({
          sender: { ...answerer, host: description.audio.connection.host },
          receiver: { ...offerer, offered: offererLeg.offered },
        }),
        ...this.#iceMode(),
        sdp: this.#toRtpengine(answerer, "answer", description, codecs),
      },
      state?.flags ?? [],
    );
    const reply = await this.#command("answer", command);
    if (state !== undefined) {
      state.isAnswered = true;
      state.answeredCodecs = codecNames;
      state.answer = command;
    }
    const answererLeg = this.#leg(answerer.tag);
    answererLeg.layout = description.layout;
    answererLeg.security = description.security;
    answererLeg.codec = codecs.find(isSpeech);
    answererLeg.events = codecs.find(isTelephoneEvent);
    this.#joined = [offerer.tag, answerer.tag];
    await this.#holdEvents(offerer.tag, answerer.tag);
    return this.#toLeg(offerer, "answer", reply);
  }

  #read(leg: MediaLeg, sdp: string): LegDescription {
    return readDescription(sdp, leg.kind, { srtp: leg.srtp, limits: this.#options.sdpLimits });
  }

  /** What the leg's own SDP says of digits. @returns the way that they go to it */
  #noteEvents(leg: MediaLeg, description: LegDescription): DtmfWay {
    const state = this.#leg(leg.tag);
    state.hasEvents = description.codecs.some(isTelephoneEvent);
    const way = wayTo(leg, state.hasEvents);
    state.way = way;
    return way;
  }

  /** Whether rtpengine reports digits, so that they can go by SIP INFO. */
  get #reportsDigits(): boolean {
    return this.#options.handler !== undefined;
  }

  /** A leg's codecs for rtpengine: a leg with another way has events only in appearance. */
  #codecsFrom(leg: MediaLeg, codecs: readonly Codec[], isReplaced: boolean): readonly Codec[] {
    if (!isReplaced) return codecs;
    const state = this.#leg(leg.tag);
    return state.way === "info" && this.#reportsDigits
      ? withEvents(codecs, state.meantEvents)
      : codecs;
  }

  /**
   * A leg keeps the number of its telephone-event when its sound comes to be transcoded: rtpengine
   * would make up another one for it, and know the old one no more.
   */
  #withEventsOf(answerer: MediaLeg, plan: CodecPlan, codecs: readonly Codec[]): readonly Codec[] {
    const events = this.#legs.get(answerer.tag)?.events;
    if (events === undefined || plan.transcoding?.["transcode"] === undefined) return codecs;
    const isFree = codecs.every(({ payloadType }) => payloadType !== events.payloadType);
    return isFree ? [...codecs, events] : codecs;
  }

  /** Has rtpengine keep the events for legs that get their digits by SIP INFO. */
  async #holdEvents(one: string, other: string): Promise<void> {
    if (!this.#reportsDigits) return;
    for (const [tag, peer] of [
      [one, other],
      [other, one],
    ] as const) {
      const isInfo = this.#leg(peer).way === "info";
      if (isInfo === this.#blocked.has(tag)) continue;
      await this.#command(isInfo ? "block DTMF" : "unblock DTMF", { "from-tag": tag });
      if (isInfo) this.#blocked.add(tag);
      else this.#blocked.delete(tag);
    }
  }

  /**
   * rtpengine plays digits only into an exchange that was made with `inject DTMF`, which keeps every
   * packet out of its fast path: the last offer and answer are repeated with it, when the first
   * digit comes. The SDP that comes back is the one that the legs have.
   *
   * @returns whether it was the first one
   */
  async #enableInjection(branch: string): Promise<boolean> {
    const state = this.#branches.get(branch);
    if (state?.answer === undefined || state.state === "dropped") {
      throw new MediaError(
        "ERR_OFFHOOK_MEDIA_REFUSED",
        "nothing is joined that a digit could cross",
      );
    }
    if (state.flags.has("inject DTMF")) return false;
    state.flags.add("inject DTMF");
    state.offer = withFlags({ ...state.offer, "to-tag": state.answererTag }, state.flags);
    state.answer = withFlags(state.answer, state.flags);
    await this.#command("offer", state.offer);
    await this.#command("answer", state.answer);
    return true;
  }

  /** @returns whether rtpengine can play a digit of this leg now; undefined: it could before */
  async #prepareInjection(
    branch: string,
    from: string,
  ): Promise<(() => Promise<boolean>) | undefined> {
    if (!(await this.#inTurn(() => this.#enableInjection(branch)))) return undefined;
    const packets = async (): Promise<number> => {
      const reply = await this.#inTurn(() => this.#command("query", {}));
      return readMediaStatistics(reply, [from]).packetsFrom[from] ?? 0;
    };
    const before = await packets();
    return async () => (await packets()) >= before + SETTLE_PACKETS;
  }

  async #playDigit({ from, digit, durationMs, pauseMs }: DigitCommand): Promise<void> {
    await this.#command("play DTMF", {
      "from-tag": from,
      code: digit,
      duration: durationMs,
      pause: pauseMs,
    });
  }

  /** The first offer may go to any healthy rtpengine; later ones belong to the one that took it. */
  async #firstOrLaterOffer(command: NgArguments): Promise<NgReply> {
    if (this.#node !== undefined) return this.#command("offer", command);
    let lastError: MediaError | undefined;
    for (const node of this.#options.nodes()) {
      this.#node = node;
      try {
        return await this.#command("offer", command);
      } catch (error) {
        if (!(error instanceof MediaError) || error.code !== "ERR_OFFHOOK_MEDIA_UNAVAILABLE") {
          throw error;
        }
        lastError = error;
        // It may have made the call and lost the reply; it also forgets it by its own time-out.
        node.request("delete", { "call-id": this.id }).catch(() => {});
        this.#node = undefined;
      }
    }
    throw lastError ?? noRtpengine();
  }

  async #command(
    command: Exclude<NgCommand, "ping" | "list">,
    args: NgArguments,
  ): Promise<NgReply> {
    if (this.#node === undefined) throw noRtpengine();
    return this.#node.request(command, { ...args, "call-id": this.id });
  }

  /** Both directions: a plain leg has no ICE, so it concerns browsers only. */
  #iceMode(): NgArguments {
    return this.#options.isIceLite === true ? { "ICE-lite": "both" } : {};
  }

  #toRtpengine(
    leg: MediaLeg,
    role: "offer" | "answer",
    description: LegDescription,
    codecs: readonly Codec[],
  ): string {
    const state = this.#leg(leg.tag);
    if (leg.kind === "webrtc") {
      state.endpoint = followEndpoint(state.endpoint, description, role);
    }
    const sdp = sdpForRtpengine(description, codecs, leg.kind, state.tlsId);
    return formatSdp(state.endpoint?.isNew === true ? asDtlsClient(sdp) : sdp, ANY_ORIGIN);
  }

  #toLeg(leg: MediaLeg, role: "offer" | "answer", reply: NgReply): string {
    const text = reply["sdp"];
    if (typeof text !== "string") {
      throw new MediaError("ERR_OFFHOOK_MEDIA_REFUSED", "rtpengine replied without an SDP");
    }
    const state = this.#leg(leg.tag);
    const { sdp, codecs, events, security } = sdpForLeg(text, {
      kind: leg.kind,
      role,
      layout: state.layout,
      protocol: role === "answer" && leg.kind === "rtp" ? state.offered?.protocol : undefined,
      hasEvents: !wantsOtherWay(leg) && (state.way ?? "rfc4733") === "rfc4733",
      opus: this.#options.opus,
    });
    state.meantEvents = events;
    if (role === "answer") {
      state.codec = codecs.find(isSpeech);
      if (leg.kind === "rtp") keepSecurity(state.security, security);
    }
    return printForLeg(state, sdp);
  }

  #leg(tag: string): LegState {
    let leg = this.#legs.get(tag);
    if (leg === undefined) {
      leg = {
        originId: newOriginId(),
        // RFC 8842 §5: 20 to 255 characters.
        tlsId: randomToken(24),
        version: 0,
        lastSent: undefined,
        layout: undefined,
        codec: undefined,
        offered: undefined,
        security: undefined,
        hasEvents: false,
        events: undefined,
        way: undefined,
        meantEvents: undefined,
        endpoint: undefined,
      };
      this.#legs.set(tag, leg);
    }
    return leg;
  }

  /**
   * Deletes dropped branches, but the last one only when another is there: with its last branch
   * gone rtpengine forgets the caller's ports, and a caller that has had early media keeps them.
   */
  async #deleteDropped(): Promise<void> {
    const branches = [...this.#branches];
    if (!branches.some(([, { state }]) => state === "live")) return;
    for (const [branch, { state, offererTag }] of branches) {
      if (state !== "dropped") continue;
      this.#branches.delete(branch);
      await this.#command("delete", { "from-tag": offererTag, "via-branch": branch }).catch(
        () => {},
      );
    }
  }

  async #end(): Promise<MediaReport | undefined> {
    if (this.#node === undefined) return undefined;
    const pair = this.#onlyPair();
    try {
      if (pair !== undefined) {
        const reply = await this.#command("delete", { "from-tag": pair.offererTag });
        // rtpengine has nothing to say of a call that it has forgotten.
        return isDictionary(reply["tags"]) ? this.#report(reply) : undefined;
      }
      // rtpengine 10.5's reply to a delete of a whole call has no statistics.
      const report = this.#report(await this.#command("query", {}));
      await this.#command("delete", {});
      return report;
    } catch {
      await this.#command("delete", {}).catch(() => {});
      return undefined;
    }
  }

  /**
   * The attempt of a call that has had one only, and that was answered: with one of its two tags
   * rtpengine deletes the call and replies with its statistics, in one command.
   */
  #onlyPair(): BranchState | undefined {
    const [only] = this.#branches.values();
    return this.#attempts === 1 && only?.isAnswered === true ? only : undefined;
  }

  #report(reply: NgReply): MediaReport {
    return { ...this.#agreed(), ...readMediaStatistics(reply, this.#legs.keys()) };
  }

  /** What the SDPs have settled, for the record. */
  #agreed(): Pick<MediaReport, "codecs" | "dtmf" | "srtp"> {
    const dtmf: [string, DtmfWay | "none"][] = [];
    const srtp: [string, MediaSecurity][] = [];
    for (const tag of this.#joined) {
      const leg = this.#legs.get(tag);
      if (leg?.way !== undefined) dtmf.push([tag, leg.way]);
      if (leg?.security !== undefined) srtp.push([tag, leg.security]);
    }
    return {
      codecs: this.#codecs(),
      ...(dtmf.length === 0 ? {} : { dtmf: Object.fromEntries(dtmf) }),
      ...(srtp.length === 0 ? {} : { srtp: Object.fromEntries(srtp) }),
    };
  }

  /** Codec by leg, as far as it is known. */
  #codecs(): Readonly<Record<string, string>> {
    const codecs: [string, string][] = [];
    for (const [tag, { codec }] of this.#legs) {
      if (codec !== undefined) codecs.push([tag, formatCodec(codec)]);
    }
    return Object.fromEntries(codecs);
  }
}

/** Whether a leg is configured for another way than RFC 4733: it is given no telephone-event. */
function wantsOtherWay(leg: MediaLeg): boolean {
  return (leg.dtmf ?? "rfc4733") !== "rfc4733";
}

function isReplacedWay(way: DtmfWay): boolean {
  return way !== "rfc4733";
}

/** An answer that would take less encryption than was offered must not go out. */
function keepSecurity(offered: MediaSecurity | undefined, answered: MediaSecurity): void {
  if (offered === undefined || offered === answered) return;
  throw new MediaError(
    "ERR_OFFHOOK_MEDIA_REFUSED",
    `rtpengine answered an offer of ${offered} with ${answered}`,
  );
}

/** The same command with more flags. */
function withFlags(command: FlaggedArguments, more: Iterable<string>): FlaggedArguments {
  return { ...command, flags: [...new Set([...command.flags, ...more])] };
}

/** The ng key `codec`. @param offersEvents events are made for the answerer, the offer has none */
function transcodingOf(
  { transcoding }: CodecPlan,
  offersEvents: boolean,
): CodecPlan["transcoding"] {
  if (!offersEvents) return transcoding;
  const codecs = transcoding?.["transcode"] ?? [];
  return { ...transcoding, transcode: [...codecs, "telephone-event"] };
}

function hasTranscodingFlag({ state, flags }: BranchState): boolean {
  return state === "live" && flags.size > 0;
}

/** RFC 3264 §8: the same origin in every SDP to a leg, its version one more when the body changes. */
function printForLeg(leg: LegState, sdp: Sdp): string {
  const id = leg.originId;
  const again = leg.version === 0 ? undefined : formatSdp(sdp, { id, version: leg.version });
  if (again !== undefined && again === leg.lastSent) return again;
  leg.version += 1;
  leg.lastSent = formatSdp(sdp, { id, version: leg.version });
  return leg.lastSent;
}

function noRtpengine(): MediaError {
  return new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "no rtpengine answers");
}
