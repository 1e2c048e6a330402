import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { CodecPolicy, MediaEngine, MediaLeg } from "../media/session.ts";
import type { IncomingInvite, SignalingEngine } from "../signaling/engine.ts";
import type { Action } from "../dialplan/decision.ts";
import type { HeaderRules } from "./header-policy.ts";
import type { HookQuestion } from "./hook.ts";
import type { CallLimits } from "./limits.ts";
import type { LiveFacts } from "./live-facts.ts";
import type { MediaPace } from "./media-pace.ts";
import type { IdentityTerms } from "./presentation.ts";
import type { HoldMusic, RecordingSettings } from "./sounds.ts";
import type { UserSettingsStore } from "./user-settings.ts";

/** What every call shares. */
export interface CallContext {
  readonly engine: SignalingEngine;
  readonly media: MediaEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: CallLimits;
  readonly codecPolicy: CodecPolicy;
  /** Whether web users may have video. */
  readonly hasVideo: boolean;
  /** How long a call waits for a browser whose connection went, milliseconds. */
  readonly flowGraceMs: number;
  /** What a held party hears; undefined: nothing. */
  readonly holdMusic: HoldMusic | undefined;
  readonly recording: RecordingSettings;
  /** ISO 3166 code: whose tones and language callers hear; undefined: those of ITU-T E.180. */
  readonly country: string | undefined;
  readonly mediaPace: MediaPace;
  user(userId: string): { readonly name: string; readonly numbers: readonly string[] } | undefined;
  trunk(trunkId: string): TrunkTerms | undefined;
  /** The SIP domain of the web users. */
  readonly domain: string;
  readonly facts: LiveFacts;
  /** What users have set for their calls. */
  readonly settings: UserSettingsStore;
  /** @returns what a hook wants done; undefined when it does not answer in time or well */
  askHook(hook: string, question: HookQuestion): Promise<readonly Action[] | undefined>;
}

/** How calls with a trunk are transferred. */
export interface TransferTerms {
  /** The peer is asked to transfer its own parties to its own numbers. */
  readonly isPassedOn: boolean;
  /** The peer learns who has transferred a call to it. */
  readonly isReferredByTold: boolean;
  readonly peerHost: string;
}

/** What calls with a trunk keep to. */
export interface TrunkTerms {
  readonly codecs: readonly string[] | undefined;
  /** How codecs are chosen; undefined: the trunk does not say. */
  readonly codecPolicy?: CodecPolicy | undefined;
  /** Its media, beside the codecs. */
  readonly media?: Omit<MediaLeg, "tag" | "kind" | "codecs"> | undefined;
  /** How it is told who calls; default: by From, and it is believed about From alone. */
  readonly identity?: IdentityTerms | undefined;
  /** How its calls are transferred; default: by us, and it is told nothing. */
  readonly transfer?: TransferTerms | undefined;
  /** Whether all its servers failed lately: others are tried before it. */
  readonly isAvoided?: (() => boolean) | undefined;
  /** Header fields that cross; default: none. */
  readonly headers?: HeaderRules | undefined;
}

/**
 * A trunk's leg, without its tag.
 *
 * @param source where its signaling came from, when it called; asked once, with its first SDP
 */
export function trunkLeg(
  terms: TrunkTerms | undefined,
  source?: () => string,
): Omit<MediaLeg, "tag"> {
  const isDirect = terms?.media?.isDirect;
  let host: string | undefined;
  return {
    kind: "rtp",
    codecs: terms?.codecs,
    ...terms?.media,
    ...(isDirect === undefined || source === undefined
      ? {}
      : {
          isDirect: (address: string) => {
            host ??= source();
            return address === host || isDirect(address);
          },
        }),
  };
}

/** The leg of whoever called. */
export function callerLeg(
  invite: IncomingInvite,
  trunk: TrunkTerms | undefined,
  context: Pick<CallContext, "hasVideo">,
): Omit<MediaLeg, "tag"> {
  if (invite.party.kind === "user") return { kind: "webrtc", video: context.hasVideo };
  return trunkLeg(trunk, () => {
    // RFC 3261 §18.2.1: where it came from, as the transport has found it.
    const via = invite.request.topmostVia;
    return via.received ?? via.host;
  });
}
