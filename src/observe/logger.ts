import { pino, type Logger as PinoLogger } from "pino";
import { formatIsoTime } from "../core/iso-time.ts";
import type { LogFields, Logger, LogLevel } from "../core/logger.ts";
import { maskFields } from "./masking.ts";
import { formatPrettyLine } from "./pretty-line.ts";

/** Where lines go. A Writable will do. */
export interface LogStream {
  write(line: string): unknown;
}

export interface LoggerOptions {
  /** The lowest level that is written; default `info`. */
  readonly level?: LogLevel;
  /** Lines for people instead of JSON; default false. */
  readonly pretty?: boolean;
  /** Colours in pretty lines; default: when stderr is a terminal and no stream is given. */
  readonly colour?: boolean;
  /** Default: stderr. */
  readonly stream?: LogStream;
}

/**
 * The process's log: one JSON object a line, such as
 * `{"level":"info","time":"2026-11-21T10:00:00.000Z","port":8080,"msg":"listening"}`.
 *
 * No octet of the network can begin a second line or move a terminal's cursor: JSON escapes the C0
 * control characters, and C1, line separators and direction overrides are escaped here. Fields
 * named like secrets (password, authorization, key, token, …) are written as `[redacted]`.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const stream = options.stream ?? standardError();
  const colour = options.colour ?? (options.stream === undefined && process.stderr.isTTY);
  const format = (line: string): string =>
    options.pretty === true ? formatPrettyLine(line, colour) : line;
  const sink: LogStream = { write: (line) => stream.write(escapeUnseen(format(line))) };
  const base = pino(
    {
      level: options.level ?? "info",
      base: null,
      timestamp: () => `,"time":"${formatIsoTime(Date.now())}"`,
      formatters: { level: (level) => ({ level }) },
      // maskFields has spelled errors out already.
      serializers: { err: (value: unknown) => value },
    },
    sink,
  );
  return new MaskedLogger(base);
}

class MaskedLogger implements Logger {
  readonly #parent: PinoLogger;
  readonly #fields: LogFields | undefined;
  #own: PinoLogger | undefined;

  /** @param fields what each line has beside those of the parent */
  constructor(parent: PinoLogger, fields?: LogFields) {
    this.#parent = parent;
    this.#fields = fields;
  }

  /** Made when the first line is written: each call has a logger, and few calls a line of it. */
  get #pino(): PinoLogger {
    this.#own ??=
      this.#fields === undefined ? this.#parent : this.#parent.child(maskFields(this.#fields));
    return this.#own;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write("error", message, fields);
  }

  child(fields: LogFields): Logger {
    return new MaskedLogger(this.#pino, fields);
  }

  #write(level: Exclude<LogLevel, "silent">, message: string, fields: LogFields | undefined): void {
    if (!this.#parent.isLevelEnabled(level)) return;
    if (fields === undefined) this.#pino[level](message);
    else this.#pino[level](maskFields(fields), message);
  }
}

/** DEL, C1 controls, line and paragraph separators, direction marks, overrides and isolates. */
const UNSEEN = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const ALL_UNSEEN = new RegExp(UNSEEN, "g");

/** In a line of JSON these characters stand inside strings only, where an escape means the same. */
function escapeUnseen(line: string): string {
  // Nearly no line has one, and to look for one is cheaper than to look for all.
  if (!UNSEEN.test(line)) return line;
  return line.replace(
    ALL_UNSEEN,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

let hasErrorListener = false;

function standardError(): LogStream {
  if (!hasErrorListener) {
    // A log reader that went away (EPIPE) must not take the calls with it.
    process.stderr.on("error", () => {});
    hasErrorListener = true;
  }
  return process.stderr;
}
