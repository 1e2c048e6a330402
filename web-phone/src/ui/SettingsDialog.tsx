import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n/text.ts";
import { LANGUAGES, type LanguageChoice } from "../i18n/languages.ts";
import { installOffer } from "../install.ts";
import type { Preferences, Theme } from "../preferences.ts";
import type { Shell, ShellEvent } from "../shell.ts";
import { isInCall, type PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { CloseButton } from "./CloseButton.tsx";
import { DeviceChoices } from "./DeviceChoices.tsx";
import { KeyChoices } from "./KeyChoices.tsx";
import { OwnCallsSection } from "./OwnCallsSection.tsx";

/** Account, audio and the keyboard map. */
export function SettingsDialog(props: {
  readonly state: PhoneState;
  readonly actions: PhoneActions;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
  readonly bench: Parameters<typeof DeviceChoices>[0]["bench"];
}) {
  const { state, actions } = props;
  const { preferences } = props.shell;
  const prefer = (change: Partial<Preferences>): void =>
    props.onShell({ type: "preferences-changed", change });
  const dialog = useRef<HTMLDialogElement>(null);

  useEffect(() => {
    const element = dialog.current;
    if (element === null) return undefined;
    element.showModal();
    // Gives the keyboard's place back to whoever opened it.
    return () => element.close();
  }, []);

  if (state.signIn.kind !== "signed-in") return null;
  const { name, userId } = state.signIn;
  return (
    <dialog
      ref={dialog}
      class="settings"
      aria-labelledby="settings-heading"
      onClose={() => actions.showSettings(false)}
    >
      <header class="settings__head">
        <h2 id="settings-heading">{t("settings.heading")}</h2>
        <CloseButton onClick={() => actions.showSettings(false)} />
      </header>
      <section>
        <h3>{t("settings.account")}</h3>
        <p>{t("settings.signed-in-as", { name, user: userId })}</p>
        <button
          type="button"
          class="button button--plain"
          data-testid="sign-out"
          disabled={isInCall(state)}
          onClick={() => actions.signOut()}
        >
          {t("settings.sign-out")}
        </button>
      </section>
      <section>
        <h3>{t("devices.heading")}</h3>
        <DeviceChoices state={state} actions={actions} bench={props.bench} />
        <label class="check">
          <input
            type="checkbox"
            data-testid="raw-audio"
            checked={state.isRawAudio}
            onChange={(event) => actions.setRawAudio(event.currentTarget.checked)}
          />
          <span>
            {t("settings.raw-audio")}
            <small>{t("settings.raw-audio.help")}</small>
          </span>
        </label>
      </section>
      <section>
        <h3>{t("settings.ringing")}</h3>
        <label class="check">
          <input
            type="checkbox"
            data-testid="do-not-disturb-on"
            checked={state.around.isDoNotDisturb}
            onChange={(event) => actions.setDoNotDisturb(event.currentTarget.checked)}
          />
          <span>
            {t("dnd.on")}
            <small>{t("dnd.help")}</small>
          </span>
        </label>
        {"Notification" in globalThis ? (
          <label class="check">
            <input
              type="checkbox"
              data-testid="notifications"
              checked={preferences.hasNotifications}
              onChange={(event) => {
                const hasNotifications = event.currentTarget.checked;
                prefer({ hasNotifications });
                if (hasNotifications) void Notification.requestPermission();
              }}
            />
            <span>
              {t("settings.notifications")}
              <small>
                {preferences.hasNotifications && Notification.permission === "denied"
                  ? t("settings.notifications.blocked")
                  : t("settings.notifications.help")}
              </small>
            </span>
          </label>
        ) : null}
      </section>
      <OwnCallsSection
        ownCalls={props.shell.ownCalls}
        onEvent={(event) => props.onShell({ type: "own-calls", event })}
      />
      <section>
        <h3>{t("settings.appearance")}</h3>
        <label class="choice">
          <span>{t("settings.language")}</span>
          <select
            data-testid="language"
            value={preferences.language}
            onChange={(event) => prefer({ language: event.currentTarget.value as LanguageChoice })}
          >
            <option value="auto">{t("settings.language.auto")}</option>
            {Object.entries(LANGUAGES).map(([tag, name]) => (
              <option key={tag} value={tag} lang={tag}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label class="choice">
          <span>{t("settings.theme")}</span>
          <select
            data-testid="theme"
            value={preferences.theme}
            onChange={(event) => prefer({ theme: event.currentTarget.value as Theme })}
          >
            <option value="auto">{t("settings.theme.auto")}</option>
            <option value="light">{t("settings.theme.light")}</option>
            <option value="dark">{t("settings.theme.dark")}</option>
          </select>
        </label>
      </section>
      <section>
        <h3>{t("settings.shortcuts")}</h3>
        <label class="check">
          <input
            type="checkbox"
            data-testid="has-shortcuts"
            checked={preferences.hasShortcuts}
            onChange={(event) => prefer({ hasShortcuts: event.currentTarget.checked })}
          />
          <span>
            {t("settings.shortcuts-on")}
            <small>{t("settings.shortcuts-on.help")}</small>
          </span>
        </label>
        <KeyChoices keys={preferences.keys} onKeys={(keys) => prefer({ keys })} />
      </section>
      <section>
        <h3>{t("settings.help")}</h3>
        <button
          type="button"
          class="button button--plain"
          data-testid="check-again"
          disabled={isInCall(state)}
          onClick={() => {
            actions.showSettings(false);
            props.onShell({ type: "check-opened" });
          }}
        >
          {t("settings.check")}
        </button>
        {installOffer.value === undefined ? null : (
          <button
            type="button"
            class="button button--plain"
            onClick={() => void installOffer.value?.prompt()}
          >
            {t("settings.install")}
          </button>
        )}
        <button type="button" class="button button--plain" onClick={actions.registerLinks}>
          {t("settings.links")}
        </button>
        {"documentPictureInPicture" in globalThis ? (
          <button
            type="button"
            class="button button--plain"
            onClick={() => {
              actions.showSettings(false);
              actions.openMiniWindow();
            }}
          >
            {t("settings.mini-window")}
          </button>
        ) : null}
      </section>
      <section>
        <h3>{t("diagnostics.heading")}</h3>
        <p class="hint">{t("diagnostics.text")}</p>
        <button
          type="button"
          class="button button--plain"
          data-testid="download-report"
          onClick={actions.downloadReport}
        >
          {t("diagnostics.download")}
        </button>
      </section>
    </dialog>
  );
}
