import type { ReadonlySignal } from "@preact/signals";
import { t } from "../i18n/text.ts";
import { ariaKeysOf, type Shortcut } from "../keys.ts";
import { formatDuration, initialsOf } from "../number.ts";
import type { Shell, ShellEvent } from "../shell.ts";
import { type Call, callStateOf, canConsult, hasVideo, type PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { useFocusWhenLost } from "./focus.ts";
import { Icon, type IconName } from "./Icon.tsx";
import { VideoPane } from "./late-views.ts";
import { Meter } from "./Meter.tsx";
import { Pad } from "./Pad.tsx";
import { QualityPanel } from "./QualityPanel.tsx";
import { TransferSheet } from "./TransferSheet.tsx";
import type { Pictures } from "./VideoPane.tsx";
import { callerOf, callWordOf, videoNoticeOf } from "./wording.ts";

/** How loud both sides are, 0 to 1. */
export interface Levels {
  readonly mine: ReadonlySignal<number>;
  readonly theirs: ReadonlySignal<number>;
}

export function Avatar(props: { readonly call: Call; readonly isRinging?: boolean }) {
  const initials = initialsOf(callerOf(props.call));
  return (
    <div class={props.isRinging === true ? "avatar avatar--ringing" : "avatar"} aria-hidden="true">
      {initials === "" ? <Icon name="person" /> : initials}
    </div>
  );
}

/** Who is on the line: the name large and the number below, or the number alone. */
export function Caller(props: { readonly call: Call }) {
  const { name, number } = props.call;
  return name === undefined || name === number ? null : (
    <p class="call__number" dir="ltr">
      {number}
    </p>
  );
}

function Toggle(props: {
  readonly icon: IconName;
  readonly word: string;
  readonly testId: string;
  readonly shortcuts: readonly Shortcut[];
  readonly isPressed: boolean;
  readonly isDisabled?: boolean;
  readonly onClick: () => void;
}) {
  return (
    <button
      type="button"
      class="control"
      aria-pressed={props.isPressed}
      aria-keyshortcuts={props.shortcuts.length === 0 ? undefined : ariaKeysOf(...props.shortcuts)}
      data-testid={props.testId}
      aria-disabled={props.isDisabled === true ? "true" : undefined}
      onClick={() => {
        // Not `disabled`, which would throw the keyboard's place away.
        if (props.isDisabled !== true) props.onClick();
      }}
    >
      <Icon name={props.icon} />
      <span>{props.word}</span>
    </button>
  );
}

function timerOf(call: Call, now: number): string | undefined {
  return call.answeredAt === undefined ? undefined : formatDuration(now - call.answeredAt);
}

function Status(props: { readonly call: Call; readonly now: number }) {
  const timer = timerOf(props.call, props.now);
  return (
    <p class="call__status">
      <span data-testid="call-state" data-state={callStateOf(props.call)} role="status">
        {callWordOf(props.call)}
      </span>
      {timer === undefined ? null : (
        <span
          class="call__timer"
          role="timer"
          aria-label={t("call.timer")}
          data-testid="call-timer"
        >
          {timer}
        </span>
      )}
    </p>
  );
}

function lossTextOf(loss: NonNullable<Call["loss"]>) {
  switch (loss) {
    case "browser-uplink":
      return "call.loss.uplink";
    case "browser-downlink":
      return "call.loss.downlink";
    case "carrier-inbound":
    case "carrier-outbound":
      return "call.loss.far-end";
    case "gateway":
      return "call.loss.gateway";
  }
}

function Notices(props: { readonly state: PhoneState; readonly call: Call }) {
  const { call, state } = props;
  const lines: string[] = [];
  if (call.isAskingForMicrophone) lines.push(t("call.microphone-asked"));
  if (call.media === "interrupted") lines.push(t("call.media.interrupted"));
  if (call.loss !== undefined && call.media === "flowing") lines.push(t(lossTextOf(call.loss)));
  if (call.media === "flowing") {
    for (const warning of call.warnings) lines.push(t(`quality.warning.${warning}`));
  }
  if (state.turnedAway !== undefined) {
    lines.push(t("call.turned-away", { caller: state.turnedAway }));
  }
  return (
    <div role="status">
      {lines.map((line) => (
        <p class="notice" key={line}>
          <Icon name="warning" />
          <span>{line}</span>
        </p>
      ))}
    </div>
  );
}

/** Whether another target can be looked for now. */
function canPick({ transfer }: Call): boolean {
  return transfer?.kind !== "transferring" && transfer?.kind !== "consulting";
}

function hasPictures({ video }: Call): boolean {
  return video.isReceiving || video.isSending;
}

/** A call from the first ring to the last word. */
export function CallScreen(props: {
  readonly state: PhoneState;
  readonly call: Call;
  readonly now: number;
  readonly levels: Levels;
  readonly pictures?: Pictures | undefined;
  readonly actions: PhoneActions;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
}) {
  const { state, call, actions } = props;
  const heading = useFocusWhenLost<HTMLHeadingElement>();
  const isConnected = call.phase === "connected";
  const hasKeypad = isConnected || call.phase === "early-media";
  const canMute = call.phase !== "preparing";
  return (
    <section
      class="screen call"
      aria-label={t("call.heading.outgoing", { caller: callerOf(call) })}
    >
      <div class="call__who">
        {call.isKeypadOpen || hasPictures(call) ? null : <Avatar call={call} />}
        <h1 ref={heading} tabIndex={-1} class="call__name">
          {callerOf(call)}
        </h1>
        <Caller call={call} />
        <Status call={call} now={props.now} />
      </div>
      {hasPictures(call) || videoNoticeOf(call) !== undefined ? (
        <VideoPane call={call} pictures={props.pictures} actions={actions} />
      ) : null}
      <QualityPanel call={call} shell={props.shell} onShell={props.onShell} />
      <Notices state={state} call={call} />
      <TransferSheet state={state} call={call} actions={actions} />
      {call.isKeypadOpen ? (
        <div class="call__keypad">
          <output class="call__digits" aria-label={t("call.digits")} data-testid="digits" dir="ltr">
            {call.digits}
          </output>
          <Pad onPress={actions.press} />
        </div>
      ) : (
        <div class={isConnected ? "call__meters" : "call__meters call__meters--off"}>
          <Meter label={t("call.meter.mine")} level={props.levels.mine} />
          <Meter label={t("call.meter.theirs")} level={props.levels.theirs} />
        </div>
      )}
      <div class="call__controls">
        <Toggle
          icon={call.isMuted ? "microphone-off" : "microphone"}
          word={call.isMuted ? t("call.muted") : t("call.mute")}
          testId="mute"
          shortcuts={["mute-anywhere", "mute"]}
          isPressed={call.isMuted}
          isDisabled={!canMute}
          onClick={actions.toggleMute}
        />
        <Toggle
          icon={call.isHeld ? "play" : "pause"}
          word={call.isHeld ? t("call.resume") : t("call.hold")}
          testId="hold"
          shortcuts={["hold-anywhere", "hold"]}
          isPressed={call.isHeld}
          isDisabled={!isConnected || call.isHoldPending}
          onClick={actions.toggleHold}
        />
        <Toggle
          icon="keypad"
          word={call.isKeypadOpen ? t("call.keypad.hide") : t("call.keypad")}
          testId="keypad"
          shortcuts={["keypad"]}
          isPressed={call.isKeypadOpen}
          isDisabled={!hasKeypad}
          onClick={actions.toggleKeypad}
        />
        <Toggle
          icon="transfer"
          word={t("transfer.open")}
          testId="transfer"
          shortcuts={["transfer"]}
          isPressed={call.transfer?.kind === "picking"}
          isDisabled={!isConnected || !canPick(call)}
          onClick={call.transfer?.kind === "picking" ? actions.closeTransfer : actions.openTransfer}
        />
        <Toggle
          icon="add-call"
          word={t("call.add")}
          testId="add-call"
          shortcuts={[]}
          isPressed={false}
          isDisabled={!isConnected || !canConsult(state)}
          onClick={() => actions.showAdding(true)}
        />
        {hasVideo(state) || call.video.isSending ? (
          <Toggle
            icon="camera"
            word={t("call.video")}
            testId="camera"
            shortcuts={["video"]}
            isPressed={call.video.isSending}
            isDisabled={!isConnected || call.isHeld || call.video.isPending}
            onClick={actions.toggleVideo}
          />
        ) : null}
      </div>
      <button
        type="button"
        class="button button--stop"
        part="end"
        data-testid="end"
        aria-keyshortcuts={ariaKeysOf("end-anywhere")}
        onClick={() => actions.end()}
      >
        <Icon name="hang-up" />
        {isConnected ? t("call.end") : t("call.cancel")}
      </button>
    </section>
  );
}
