import type { MediaDirection } from "../media/direction.ts";
import type { Exchange, MediaLeg } from "../media/session.ts";
import type { Dialog } from "../signaling/engine.ts";
import type { CallerIdentity } from "./presentation.ts";

/** The last SDP that a far end sent, and the last that it was sent. */
export interface EndSdps {
  readonly remoteSdp: string | undefined;
  readonly localSdp: string | undefined;
  /** What the far end last said of itself; undefined: nothing but `sendrecv`. */
  readonly direction?: MediaDirection | undefined;
}

/** An end of a call as other calls see it. */
export interface CallEnd extends EndSdps {
  readonly dialog: Dialog;
  readonly leg: MediaLeg;
  /** Who is there, as others are shown it. */
  readonly identity: CallerIdentity;
}

/** The tag of the leg that a leg exchanges its media with. */
export function farEndOf(exchange: Exchange | undefined, tag: string): string | undefined {
  if (exchange === undefined) return undefined;
  return exchange.offerer.tag === tag ? exchange.answerer.tag : exchange.offerer.tag;
}
