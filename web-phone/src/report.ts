/**
 * What a user can hand to whoever runs the phone system when a call went wrong: what happened, in
 * order, and how it sounded. Nothing in it opens anything: no password, no credential, no key, and
 * of telephone numbers the last digits are left out.
 */
import { callsOf } from "./lines.ts";
import type { PhoneEvent, PhoneState } from "./state.ts";

/** One thing that happened. Numbers are shortened already. */
export interface LogEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly event: Readonly<Record<string, unknown>>;
}

const ENTRIES_KEPT = 500;
const DIGITS_HIDDEN = 3;
/** Typing, and what comes every second, would push out what matters. */
const UNLOGGED: ReadonlySet<PhoneEvent["type"]> = new Set([
  "draft-changed",
  "quality-read",
  "transfer-picking",
  "digit-sent",
]);
/** Fields of events and states that say nothing about a fault, or too much about people. */
const PRIVATE: ReadonlySet<string> = new Set(["text", "draft", "digits", "name", "memory"]);
const SECRET = /pass(?:word|phrase)?|credential|authorization|secret|token|nonce|pwd|fingerprint/i;
const NUMBERS: ReadonlySet<string> = new Set([
  "number",
  "from",
  "to",
  "peer",
  "target",
  "lastNumber",
  "turnedAway",
  "referral",
  "numbers",
  "userId",
]);

function shortened(number: string): string {
  return number.length <= DIGITS_HIDDEN + 1 ? number : `${number.slice(0, -DIGITS_HIDDEN)}…`;
}

/** A copy without what is private or secret; only plain data is copied. */
export function redact(value: unknown, key = ""): unknown {
  if (PRIVATE.has(key) || SECRET.test(key)) return undefined;
  if (typeof value === "string") return NUMBERS.has(key) ? shortened(value) : value;
  if (Array.isArray(value)) return value.map((item) => redact(item, key));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [name, redact(item, name)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

/** The last things that happened. */
export class EventLog {
  #entries: readonly LogEntry[] = [];

  add(event: PhoneEvent, at: number): void {
    if (UNLOGGED.has(event.type)) return;
    const copy = redact(event);
    if (typeof copy !== "object" || copy === null) return;
    this.#entries = [...this.#entries, { at, event: { ...copy } }].slice(-ENTRIES_KEPT);
  }

  get entries(): readonly LogEntry[] {
    return this.#entries;
  }
}

/** What the browser says of itself. */
export interface ReportOrigin {
  readonly at: number;
  readonly userAgent: string;
  readonly page: string;
}

/** The report as plain data, ready for JSON. */
export function buildReport(
  state: PhoneState,
  log: readonly LogEntry[],
  origin: ReportOrigin,
): Readonly<Record<string, unknown>> {
  return {
    made: new Date(origin.at).toISOString(),
    userAgent: origin.userAgent,
    page: origin.page,
    link: redact(state.link),
    tab: state.tab,
    isRawAudio: state.isRawAudio,
    devices: redact(state.devices),
    calls: callsOf(state).map((call) => redact(call)),
    recent: state.recent.map((call) => redact(call)),
    log,
  };
}
