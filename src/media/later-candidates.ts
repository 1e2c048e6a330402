/**
 * Takes candidates that came after a browser's SDP to rtpengine: the last offer and answer of the
 * browser are made again, with them. ng's own way, a `fragment`, mutes the browser with rtpengine
 * 10.5: it takes the missing address for the 0.0.0.0 of a leg on hold.
 */
import {
  type IceGeneration,
  followFragment,
  parseFragment,
  withCandidates,
} from "./ice-fragment.ts";
import { SDP_LIMITS, type SdpLimits, unusable } from "./sdp.ts";
import type { LegLayout } from "./sdp-filter.ts";
import type { AnswerCommand, BranchState, OfferCommand } from "./session-state.ts";

/** What a fragment is for. */
export interface LaterCandidates {
  readonly tag: string;
  /** What is known of the leg; its `ice` follows. */
  readonly leg: { ice: IceGeneration | undefined; readonly layout: LegLayout | undefined };
  /** Of the session; those of the leg follow. */
  readonly branches: Iterable<BranchState>;
  readonly limits: SdpLimits | undefined;
  /** Sends what a branch has offered, and answered, again. */
  readonly repeat: (branch: BranchState) => Promise<unknown>;
}

/**
 * @param text the body of the INFO
 * @returns `stale` for one of another generation; nothing was done
 * @throws MediaError `ERR_OFFHOOK_MEDIA_SDP` for one that is of no use, and what `repeat` throws
 */
export async function takeFragment(text: string, to: LaterCandidates): Promise<"taken" | "stale"> {
  const { tag, leg, limits = SDP_LIMITS } = to;
  if (leg.ice === undefined || leg.layout === undefined)
    throw unusable("there is no ICE to add to");
  const sections = parseFragment(text, leg.layout, limits);
  const next = followFragment(leg.ice, sections, limits.candidates);
  if (next === undefined) return "stale";
  leg.ice = next.ice;
  if (next.news.every(({ candidates }) => candidates.length === 0)) return "taken";
  const withNews = <Command extends OfferCommand | AnswerCommand>(command: Command): Command => {
    const sdp = command["sdp"];
    return typeof sdp === "string" ? { ...command, sdp: withCandidates(sdp, next.news) } : command;
  };
  for (const branch of to.branches) {
    if (branch.state === "dropped") continue;
    if (branch.offererTag === tag) branch.offer = withNews(branch.offer);
    else if (branch.answererTag === tag && branch.answer !== undefined) {
      branch.answer = withNews(branch.answer);
    } else continue;
    await to.repeat(branch);
  }
  return "taken";
}
