import { loadSoundFile } from "../media/sound/sound-file.ts";
import type {
  Exchange,
  MediaLeg,
  MediaSession,
  ServiceEndpoint,
  ServiceHandler,
  ServiceKind,
} from "../media/session.ts";
import type { CallerOffers } from "./caller-offers.ts";
import type { CallContext } from "./context.ts";
import type { DialogEnd } from "./dialog-end.ts";
import { SERVICE_LEG } from "./service-leg.ts";

/** A service of ours in the callee's place. */
export interface ServiceChoice {
  readonly kind: ServiceKind;
  /** `play`: a sound file of the user's; undefined: the built-in announcement. */
  readonly file?: string | undefined;
  /** `play`: a sound in µ-law instead. */
  readonly sound?: Buffer | undefined;
}

/**
 * The exchange of a call whose caller offers, or which the service makes the offer of.
 *
 * @param isStandIn as in `Exchange`
 */
export function serviceExchange(
  callerLeg: MediaLeg,
  isLateOffer: boolean,
  isStandIn: boolean,
): Exchange {
  const [offerer, answerer] = isLateOffer ? [SERVICE_LEG, callerLeg] : [callerLeg, SERVICE_LEG];
  return { offerer, answerer, branch: "service", isStandIn };
}

/** Makes the service. @throws MediaError when it has no port or no sound */
export async function createServiceOf(
  { kind, file, sound: made }: ServiceChoice,
  context: CallContext,
  handler: ServiceHandler,
): Promise<ServiceEndpoint> {
  const sound = file === undefined ? made : await loadSoundFile(file);
  return context.media.createService(kind, handler, { sound });
}

/**
 * The SDP of the 200 to the caller: the answer to its offer, or the service's offer.
 *
 * @throws MediaError
 */
export async function sdpForCaller(
  media: MediaSession,
  service: ServiceEndpoint,
  exchange: Exchange,
  offers: CallerOffers,
): Promise<string> {
  if (offers.sdp === undefined) return media.offer(exchange, await service.offer());
  return offers.serve(service, exchange);
}

/** Brings the caller's answer to a late offer, out of its ACK, to the service. @throws MediaError */
async function acknowledgeService(
  media: MediaSession,
  service: ServiceEndpoint,
  exchange: Exchange,
  answer: string,
): Promise<void> {
  await service.accept(await media.answer(exchange, answer));
}

/** Brings the caller's answer to a late offer to the callee, in our ACK. @throws MediaError */
async function acknowledgeCallee(
  media: MediaSession,
  callee: DialogEnd,
  { offerer, ...exchange }: Exchange,
  sdp: string,
): Promise<void> {
  const answer = await media.answer({ ...exchange, offerer: callee.leg, answerer: offerer }, sdp);
  callee.localSdp = answer;
  callee.dialog.acknowledge(answer);
}

/** Brings the caller's answer to a late offer to whoever has made it. @throws MediaError */
export async function acknowledgeLate(
  media: MediaSession,
  {
    callee,
    service,
  }: { readonly callee?: DialogEnd | undefined; readonly service?: ServiceEndpoint | undefined },
  exchange: Exchange,
  sdp: string,
): Promise<void> {
  if (callee !== undefined) await acknowledgeCallee(media, callee, exchange, sdp);
  else if (service !== undefined) await acknowledgeService(media, service, exchange, sdp);
}
