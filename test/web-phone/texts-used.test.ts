import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { END_KINDS, isQuietEnd } from "../../web-phone/src/call-end.ts";
import { en, enPlurals } from "../../web-phone/src/i18n/en.ts";

const QUIET = END_KINDS.filter(isQuietEnd);
const LOUD = END_KINDS.filter((kind) => !isQuietEnd(kind));

/** Keys that the screens put together, and what can stand at the star. */
const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  "call.*": ["microphone-blocked", "microphone-missing", "microphone-busy"],
  "call.state.*": [
    "preparing",
    "calling",
    "ringing",
    "early-media",
    "incoming",
    "answering",
    "connected",
    "local-hold",
    "remote-hold",
    "ended",
  ],
  "call.video.*": ["refused", "failed", "camera-blocked", "camera-missing", "camera-busy"],
  "check.*.title": ["microphone", "speaker", "echo"],
  "devices.*": ["microphone", "speaker", "ringer", "camera"],
  // A call that was completed says how long it was, in a text of its own.
  "end.*": QUIET,
  "end.*.text": LOUD,
  "end.*.title": LOUD,
  "end.action.*": ["call-again", "edit-number", "try-again", "sign-in", "close"],
  "lamps.*": ["idle", "ringing", "busy", "unknown"],
  "link.*": ["idle", "connecting", "registering", "ready", "unreachable", "refused"],
  "link.help.*": ["reconnecting", "unreachable"],
  "nav.*": ["recent", "contacts", "messages"],
  "quality.*": ["good", "fair", "poor"],
  "quality.warning.*": ["loss", "jitter", "round-trip", "mos", "nothing-received", "nothing-said"],
  "recent.*": ["outgoing", "incoming"],
  "sign-in.problem.*": [
    "wrong-password",
    "too-many",
    "unreachable",
    "server-failed",
    "expired",
    "insecure-page",
  ],
};

const root = join(import.meta.dirname, "../../web-phone/src");
const source = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name) && !name.startsWith("i18n"))
  .map((name) => readFileSync(join(root, name), "utf8"))
  .join("\n");

describe("the texts of the phone", () => {
  it("are put together only as this test knows", () => {
    const found = source.matchAll(/\b(?:t|plural)\(\s*`([^`]+)`/g);
    const families = [...found].map(([, key = ""]) => key.replaceAll(/\$\{[^}]*\}/g, "*"));
    expect([...new Set(families)].sort()).toEqual(Object.keys(FAMILIES).sort());
  });

  it("are all shown somewhere", () => {
    const shown = new Set(
      Object.entries(FAMILIES).flatMap(([family, words]) =>
        words.map((word) => family.replace("*", word)),
      ),
    );
    const unused = [...Object.keys(en), ...Object.keys(enPlurals)].filter(
      (key) => !shown.has(key) && !source.includes(`"${key}"`),
    );
    expect(unused).toEqual([]);
  });
});
