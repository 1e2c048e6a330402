import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/text.ts";
import { cleanNumber, tryParsePadKey } from "../number.ts";
import { canCall, hasVideo, type PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { isFocusFree } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { Pad } from "./Pad.tsx";
import { quietEndLineOf } from "./wording.ts";

/** Fields get the keyboard by themselves only where that opens no keyboard on the glass. */
function hasKeyboard(): boolean {
  return matchMedia("(pointer: fine)").matches;
}

function hintOf(state: PhoneState): string | undefined {
  switch (state.link.kind) {
    case "idle":
    case "connecting":
    case "registering":
      return t("dial.hint.not-ready");
    case "reconnecting":
    case "unreachable":
    case "refused":
      // Said at length above.
      return undefined;
    case "ready":
  }
  const { lastNumber } = state;
  const isShort = lastNumber !== "" && lastNumber !== "*43" && lastNumber.length <= 6;
  return isShort && hasKeyboard()
    ? t("dial.hint.echo-redial", { number: lastNumber })
    : t("dial.hint.echo");
}

/** What is typed, with its country's spaces; `""` where that says nothing new. */
function useFormatted(draft: string): string {
  const [formatted, setFormatted] = useState({ of: "", text: "" });
  const isLong = draft.length >= 5 && /^\+?\d+$/.test(draft);
  useEffect(() => {
    if (!isLong) return;
    // A file of its own: 35 kB that short extensions never need.
    import("../contacts/phone-format.ts").then(
      ({ formatTyped }) =>
        setFormatted({ of: draft, text: formatTyped(draft, navigator.languages) }),
      () => undefined,
    );
  }, [draft, isLong]);
  const isCurrent = isLong && formatted.of === draft && formatted.text !== draft;
  return isCurrent ? formatted.text : "";
}

/** The number field, the pad and the one verb; a call that ended well leaves its line here. */
export function DialScreen(props: { readonly state: PhoneState; readonly actions: PhoneActions }) {
  const { state, actions } = props;
  const field = useRef<HTMLInputElement>(null);
  const ended = state.call;
  const endedLine = ended === undefined ? undefined : quietEndLineOf(ended);
  const hint = hintOf(state);
  const isFieldAlone = state.isSettingsOpen;
  const preview = useFormatted(state.draft);
  const canDial = canCall(state) && cleanNumber(state.draft) !== "";

  useEffect(() => {
    const element = field.current;
    if (element !== null && isFocusFree(element) && hasKeyboard() && !isFieldAlone) {
      element.focus({ preventScroll: true });
    }
  }, [isFieldAlone]);

  return (
    <form
      class="screen dial"
      onSubmit={(event) => {
        event.preventDefault();
        actions.dial();
      }}
    >
      <h1 class="visually-hidden">{t("dial.heading")}</h1>
      <div class="dial__field">
        <input
          ref={field}
          class="dial__number"
          part="number-field"
          data-testid="number-field"
          aria-label={t("dial.field")}
          placeholder={t("dial.field")}
          inputmode="tel"
          enterkeyhint="go"
          autocomplete="off"
          spellcheck={false}
          value={state.draft}
          onInput={(event) => {
            const text = event.currentTarget.value;
            const typed = text.length === state.draft.length + 1 ? text.slice(-1) : "";
            const key = tryParsePadKey(typed);
            if (key !== undefined && text === `${state.draft}${typed}`) actions.press(key);
            else actions.changeDraft(text);
          }}
          onPaste={(event) => {
            const pasted = event.clipboardData?.getData("text") ?? "";
            const element = event.currentTarget;
            const start = element.selectionStart ?? element.value.length;
            const end = element.selectionEnd ?? start;
            event.preventDefault();
            actions.changeDraft(
              `${element.value.slice(0, start)}${cleanNumber(pasted)}${element.value.slice(end)}`,
            );
          }}
          onKeyDown={(event) => {
            if (event.key === "ArrowUp" && state.draft === "") {
              event.preventDefault();
              actions.redial();
            } else if (event.key === "Escape" && state.draft !== "") {
              event.preventDefault();
              actions.changeDraft("");
            }
          }}
        />
        <button
          type="button"
          class="icon-button dial__erase"
          aria-label={t("dial.erase")}
          title={t("dial.erase")}
          data-testid="erase"
          hidden={state.draft === ""}
          onClick={() => {
            actions.changeDraft(Array.from(state.draft).slice(0, -1).join(""));
            field.current?.focus();
          }}
        >
          <Icon name="erase" />
        </button>
      </div>
      {ended !== undefined && endedLine !== undefined ? (
        <p
          class="dial__hint dial__hint--ended"
          role="status"
          data-testid="call-state"
          data-state="ended"
        >
          {endedLine}
        </p>
      ) : null}
      {endedLine === undefined && hint !== undefined && preview === "" ? (
        <p class="dial__hint">{hint}</p>
      ) : null}
      {preview === "" ? null : (
        <p class="dial__preview" dir="ltr" data-testid="number-preview">
          {preview}
        </p>
      )}
      <Pad onPress={actions.press} onPlus={() => actions.changeDraft(`${state.draft}+`)} />
      <div class="dial__call">
        <button
          class="button button--go"
          part="call-button"
          type="submit"
          data-testid="call-button"
          disabled={!canDial}
        >
          <Icon name="phone" />
          {t("dial.call")}
        </button>
        {hasVideo(state) ? (
          <button
            class="button button--go"
            type="button"
            data-testid="video-call-button"
            aria-label={t("dial.video")}
            title={t("dial.video")}
            disabled={!canDial}
            onClick={() => actions.dialVideo()}
          >
            <Icon name="camera" />
          </button>
        ) : null}
      </div>
    </form>
  );
}
