import { randomToken } from "../../core/ids.ts";
import type { ExtraHeaders } from "../engine.ts";
import { buildRequest } from "../message/build.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";
import { formatNameAddr } from "../message/name-addr.ts";
import { serializeMessage } from "../message/serializer.ts";
import type { Flow } from "../transport/flow.ts";
import type { DialogContext } from "./dialog-context.ts";
import { Exchange } from "./exchange.ts";
import { PRODUCT, safeExtras } from "./our-headers.ts";
import { challengesFor } from "./passed-challenge.ts";
import type { Peer } from "./peer.ts";

/** The addresses of a request of ours outside a dialog, already chosen. */
export interface RequestAddresses {
  readonly peer: Peer;
  readonly requestUri: string;
  /** URI and display name of From and To, without tags. */
  readonly from: { readonly uri: string; readonly displayName?: string | undefined };
  readonly to: { readonly uri: string; readonly displayName?: string | undefined };
  /** Route values, topmost first: the Path of a registration (RFC 3327 §5.3). */
  readonly routes: readonly string[];
  readonly headers: ExtraHeaders;
  /** Challenges in these realms are for whoever we ask on behalf of; default none. */
  readonly callersRealms?: readonly string[] | undefined;
}

export interface ClientRequestParts extends RequestAddresses {
  readonly method: string;
  readonly callId: string;
  readonly localTag: string;
  readonly cseqNumber: number;
  readonly fields: readonly HeaderField[];
  readonly body?: Buffer | undefined;
  readonly contentType?: string | undefined;
}

const TAG_LENGTH = 22;
/** RFC 3428 §8, RFC 3261 §18.1.1: the longest request over UDP. */
const MAX_UDP_OCTETS = 1300;
/** What our Via adds when the request is sent. */
const VIA_OCTETS = 120;

/** A request outside a dialog (RFC 3261 §8.1.1). It has no Via yet. */
export function standaloneRequest(parts: ClientRequestParts): SipRequest {
  const { method, from, to, localTag, callId, cseqNumber } = parts;
  const extras = safeExtras(parts.headers);
  const hasOwnHops = extras.some(([name]) => name.toLowerCase() === "max-forwards");
  return buildRequest({
    method,
    requestUri: parts.requestUri,
    headers: [
      ...parts.routes.map((route): HeaderField => ["Route", route]),
      // What came to us with few hops left goes on with few: a loop ends (RFC 3261 §16.6).
      ...(hasOwnHops ? [] : [["Max-Forwards", "70"] as const]),
      ["From", formatNameAddr({ ...from, params: new Map([["tag", localTag]]) })],
      ["To", formatNameAddr(to)],
      ["Call-ID", callId],
      ["CSeq", `${cseqNumber} ${method}`],
      ...parts.fields,
      ["User-Agent", PRODUCT],
      ...extras,
    ],
    body: parts.body,
    contentType: parts.contentType,
  });
}

/** What a request says beside its addresses. */
export interface StandaloneContent {
  readonly method: "MESSAGE" | "NOTIFY";
  readonly contentType: string;
  readonly body: Buffer;
  /** Beside those of every request. */
  readonly fields?: (flow: Flow) => readonly HeaderField[];
}

/**
 * Sends a request outside a dialog that makes none, such as MESSAGE (RFC 3428 §4).
 *
 * @returns the final status, as `SignalingEngine.message` says
 */
export function sendStandalone(
  context: DialogContext,
  addresses: RequestAddresses,
  { method, fields = () => [], ...content }: StandaloneContent,
  onChallenge: (challenge: ExtraHeaders) => void = () => {},
): Promise<number> {
  const callId = randomToken(TAG_LENGTH);
  const localTag = randomToken(TAG_LENGTH);
  let cseqNumber = 0;
  const build = (flow: Flow, credentials: readonly HeaderField[]): SipRequest => {
    cseqNumber += 1;
    const common = { ...addresses, ...content, callId, localTag, cseqNumber };
    return standaloneRequest({ ...common, method, fields: [...fields(flow), ...credentials] });
  };
  const { peer, requestUri, callersRealms = [] } = addresses;
  const nextHop = addresses.routes[0] ?? requestUri;
  const unreachable = peer.party.kind === "user" ? 480 : 503;
  const flow = peer.flowTo(nextHop);
  if (flow === undefined) return Promise.resolve(unreachable);
  const isLong = serializeMessage(build(flow, [])).length + VIA_OCTETS > MAX_UDP_OCTETS;
  // RFC 3428 §8: a MESSAGE over UDP that may be cut into pieces is not sent.
  if (isLong && !flow.isReliable) return Promise.resolve(513);
  return new Promise((resolve) => {
    // oxlint-disable-next-line no-new
    new Exchange(context, {
      peer,
      findsServer: addresses.routes.length === 0,
      nextHop: () => nextHop,
      build,
      onDone: (outcome) => {
        switch (outcome.kind) {
          case "response": {
            const challenge = challengesFor(outcome.response, callersRealms);
            if (challenge.length > 0) onChallenge(challenge);
            resolve(outcome.response.statusCode);
            return;
          }
          case "timeout":
            resolve(408);
            return;
          case "transport":
            resolve(unreachable);
            return;
        }
      },
    });
  });
}
