/**
 * What a caller can be told when its call fails: `auto` chooses by the reason, the others say one
 * thing whatever the reason was.
 */
export const ANNOUNCEMENTS = [
  "auto",
  "number-unknown",
  "busy",
  "congestion",
  "unavailable",
] as const;

export type AnnouncementName = (typeof ANNOUNCEMENTS)[number];

/** The announcement with this name; undefined for a sound file of the user's. */
export function tryParseAnnouncement(text: string): AnnouncementName | undefined {
  return ANNOUNCEMENTS.find((name) => name === text);
}

/** A name, or anything that looks like the path of a file; undefined: a name that there is not. */
export function tryParseAnnounce(text: string): string | undefined {
  if (tryParseAnnouncement(text) !== undefined) return text;
  return text.includes(".") || text.includes("/") ? text : undefined;
}

/** What `announce` expects. */
export const ANNOUNCE_TEXT = `one of ${ANNOUNCEMENTS.join(", ")}, or the path of a WAV file`;
