import { t } from "../i18n/text.ts";
import { ariaKeysOf } from "../keys.ts";
import { type Call, callStateOf } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { Avatar, Caller } from "./CallScreen.tsx";
import { useFocusWhenLost } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { callerOf, callWordOf, explanationOf } from "./wording.ts";

/** Somebody calls. The focus goes to the name, so that a half-typed Enter answers nobody. */
export function IncomingScreen(props: {
  readonly call: Call;
  readonly actions: Pick<PhoneActions, "answer" | "answerVideo" | "end" | "toggleSilence">;
}) {
  const { call, actions } = props;
  const heading = useFocusWhenLost<HTMLHeadingElement>();
  const problem = call.microphoneProblem;
  const explanation = problem === undefined ? undefined : explanationOf(problem, call);
  return (
    <section class="screen call" aria-label={t("call.heading.incoming")}>
      <div class="call__who call__who--incoming">
        <p class="call__status">
          <span data-testid="call-state" data-state={callStateOf(call)}>
            {call.video.isOffered && call.phase === "incoming"
              ? t("call.video.incoming")
              : callWordOf(call)}
          </span>
        </p>
        <Avatar call={call} isRinging />
        <h1 ref={heading} tabIndex={-1} class="call__name" data-testid="caller">
          {callerOf(call)}
        </h1>
        <Caller call={call} />
      </div>
      {explanation === undefined ? null : (
        <div class="notice notice--problem" role="alert">
          <Icon name="warning" />
          <span>
            <strong data-testid="error-title">{explanation.title}</strong>
            <span class="notice__text" data-testid="error-text">
              {t(`call.${problem ?? "microphone-blocked"}`)}
            </span>
          </span>
        </div>
      )}
      {call.isAskingForMicrophone ? (
        <p class="notice" role="status">
          <Icon name="warning" />
          <span>{t("call.microphone-asked-answer")}</span>
        </p>
      ) : null}
      {call.phase === "incoming" ? (
        <button
          type="button"
          class="button button--plain"
          part="silence"
          data-testid="silence"
          aria-keyshortcuts={ariaKeysOf("mute-anywhere", "silence")}
          onClick={() => actions.toggleSilence()}
        >
          <Icon name={call.isSilenced ? "speaker" : "speaker-off"} />
          {call.isSilenced ? t("call.ring-again") : t("call.silence")}
        </button>
      ) : null}
      <div class="call__choice">
        <button
          type="button"
          class="button button--stop"
          part="decline"
          data-testid="decline"
          aria-keyshortcuts={ariaKeysOf("end-anywhere", "decline")}
          onClick={() => actions.end()}
        >
          <Icon name="hang-up" />
          {t("call.decline")}
        </button>
        <button
          type="button"
          class="button button--go"
          part="answer"
          data-testid="answer"
          aria-keyshortcuts={ariaKeysOf("answer-anywhere", "answer")}
          disabled={call.phase === "answering"}
          onClick={() => actions.answer()}
        >
          <Icon name="phone" />
          {t("call.answer")}
        </button>
        {call.video.isOffered ? (
          <button
            type="button"
            class="button button--go call__with-camera"
            data-testid="answer-video"
            disabled={call.phase === "answering"}
            onClick={() => actions.answerVideo()}
          >
            <Icon name="camera" />
            {t("call.video.answer")}
          </button>
        ) : null}
      </div>
    </section>
  );
}
