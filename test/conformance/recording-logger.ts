import type { LogFields, Logger } from "../../src/core/logger.ts";

/** Keeps the lines that no message from outside may cause. */
export class RecordingLogger implements Logger {
  readonly errors: string[] = [];

  debug(): void {
    // Only errors are of interest.
  }

  info(): void {
    // Only errors are of interest.
  }

  warn(): void {
    // A refused stranger is worth a warning.
  }

  error(message: string, fields: LogFields = {}): void {
    this.errors.push(`${message} ${String(fields["cause"])}`);
  }

  child(): Logger {
    return this;
  }
}
