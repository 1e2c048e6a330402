/** V8 copies shorter parts by itself. */
const MIN_SHARED_LENGTH = 13;

/**
 * The same text in memory of its own. A part that was cut out of a text keeps the whole of it
 * alive: a tag of 20 characters a message of 2000. For what is kept longer than its message.
 */
export function ownCopy(text: string): string;
export function ownCopy(text: string | undefined): string | undefined;
export function ownCopy(text: string | undefined): string | undefined {
  if (text === undefined || text.length < MIN_SHARED_LENGTH) return text;
  return Buffer.from(text, "utf8").toString("utf8");
}
