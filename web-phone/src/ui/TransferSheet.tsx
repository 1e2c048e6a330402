import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n/text.ts";
import { cleanNumber } from "../number.ts";
import { type Call, canConsult, type PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { CloseButton } from "./CloseButton.tsx";
import { Icon } from "./Icon.tsx";
import { callerOf, transferTextOf } from "./wording.ts";

type TransferActions = Pick<
  PhoneActions,
  | "acceptReferral"
  | "askFirst"
  | "changeTransfer"
  | "closeTransfer"
  | "completeTransfer"
  | "end"
  | "refuseReferral"
  | "transferNow"
>;

function Picking(props: {
  readonly state: PhoneState;
  readonly text: string;
  readonly actions: TransferActions;
}) {
  const { text, actions } = props;
  const isEmpty = cleanNumber(text) === "";
  const field = useRef<HTMLInputElement>(null);
  // The user has just asked for it.
  useEffect(() => field.current?.focus(), []);
  return (
    <form
      class="transfer"
      data-testid="transfer-sheet"
      onSubmit={(event) => {
        event.preventDefault();
        actions.transferNow();
      }}
    >
      <label class="field">
        <span>{t("transfer.heading")}</span>
        <input
          data-testid="transfer-field"
          inputmode="tel"
          autocomplete="off"
          spellcheck={false}
          placeholder={t("transfer.field")}
          value={text}
          ref={field}
          onInput={(event) => actions.changeTransfer(event.currentTarget.value)}
        />
      </label>
      <div class="line__actions">
        <button
          type="submit"
          class="button button--primary button--small"
          data-testid="transfer-now"
          disabled={isEmpty}
        >
          {t("transfer.now")}
        </button>
        <button
          type="button"
          class="button button--small"
          data-testid="transfer-ask"
          disabled={isEmpty || !canConsult(props.state)}
          onClick={() => actions.askFirst()}
        >
          {t("transfer.ask")}
        </button>
        <button
          type="button"
          class="button button--plain button--small"
          data-testid="transfer-cancel"
          onClick={actions.closeTransfer}
        >
          {t("transfer.cancel")}
        </button>
      </div>
    </form>
  );
}

/** What a transfer is at, and the two ways on from a call that asks its target first. */
export function TransferSheet(props: {
  readonly state: PhoneState;
  readonly call: Call;
  readonly actions: TransferActions;
}) {
  const { state, call, actions } = props;
  const waiting = state.others.find(({ transfer }) => {
    return transfer?.kind === "consulting" && transfer.callId === call.id;
  });
  const { transfer, referral } = call;
  return (
    <>
      {transfer?.kind === "picking" ? (
        <Picking state={state} text={transfer.text} actions={actions} />
      ) : null}
      {transfer?.kind === "transferring" ? (
        <p class="notice" role="status" data-testid="transfer-progress">
          <span>{transferTextOf(transfer)}</span>
        </p>
      ) : null}
      {transfer?.kind === "failed" ? (
        <div class="notice notice--problem" role="alert" data-testid="transfer-failed">
          <Icon name="warning" />
          <span>{transferTextOf(transfer)}</span>
          <CloseButton onClick={actions.closeTransfer} />
        </div>
      ) : null}
      {waiting === undefined ? null : (
        <div class="line__actions" data-testid="consultation">
          <button
            type="button"
            class="button button--primary button--small"
            data-testid="transfer-complete"
            onClick={actions.completeTransfer}
          >
            {t("transfer.complete")}
          </button>
          <button
            type="button"
            class="button button--small"
            data-testid="transfer-back"
            onClick={() => actions.end()}
          >
            {t("transfer.back", { caller: callerOf(waiting) })}
          </button>
        </div>
      )}
      {referral === undefined ? null : (
        <div class="notice notice--link" role="alert" data-testid="referral">
          <span>{t("call.referral", { caller: callerOf(call), target: referral })}</span>
          <div class="line__actions">
            <button
              type="button"
              class="button button--small"
              data-testid="referral-accept"
              onClick={() => actions.acceptReferral(call.id)}
            >
              {t("call.referral.accept", { target: referral })}
            </button>
            <button
              type="button"
              class="button button--plain button--small"
              data-testid="referral-refuse"
              onClick={() => actions.refuseReferral(call.id)}
            >
              {t("call.referral.refuse")}
            </button>
          </div>
        </div>
      )}
    </>
  );
}
