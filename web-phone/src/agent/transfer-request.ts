/** Asks the far end of a call to call somebody else (RFC 3515), and listens to how that goes. */
import type { Notification, Session, URI } from "sip.js";

/** What comes of it; one of the two last ones, once. */
export interface TransferEvents {
  /** @param status of the new call, 100 to 199 */
  onProgress(status: number): void;
  onDone(): void;
  onFailed(status: number, reasonPhrase: string): void;
}

/** Ringing included: a far end that tells nothing any more has forgotten. */
const PATIENCE_MS = 120_000;
const STATUS_LINE = /^SIP\/2\.0 ([1-6][0-9]{2}) ?([^\r\n]{0,200})/i;

/** Reads a `message/sipfrag` (RFC 3420) as far as its status line. */
export function tryParseStatusFragment(
  body: string,
): { readonly status: number; readonly reasonPhrase: string } | undefined {
  const match = STATUS_LINE.exec(body.trimStart());
  if (match === null) return undefined;
  return { status: Number(match[1]), reasonPhrase: (match[2] ?? "").trim() };
}

function isOver(notification: Notification): boolean {
  return /^\s*terminated/i.test(notification.request.getHeader("Subscription-State") ?? "");
}

/**
 * Sends the REFER in the established call.
 *
 * @param target the number's URI, or a call that is up and whose far end is to be called with
 *   Replaces
 * @returns stops listening, without a word
 */
export function requestTransfer(
  session: Session,
  target: URI | Session,
  events: TransferEvents,
): () => void {
  let isSettled = false;
  const settle = (tell: () => void): void => {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timer);
    tell();
  };
  const timer = setTimeout(
    () => settle(() => events.onFailed(408, "Request Timeout")),
    PATIENCE_MS,
  );
  const onNotify = (notification: Notification): void => {
    notification.accept().catch(ignore);
    if (isSettled) return;
    const fragment = tryParseStatusFragment(notification.request.body);
    if (fragment !== undefined && fragment.status >= 200) {
      const { status, reasonPhrase } = fragment;
      settle(() => (status < 300 ? events.onDone() : events.onFailed(status, reasonPhrase)));
    } else if (isOver(notification)) {
      // RFC 3515 §2.4.5 wants a final status before this.
      settle(() => events.onFailed(0, ""));
    } else if (fragment !== undefined) {
      events.onProgress(fragment.status);
    }
  };
  session
    .refer(target, {
      onNotify,
      requestDelegate: {
        onReject: ({ message }) =>
          settle(() => events.onFailed(message.statusCode ?? 0, message.reasonPhrase ?? "")),
      },
    })
    .catch(() => settle(() => events.onFailed(0, "")));
  return () => settle(() => undefined);
}

function ignore(): void {
  // The call is over.
}
