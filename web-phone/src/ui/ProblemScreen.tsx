import { endActionOf } from "../call-end.ts";
import { t } from "../i18n/text.ts";
import type { Call, PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { useFocusWhenLost } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { actionWordOf, callerOf, detailsOf, explanationOf, type LoudEnd } from "./wording.ts";

/** A call that did not come off: what happened, what to do, one button to do it, SIP's own words. */
export function ProblemScreen(props: {
  readonly state: PhoneState;
  readonly call: Call;
  readonly end: NonNullable<Call["end"]> & { readonly kind: LoudEnd };
  readonly actions: Pick<PhoneActions, "followUp" | "dismiss">;
}) {
  const { state, call, end, actions } = props;
  const button = useFocusWhenLost<HTMLButtonElement>();
  const { title, text } = explanationOf(end.kind, call);
  const action = endActionOf(end.kind);
  const details = detailsOf(call, end);
  const isCall = action === "call-again" || action === "try-again";
  return (
    <section class="screen problem">
      <div class="problem__body" role="alert">
        <span class="problem__picture">
          <Icon name="warning" />
        </span>
        <p class="problem__caption" data-testid="call-state" data-state="ended" dir="auto">
          {callerOf(call)}
        </p>
        <h1 data-testid="error-title">{title}</h1>
        <p class="problem__text" data-testid="error-text">
          {text}
        </p>
      </div>
      {details.length === 0 ? null : (
        <details class="problem__details" data-testid="error-details">
          <summary>{t("end.details")}</summary>
          <dl>
            {details.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd dir="ltr">{value}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      <div class="problem__actions">
        <button
          ref={button}
          type="button"
          class={isCall ? "button button--go" : "button button--primary"}
          data-testid="error-action"
          disabled={isCall && state.link.kind !== "ready"}
          onClick={actions.followUp}
        >
          {isCall ? <Icon name="phone" /> : null}
          {actionWordOf(action)}
        </button>
        {action === "close" ? null : (
          <button
            type="button"
            class="button button--plain"
            data-testid="error-close"
            onClick={actions.dismiss}
          >
            {actionWordOf("close")}
          </button>
        )}
      </div>
    </section>
  );
}
