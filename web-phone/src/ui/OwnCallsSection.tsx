import { useEffect, useState } from "preact/hooks";
import { t, type TextKey } from "../i18n/text.ts";
import {
  changeOf,
  draftOf,
  FORWARD_KINDS,
  type ForwardKind,
  type OwnCalls,
  type OwnCallsDraft,
  type OwnCallsEvent,
  type OwnCallsState,
} from "../own-calls.ts";

interface SectionProps {
  readonly ownCalls: OwnCallsState;
  readonly onEvent: (event: OwnCallsEvent) => void;
}

/** As a telephone takes it; people write spaces and brackets into it. */
const NUMBER = "[ ]*[+A-Za-z0-9*#][+A-Za-z0-9._*# \\(\\)\\/\\-]{0,40}";

const SWITCHES = {
  always: "own-calls.forward.always",
  busy: "own-calls.forward.busy",
  noAnswer: "own-calls.forward.no-answer",
} as const satisfies Record<ForwardKind, TextKey>;

const NUMBERS = {
  always: "own-calls.number.always",
  busy: "own-calls.number.busy",
  noAnswer: "own-calls.number.no-answer",
} as const satisfies Record<ForwardKind, TextKey>;

/** Calls to all telephones of the user; nothing where the gateway lets users set nothing. */
export function OwnCallsSection(props: SectionProps) {
  const { known, load } = props.ownCalls;
  if (load === "none" || known?.settable.length === 0) return null;
  return (
    <section data-testid="own-calls" aria-busy={load === "loading"}>
      <h3>{t("own-calls.heading")}</h3>
      <p class="hint">{t("own-calls.help")}</p>
      {known !== undefined ? (
        <Form {...props} known={known} />
      ) : load === "failed" ? (
        <>
          <p class="notice notice--problem" role="alert" data-testid="own-calls-problem">
            {t("own-calls.load-failed")}
          </p>
          <button
            type="button"
            class="button button--plain"
            data-testid="own-calls-again"
            onClick={() => props.onEvent({ type: "load" })}
          >
            {t("own-calls.try-again")}
          </button>
        </>
      ) : (
        <p role="status">{t("own-calls.loading")}</p>
      )}
    </section>
  );
}

function Form(props: SectionProps & { readonly known: OwnCalls }) {
  const { known, onEvent } = props;
  const { save } = props.ownCalls;
  const [draft, setDraft] = useState(draftOf(known));
  // What was saved, or another telephone has set.
  useEffect(() => setDraft(draftOf(known)), [known]);
  const edit = (change: Partial<OwnCallsDraft>): void => {
    setDraft({ ...draft, ...change });
    onEvent({ type: "edited" });
  };
  const editForward = (
    kind: ForwardKind,
    change: Partial<OwnCallsDraft["forward"][ForwardKind]>,
  ): void => edit({ forward: { ...draft.forward, [kind]: { ...draft.forward[kind], ...change } } });
  const kinds = FORWARD_KINDS.filter((kind) => known.settable.includes(kind));
  return (
    <form
      class="own-calls"
      onSubmit={(event) => {
        event.preventDefault();
        onEvent({ type: "save", change: changeOf(draft, known) });
      }}
    >
      {known.settable.includes("doNotDisturb") ? (
        <label class="check">
          <input
            type="checkbox"
            data-testid="own-dnd"
            checked={draft.doNotDisturb}
            onChange={(event) => edit({ doNotDisturb: event.currentTarget.checked })}
          />
          <span>
            {t("own-calls.dnd")}
            <small>{t("own-calls.dnd.help")}</small>
          </span>
        </label>
      ) : null}
      {kinds.map((kind) => (
        <div key={kind} class="own-calls__forward">
          <label class="check">
            <input
              type="checkbox"
              data-testid={`own-${kind}`}
              checked={draft.forward[kind].on}
              onChange={(event) => editForward(kind, { on: event.currentTarget.checked })}
            />
            <span>{t(SWITCHES[kind])}</span>
          </label>
          {draft.forward[kind].on ? (
            <label class="choice">
              <span>{t(NUMBERS[kind])}</span>
              <input
                data-testid={`own-${kind}-number`}
                inputmode="tel"
                dir="ltr"
                autocomplete="off"
                required
                pattern={NUMBER}
                title={t("own-calls.number.help")}
                value={draft.forward[kind].number}
                onInput={(event) => editForward(kind, { number: event.currentTarget.value })}
              />
            </label>
          ) : null}
        </div>
      ))}
      {save === "refused" || save === "failed" ? (
        <p class="notice notice--problem" role="alert" data-testid="own-calls-problem">
          {save === "refused" ? t("own-calls.refused") : t("own-calls.failed")}
        </p>
      ) : null}
      <button
        type="submit"
        class="button button--primary"
        data-testid="own-calls-save"
        aria-disabled={save === "saving" ? "true" : undefined}
      >
        {t("own-calls.save")}
      </button>
      <p class="hint" role="status" data-testid="own-calls-saved">
        {save === "saving" ? t("own-calls.saving") : save === "saved" ? t("own-calls.saved") : ""}
      </p>
    </form>
  );
}
