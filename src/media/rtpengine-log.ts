const LONGEST_LOG_LINE = 300;

/**
 * Reads one line of rtpengine's stderr: `[time] LEVEL: [call]: [subsystem] text`.
 *
 * @returns undefined for lines of another form: they continue a quoted message, which may be an
 *   SDP. A quoted message in the line itself is cut off. What a sound call makes rtpengine say is
 *   `debug`, so that an operator sees only what is wrong.
 */
export function parseLogLine(
  line: string,
): { readonly level: "debug" | "warn" | "error"; readonly message: string } | undefined {
  const text = line.startsWith("[") ? line.slice(line.indexOf("] ") + 2) : line;
  const colon = text.indexOf(": ");
  if (colon < 0 || colon > 12) {
    return text.startsWith("Fatal error") || text.includes("Failed to") || text.includes("Cannot")
      ? { level: "error", message: text.slice(0, LONGEST_LOG_LINE) }
      : undefined;
  }
  const level = LOG_LEVELS.get(text.slice(0, colon));
  if (level === undefined) return undefined;
  let message = text.slice(colon + 2);
  if (message.includes("Protocol error")) {
    const quoted = message.lastIndexOf(" [d");
    message = message.slice(0, quoted < 0 ? message.indexOf("Protocol error") + 14 : quoted);
  }
  const isUsual = USUAL.some((usual) => message.endsWith(usual));
  return { level: isUsual ? "debug" : level, message: message.slice(0, LONGEST_LOG_LINE) };
}

const LOG_LEVELS: ReadonlyMap<string, "debug" | "warn" | "error"> = new Map([
  ["EMERG", "error"],
  ["ALERT", "error"],
  ["CRIT", "error"],
  ["ERR", "error"],
  ["ERROR", "error"],
  ["WARN", "warn"],
  ["WARNING", "warn"],
  ["NOTICE", "debug"],
  ["INFO", "debug"],
  ["DEBUG", "debug"],
]);

/** Complaints that belong to sound calls, by their ends. */
const USUAL: readonly string[] = [
  // A telephone's first packets come while the browser's DTLS handshake still runs.
  "SRTP output wanted, but no crypto suite was negotiated",
  "SRTCP output wanted, but no crypto suite was negotiated",
  // A transcoder that ends with its call.
  "frames left in the queue on closing",
];
