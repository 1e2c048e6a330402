import { FactChannel } from "../core/channels.ts";

/** What happened to an rtpengine. */
export interface RtpengineFact {
  /** `host:port` of its ng socket. */
  readonly node: string;
  /**
   * `up`: answers its pings again, or for the first time. `down`: stopped answering, or its process
   * ended. `restarting`: the managed process has ended and will be started again.
   */
  readonly state: "up" | "down" | "restarting";
  /** Why, for people. */
  readonly detail?: string;
}

/** Facts about every configured rtpengine. */
export const rtpengineFacts = new FactChannel<RtpengineFact>("offhook:media.rtpengine");
