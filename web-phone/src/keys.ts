/** Which key asks for what, as the user wants it. Pure, but for what the screens say of it. */
import { signal } from "@preact/signals";

/** What a key can be chosen for, and the key that it has by itself. */
export const DEFAULT_KEYS = {
  "answer-anywhere": "F2",
  "end-anywhere": "F4",
  "mute-anywhere": "F8",
  "hold-anywhere": "F9",
  answer: "A",
  decline: "D",
  silence: "Q",
  mute: "M",
  hold: "H",
  keypad: "K",
  transfer: "T",
  video: "V",
  swap: "S",
  join: "J",
} as const;

/** See {@link DEFAULT_KEYS}. */
export type Shortcut = keyof typeof DEFAULT_KEYS;

/** A key for each shortcut; no key twice. */
export type KeyMap = Readonly<Record<Shortcut, string>>;

const SHORTCUTS = Object.keys(DEFAULT_KEYS) as readonly Shortcut[];
/** Without those that browsers keep for themselves: reload, full screen, tools, the caret. */
const FUNCTION_KEYS: ReadonlySet<string> = new Set([
  "F1",
  "F2",
  "F3",
  "F4",
  "F6",
  "F8",
  "F9",
  "F10",
]);

/** Works in text fields too, which a letter may not (WCAG 2.1.4). */
function isAnywhere(shortcut: Shortcut): boolean {
  return shortcut.endsWith("-anywhere");
}

/** Letters are named as on the key; ß, which has no capital of one letter, is ß. */
function capital(key: string): string {
  const upper = key.toUpperCase();
  return upper.length === key.length ? upper : key;
}

/** The name under which a key is kept, undefined for one that this shortcut cannot have. */
function nameOf(shortcut: Shortcut, key: string): string | undefined {
  if (isAnywhere(shortcut)) return FUNCTION_KEYS.has(key) ? key : undefined;
  return /^\p{L}$/u.test(key) ? capital(key) : undefined;
}

/** What this key asks for, undefined where it is no shortcut. */
export function shortcutOf(keys: KeyMap, key: string): Shortcut | undefined {
  const name = key.length === 1 ? capital(key) : key;
  return SHORTCUTS.find((shortcut) => keys[shortcut] === name);
}

/**
 * Gives a shortcut another key; one that had the key gets the old key of this one.
 *
 * @returns undefined for a key that the shortcut cannot have
 */
export function withKey(keys: KeyMap, shortcut: Shortcut, key: string): KeyMap | undefined {
  const name = nameOf(shortcut, key);
  if (name === undefined) return undefined;
  const before = SHORTCUTS.find((one) => keys[one] === name);
  return {
    ...keys,
    ...(before === undefined ? {} : { [before]: keys[shortcut] }),
    [shortcut]: name,
  };
}

/** What was kept; the defaults for a map that makes no sense. */
export function parseKeys(value: unknown): KeyMap {
  if (typeof value !== "object" || value === null) return DEFAULT_KEYS;
  const kept: Partial<Record<Shortcut, unknown>> = value;
  const keys = Object.fromEntries(
    SHORTCUTS.map((shortcut) => {
      const key = kept[shortcut];
      const name = typeof key === "string" ? nameOf(shortcut, key) : undefined;
      return [shortcut, name ?? DEFAULT_KEYS[shortcut]];
    }),
  ) as KeyMap;
  return new Set(Object.values(keys)).size === SHORTCUTS.length ? keys : DEFAULT_KEYS;
}

/** The keys in use; undefined while the user wants none. */
export const keysInUse = signal<KeyMap | undefined>(DEFAULT_KEYS);

/** For `aria-keyshortcuts` of what these keys press too. */
export function ariaKeysOf(...shortcuts: readonly Shortcut[]): string | undefined {
  const keys = keysInUse.value;
  return keys === undefined ? undefined : shortcuts.map((one) => keys[one]).join(" ");
}
