import { randomToken } from "../core/ids.ts";
import type { BrowserChanges } from "./browser-anchor.ts";
import { changesOf, raiseAlarm, readAnchor } from "./browser-anchor.ts";
import { asDtlsClient, followEndpoint } from "./browser-endpoint.ts";
import type { Codec } from "./codecs.ts";
import type { MediaDirection } from "./direction.ts";
import { formatCodec, isSpeech, isTelephoneEvent } from "./codecs.ts";
import { DigitFlow } from "./digit-flow.ts";
import { DigitQueue, dtmfArguments, withEvents } from "./digits.ts";
import { MediaError } from "./errors.ts";
import { followIce } from "./ice-fragment.ts";
import { takeFragment } from "./later-candidates.ts";
import { isDictionary, type NgCommands, type NgReply } from "./ng-client.ts";
import { whereItWas } from "./media-address.ts";
import type { PooledSession } from "./node-pool.ts";
import { keepPromise } from "./promised-codec.ts";
import type { RtpengineNode } from "./rtpengine-node.ts";
import { planCodecs, profileOf, type FlaggedArguments, type OfferedTransport } from "./profile.ts";
import { addReports, readLegHealth, readMediaStatistics } from "./report.ts";
import { formatSdp, type Sdp, type SdpOrigin } from "./sdp.ts";
import type { LegDescription, VideoUse } from "./sdp-filter.ts";
import {
  readDescription,
  sdpForRtpengine,
  selectAnswerCodecs,
  selectOfferCodecs,
} from "./sdp-filter.ts";
import type {
  Exchange,
  LegHealth,
  MediaLeg,
  MediaMove,
  MediaReport,
  MediaSession,
  PlayedDigit,
} from "./session.ts";
import type { RtpengineSessionOptions } from "./session-options.ts";
import { SessionSounds } from "./session-sounds.ts";
import type {
  Anchorage,
  BranchState,
  CallCommand,
  LegState,
  OfferCommand,
} from "./session-state.ts";
import {
  adaptProfile,
  adopted,
  agreedBetween,
  forgetPath,
  forRestart,
  hasTranscodingFlag,
  isReplacedWay,
  keepSecurity,
  newLegState,
  noRtpengine,
  noteBrowser,
  noteEvents,
  onlyPair,
  printForLeg,
  renderForLeg,
  toneStretch,
  transcodingOf,
  UNCHANGED,
  videoOfAnswer,
  videoOfOffer,
  wantsOtherWay,
  withDirectionOf,
  withEventsOf,
  withFlags,
  withoutTransport,
} from "./session-state.ts";

/**
 * Between the first command with `inject DTMF` and the first digit rtpengine must have decoded
 * packets of the sender, or it takes the digit and plays nothing (measured with 10.5).
 */
const SETTLE_PACKETS = 3;

/** Offers that a move may throw away because rtpengine gave the old port again. */
const MOVE_TRIES = 4;

/** rtpengine needs an `o=` line and we write our own behind it. */
const ANY_ORIGIN: SdpOrigin = { id: "0", version: 0 };

/**
 * The media of one call on one rtpengine. Commands go out one after another, so a session that is
 * closed while an offer is on its way ends after it and leaves nothing behind.
 */
export class RtpengineSession implements MediaSession, PooledSession {
  readonly sounds: SessionSounds;
  #callId = randomToken(22);
  readonly #options: RtpengineSessionOptions<RtpengineSession>;
  readonly #legs = new Map<string, LegState>();
  readonly #branches = new Map<string, BranchState>();
  /** The tags of the two legs that the last answer joined. */
  #joined: readonly string[] = [];
  /** Branches that rtpengine has ever had. */
  #attempts = 0;
  #node: RtpengineNode | undefined;
  /** The old call, as long as a move has not been decided. */
  #left: Anchorage | undefined;
  /** What this call last said of its packets. */
  #lastReport: MediaReport | undefined;
  /** What the calls before the last move have counted. */
  #before: MediaReport | undefined;
  #state: "open" | "closed" = "open";
  #queue: Promise<unknown> = Promise.resolve();
  readonly #digits: DigitQueue;
  readonly #digitFlow: DigitFlow;
  #closing: Promise<MediaReport | undefined> | undefined;

  constructor(options: RtpengineSessionOptions<RtpengineSession>) {
    this.#options = options;
    this.sounds = new SessionSounds({
      command: (command, args) => this.#command(command, args),
      inTurn: (action) => this.#inTurn(action),
      clock: options.clock,
      canReadFiles: options.canReadFiles,
    });
    const { reportsDigits } = options;
    this.#digitFlow = new DigitFlow((name, args) => this.#command(name, args), reportsDigits);
    this.#digits = new DigitQueue(options.clock, (command) =>
      this.#inTurn(async () => {
        const stretch = toneStretch(this.#legs, this.#joined, command.from);
        return this.#command("play DTMF", dtmfArguments(command, stretch));
      }),
    );
  }

  get id(): string {
    return this.#callId;
  }

  get node(): RtpengineNode | undefined {
    return this.#node;
  }

  onNodeLost(detail: string): void {
    if (this.#state === "open") this.#options.handler?.onNodeLost?.(detail);
  }

  offer(exchange: Exchange, sdp: string, direction?: MediaDirection): Promise<string> {
    return this.#inTurn(() => this.#offer(exchange, sdp, direction));
  }

  answer(exchange: Exchange, sdp: string): Promise<string> {
    return this.#inTurn(() => this.#answer(exchange, sdp));
  }

  addCandidates(leg: MediaLeg, fragment: string): Promise<"taken" | "stale"> {
    return this.#inTurn(() =>
      takeFragment(fragment, {
        tag: leg.tag,
        leg: this.#leg(leg.tag),
        branches: this.#branches.values(),
        limits: this.#options.sdpLimits,
        repeat: (branch) => this.#repeat(branch),
      }),
    );
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

  async move(options?: { readonly isUseless: boolean }): Promise<MediaMove> {
    const left = await this.#inTurn(() => this.#leave(options?.isUseless === true));
    return {
      keep: () => this.#inTurn(() => this.#forget(left)).catch(() => {}),
      undo: () => this.#inTurn(() => this.#return(left)).catch(() => {}),
    };
  }

  adopt(tag: string, from: MediaSession, fromTag: string): void {
    const known = from instanceof RtpengineSession ? from.#legs.get(fromTag) : undefined;
    if (known !== undefined) this.#legs.set(tag, adopted(this.#legs.get(tag), known));
  }

  health(): Promise<Readonly<Record<string, LegHealth>>> {
    return this.#inTurn(async () =>
      readLegHealth(await this.#command("query", {}), this.#legs.keys()),
    );
  }

  negotiated(): MediaReport {
    const [one, other] = this.#joined.map((tag) => this.#legs.get(tag)?.codec?.key);
    return {
      ...agreedBetween(this.#legs, this.#joined),
      isTranscoded:
        one !== other ||
        this.#digitFlow.isListening ||
        [...this.#branches.values()].some(hasTranscodingFlag),
      packetsFrom: {},
    };
  }

  playDigit({ branch }: Pick<Exchange, "branch">, digit: PlayedDigit): Promise<void> {
    return this.#digits.push(digit, () => this.#prepareInjection(branch, digit.from));
  }

  /** rtpengine reports a digit that a leg has sent in RTP. */
  reportDigit(fromTag: string, digit: string, durationMs: number): void {
    if (this.#state !== "open" || !this.#joined.includes(fromTag)) return;
    // What we have it play, it reports as if the leg had sent it.
    if (this.#digits.hasPlayed(fromTag, digit)) return;
    const isHeld = this.#digitFlow.isHeld(fromTag);
    this.#options.handler?.onDigit(fromTag, digit, durationMs, isHeld);
  }

  query(): Promise<MediaReport> {
    return this.#inTurn(async () => {
      this.#lastReport = this.#report(await this.#command("query", {}));
      return addReports(this.#before, this.#lastReport);
    });
  }

  close(): Promise<MediaReport | undefined> {
    if (this.#closing === undefined) {
      this.#closing = this.#queue.then(() => this.#end());
      this.#options.onClosed?.(this);
      this.#state = "closed";
      this.sounds.close();
      this.#queue = this.#closing;
    }
    return this.#closing;
  }

  async #leave(isUseless: boolean): Promise<Anchorage> {
    const left: Anchorage = {
      callId: this.#callId,
      node: this.#node,
      branches: new Map(this.#branches),
      joined: this.#joined,
      attempts: this.#attempts,
      anchors: new Map(
        [...this.#legs].map(([tag, { anchor, tlsId, ufrag, fingerprint }]) => [
          tag,
          { anchor, tlsId, ufrag, fingerprint },
        ]),
      ),
      lastReport: this.#lastReport,
      isEnded: false,
    };
    this.#lastReport = undefined;
    this.#rename(randomToken(22));
    this.#node = undefined;
    this.#branches.clear();
    this.#digitFlow.forget();
    this.#attempts = 0;
    for (const leg of this.#legs.values()) forgetPath(leg);
    this.#left = left;
    if (isUseless) await this.#endLeft(left);
    return left;
  }

  #rename(callId: string): void {
    const before = this.#callId;
    this.#callId = callId;
    this.#options.onRenamed?.(this, before);
  }

  /** Ends the old call, and keeps what it has counted. */
  async #forget(left: Anchorage): Promise<void> {
    if (this.#left !== left) return;
    this.#left = undefined;
    if (this.#state === "open") await this.sounds.restore();
    await this.#endLeft(left);
  }

  async #endLeft(left: Anchorage): Promise<void> {
    const { node, callId } = left;
    if (node === undefined || left.isEnded) return;
    left.isEnded = true;
    const call = { "call-id": callId };
    const reply = node.isUp ? await node.request("query", call).catch(() => undefined) : undefined;
    const report = reply === undefined ? left.lastReport : this.#report(reply);
    this.#before = addReports(this.#before, report);
    if (node.isUp) await node.request("delete", call).catch(() => {});
    else node.bury(callId);
  }

  async #return(left: Anchorage): Promise<void> {
    if (this.#left !== left) return;
    this.#left = undefined;
    const { node } = this;
    const callId = this.#callId;
    this.#rename(left.callId);
    this.#node = left.node;
    this.#lastReport = left.lastReport;
    this.#branches.clear();
    for (const [branch, state] of left.branches) this.#branches.set(branch, state);
    this.#joined = left.joined;
    this.#attempts = left.attempts;
    for (const [tag, anchor] of left.anchors) Object.assign(this.#leg(tag), anchor);
    await node?.request("delete", { "call-id": callId }).catch(() => {});
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

  async #offer(exchange: Exchange, sdp: string, direction?: MediaDirection): Promise<string> {
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
    // A new exchange of a pair that stands: both may agree on something else.
    if (known?.isAnswered === true) for (const leg of this.#legs.values()) leg.promised = undefined;
    const way = noteEvents(this.#leg(offerer.tag), offerer, description);
    const flags = new Set(known?.flags);
    // Tones must come out of the answerer's events, if it has any; it is offered some.
    if (way === "inband" && !wantsOtherWay(answerer)) flags.add("always transcode");
    // Tones must come out of the offerer's events.
    if (answerer.dtmf === "inband" && this.#leg(offerer.tag).hasEvents) {
      flags.add("always transcode");
    }
    const { dscp } = this.#options;
    const by = noteBrowser(this.#leg(offerer.tag), offerer, description);
    if (exchange.isStandIn === true) this.#leg(offerer.tag).hasStandIn = true;
    const video = videoOfOffer(exchange, description, known);
    const command = withFlags(
      {
        "from-tag": offerer.tag,
        "to-tag": known?.isAnswered === true ? answerer.tag : undefined,
        "via-branch": branch,
        ...forRestart(this.#profile(offerer, description, answerer, video), by),
        // RFC 2474 §3: the upper six of eight bits.
        TOS: dscp === undefined ? undefined : dscp << 2,
        codec: transcodingOf(plan, way === "inband" && !this.#leg(offerer.tag).hasEvents),
        sdp: this.#toRtpengine(
          offerer,
          "offer",
          exchange.isStandIn === true ? withoutTransport(description, offerer) : description,
          withEventsOf(
            this.#legs.get(answerer.tag)?.events,
            plan,
            this.#codecsFrom(
              offerer,
              selectOfferCodecs(description.codecs, plan.keep),
              isReplacedWay(way),
            ),
          ),
          video,
        ),
      },
      flags,
    );
    // Not when the offer is made again, for whatever reason.
    const flagged = exchange.restartsIce === true ? withFlags(command, ["reset"]) : command;
    const reply = await this.#firstOrLaterOffer(flagged, answerer);
    if (known === undefined) this.#attempts += 1;
    this.#branches.set(branch, {
      offer: command,
      answer: undefined,
      offererTag: offerer.tag,
      answererTag: answerer.tag,
      flags,
      hasVideo: video !== "none",
      isAnswered: known?.isAnswered === true,
      answeredCodecs: undefined,
      state: "live",
    });
    const leg = this.#leg(offerer.tag);
    leg.layout = description.layout;
    leg.offered = { protocol: description.audio.protocol, security: description.security };
    leg.security = description.security;
    leg.pending = by;
    await this.#deleteDropped();
    const ours = { ...UNCHANGED, hasIceRestarted: exchange.restartsIce === true };
    return this.#toLeg(answerer, "offer", withDirectionOf(reply, direction), ours);
  }

  async #answer(exchange: Exchange, sdp: string): Promise<string> {
    const { offerer, answerer, branch } = exchange;
    const description = this.#read(answerer, sdp);
    const way = noteEvents(this.#leg(answerer.tag), answerer, description);
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
    noteBrowser(this.#leg(answerer.tag), answerer, description);
    const video = videoOfAnswer(exchange, state);
    const command = withFlags(
      {
        "from-tag": offerer.tag,
        "to-tag": answerer.tag,
        "via-branch": branch,
        ...this.#profile(answerer, description, { ...offerer, offered: offererLeg.offered }, video),
        sdp: this.#toRtpengine(answerer, "answer", description, codecs, video),
      },
      state?.flags ?? [],
    );
    let reply = await this.#command("answer", command);
    if (state !== undefined && state.offererTag === offerer.tag) {
      const { promised } = offererLeg;
      const [codec] = codecs.filter(isSpeech);
      reply = await keepPromise({ promised, state, answer: command, codec, reply }, (name, args) =>
        this.#command(name, args),
      );
    }
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
    await this.#digitFlow.adjust(this.#legs, this.#joined);
    const by = offererLeg.pending;
    offererLeg.pending = UNCHANGED;
    // Nobody is told of it: the offerer will be asked for an SDP of its own.
    if (exchange.isStandIn === true) return "";
    const toOfferer = this.#toLeg(offerer, "answer", reply, by);
    offererLeg.promised ??= offererLeg.codec?.key;
    return toOfferer;
  }

  /** The ng keys of a command with an SDP of `sender`. */
  #profile(
    sender: MediaLeg,
    description: LegDescription,
    receiver: MediaLeg & { readonly offered?: OfferedTransport | undefined },
    video: VideoUse,
  ): FlaggedArguments {
    const { host } = description.audio.connection;
    const hasVideo = video === "own" && description.video !== undefined;
    const profile = profileOf({ sender: { ...sender, host }, receiver, hasVideo });
    const role = this.#left?.anchors.get(receiver.tag)?.anchor?.role;
    const { isIceLite } = this.#options;
    const { moves, hasStandIn } = this.#leg(receiver.tag);
    return adaptProfile(profile, { kind: receiver.kind, moves, role, hasStandIn, isIceLite });
  }

  #read(leg: MediaLeg, sdp: string): LegDescription {
    return readDescription(sdp, leg.kind, { srtp: leg.srtp, limits: this.#options.sdpLimits });
  }

  /** A leg's codecs for rtpengine: a leg with another way has events only in appearance. */
  #codecsFrom(leg: MediaLeg, codecs: readonly Codec[], isReplaced: boolean): readonly Codec[] {
    if (!isReplaced) return codecs;
    const { way, meantEvents } = this.#leg(leg.tag);
    const isTold = way === "info" && this.#options.reportsDigits === true;
    return isTold ? withEvents(codecs, meantEvents) : codecs;
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
    state.offer = withFlags(state.offer, state.flags);
    state.answer = withFlags(state.answer, state.flags);
    await this.#repeat(state);
    return true;
  }

  /** Sends what a branch has offered and answered again; the SDP that comes back is known. */
  async #repeat(branch: BranchState): Promise<void> {
    const { answer } = branch;
    if (answer !== undefined) branch.offer = { ...branch.offer, "to-tag": branch.answererTag };
    await this.#command("offer", branch.offer);
    if (answer !== undefined) await this.#command("answer", answer);
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

  /** The first offer may go to any healthy rtpengine; later ones belong to the one that took it. */
  async #firstOrLaterOffer(command: OfferCommand, answerer: MediaLeg): Promise<NgReply> {
    if (this.#node !== undefined) return this.#command("offer", command);
    let lastError: MediaError | undefined;
    for (const node of this.#options.nodes()) {
      this.#node = node;
      try {
        return await this.#offerAtNewPort(command, answerer);
      } catch (error) {
        if (!(error instanceof MediaError) || error.code !== "ERR_OFFHOOK_MEDIA_UNAVAILABLE") {
          throw error;
        }
        lastError = error;
        // It may have made the call and lost the reply; it also forgets it by its own time-out.
        node.request("delete", { "call-id": this.#callId }).catch(() => {});
        this.#node = undefined;
      }
    }
    throw lastError ?? noRtpengine();
  }

  /**
   * A rtpengine that was started anew hands its ports out from the beginning. A browser that is
   * shown the port that it had keeps its old path and never finds the new one (measured with
   * Chromium 156), so the offer is made again, under another call-id, until the port is another.
   */
  async #offerAtNewPort(command: OfferCommand, answerer: MediaLeg): Promise<NgReply> {
    const old = this.#left?.anchors.get(answerer.tag)?.anchor?.port;
    const thrownAway: string[] = [];
    try {
      for (;;) {
        const reply = await this.#command("offer", command);
        const isUsable =
          old === undefined || readAnchor(this.#render(answerer, "offer", reply).sdp).port !== old;
        if (isUsable || thrownAway.length === MOVE_TRIES) return reply;
        thrownAway.push(this.#callId);
        this.#rename(randomToken(22));
      }
    } finally {
      for (const callId of thrownAway) {
        this.#node?.request("delete", { "call-id": callId }).catch(() => {});
      }
    }
  }

  async #command<Command extends CallCommand>(
    command: Command,
    args: Omit<NgCommands[Command], "call-id">,
  ): Promise<NgReply> {
    if (this.#node === undefined) throw noRtpengine();
    // The type of a command without its call-id, with it again.
    const whole = { ...args, "call-id": this.#callId } as unknown as NgCommands[Command];
    return this.#node.request(command, whole);
  }

  #toRtpengine(
    leg: MediaLeg,
    role: "offer" | "answer",
    description: LegDescription,
    codecs: readonly Codec[],
    video: VideoUse,
  ): string {
    const state = this.#leg(leg.tag);
    if (leg.kind === "webrtc") {
      state.endpoint = followEndpoint(state.endpoint, description, role);
      state.ice = followIce(state.ice, description);
    }
    const reachable = leg.kind === "rtp" ? whereItWas(description, state.address) : description;
    state.address = { connection: reachable.audio.connection, port: reachable.audio.port };
    const sdp = sdpForRtpengine(reachable, codecs, leg.kind, state.tlsId, video);
    return formatSdp(state.endpoint?.isNew === true ? asDtlsClient(sdp) : sdp, ANY_ORIGIN);
  }

  #render(leg: MediaLeg, role: "offer" | "answer", reply: NgReply) {
    return renderForLeg(reply, { leg, role, state: this.#leg(leg.tag), opus: this.#options.opus });
  }

  #toLeg(leg: MediaLeg, role: "offer" | "answer", reply: NgReply, by: BrowserChanges): string {
    const state = this.#leg(leg.tag);
    const { sdp, codecs, events, security } = this.#render(leg, role, reply);
    if (leg.kind === "webrtc") this.#assertAnchor(leg.tag, state, sdp, by);
    state.meantEvents = events;
    if (role === "answer") {
      state.codec = codecs.find(isSpeech);
      if (leg.kind === "rtp") keepSecurity(state.security, security);
    }
    return printForLeg(state, sdp);
  }

  /** Nothing that a browser sees of us may change in the middle of a call. */
  #assertAnchor(tag: string, state: LegState, sdp: Sdp, by: BrowserChanges): void {
    const before = state.anchor;
    const now = readAnchor(sdp);
    state.anchor = { ...now, role: now.role ?? before?.role };
    const changed = before === undefined ? [] : changesOf(before, now, by);
    if (changed.length === 0) return;
    const node = this.#node?.name ?? "none";
    raiseAlarm(this.#options.logger, { session: this.#callId, node, leg: tag, changed });
    if (this.#options.handler?.onAnchorChanged?.(tag, changed) !== "refuse") return;
    state.anchor = before;
    throw new MediaError(
      "ERR_OFFHOOK_MEDIA_ANCHOR",
      `rtpengine changed its ${changed.join(", ")} toward ${tag}`,
    );
  }

  #leg(tag: string): LegState {
    let leg = this.#legs.get(tag);
    if (leg === undefined) {
      leg = newLegState();
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
    const left = this.#left;
    if (left !== undefined) await this.#forget(left);
    return addReports(this.#before, await this.#endCall());
  }

  async #endCall(): Promise<MediaReport | undefined> {
    if (this.#node === undefined) return undefined;
    const pair = onlyPair(this.#branches, this.#attempts, this.sounds.hasCopies);
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

  #report(reply: NgReply): MediaReport {
    const statistics = readMediaStatistics(reply, this.#legs.keys());
    return {
      ...agreedBetween(this.#legs, this.#joined),
      ...statistics,
      // 12.5 and 26 do not say so of what they decode for the sake of tones.
      isTranscoded: statistics.isTranscoded || this.#digitFlow.isListening,
    };
  }
}
