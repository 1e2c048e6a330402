import type { AtSource } from "./source.ts";

/** A moment as a clock on the wall of the dialplan's time zone shows it. */
export interface LocalTime {
  /** 0 is Sunday. */
  readonly day: number;
  /** Minutes since midnight. */
  readonly minutes: number;
  /** `2026-11-20` */
  readonly date: string;
}

export const DAY_NAMES = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/** True when the name is one of the IANA database that this Node knows. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/**
 * `mon-fri`, `sat,sun`, `fri-mon`, `daily`.
 *
 * @returns days in the order of the text, 0 for Sunday; undefined when it is anything else
 */
export function tryParseDays(text: string): readonly number[] | undefined {
  const days: number[] = [];
  for (const part of text.toLowerCase().split(",")) {
    const [first = "", last = first, ...rest] = part.trim().split("-");
    const from = DAY_NAMES.findIndex((name) => name === first.trim());
    const to = DAY_NAMES.findIndex((name) => name === last.trim());
    if (from < 0 || to < 0 || rest.length > 0) return undefined;
    for (let day = from; ; day = (day + 1) % 7) {
      days.push(day);
      if (day === to) break;
    }
  }
  return [...new Set(days)];
}

/** `08:00-18:00`, `08:00-12:00,13:00-17:00`, `22:00-06:00`; 24:00 is the end of the day. */
export function tryParseHours(text: string): AtSource["hours"] | undefined {
  const ranges: { from: number; to: number }[] = [];
  for (const part of text.split(",")) {
    const match = /^\s*([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})\s*$/.exec(part);
    if (match === null) return undefined;
    const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = match.slice(1).map(Number);
    const from = fromHour * 60 + fromMinute;
    const to = toHour * 60 + toMinute;
    if (fromMinute > 59 || toMinute > 59 || from >= 1440 || to > 1440 || from === to)
      return undefined;
    ranges.push({ from, to });
  }
  return ranges;
}

/** True when the time is inside; a range whose end is before its start runs over midnight. */
export function isWithinHours(
  time: Pick<LocalTime, "minutes">,
  ranges: NonNullable<AtSource["hours"]>,
): boolean {
  const { minutes } = time;
  return ranges.some(({ from, to }) =>
    from < to ? minutes >= from && minutes < to : minutes >= from || minutes < to,
  );
}

/** No zone changes its offset within a quarter of an hour that begins at :00, :15, :30 or :45. */
const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;

/** The wall clock of one time zone. */
export class WallClock {
  readonly #format: Intl.DateTimeFormat;
  /** The offset of the quarter of an hour that was asked for last: calls come in order of time. */
  #quarter = Number.NaN;
  #quarterOffsetMs = 0;
  #day = Number.NaN;
  #date = "";

  /** @param timeZone IANA name; undefined: the machine's */
  constructor(timeZone?: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      ...(timeZone !== undefined && { timeZone }),
    });
  }

  localTime(at: Date): LocalTime {
    const utcMs = at.getTime();
    const quarter = Math.floor(utcMs / QUARTER_MS);
    if (quarter !== this.#quarter) {
      this.#quarterOffsetMs = this.#offsetMs(utcMs);
      this.#quarter = quarter;
    }
    const local = new Date(utcMs + this.#quarterOffsetMs);
    const day = Math.floor(local.getTime() / DAY_MS);
    if (day !== this.#day) {
      this.#date = local.toISOString().slice(0, 10);
      this.#day = day;
    }
    return {
      day: local.getUTCDay(),
      minutes: local.getUTCHours() * 60 + local.getUTCMinutes(),
      date: this.#date,
    };
  }

  /**
   * Reads `2026-11-20T10:00`, with seconds, with an offset or `Z`, or a date alone (midnight).
   * Without an offset it is this zone's time; a time that a change of clocks skips moves on by the
   * change, one that comes twice is the first of the two.
   *
   * @returns undefined when the text is no such time
   */
  tryParse(text: string): Date | undefined {
    const match =
      /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)(Z|[+-][0-9]{2}:[0-9]{2})?)?$/.exec(
        text,
      );
    if (match === null) return undefined;
    const [, date = "", time = "00:00", offset] = match;
    const wantedMs = Date.parse(`${date}T${time}${offset ?? "Z"}`);
    // Date.parse moves the 30th of February on to March: that is not what was written.
    if (Number.isNaN(wantedMs) || Number.isNaN(Date.parse(date))) return undefined;
    if (new Date(Date.parse(date)).toISOString().slice(0, 10) !== date) return undefined;
    if (offset !== undefined) return new Date(wantedMs);
    const before = wantedMs - this.#offsetMs(wantedMs - 86_400_000);
    if (this.#localAsUtcMs(before) === wantedMs) return new Date(before);
    const after = wantedMs - this.#offsetMs(wantedMs + 86_400_000);
    return new Date(this.#localAsUtcMs(after) === wantedMs ? after : before);
  }

  #offsetMs(utcMs: number): number {
    return this.#localAsUtcMs(utcMs) - utcMs;
  }

  #localAsUtcMs(utcMs: number): number {
    const parts = new Map<string, number>();
    for (const part of this.#format.formatToParts(utcMs)) parts.set(part.type, Number(part.value));
    const part = (name: string): number => parts.get(name) ?? 0;
    return (
      Date.UTC(
        part("year"),
        part("month") - 1,
        part("day"),
        part("hour"),
        part("minute"),
        part("second"),
      ) +
      (((utcMs % 1000) + 1000) % 1000)
    );
  }
}
