import { t } from "../i18n/text.ts";
import { ariaKeysOf } from "../keys.ts";
import { formatDuration } from "../number.ts";
import { type Call, type PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { Icon } from "./Icon.tsx";
import { callerOf, callWordOf, transferTextOf } from "./wording.ts";

type LineActions = Pick<
  PhoneActions,
  | "activate"
  | "answer"
  | "end"
  | "endAndAnswer"
  | "join"
  | "leaveConference"
  | "split"
  | "swap"
  | "toggleSilence"
>;

/** Somebody calls while a call is up: three choices, and nothing modal. */
function Waiting(props: {
  readonly state: PhoneState;
  readonly call: Call;
  readonly actions: LineActions;
}) {
  const { call, actions, state } = props;
  const isTalking = state.call?.phase === "connected" || state.call?.phase === "early-media";
  return (
    <div class="notice line line--waiting" role="alert" data-testid="call-waiting">
      <div class="line__head">
        <p class="line__who" data-testid="waiting-caller">
          {t("call.waiting.heading", { caller: callerOf(call) })}
        </p>
        <button
          type="button"
          class="button button--small"
          data-testid="silence-waiting"
          onClick={() => actions.toggleSilence(call.id)}
        >
          {call.isSilenced ? t("call.ring-again") : t("call.silence")}
        </button>
      </div>
      <div class="line__actions">
        <button
          type="button"
          class="button button--go button--small"
          data-testid="hold-and-answer"
          aria-keyshortcuts={ariaKeysOf("answer-anywhere", "answer")}
          onClick={() => actions.answer(call.id)}
        >
          <Icon name="phone" />
          {isTalking ? t("call.waiting.hold-answer") : t("call.answer")}
        </button>
        {isTalking ? (
          <button
            type="button"
            class="button button--small"
            data-testid="end-and-answer"
            onClick={() => actions.endAndAnswer(call.id)}
          >
            {t("call.waiting.end-answer")}
          </button>
        ) : null}
        <button
          type="button"
          class="button button--stop button--small"
          data-testid="decline-waiting"
          onClick={() => actions.end(call.id)}
        >
          <Icon name="hang-up" />
          {t("call.decline")}
        </button>
      </div>
    </div>
  );
}

function Line(props: { readonly call: Call; readonly now: number; readonly actions: LineActions }) {
  const { call, actions } = props;
  const caller = callerOf(call);
  const word = call.isJoined ? t("call.conference") : callWordOf(call);
  const timer = call.answeredAt === undefined ? "" : formatDuration(props.now - call.answeredAt);
  return (
    <li class="line" data-testid="line" data-number={call.number}>
      <button
        type="button"
        class="line__call"
        data-testid="line-activate"
        disabled={call.phase !== "connected"}
        title={t("call.resume-line", { caller })}
        onClick={() => actions.activate(call.id)}
      >
        <span class="line__who">{caller}</span>
        <span class="line__state">
          {call.transfer === undefined ? `${word} ${timer}` : transferTextOf(call.transfer)}
        </span>
      </button>
      <button
        type="button"
        class="icon-button"
        data-testid="line-end"
        aria-label={t("call.hang-up", { caller })}
        title={t("call.hang-up", { caller })}
        onClick={() => actions.end(call.id)}
      >
        <Icon name="hang-up" />
      </button>
    </li>
  );
}

/** The calls beside the one in the pane, and what can be done with all of them. */
export function LineBar(props: {
  readonly state: PhoneState;
  readonly now: number;
  readonly actions: LineActions;
}) {
  const { state, actions } = props;
  const waiting = state.others.filter(({ phase }) => phase === "incoming");
  const lines = state.others.filter(({ phase }) => phase !== "incoming");
  const isUp = state.call?.phase === "connected";
  const canJoin = isUp && lines.some((call) => call.phase === "connected" && !call.isJoined);
  const isJoined = state.call?.isJoined === true;
  const others = lines.filter((call) => call.isJoined);
  if (waiting.length === 0 && lines.length === 0) return null;
  return (
    <section class="lines" aria-label={t("call.lines")}>
      {waiting.map((call) => (
        <Waiting key={call.id} state={state} call={call} actions={actions} />
      ))}
      {lines.length === 0 ? null : (
        <ul>
          {lines.map((call) => (
            <Line key={call.id} call={call} now={props.now} actions={actions} />
          ))}
        </ul>
      )}
      <div class="line__actions">
        {canJoin && !isJoined ? (
          <button
            type="button"
            class="button button--small"
            data-testid="swap"
            aria-keyshortcuts={ariaKeysOf("swap")}
            onClick={actions.swap}
          >
            {t("call.swap")}
          </button>
        ) : null}
        {canJoin ? (
          <button
            type="button"
            class="button button--small"
            data-testid="join"
            aria-keyshortcuts={ariaKeysOf("join")}
            onClick={actions.join}
          >
            {t("call.join")}
          </button>
        ) : null}
        {isJoined ? (
          <button
            type="button"
            class="button button--small"
            data-testid="split"
            onClick={actions.split}
          >
            {t("call.split")}
          </button>
        ) : null}
        {isJoined && others.length === 1 ? (
          <button
            type="button"
            class="button button--small"
            data-testid="leave-conference"
            onClick={actions.leaveConference}
          >
            {t("call.leave")}
          </button>
        ) : null}
      </div>
    </section>
  );
}
