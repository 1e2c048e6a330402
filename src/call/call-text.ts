import type { IncomingMessage } from "../signaling/engine.ts";
import type { DialogEnd } from "./dialog-end.ts";

/** Texts under way from one end of a call to the other. */
const MAX_PENDING = 4;
/** RFC 3428 §8: over UDP no request may need to be cut; toward a browser it is never UDP. */
const MAX_TRUNK_OCTETS = 900;

/** Carries texts (MESSAGE, RFC 3428) inside a call: to whoever is at its other end, and to nobody else. */
export class CallTexts {
  #pending = 0;

  /** @param to the other end; undefined while there is none that can read */
  async carry(message: IncomingMessage, to: DialogEnd | undefined): Promise<void> {
    const body = Buffer.from(message.text, "utf8");
    if (to === undefined || to.isGone) message.respond(488);
    else if (to.leg.kind !== "webrtc" && body.length > MAX_TRUNK_OCTETS) message.respond(513);
    else if (this.#pending >= MAX_PENDING) {
      message.respond(503, { headers: [["Retry-After", "2"]] });
    } else {
      this.#pending += 1;
      try {
        message.respond(
          await to.dialog.request("MESSAGE", { contentType: "text/plain;charset=utf-8", body }),
        );
      } finally {
        this.#pending -= 1;
      }
    }
  }
}
