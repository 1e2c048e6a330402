/** Milliseconds between two looks at a condition that nothing announces. */
const DEFAULT_INTERVAL_MS = 20;

/** What was waited for did not come in time. */
export class WaitTimeout extends Error {
  constructor(what: string, timeoutMs: number, detail = "") {
    super(`waited ${timeoutMs} ms in vain for ${what}${detail === "" ? "" : `\n${detail}`}`);
    this.name = "WaitTimeout";
  }
}

export interface WaitOptions {
  /** What is waited for, for the error message. */
  readonly what: string;
  /** Milliseconds; default 10000. */
  readonly timeoutMs?: number;
  /** Milliseconds; default 20. */
  readonly intervalMs?: number;
  /** More for the error message, asked for only when the time is up. */
  readonly detail?: () => string;
}

/**
 * Asks `probe` again and again until it gives something other than undefined or false.
 *
 * For facts that the other side does not announce; a test waits for an event wherever there is one.
 * A probe that throws ends the wait with that error.
 *
 * @throws {WaitTimeout} when the time is up
 */
export async function waitFor<Value>(
  probe: () => Value | undefined | false | Promise<Value | undefined | false>,
  options: WaitOptions,
): Promise<Value> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() >= deadline) {
      throw new WaitTimeout(options.what, timeoutMs, options.detail?.());
    }
    await delay(options.intervalMs ?? DEFAULT_INTERVAL_MS);
  }
}

/**
 * The promise's value, or an error once the time is up. The promise itself goes on.
 *
 * @throws {WaitTimeout} when the time is up
 */
export async function within<Value>(promise: Promise<Value>, options: WaitOptions): Promise<Value> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new WaitTimeout(options.what, timeoutMs, options.detail?.())),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets real time pass: for sound that has to be heard for a while, never for luck. */
export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
