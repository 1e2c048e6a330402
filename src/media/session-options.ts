import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { RtpengineNode } from "./rtpengine-node.ts";
import type { SdpLimits } from "./sdp.ts";
import type { CodecPolicy, MediaSessionHandler, OpusParameters } from "./session.ts";

/** What a session is made with; `Session` is its own class. */
export interface RtpengineSessionOptions<Session> {
  readonly policy: CodecPolicy;
  /** Of what the legs send; default SDP_LIMITS. */
  readonly sdpLimits?: SdpLimits | undefined;
  readonly clock: Clock;
  /** What senders of Opus are asked for; undefined: what the two sides ask each other. */
  readonly opus?: OpusParameters | undefined;
  /** Differentiated services code point of what rtpengine sends; undefined: left alone. */
  readonly dscp?: number | undefined;
  /** Whether rtpengine is an ICE-lite agent toward browsers; default false. */
  readonly isIceLite?: boolean | undefined;
  readonly logger: Logger;
  /** Whether the nodes run on this machine, as we do, and read our files. */
  readonly canReadFiles: boolean;
  readonly handler?: MediaSessionHandler | undefined;
  /** Whether rtpengine reports digits, for legs with `dtmf: info`. */
  readonly reportsDigits?: boolean;
  /** Called once, at the end. */
  readonly onClosed?: (session: Session) => void;
  /** The ng call-id is another one. */
  readonly onRenamed?: (session: Session, before: string) => void;
  /** Nodes to try for the first offer, best first; empty when none is healthy. */
  readonly nodes: () => readonly RtpengineNode[];
}
