/** Times of day and days, as the phone's language writes them. */
import { formatTag } from "./text.ts";

const FORMATS = {
  time: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short" },
} as const satisfies Readonly<Record<string, Intl.DateTimeFormatOptions>>;

/** @param at milliseconds since the epoch */
export function formatMoment(at: number, part: keyof typeof FORMATS): string {
  return new Intl.DateTimeFormat(formatTag(), FORMATS[part]).format(at);
}
