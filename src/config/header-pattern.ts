/** Headers beside `X-…` that say nothing about the way of a message. */
const HARMLESS: ReadonlySet<string> = new Set([
  "user-to-user",
  "subject",
  "priority",
  "organization",
]);

/**
 * Whether a header may cross: its name begins with `X-`, or it is one that routes nothing, proves
 * nothing and fetches nothing. A `*` at the end stands for any rest.
 */
export function isHeaderPattern(text: string): boolean {
  if (HARMLESS.has(text.toLowerCase())) return true;
  return /^x-[a-z0-9][a-z0-9._-]{0,60}\*?$/i.test(text);
}
