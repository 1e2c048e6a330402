import type { DialogLayer } from "./dialog/dialog-layer.ts";
import { ourResponse } from "./dialog/responses.ts";
import type { CalledInstance, Locations } from "./engine.ts";
import { addressesOf } from "./invite-parameters.ts";
import type { InviteEnvironment } from "./invite-parameters.ts";
import type { SipRequest, SipResponse } from "./message/message.ts";
import { tryParseEvent } from "./message/subscription-state.ts";
import type { ServerTransaction } from "./transaction/transaction.ts";

/** The event that a PBX tells of without being asked, and its body (RFC 3842). */
const EVENT = "message-summary";
const CONTENT_TYPE = "application/simple-message-summary";
const MAX_OCTETS = 4096;

export interface PassedNotifyParts {
  readonly dialogs: DialogLayer;
  readonly locations: Pick<Locations, "bindings">;
  readonly environment: InviteEnvironment;
}

/**
 * Passes a NOTIFY that nobody has subscribed to on to the browser that registered at the PBX: most
 * PBXs light the voicemail lamp of a telephone in that way. Of the PBX's message only the body goes
 * on, and the browser's answer comes back as a status.
 *
 * @param called the browser that the PBX names by its contact
 */
export function passNotify(
  transaction: ServerTransaction,
  called: CalledInstance,
  { dialogs, locations, environment }: PassedNotifyParts,
): void {
  const { request } = transaction;
  const { userId, instanceId } = called;
  const refusal = refusalOf(request);
  if (refusal !== undefined) {
    transaction.respond(refusal);
    return;
  }
  const binding = locations.bindings(userId).find((one) => one.instanceId === instanceId);
  if (binding === undefined) {
    transaction.respond(ourResponse(request, 480));
    return;
  }
  const user = { user: userId };
  const addresses = addressesOf(
    { target: { kind: "binding", binding }, from: user, to: user },
    environment,
  );
  const content = { contentType: CONTENT_TYPE, body: request.body };
  void dialogs.notify(addresses, EVENT, content).then((status) => {
    transaction.respond(ourResponse(request, status));
  });
}

function refusalOf(request: SipRequest): SipResponse | undefined {
  if (request.maxForwards === 0) return ourResponse(request, 483);
  if (tryParseEvent(request.headers.get("Event"))?.name !== EVENT) {
    return ourResponse(request, 489, { fields: [["Allow-Events", EVENT]] });
  }
  if (request.headers.has("Content-Encoding") || request.contentType !== CONTENT_TYPE) {
    return ourResponse(request, 415, { fields: [["Accept", CONTENT_TYPE]] });
  }
  return request.body.length > MAX_OCTETS ? ourResponse(request, 413) : undefined;
}
