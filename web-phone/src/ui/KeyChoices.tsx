import { useState } from "preact/hooks";
import { t } from "../i18n/text.ts";
import { DEFAULT_KEYS, type KeyMap, type Shortcut, withKey } from "../keys.ts";

/** A line of the list: keys that can be chosen, and keys that are what they are. */
type Line = readonly [word: string, chosen: readonly Shortcut[], fixed: readonly string[]];

function lines(): readonly Line[] {
  return [
    [t("settings.shortcut.call"), [], ["Enter"]],
    [t("settings.shortcut.redial"), [], ["↑"]],
    [t("settings.shortcut.answer"), ["answer-anywhere", "answer"], []],
    [t("settings.shortcut.end"), ["end-anywhere", "decline"], []],
    [t("settings.shortcut.mute"), ["mute-anywhere", "mute"], []],
    [t("settings.shortcut.silence"), ["silence"], []],
    [t("settings.shortcut.hold"), ["hold-anywhere", "hold"], []],
    [t("settings.shortcut.keypad"), ["keypad"], []],
    [t("settings.shortcut.transfer"), ["transfer"], []],
    [t("settings.shortcut.video"), ["video"], []],
    [t("settings.shortcut.swap"), ["swap"], []],
    [t("settings.shortcut.join"), ["join"], []],
    [t("settings.shortcut.search"), [], ["/"]],
    [t("settings.shortcut.digits"), [], ["0–9", "*", "#"]],
    [t("settings.shortcut.help"), [], ["?"]],
  ];
}

/** Keys that go on to mean what they do while another one is waited for. */
const PASSED: ReadonlySet<string> = new Set(["Tab", "Shift", "Control", "Alt", "Meta"]);

/** The keyboard map; a click on a key, and the next one that is pressed takes its place. */
export function KeyChoices(props: {
  readonly keys: KeyMap;
  readonly onKeys: (keys: KeyMap) => void;
}) {
  const { keys, onKeys } = props;
  const [asked, setAsked] = useState<Shortcut>();
  const [isRefused, setRefused] = useState(false);

  function onKeyDown(event: KeyboardEvent): void {
    if (asked === undefined || PASSED.has(event.key)) return;
    // The browser's own, such as Ctrl+R.
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") {
      setAsked(undefined);
      setRefused(false);
      return;
    }
    const next = withKey(keys, asked, event.key);
    setRefused(next === undefined);
    if (next === undefined) return;
    setAsked(undefined);
    onKeys(next);
  }

  function leave(): void {
    setAsked(undefined);
    setRefused(false);
  }

  return (
    <>
      <p class="hint">{t("settings.keys.help")}</p>
      <dl class="settings__keys">
        {lines().map(([word, chosen, fixed]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>
              {chosen.map((shortcut) => (
                <button
                  key={shortcut}
                  type="button"
                  class="key"
                  data-testid={`key-${shortcut}`}
                  aria-label={
                    asked === shortcut
                      ? t("settings.keys.press")
                      : t("settings.keys.change", { what: word, key: keys[shortcut] })
                  }
                  onClick={(event) => {
                    // Some browsers give no focus with a click.
                    event.currentTarget.focus();
                    setAsked(shortcut);
                    setRefused(false);
                  }}
                  onKeyDown={onKeyDown}
                  onBlur={leave}
                >
                  {asked === shortcut ? t("settings.keys.press") : keys[shortcut]}
                </button>
              ))}
              {fixed.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <p class="hint" role="status" data-testid="key-notice">
        {isRefused
          ? t("settings.keys.refused")
          : asked === undefined
            ? ""
            : t("settings.keys.press")}
      </p>
      <button
        type="button"
        class="button button--plain"
        data-testid="keys-reset"
        onClick={() => onKeys(DEFAULT_KEYS)}
      >
        {t("settings.keys.reset")}
      </button>
    </>
  );
}
