import { randomToken } from "../core/ids.ts";
import type { Codec } from "./codecs.ts";
import { formatCodec, isSpeech } from "./codecs.ts";
import { MediaError } from "./errors.ts";
import { isDictionary } from "./ng-client.ts";
import type { NgArguments, NgReply } from "./ng-client.ts";
import type { RtpengineNode } from "./rtpengine-node.ts";
import { planCodecs, profileOf } from "./profile.ts";
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
import type { CodecPolicy, Exchange, MediaLeg, MediaReport, MediaSession } from "./session.ts";

export interface RtpengineSessionOptions {
  readonly policy: CodecPolicy;
  /** Of what the legs send; default SDP_LIMITS. */
  readonly sdpLimits?: SdpLimits | undefined;
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
}

/** What we remember of one attempt. */
interface BranchState {
  /** The last offer's command, to be repeated before an answer that changes the codec. */
  readonly offer: NgArguments;
  readonly offererTag: string;
  /** Whether the answerer's tag is known to rtpengine. */
  isAnswered: boolean;
  /** Codecs of the last answer to that offer. */
  answeredCodecs: string | undefined;
  state: "live" | "dropped";
}

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
  #closing: Promise<MediaReport | undefined> | undefined;

  constructor(options: RtpengineSessionOptions) {
    this.#options = options;
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
    return { codecs: this.#codecs(), isTranscoded: one !== other, packetsFrom: {} };
  }

  query(): Promise<MediaReport> {
    return this.#inTurn(async () => this.#report(await this.#command("query", {})));
  }

  close(): Promise<MediaReport | undefined> {
    if (this.#closing === undefined) {
      this.#closing = this.#queue.then(() => this.#end());
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
    const description = readDescription(sdp, offerer.kind, this.#options.sdpLimits);
    const plan = planCodecs({
      policy: this.#options.policy,
      offererKind: offerer.kind,
      answererKind: answerer.kind,
      offered: description.codecs.filter(isSpeech).map((codec) => codec.key),
      accepted: answerer.codecs,
      current: this.#legs.get(answerer.tag)?.codec?.key,
    });
    const known = this.#branches.get(branch);
    const command: NgArguments = {
      "from-tag": offerer.tag,
      "to-tag": known?.isAnswered === true ? answerer.tag : undefined,
      "via-branch": branch,
      ...profileOf({ sender: offerer, receiverKind: answerer.kind }),
      codec: plan.transcoding,
      sdp: this.#toRtpengine(
        offerer,
        description,
        selectOfferCodecs(description.codecs, plan.keep),
      ),
    };
    const reply = await this.#firstOrLaterOffer(command);
    if (known === undefined) this.#attempts += 1;
    this.#branches.set(branch, {
      offer: command,
      offererTag: offerer.tag,
      isAnswered: known?.isAnswered === true,
      answeredCodecs: undefined,
      state: "live",
    });
    this.#leg(offerer.tag).layout = description.layout;
    await this.#deleteDropped();
    return this.#toLeg(answerer, "offer", reply);
  }

  async #answer(exchange: Exchange, sdp: string): Promise<string> {
    const { offerer, answerer, branch } = exchange;
    const description = readDescription(sdp, answerer.kind, this.#options.sdpLimits);
    const codecs = selectAnswerCodecs(description.codecs);
    const codecNames = codecs.map(formatCodec).join(" ");
    const state = this.#branches.get(branch);
    if (
      state?.answeredCodecs !== undefined &&
      state.answeredCodecs !== codecNames &&
      state.offererTag === offerer.tag
    ) {
      // rtpengine 10.5 answers the offerer without any speech codec when a second answer to one
      // offer (183, then 200) has another codec than the first. The offer anew makes it the first.
      await this.#command("offer", state.offer);
    }
    const reply = await this.#command("answer", {
      "from-tag": offerer.tag,
      "to-tag": answerer.tag,
      "via-branch": branch,
      ...profileOf({ sender: answerer, receiverKind: offerer.kind }),
      sdp: this.#toRtpengine(answerer, description, codecs),
    });
    if (state !== undefined) {
      state.isAnswered = true;
      state.answeredCodecs = codecNames;
    }
    const answererLeg = this.#leg(answerer.tag);
    answererLeg.layout = description.layout;
    answererLeg.codec = codecs.find(isSpeech);
    this.#joined = [offerer.tag, answerer.tag];
    return this.#toLeg(offerer, "answer", reply);
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
    command: "offer" | "answer" | "query" | "delete",
    args: NgArguments,
  ): Promise<NgReply> {
    if (this.#node === undefined) throw noRtpengine();
    return this.#node.request(command, { ...args, "call-id": this.id });
  }

  #toRtpengine(leg: MediaLeg, description: LegDescription, codecs: readonly Codec[]): string {
    const { tlsId } = this.#leg(leg.tag);
    return formatSdp(sdpForRtpengine(description, codecs, leg.kind, tlsId), ANY_ORIGIN);
  }

  #toLeg(leg: MediaLeg, role: "offer" | "answer", reply: NgReply): string {
    const text = reply["sdp"];
    if (typeof text !== "string") {
      throw new MediaError("ERR_OFFHOOK_MEDIA_REFUSED", "rtpengine replied without an SDP");
    }
    const state = this.#leg(leg.tag);
    const { sdp, codecs } = sdpForLeg(text, { kind: leg.kind, role, layout: state.layout });
    if (role === "answer") state.codec = codecs.find(isSpeech);
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
    return { codecs: this.#codecs(), ...readMediaStatistics(reply, this.#legs.keys()) };
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
