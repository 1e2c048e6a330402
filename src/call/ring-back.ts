import type { Logger } from "../core/logger.ts";
import { callTonesOf } from "../core/call-tones.ts";
import type { MediaSession } from "../media/session.ts";
import { synthesizeCallTone } from "../media/sound/synthesis.ts";

/** One period of every country's ring-back is in it. */
const SECONDS = 5;

/**
 * Lets a party that is being transferred hear that it rings elsewhere, when nobody talks to it any
 * more. Never throws: in silence it waits as well.
 *
 * @param instead the tag of the leg that has gone
 * @param country ISO 3166 code; undefined: the tone of ITU-T E.180
 */
export async function playRingBack(
  media: MediaSession,
  to: string,
  instead: string,
  { country, logger }: { readonly country: string | undefined; readonly logger: Logger },
): Promise<void> {
  const { ringBack } = callTonesOf(country);
  const period = ringBack.cadence.reduce((sum, seconds) => sum + seconds, 0);
  const seconds = Math.max(1, Math.round(SECONDS / period)) * period;
  try {
    const sound = synthesizeCallTone(ringBack, seconds);
    await media.sounds.play({ to, instead: [instead], sound, isLooped: true });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    logger.warn("no ring-back tone for a transferred party", { detail });
  }
}
