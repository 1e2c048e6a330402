import { formatMoment } from "../i18n/moment.ts";
import { plural, t } from "../i18n/text.ts";
import { formatDuration } from "../number.ts";
import type { Shell, ShellEvent } from "../shell.ts";
import { isMissed, type RecentCall } from "../recents.ts";
import { canCall, type PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { Icon, type IconName } from "./Icon.tsx";
import { MoreButton, useBounded } from "./more.tsx";
import { callerOf, isLoudEnd } from "./wording.ts";

const DAY_MS = 86_400_000;

function iconOf(call: RecentCall): IconName {
  if (isMissed(call)) return "missed";
  return call.direction;
}

/** What became of it: how long it was, or why it did not come off. */
function wordOf(call: RecentCall): string {
  if (isMissed(call)) return t("recent.missed");
  const way = t(`recent.${call.direction}`);
  if (call.durationMs > 0) return `${way} · ${formatDuration(call.durationMs)}`;
  const end = { kind: call.kind, details: {} };
  return isLoudEnd(end) ? `${way} · ${t(`end.${end.kind}.title`)}` : way;
}

function whenOf(call: RecentCall, now: number): string {
  const age = now - call.startedAt;
  if (age < 60_000) return t("recent.now");
  return formatMoment(call.startedAt, age < DAY_MS ? "time" : "day");
}

/** The last calls; one click calls again. */
export function RecentList(props: {
  readonly state: PhoneState;
  readonly now: number;
  readonly actions: Pick<PhoneActions, "clearRecents" | "dial" | "restoreRecents">;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
}) {
  const { state, actions, shell } = props;
  const isBlocked = !canCall(state);
  const missed = state.recent.filter(isMissed);
  const isCleared = state.recent.length === 0 && state.cleared !== undefined;
  const bounded = useBounded(
    shell.isMissedOnly ? missed : state.recent,
    String(shell.isMissedOnly),
  );
  const choose = (isMissedOnly: boolean): void =>
    props.onShell({ type: "missed-only-changed", isMissedOnly });
  return (
    <>
      <h2 id="aside-heading">{t("recent.heading")}</h2>
      {missed.length === 0 && !shell.isMissedOnly ? null : (
        <div class="filter" role="group" aria-label={t("recent.filter")}>
          <button
            type="button"
            class="filter__one"
            aria-pressed={!shell.isMissedOnly}
            onClick={() => choose(false)}
          >
            {t("recent.filter.all")}
          </button>
          <button
            type="button"
            class="filter__one"
            data-testid="missed-only"
            aria-pressed={shell.isMissedOnly}
            title={plural("recent.missed-count", missed.length)}
            onClick={() => choose(true)}
          >
            {t("recent.filter.missed")} <span class="count">{missed.length}</span>
          </button>
        </div>
      )}
      {state.recent.length === 0 && !isCleared ? (
        <div class="recent__empty">
          <p>{t("recent.empty")}</p>
          {shell.preferences.isCheckDone ? null : (
            <button
              type="button"
              class="button button--primary"
              data-testid="check-open"
              onClick={() => props.onShell({ type: "check-opened" })}
            >
              {t("settings.check")}
            </button>
          )}
          <button
            type="button"
            class="button button--plain"
            disabled={isBlocked}
            onClick={() => actions.dial("*43")}
          >
            {t("recent.empty-action")}
          </button>
        </div>
      ) : null}
      {shell.isMissedOnly && missed.length === 0 ? (
        <p class="recent__empty">{t("recent.no-missed")}</p>
      ) : null}
      <ul ref={bounded.list} data-testid="recent-list">
        {bounded.shown.map((call) => (
          <li key={call.id} class="row">
            <button
              type="button"
              class={isMissed(call) ? "recent__call recent__call--missed" : "recent__call"}
              disabled={isBlocked || call.number === ""}
              data-kind={call.kind}
              onClick={() => actions.dial(call.number)}
            >
              <Icon name={iconOf(call)} />
              <span class="visually-hidden">{t("dial.call")} </span>
              <span class="recent__who" dir="auto">
                {callerOf(call)}
              </span>{" "}
              <span class="recent__when">{whenOf(call, props.now)}</span>{" "}
              <span class="recent__what">{wordOf(call)}</span>
            </button>
            {call.number === "" ||
            shell.contacts.some(({ number }) => number === call.number) ? null : (
              <button
                type="button"
                class="icon-button"
                aria-label={t("recent.add-contact", { caller: callerOf(call) })}
                title={t("recent.add-contact", { caller: callerOf(call) })}
                onClick={() =>
                  props.onShell({
                    type: "contact-edited",
                    contact: {
                      id: `from-${call.id}`,
                      name: call.name ?? "",
                      number: call.number,
                      isWatched: false,
                    },
                  })
                }
              >
                <Icon name="add-person" />
              </button>
            )}
          </li>
        ))}
      </ul>
      <p class="aside__notice" role="status" data-testid="recent-notice">
        {isCleared ? t("recent.cleared") : ""}
      </p>
      <div class="aside__tools aside__tools--end">
        <MoreButton bounded={bounded} />
        {state.recent.length === 0 && !isCleared ? null : (
          // One button for both, so that the keyboard stays where it is.
          <button
            type="button"
            class="button button--small"
            data-testid={isCleared ? "recent-undo" : "recent-clear"}
            onClick={isCleared ? actions.restoreRecents : actions.clearRecents}
          >
            {isCleared ? t("recent.undo") : t("recent.clear")}
          </button>
        )}
      </div>
    </>
  );
}
