const RESET = "\u001b[0m";
const GREY = "\u001b[90m";
const LEVEL_COLOURS: ReadonlyMap<string, string> = new Map([
  ["debug", "\u001b[90m"],
  ["info", "\u001b[36m"],
  ["warn", "\u001b[33m"],
  ["error", "\u001b[31m"],
]);

/**
 * One JSON log line as a person reads it: `10:00:00.000 INFO  listening port=8080`.
 *
 * Values stay in JSON's escapes, so a hostile value cannot reach the terminal. The stack of an
 * `error` follows on lines of its own, indented.
 *
 * @param line one line of createLogger's JSON, its newline included
 */
export function formatPrettyLine(line: string, colour: boolean): string {
  const entry = tryParseObject(line);
  if (entry === undefined) return line;
  const paint = (code: string, text: string): string => (colour ? `${code}${text}${RESET}` : text);
  let level = "info";
  let time = "";
  let message = "";
  const fields: string[] = [];
  const stacks: string[] = [];
  for (const [name, value] of Object.entries(entry)) {
    if (name === "level") level = String(value);
    else if (name === "time") time = typeof value === "string" ? value.slice(11, 23) : "";
    else if (name === "msg") message = bare(String(value));
    else fields.push(`${paint(GREY, `${bare(name)}=`)}${formatValue(value, stacks)}`);
  }
  const label = paint(LEVEL_COLOURS.get(level) ?? "", level.toUpperCase().padEnd(5));
  const head = [paint(GREY, time), label, message, ...fields].join(" ");
  return `${[head, ...stacks].join("\n")}\n`;
}

function formatValue(value: unknown, stacks: string[]): string {
  if (typeof value === "string") {
    return /^[\w.:/@+*#-]+$/.test(value) ? value : quote(value);
  }
  if (isRecord(value) && typeof value["stack"] === "string") {
    for (const stackLine of value["stack"].split("\n").slice(1)) {
      stacks.push(`    ${bare(stackLine.trim())}`);
    }
    return quote(String(value["message"]));
  }
  return JSON.stringify(value);
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** The inside of the quoted form: readable text with every control character escaped. */
function bare(text: string): string {
  return quote(text).slice(1, -1).replaceAll('\\"', '"');
}

function tryParseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
