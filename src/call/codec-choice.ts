import { speechCodecsOf } from "../media/codecs.ts";
import type { CodecPolicy, MediaLeg } from "../media/session.ts";

/** How the codecs of a call are chosen, and who said so. */
export interface CodecChoice {
  readonly policy: CodecPolicy;
  /** `phone`: the browser asked for Opus within the call. */
  readonly by: "route" | "trunk" | "default" | "phone";
}

/**
 * The route knows best, then the trunk that is called, then the one that the call came from, then
 * `media.codecs`.
 */
export function chooseCodecs(said: {
  readonly route?: CodecPolicy | undefined;
  readonly calleeTrunk?: CodecPolicy | undefined;
  readonly callerTrunk: CodecPolicy | undefined;
  readonly usual: CodecPolicy;
}): CodecChoice {
  if (said.route !== undefined) return { policy: said.route, by: "route" };
  const trunk = said.calleeTrunk ?? said.callerTrunk;
  if (trunk !== undefined) return { policy: trunk, by: "trunk" };
  return { policy: said.usual, by: "default" };
}

/**
 * What an offer of a browser within its call says about codecs: one that has Opus alone asks for
 * Opus, whatever the other side speaks; a later one with others too takes that back.
 */
export function choiceAfterOffer(
  chosen: CodecChoice,
  usual: CodecChoice,
  speech: readonly string[],
): CodecChoice {
  const isOpusAlone = speech.length > 0 && speech.every((codec) => codec === "opus");
  if (isOpusAlone) return chosen.policy === "opus" ? chosen : { policy: "opus", by: "phone" };
  return chosen.by === "phone" ? usual : chosen;
}

/** As `choiceAfterOffer`; only browsers ask. @param offer undefined: we are asked for one */
export function choiceAfterReinvite(
  { kind }: MediaLeg,
  offer: string | undefined,
  chosen: CodecChoice,
  usual: CodecChoice,
): CodecChoice {
  if (kind !== "webrtc" || offer === undefined) return chosen;
  return choiceAfterOffer(chosen, usual, speechCodecsOf(offer));
}
