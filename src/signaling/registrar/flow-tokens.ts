import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { SipRequest } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";

const PREFIX = "ft.";
const MAC_OCTETS = 10;

/**
 * Flow tokens (RFC 5626 §5.1): the user of a Route that leads a request back to one connection,
 * `<sip:TOKEN@host;lr;ob>`. A token is the flow's id with a keyed hash, so nobody can make one and
 * none has to be kept.
 */
export class FlowTokens {
  readonly #key = randomBytes(32);

  /** The token of a connection; the same at each call. */
  of(flow: Flow): string {
    const id = Buffer.from(flow.id, "utf8");
    return `${PREFIX}${Buffer.concat([this.#macOf(id), id]).toString("base64url")}`;
  }

  /**
   * The id of the flow that the topmost Route of a request names.
   *
   * @returns undefined when the Route is no flow token, false when it only looks like one
   */
  flowIdOf(request: SipRequest): string | false | undefined {
    const uri = request.routes[0]?.sipUri;
    if (uri?.user?.startsWith(PREFIX) !== true || !uri.params.has("ob")) return undefined;
    const octets = Buffer.from(uri.user.slice(PREFIX.length), "base64url");
    const id = octets.subarray(MAC_OCTETS);
    const mac = octets.subarray(0, MAC_OCTETS);
    // RFC 5626 §5.3.2: a token that has been tampered with.
    if (mac.length < MAC_OCTETS || !timingSafeEqual(mac, this.#macOf(id))) return false;
    return id.toString("utf8");
  }

  #macOf(id: Buffer): Buffer {
    return createHmac("sha256", this.#key).update(id).digest().subarray(0, MAC_OCTETS);
  }
}
