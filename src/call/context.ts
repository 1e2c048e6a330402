import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { CodecPolicy, MediaEngine } from "../media/session.ts";
import type { SignalingEngine } from "../signaling/engine.ts";
import type { CallLimits } from "./limits.ts";

/** What every call shares. */
export interface CallContext {
  readonly engine: SignalingEngine;
  readonly media: MediaEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: CallLimits;
  readonly codecPolicy: CodecPolicy;
  /** How long a call waits for a browser whose connection went, milliseconds. */
  readonly flowGraceMs: number;
  /** ISO 3166 code: whose tones and language callers hear; undefined: those of ITU-T E.180. */
  readonly country: string | undefined;
  user(userId: string): { readonly name: string; readonly numbers: readonly string[] } | undefined;
  trunk(trunkId: string): { readonly codecs: readonly string[] | undefined } | undefined;
}
