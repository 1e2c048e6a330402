import { FactChannel } from "../core/channels.ts";

/** What happened to an rtpengine. */
export interface RtpengineFact {
  /** `host:port` of its ng socket. */
  readonly node: string;
  /**
   * `up`: answers its pings again, or for the first time. `down`: stopped answering, or its process
   * ended. `restarting`: the managed process has ended and will be started again. `restarted`: it is
   * another process than before and has lost its calls.
   */
  readonly state: "up" | "down" | "restarting" | "restarted";
  /** Why, for people. */
  readonly detail?: string;
}

/** Facts about every configured rtpengine. */
export const rtpengineFacts = new FactChannel<RtpengineFact>("offhook:media.rtpengine");

/** Something about a browser's side of a call changed that must never change. */
export interface AnchorAlarm {
  /** The ng call-id. */
  readonly session: string;
  /** `host:port` of the rtpengine. */
  readonly node: string;
  /** The leg's ng tag. */
  readonly leg: string;
  /** What changed: `role`, `ufrag`, `fingerprint` or `port`. */
  readonly changed: readonly string[];
}

/** Alarms: rtpengine changed its side toward a browser in the middle of a call. */
export const anchorAlarms = new FactChannel<AnchorAlarm>("offhook:media.anchor-alarm");
