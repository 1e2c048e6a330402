import { t } from "../i18n/text.ts";
import { forwardedTo, type OwnCallsChange } from "../own-calls.ts";
import type { Shell, ShellEvent } from "../shell.ts";
import type { Bench } from "../sound-bench.ts";
import { isInCall, type Link, type PhoneState, screenOf } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { CloseButton } from "./CloseButton.tsx";
import { Aside } from "./Aside.tsx";
import type { Levels } from "./CallScreen.tsx";
import { DialScreen } from "./DialScreen.tsx";
import { useKeptFocus } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { CallPane, CheckDialog, LineBar, SettingsDialog } from "./late-views.ts";
import { SignInScreen } from "./SignInScreen.tsx";
import type { Pictures } from "./VideoPane.tsx";
import { callerOf, linkWordOf, videoNoticeOf } from "./wording.ts";

/** What the whole phone is drawn from. */
export interface PhoneViewProps {
  readonly state: PhoneState;
  readonly actions: PhoneActions;
  readonly levels: Levels;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The browser lets the page sound. */
  readonly canRing: boolean;
  /** The pictures of the call in the pane; undefined where none can be shown. */
  readonly pictures?: Pictures | undefined;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
  readonly bench: Bench & { readonly level: Levels["mine"] };
  /** Stands in the sign-in form; `""` leaves it empty. */
  readonly presetUser: string;
}

function Head(props: { readonly state: PhoneState; readonly actions: PhoneActions }) {
  const { state, actions } = props;
  if (state.signIn.kind !== "signed-in") return null;
  const { name, userId } = state.signIn;
  return (
    <header class="head" part="head">
      <p class="badge" role="status" data-testid="link-state" data-state={state.link.kind}>
        <span class="badge__dot" aria-hidden="true" />
        <span class="badge__word">{linkWordOf(state.link)}</span>
      </p>
      <p class="head__user" title={userId}>
        {name === userId ? name : `${name} (${userId})`}
      </p>
      <button
        type="button"
        class="icon-button"
        aria-label={t("settings.open")}
        title={t("settings.open")}
        data-testid="settings"
        onClick={() => actions.showSettings(true)}
      >
        <Icon name="settings" />
      </button>
    </header>
  );
}

function retryTextOf(retryAt: number, now: number): string {
  const seconds = Math.ceil((retryAt - now) / 1000);
  return seconds > 0 ? t("link.retry-in", { seconds }) : t("link.retrying");
}

/** What is wrong with the link and what to do, for links that are wrong. */
function LinkHelp(props: {
  readonly link: Link;
  readonly isInCall: boolean;
  readonly now: number;
  readonly actions: PhoneActions;
}) {
  const { link, actions } = props;
  switch (link.kind) {
    case "reconnecting":
    case "unreachable":
      return (
        <div class="notice notice--link" data-testid="link-help">
          <p>
            {props.isInCall
              ? t("link.help.reconnecting-in-call")
              : navigator.onLine
                ? `${t(`link.help.${link.kind}`)} ${retryTextOf(link.retryAt, props.now)}`
                : t("link.help.offline")}
          </p>
          <button type="button" class="button button--small" onClick={actions.reconnectNow}>
            {t("link.retry-now")}
          </button>
        </div>
      );
    case "refused":
      return (
        <div class="notice notice--problem notice--link" role="alert" data-testid="link-help">
          <p>{t("link.help.refused", { status: link.status, reason: link.reasonPhrase })}</p>
          <button type="button" class="button button--small" onClick={() => actions.signOut()}>
            {t("link.sign-in-again")}
          </button>
        </div>
      );
    case "idle":
    case "connecting":
    case "registering":
    case "ready":
      return null;
  }
}

/** A device went away while it was in use. */
function DeviceLossNotice(props: {
  readonly devices: PhoneState["devices"];
  readonly actions: Pick<PhoneActions, "dismissDeviceLoss">;
}) {
  const { loss } = props.devices;
  if (loss === undefined) return null;
  const { lost, used } = loss;
  return (
    <div class="notice" role="status" data-testid="device-loss">
      <Icon name="warning" />
      <span>
        {used === undefined ? t("devices.lost-last", { lost }) : t("devices.lost", { lost, used })}
      </span>
      <CloseButton onClick={props.actions.dismissDeviceLoss} />
    </div>
  );
}

/** What is set on the gateway keeps calls away from here. */
function ForwardNotice(props: Pick<PhoneViewProps, "shell" | "onShell">) {
  const { ownCalls } = props.shell;
  const { known, save } = ownCalls;
  const number = forwardedTo(ownCalls);
  if (known === undefined || (number === undefined && !known.doNotDisturb)) return null;
  const isForward = number !== undefined;
  const change: OwnCallsChange = isForward
    ? { forward: { always: { on: false } } }
    : { doNotDisturb: false };
  return (
    <div class="notice notice--link" role="status" data-testid="own-calls-notice">
      <p>
        {isForward
          ? // Its plus stays before it, from right to left too.
            t("own-calls.notice.forward", { number: `\u2068${number}\u2069` })
          : t("own-calls.notice.dnd")}
        {save === "failed" ? ` ${t("own-calls.failed")}` : null}
      </p>
      {known.settable.includes(isForward ? "always" : "doNotDisturb") ? (
        <button
          type="button"
          class="button button--small"
          data-testid="own-calls-off"
          onClick={() => props.onShell({ type: "own-calls", event: { type: "save", change } })}
        >
          {t("dnd.off")}
        </button>
      ) : null}
    </div>
  );
}

function Screen(props: PhoneViewProps) {
  const { state, actions } = props;
  const { call } = state;
  const screen = screenOf(state);
  if (screen === "sign-in")
    return <SignInScreen signIn={state.signIn} actions={actions} presetUser={props.presetUser} />;
  if (call === undefined || screen === "dial")
    return <DialScreen state={state} actions={actions} />;
  return <CallPane {...props} call={call} />;
}

function announcementOf(state: PhoneState): string {
  const call =
    screenOf(state) === "incoming"
      ? state.call
      : state.others.find(({ phase }) => phase === "incoming");
  return call === undefined ? "" : t("call.announce.incoming", { caller: callerOf(call) });
}

/** What a screen reader says of a change that the eyes see on a button. */
function politeAnnouncementOf(state: PhoneState): string {
  const { call } = state;
  if (call?.phase !== "connected") return "";
  const microphone = call.isMuted ? t("call.announce.muted") : t("call.announce.unmuted");
  return [microphone, videoNoticeOf(call) ?? ""].join(" ").trim();
}

/** The phone: one pane with one screen, and the recent calls beside or below it. */
export function PhoneView(props: PhoneViewProps) {
  const { state, actions } = props;
  const isSignedIn = state.signIn.kind === "signed-in";
  const frame = useKeptFocus();
  // Who calls stands on top, where no small screen cuts it off.
  const hasWaiting = state.others.some(({ phase }) => phase === "incoming");
  return (
    <div ref={frame} class={isSignedIn ? "phone" : "phone phone--alone"}>
      <div class="phone__body">
        <main class="pane" data-screen={screenOf(state)}>
          <Head state={state} actions={actions} />
          <LinkHelp
            link={state.link}
            isInCall={isInCall(state)}
            now={props.now}
            actions={actions}
          />
          {isSignedIn && !props.canRing && state.call === undefined ? (
            <p class="notice">
              <Icon name="warning" />
              <span>{t("dial.hint.activate")}</span>
            </p>
          ) : null}
          {isSignedIn && state.tab === "follower" ? (
            <div class="notice notice--link" role="status" data-testid="elsewhere">
              <p>{t("link.help.elsewhere")}</p>
              {isInCall(state) ? null : (
                <button
                  type="button"
                  class="button button--small"
                  data-testid="use-here"
                  onClick={actions.useHere}
                >
                  {t("link.use-here")}
                </button>
              )}
            </div>
          ) : null}
          {isSignedIn ? <DeviceLossNotice devices={state.devices} actions={actions} /> : null}
          {isSignedIn && state.around.isDoNotDisturb ? (
            <div class="notice notice--link" role="status" data-testid="do-not-disturb">
              <p>
                <strong>{t("dnd.on")}</strong> {t("dnd.help")}
              </p>
              <button
                type="button"
                class="button button--small"
                onClick={() => actions.setDoNotDisturb(false)}
              >
                {t("dnd.off")}
              </button>
            </div>
          ) : null}
          {isSignedIn ? <ForwardNotice shell={props.shell} onShell={props.onShell} /> : null}
          {hasWaiting ? <LineBar state={state} now={props.now} actions={actions} /> : null}
          <Screen {...props} />
          {state.isAddingCall ? (
            <button
              type="button"
              class="button button--plain"
              data-testid="back-to-call"
              onClick={() => actions.showAdding(false)}
            >
              {t("call.back")}
            </button>
          ) : null}
          {hasWaiting || state.others.length === 0 ? null : (
            <LineBar state={state} now={props.now} actions={actions} />
          )}
        </main>
        {isSignedIn ? (
          <Aside
            state={state}
            now={props.now}
            actions={actions}
            shell={props.shell}
            onShell={props.onShell}
          />
        ) : null}
      </div>
      <p class="visually-hidden" aria-live="assertive">
        {announcementOf(state)}
      </p>
      <p class="visually-hidden" aria-live="polite" data-testid="announcement">
        {politeAnnouncementOf(state)}
      </p>
      {isSignedIn && state.isSettingsOpen ? (
        <SettingsDialog
          state={state}
          actions={actions}
          shell={props.shell}
          onShell={props.onShell}
          bench={props.bench}
        />
      ) : null}
      {isSignedIn && props.shell.check !== undefined ? <CheckDialog {...props} /> : null}
    </div>
  );
}
