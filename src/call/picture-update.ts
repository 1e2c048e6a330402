/**
 * Key frames that a video telephone asks for by SIP INFO (RFC 5168). rtpengine cannot ask a sender
 * by RTCP in its place, so the request goes on as it came: another telephone knows it, and our phone
 * does. The way back is RTCP alone, which passes through rtpengine.
 */
import { LazyMap } from "../core/lazy-map.ts";
import type { Clock } from "../core/clock.ts";
import type { MediaLeg } from "../media/session.ts";
import type { IncomingRequest } from "../signaling/engine.ts";

/** Sends an INFO to the other end. */
type Send = (content: { readonly contentType: string; readonly body: Buffer }) => Promise<number>;

export const MEDIA_CONTROL = "application/media_control+xml";
const MAX_BODY_OCTETS = 1024;
/** RFC 5168 §5 names no pace; a sender makes a key frame of every request. */
const PAUSE_MS = 500;

/** What goes on is written anew: nothing of the one side's body reaches the other. */
const BODY = Buffer.from(
  '<?xml version="1.0" encoding="utf-8"?>\r\n' +
    "<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>\r\n",
);

/** Whether an INFO is about pictures. */
export function isMediaControl({ request }: IncomingRequest): boolean {
  return request.contentType === MEDIA_CONTROL;
}

/** Carries such requests between the two ends of a call, at a pace that a sender can follow. */
export class PictureUpdates {
  readonly #clock: Clock;
  /** When the last one of each leg went on. */
  readonly #lastMs = new LazyMap<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param to the other end; undefined: there is none that could take it */
  take(
    fromTag: string,
    info: IncomingRequest,
    to: { readonly leg: MediaLeg; readonly send: Send | undefined } | undefined,
  ): void {
    const { body } = info.request;
    if (body.length > MAX_BODY_OCTETS || !body.includes("picture_fast_update")) {
      info.respond(400, { reasonPhrase: "No picture_fast_update in the body" });
      return;
    }
    if (to?.send === undefined || to.leg.video !== true) {
      info.respond(480, { reasonPhrase: "Nobody is there to send a picture" });
      return;
    }
    info.respond(200);
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - (this.#lastMs.get(fromTag) ?? -PAUSE_MS) < PAUSE_MS) return;
    this.#lastMs.set(fromTag, nowMs);
    // One that does not know it goes on without.
    to.send({ contentType: MEDIA_CONTROL, body: BODY }).catch(() => {});
  }
}
