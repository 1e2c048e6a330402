/** The sounds of calls, as the configuration has them; µ-law of 8 kHz. */

/**
 * What a held party hears: `undefined` in the context is silence. `sound` is µ-law of 8 kHz; `file`
 * is where it came from.
 */
export interface HoldMusic {
  readonly file?: string | undefined;
  sound(): Promise<Buffer>;
}

/** Where recordings go, and what the parties hear of it. */
export interface RecordingSettings {
  /** Absolute; made when it is not there. */
  readonly directory: string;
  /** What both parties hear as a recording begins, µ-law of 8 kHz; undefined: nothing. */
  readonly consent: (() => Promise<Buffer>) | undefined;
}
