/**
 * Tells the gateway how the sound is, in SIP INFO, and reads where the gateway finds packets lost:
 * the browser sees its own side only.
 */
import type { Info, Session } from "sip.js";
import type { LossSegment } from "./phone-agent.ts";
import type { QualitySample } from "./quality-sampler.ts";

const CONTENT_TYPE = "application/vnd.offhook.quality+json";
const SEGMENTS: readonly string[] = [
  "browser-uplink",
  "browser-downlink",
  "carrier-inbound",
  "carrier-outbound",
  "gateway",
] satisfies readonly LossSegment[];

/** Sends the totals of a sample. Whatever comes of it: the next one follows in five seconds. */
export function sendQuality(session: Session, sample: QualitySample): void {
  const { inbound, outbound, concealedShare, iceRoundTripMs, roundTripMs, totals } = sample;
  const body = {
    inbound: { ...totals.inbound, jitterMs: inbound.jitterMs },
    outbound: { ...totals.outbound, jitterMs: outbound.jitterMs },
    iceRoundTripMs,
    roundTripMs,
    concealedShare,
  };
  session
    .info({
      requestOptions: {
        body: {
          contentDisposition: "render",
          contentType: CONTENT_TYPE,
          content: JSON.stringify(body),
        },
      },
    })
    .catch(() => {
      // The call is over, or has no connection now.
    });
}

/** @returns where packets are lost, undefined when nowhere; `none` for any other INFO */
export function tryParseVerdict(request: Info["request"]): LossSegment | undefined | "none" {
  if (request.getHeader("Content-Type") !== CONTENT_TYPE) return "none";
  try {
    const value: unknown = JSON.parse(request.body);
    if (typeof value !== "object" || value === null) return "none";
    const segment: unknown = Reflect.get(value, "segment");
    return isSegment(segment) ? segment : undefined;
  } catch {
    return "none";
  }
}

function isSegment(value: unknown): value is LossSegment {
  return typeof value === "string" && SEGMENTS.includes(value);
}
