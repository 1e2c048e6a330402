import { formatMoment } from "../i18n/moment.ts";
import { t } from "../i18n/text.ts";
import { formatDuration } from "../number.ts";
import { canCall, type PhoneState, type RecentCall } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { Icon, type IconName } from "./Icon.tsx";
import { callerOf } from "./wording.ts";

const DAY_MS = 86_400_000;

function isMissed(call: RecentCall): boolean {
  return call.direction === "incoming" && call.kind === "missed";
}

function iconOf(call: RecentCall): IconName {
  if (isMissed(call)) return "missed";
  return call.direction;
}

function wordOf(call: RecentCall): string {
  if (isMissed(call)) return t("recent.missed");
  return call.durationMs > 0
    ? `${t(`recent.${call.direction}`)} · ${formatDuration(call.durationMs)}`
    : t(`recent.${call.direction}`);
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
  readonly actions: Pick<PhoneActions, "dial">;
}) {
  const { state, actions } = props;
  const isBlocked = !canCall(state);
  return (
    <aside class="recent" aria-labelledby="recent-heading">
      <h2 id="recent-heading">{t("recent.heading")}</h2>
      {state.recent.length === 0 ? (
        <div class="recent__empty">
          <p>{t("recent.empty")}</p>
          <button
            type="button"
            class="button button--plain"
            disabled={isBlocked}
            onClick={() => actions.dial("*43")}
          >
            {t("recent.empty-action")}
          </button>
        </div>
      ) : (
        <ul>
          {state.recent.map((call) => (
            <li key={call.id}>
              <button
                type="button"
                class={isMissed(call) ? "recent__call recent__call--missed" : "recent__call"}
                disabled={isBlocked || call.number === ""}
                onClick={() => actions.dial(call.number)}
              >
                <Icon name={iconOf(call)} />
                <span class="visually-hidden">{t("dial.call")} </span>
                <span class="recent__who">{callerOf(call)}</span>
                <span class="recent__when">{whenOf(call, props.now)}</span>
                <span class="recent__what">{wordOf(call)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </aside>
  );
}
