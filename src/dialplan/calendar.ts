/**
 * Dates as a plan writes them: a day of one year (`2026-12-24`), a day of every year (`12-24`), or
 * a range of either, both ends included. A range of days of every year may run over New Year.
 */
export interface DateRange {
  /** `2026-12-24` or `12-24`, both ends alike. */
  readonly from: string;
  readonly to: string;
}

const DATE = /^(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})$/;

/** `2026-12-24`, `12-24`, `12-24..01-06`; undefined when it is anything else. */
export function tryParseDates(text: string): DateRange | undefined {
  const [from = "", to = from, ...rest] = text.split("..").map((part) => part.trim());
  if (rest.length > 0 || !isDate(from) || !isDate(to) || from.length !== to.length) {
    return undefined;
  }
  // Days of one year are in order; days of every year may run over New Year.
  return from.length === 10 && from > to ? undefined : { from, to };
}

function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (match === null) return false;
  // Of every year: the 29th of February comes in some.
  const date = `${match[1] ?? "2024"}-${match[2] ?? ""}-${match[3] ?? ""}`;
  const parsed = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(date);
}

/** @param date `2026-12-24` */
export function isWithinDates(date: string, ranges: readonly DateRange[]): boolean {
  return ranges.some(({ from, to }) => {
    const day = from.length === 10 ? date : date.slice(5);
    return from <= to ? day >= from && day <= to : day >= from || day <= to;
  });
}

/** As it was written. */
export function formatDates({ from, to }: DateRange): string {
  return from === to ? from : `${from}..${to}`;
}
