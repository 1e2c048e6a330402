import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n/text.ts";
import { callsOf } from "../lines.ts";
import { type Check, type Shell, type ShellEvent } from "../shell.ts";
import { HEARD_LEVEL, type Bench } from "../sound-bench.ts";
import { canCall, type PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { CloseButton } from "./CloseButton.tsx";
import type { Levels } from "./CallScreen.tsx";
import { DeviceSelect } from "./DeviceChoices.tsx";
import { Icon } from "./Icon.tsx";
import { Meter } from "./Meter.tsx";

const STEPS = ["microphone", "speaker", "echo"] as const;
/** The echo test of the demo and of the gateway's own services. */
export const ECHO_NUMBER = "*43";

interface CheckProps {
  readonly state: PhoneState;
  readonly actions: PhoneActions;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
  readonly bench: Bench & { readonly level: Levels["mine"] };
  readonly levels: Levels;
}

function MicrophoneStep(props: CheckProps & { readonly check: Check }) {
  const { check, bench, onShell } = props;
  const change = (part: Partial<Check>): void => onShell({ type: "check-changed", change: part });
  useSignalEffect(() => {
    if (bench.level.value > HEARD_LEVEL && !check.hasHeard) change({ hasHeard: true });
  });
  const listen = async (): Promise<void> => {
    const problem = await bench.listen();
    change({ problem, isListening: problem === undefined });
  };
  return (
    <>
      <p>{t("check.microphone.text")}</p>
      <Meter label={t("devices.level")} level={bench.level} isLabelHidden />
      {check.problem === undefined ? (
        <p role="status" class={check.hasHeard ? "check__good" : "hint"} data-testid="check-heard">
          {check.isListening
            ? check.hasHeard
              ? t("check.microphone.heard")
              : t("check.microphone.silent")
            : t("devices.allow-help")}
        </p>
      ) : (
        <div class="notice notice--problem" role="alert">
          <Icon name="warning" />
          <span>
            <strong>{t(`end.${check.problem}.title`)}</strong>
            <span class="notice__text">{t(`call.${check.problem}`)}</span>
          </span>
        </div>
      )}
      {check.isListening ? (
        <DeviceSelect {...props} role="microphone" />
      ) : (
        <button
          type="button"
          class="button button--primary"
          data-testid="check-listen"
          onClick={() => void listen()}
        >
          <Icon name="microphone" />
          {t("check.microphone.start")}
        </button>
      )}
    </>
  );
}

function SpeakerStep(props: CheckProps & { readonly check: Check }) {
  const { check, bench, onShell } = props;
  return (
    <>
      <p>{t("check.speaker.text")}</p>
      <button
        type="button"
        class="button button--primary"
        data-testid="check-play"
        onClick={() => bench.play("speaker")}
      >
        <Icon name="speaker" />
        {t("check.speaker.play")}
      </button>
      <div class="line__actions">
        <button
          type="button"
          class="button button--small"
          data-testid="check-hear"
          onClick={() => onShell({ type: "check-changed", change: { step: "echo" } })}
        >
          {t("check.speaker.yes")}
        </button>
        <button
          type="button"
          class="button button--small"
          onClick={() => onShell({ type: "check-changed", change: { isSilent: true } })}
        >
          {t("check.speaker.no")}
        </button>
      </div>
      {check.isSilent ? (
        <>
          <p role="status">{t("check.speaker.no-help")}</p>
          <DeviceSelect {...props} role="speaker" />
        </>
      ) : null}
    </>
  );
}

function EchoStep(props: CheckProps & { readonly check: Check }) {
  const { state, actions, check, levels, onShell } = props;
  const { call } = state;
  const isEcho = check.hasCalled && call?.number === ECHO_NUMBER;
  const isUp = isEcho && call.phase === "connected";
  const failed = isEcho && call.phase === "ended" && call.end?.kind !== "completed";
  const word = (): string => {
    if (state.link.kind !== "ready") return t("check.echo.waiting");
    if (isUp) return t("check.echo.talk");
    if (failed) return t("check.echo.failed", { reason: t("end.failed.title") });
    if (isEcho && call.phase === "ended") return t("check.echo.good");
    return isEcho ? t("check.echo.calling") : "";
  };
  return (
    <>
      <p>{t("check.echo.text")}</p>
      {isUp ? (
        <div class="call__meters">
          <Meter label={t("call.meter.mine")} level={levels.mine} />
          <Meter label={t("call.meter.theirs")} level={levels.theirs} />
        </div>
      ) : null}
      <p role="status" data-testid="check-echo-state">
        {word()}
      </p>
      {isEcho && call.phase !== "ended" ? (
        <button
          type="button"
          class="button button--stop"
          data-testid="check-echo-end"
          onClick={() => actions.end()}
        >
          <Icon name="hang-up" />
          {t("check.echo.end")}
        </button>
      ) : (
        <button
          type="button"
          class="button button--go"
          data-testid="check-echo"
          disabled={!canCall(state)}
          onClick={() => {
            onShell({ type: "check-changed", change: { hasCalled: true } });
            actions.dial(ECHO_NUMBER);
          }}
        >
          <Icon name="phone" />
          {t("check.echo.start")}
        </button>
      )}
    </>
  );
}

function Steps(props: CheckProps & { readonly check: Check }) {
  const { check, bench, onShell } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  const index = STEPS.indexOf(check.step);
  const go = (step: Check["step"] | undefined): void => {
    bench.stop();
    if (step === undefined) onShell({ type: "check-closed" });
    else onShell({ type: "check-changed", change: { step, isListening: false } });
  };
  useEffect(() => heading.current?.focus(), [check.step]);
  return (
    <>
      <section class="check__step">
        <p class="hint">{t("check.step", { step: index + 1, total: STEPS.length })}</p>
        <h3 ref={heading} tabIndex={-1} autofocus data-testid="check-step" data-step={check.step}>
          {t(`check.${check.step}.title`)}
        </h3>
        {check.step === "microphone" ? <MicrophoneStep {...props} /> : null}
        {check.step === "speaker" ? <SpeakerStep {...props} /> : null}
        {check.step === "echo" ? <EchoStep {...props} /> : null}
      </section>
      <footer class="check__foot">
        {index > 0 ? (
          <button type="button" class="button button--plain" onClick={() => go(STEPS[index - 1])}>
            {t("check.back")}
          </button>
        ) : (
          <button
            type="button"
            class="button button--plain"
            data-testid="check-skip"
            onClick={() => go(undefined)}
          >
            {t("check.skip")}
          </button>
        )}
        <button
          type="button"
          class="button button--primary"
          data-testid="check-next"
          onClick={() => go(STEPS[index + 1])}
        >
          {index === STEPS.length - 1 ? t("check.done") : t("check.next")}
        </button>
      </footer>
    </>
  );
}

/** Microphone, speaker, echo: three steps, each of which can be left out. */
export function CheckDialog(props: CheckProps) {
  const { shell, bench, onShell } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const { check } = shell;
  const isOpen = check !== undefined;
  const isRinging = callsOf(props.state).some(({ phase }) => phase === "incoming");
  // Nothing stands before a call that rings.
  useEffect(() => {
    if (isOpen && isRinging) dialog.current?.close();
  }, [isOpen, isRinging]);
  useEffect(() => {
    const element = dialog.current;
    if (element === null) return undefined;
    element.showModal();
    // Gives the keyboard's place back to whoever opened it.
    return () => element.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      class="settings"
      aria-labelledby="check-heading"
      onClose={() => {
        bench.stop();
        if (isOpen) onShell({ type: "check-closed" });
      }}
    >
      <header class="settings__head">
        <h2 id="check-heading">{t("check.heading")}</h2>
        <CloseButton onClick={() => dialog.current?.close()} />
      </header>
      {check === undefined ? null : <Steps {...props} check={check} />}
    </dialog>
  );
}
