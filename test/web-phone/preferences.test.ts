import { describe, expect, it } from "vitest";
import { DEFAULT_KEYS } from "../../web-phone/src/keys.ts";
import { DEFAULT_PREFERENCES, parsePreferences } from "../../web-phone/src/preferences.ts";

describe("kept preferences", () => {
  it.each([undefined, null, 1, "x", {}, { theme: "pink", language: "xx", hasShortcuts: "no" }])(
    "%o are the defaults",
    (value) => {
      expect(parsePreferences(value)).toEqual(DEFAULT_PREFERENCES);
    },
  );

  it("come back as they were kept", () => {
    const kept = {
      language: "ar",
      theme: "dark",
      hasShortcuts: false,
      keys: { ...DEFAULT_KEYS, mute: "X" },
      hasNotifications: true,
      isCheckDone: true,
    } as const;
    expect(parsePreferences(JSON.parse(JSON.stringify(kept)))).toEqual(kept);
  });
});
