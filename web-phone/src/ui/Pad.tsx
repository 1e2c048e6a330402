import { useRef } from "preact/hooks";
import { t } from "../i18n/text.ts";
import { lettersOf, PAD_KEYS, type PadKey } from "../number.ts";

const LONG_PRESS_MS = 500;

/** Digits and letters say themselves; the two signs have words. */
function nameOf(key: PadKey): string | undefined {
  switch (key) {
    case "*":
      return t("dial.key.star");
    case "#":
      return t("dial.key.hash");
    default:
      return undefined;
  }
}

function testIdOf(key: PadKey): string {
  switch (key) {
    case "*":
      return "key-star";
    case "#":
      return "key-hash";
    default:
      return `key-${key}`;
  }
}

/** The twelve keys of a telephone. A long press on 0 is a plus where `onPlus` is given. */
export function Pad(props: {
  readonly onPress: (key: PadKey) => void;
  readonly onPlus?: () => void;
}) {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const wasLong = useRef(false);
  const { onPress, onPlus } = props;

  const startLongPress = (key: PadKey): void => {
    wasLong.current = false;
    if (key !== "0" || onPlus === undefined) return;
    timer.current = setTimeout(() => {
      wasLong.current = true;
      onPlus();
    }, LONG_PRESS_MS);
  };
  const stopLongPress = (): void => clearTimeout(timer.current);

  return (
    <div class="pad" dir="ltr" role="group" aria-label={t("dial.pad")}>
      {PAD_KEYS.map((key) => (
        <button
          key={key}
          type="button"
          class="pad__key"
          aria-label={nameOf(key)}
          data-testid={testIdOf(key)}
          onPointerDown={() => startLongPress(key)}
          onPointerUp={stopLongPress}
          onPointerLeave={stopLongPress}
          onClick={() => {
            if (wasLong.current) wasLong.current = false;
            else onPress(key);
          }}
        >
          <span class="pad__digit">{key}</span> <span class="pad__letters">{lettersOf(key)}</span>
        </button>
      ))}
    </div>
  );
}
