import { describe, expect, it } from "vitest";
import { commandOf, type KeyPress } from "../../web-phone/src/keyboard.ts";
import { DEFAULT_KEYS, parseKeys, withKey } from "../../web-phone/src/keys.ts";
import { type PhoneState } from "../../web-phone/src/state.ts";
import { inCall, ready } from "./calls.ts";

function press(key: string, change: Partial<KeyPress> = {}): KeyPress {
  return {
    key,
    ctrlKey: false,
    altKey: false,
    metaKey: false,
    isInTextField: false,
    hasShortcuts: true,
    keys: DEFAULT_KEYS,
    ...change,
  };
}

const incoming = inCall({ phase: "incoming", direction: "incoming" });
const connected = inCall();
const calling = inCall({ phase: "calling" });

describe("the keyboard map", () => {
  it.each<[string, PhoneState, string, string | undefined]>([
    ["incoming", incoming, "F2", "answer"],
    ["incoming", incoming, "a", "answer"],
    ["incoming", incoming, "A", "answer"],
    ["incoming", incoming, "F4", "end"],
    ["incoming", incoming, "d", "end"],
    ["incoming", incoming, "F8", "toggle-silence"],
    ["incoming", incoming, "q", "toggle-silence"],
    ["connected", connected, "q", undefined],
    ["incoming", incoming, "5", undefined],
    ["incoming", incoming, "Enter", undefined],
    ["incoming", incoming, "Escape", undefined],
    ["connected", connected, "F4", "end"],
    ["connected", connected, "F8", "toggle-mute"],
    ["connected", connected, "m", "toggle-mute"],
    ["connected", connected, "F9", "toggle-hold"],
    ["connected", connected, "h", "toggle-hold"],
    ["connected", connected, "k", "toggle-keypad"],
    ["connected", connected, "v", "toggle-video"],
    ["connected", connected, "#", "press"],
    ["connected", connected, "F2", undefined],
    ["connected", connected, "Escape", undefined],
    ["calling", calling, "F4", "end"],
    ["calling", calling, "F8", "toggle-mute"],
    ["calling", calling, "F9", undefined],
    ["dial", ready, "5", "type"],
    ["dial", ready, "+", "type"],
    ["dial", ready, "m", undefined],
    ["dial", ready, "F4", undefined],
    ["dial", ready, "?", "show-help"],
    ["dial", ready, "/", "search"],
    ["connected", connected, "/", "search"],
  ])("on %s: %o %s is %s", (_screen, state, key, command) => {
    expect(commandOf(state, press(key))?.type).toBe(command);
  });

  it("leaves characters to text fields, function keys to nobody", () => {
    const field = { isInTextField: true };
    expect(commandOf(connected, press("m", field))).toBeUndefined();
    expect(commandOf(connected, press("5", field))).toBeUndefined();
    expect(commandOf(connected, press("F8", field))?.type).toBe("toggle-mute");
    expect(commandOf(incoming, press("F2", field))?.type).toBe("answer");
  });

  it("leaves every key to the browser when it is switched off", () => {
    for (const key of ["F2", "F4", "F8", "F9", "m", "h", "5", "?"]) {
      for (const state of [incoming, connected, ready]) {
        expect(commandOf(state, press(key, { hasShortcuts: false }))).toBeUndefined();
      }
    }
  });

  it("leaves combinations to the browser", () => {
    for (const modifier of ["ctrlKey", "altKey", "metaKey"] as const) {
      expect(commandOf(connected, press("m", { [modifier]: true }))).toBeUndefined();
      expect(commandOf(connected, press("F4", { [modifier]: true }))).toBeUndefined();
    }
  });

  it("does nothing behind the settings", () => {
    expect(commandOf({ ...connected, isSettingsOpen: true }, press("m"))).toBeUndefined();
  });
});

describe("keys of one's own", () => {
  it("ask for what the ones before did, which then mean nothing", () => {
    const keys = withKey(DEFAULT_KEYS, "mute", "x");
    if (keys === undefined) throw new Error("x can be had");
    expect(commandOf(connected, press("X", { keys }))?.type).toBe("toggle-mute");
    expect(commandOf(connected, press("m", { keys }))).toBeUndefined();
  });

  it("change places with one that has the key already", () => {
    const keys = withKey(DEFAULT_KEYS, "answer-anywhere", "F8");
    expect(keys).toMatchObject({ "answer-anywhere": "F8", "mute-anywhere": "F2" });
    expect(parseKeys(JSON.parse(JSON.stringify(keys)))).toEqual(keys);
  });

  it.each([
    ["mute", "5"],
    ["mute", "*"],
    ["mute", "Enter"],
    ["mute", "F8"],
    ["mute-anywhere", "m"],
    // The browser's own.
    ["mute-anywhere", "F5"],
    ["mute-anywhere", "F12"],
  ] as const)("%s cannot be %s", (shortcut, key) => {
    expect(withKey(DEFAULT_KEYS, shortcut, key)).toBeUndefined();
  });

  it.each([undefined, null, "x", { mute: 7 }, { mute: "5" }, { mute: "H" }])(
    "kept as %o are the usual ones",
    (value) => {
      expect(parseKeys(value)).toEqual(DEFAULT_KEYS);
    },
  );
});
