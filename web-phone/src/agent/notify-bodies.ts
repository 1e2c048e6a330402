/** Reads what NOTIFYs carry: message summaries and dialog states. Pure, and linear in its input. */
import type { LampState, Voicemail } from "../around.ts";

const LONGEST = 65_536;

/** RFC 3842 §5.2: `Voice-Message: 2/8`; without counts, whether any message waits. */
export function tryParseVoicemail(body: string): Voicemail | undefined {
  let waiting: boolean | undefined;
  for (const line of body.slice(0, LONGEST).split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "messages-waiting") waiting = value.toLowerCase() === "yes";
    const counts = name === "voice-message" ? /^(\d{1,6})\/(\d{1,6})/.exec(value) : null;
    if (counts !== null) return { waiting: Number(counts[1]), old: Number(counts[2]) };
  }
  return waiting === undefined ? undefined : { waiting: waiting ? 1 : 0, old: 0 };
}

/**
 * RFC 4235 §4: the busiest of the dialogs in a `dialog-info` document. The states are found by
 * their tags: a phone needs no XML parser for one word.
 */
export function tryParseLamp(body: string): LampState | undefined {
  const document = body.slice(0, LONGEST);
  if (!document.includes("dialog-info")) return undefined;
  let lamp: LampState = "idle";
  for (const part of document.split(/<(?:[A-Za-z0-9]+:)?state/).slice(1)) {
    const word = /^[^<>]{0,200}>\s{0,20}([a-z]{1,20})/.exec(part)?.[1];
    if (word === "confirmed") return "busy";
    if (word === "early" || word === "proceeding" || word === "trying") lamp = "ringing";
  }
  return lamp;
}
