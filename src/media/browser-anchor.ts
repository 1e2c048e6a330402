import type { Logger } from "../core/logger.ts";
import { anchorAlarms, type AnchorAlarm } from "./facts.ts";
import type { Sdp } from "./sdp.ts";
import { findAttribute } from "./sdp.ts";

/**
 * What rtpengine shows a browser and must not change for as long as the browser's transport lives:
 * SIP.js and browsers end a call whose DTLS role flips, and lose one whose port or ICE credentials
 * change behind their back.
 */
export interface BrowserAnchor {
  readonly ufrag: string | undefined;
  readonly fingerprint: string | undefined;
  /** `address port` */
  readonly port: string;
  /** `active` or `passive` once it is negotiated; `actpass` says nothing. */
  readonly role: string | undefined;
}

/** Reads rtpengine's side out of the SDP that it wrote for a browser. */
export function readAnchor(sdp: Sdp): BrowserAnchor {
  const audio = sdp.media.find(({ type, port }) => type === "audio" && port !== 0);
  const attributes = audio?.attributes ?? [];
  const role = findAttribute(attributes, "setup")?.value;
  return {
    ufrag: findAttribute(attributes, "ice-ufrag")?.value,
    fingerprint: findAttribute(attributes, "fingerprint")?.value,
    port: `${(audio?.connection ?? sdp.connection)?.host ?? "?"} ${audio?.port ?? 0}`,
    role: role === "active" || role === "passive" ? role : undefined,
  };
}

/** What the browser itself has changed, which lets our side change too. */
export interface BrowserChanges {
  /** It has restarted ICE: rtpengine answers with new credentials. */
  readonly hasIceRestarted: boolean;
  /** It comes from a new peer connection: DTLS begins anew, roles are open again. */
  readonly hasNewTransport: boolean;
}

/** What has changed from one to the next without cause, by name; empty when nothing has. */
export function changesOf(
  before: BrowserAnchor,
  now: BrowserAnchor,
  by: BrowserChanges,
): readonly string[] {
  const hasFlipped =
    before.role !== undefined && now.role !== undefined && before.role !== now.role;
  const changed: string[] = [];
  if (hasFlipped && !by.hasNewTransport) changed.push("role");
  if (before.ufrag !== now.ufrag && !by.hasIceRestarted && !by.hasNewTransport) {
    changed.push("ufrag");
  }
  if (before.fingerprint !== now.fingerprint) changed.push("fingerprint");
  if (before.port !== now.port) changed.push("port");
  return changed;
}

/** Tells everybody that something changed without cause. */
export function raiseAlarm(logger: Logger, alarm: AnchorAlarm): void {
  const { session, node, leg, changed } = alarm;
  logger.error("rtpengine changed its side toward a browser", {
    session,
    rtpengine: node,
    leg,
    changed,
  });
  anchorAlarms.publish(alarm);
}
