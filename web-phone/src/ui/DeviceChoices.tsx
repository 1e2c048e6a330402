import { useEffect, useState } from "preact/hooks";
import type { MicrophoneProblem } from "../call.ts";
import { type DeviceRole, devicesFor, type Processing } from "../devices.ts";
import { t } from "../i18n/text.ts";
import type { Bench } from "../sound-bench.ts";
import type { PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { Icon } from "./Icon.tsx";
import { Meter } from "./Meter.tsx";

interface DeviceProps {
  readonly state: PhoneState;
  readonly actions: Pick<PhoneActions, "chooseDevice" | "setProcessing" | "setHasVideo">;
}

/** Speakers can be chosen only where the browser lets pages choose them. */
function canChooseSpeaker(): boolean {
  return "setSinkId" in HTMLMediaElement.prototype;
}

/** The devices of one kind, with what the system prefers on top. */
export function DeviceSelect(props: DeviceProps & { readonly role: DeviceRole }) {
  const { role, state, actions } = props;
  const { devices } = state;
  const listed = devicesFor(devices, role);
  const chosen = devices.chosen[role];
  const isGone = chosen !== "" && !listed.some(({ id }) => id === chosen);
  return (
    <label class="choice">
      <span>{t(`devices.${role}`)}</span>
      <select
        data-testid={`device-${role}`}
        value={chosen}
        onChange={(event) => actions.chooseDevice(role, event.currentTarget.value)}
      >
        <option value="">{t("devices.default")}</option>
        {isGone ? <option value={chosen}>{t("devices.gone")}</option> : null}
        {listed.map(({ id, label }, index) => (
          <option key={id} value={id}>
            {label === "" ? t("devices.unnamed", { number: index + 1 }) : label}
          </option>
        ))}
      </select>
    </label>
  );
}

const TOGGLES = [
  ["echoCancellation", "devices.echo-cancellation"],
  ["noiseSuppression", "devices.noise-suppression"],
  ["autoGainControl", "devices.auto-gain"],
] as const satisfies readonly (readonly [keyof Processing, string])[];

/** Microphone, speaker and ringer, each with a way to try it; and the camera. */
export function DeviceChoices(
  props: DeviceProps & { readonly bench: Bench & { readonly level: Meterable } },
) {
  const { state, actions, bench } = props;
  const [isListening, setListening] = useState(false);
  const [problem, setProblem] = useState<MicrophoneProblem | undefined>(undefined);
  const { processing } = state.devices.chosen;
  useEffect(() => () => bench.stop(), []);
  const toggle = async (): Promise<void> => {
    if (isListening) {
      bench.stop();
      setListening(false);
      return;
    }
    const failed = await bench.listen();
    setProblem(failed);
    setListening(failed === undefined);
  };
  return (
    <>
      <DeviceSelect {...props} role="microphone" />
      <div class="try">
        <Meter label={t("devices.level")} level={bench.level} isLabelHidden />
        <button
          type="button"
          class="button button--small"
          data-testid="test-microphone"
          aria-pressed={isListening}
          onClick={() => void toggle()}
        >
          {isListening ? t("devices.stop-test") : t("devices.test-microphone")}
        </button>
      </div>
      {problem === undefined ? null : (
        <p class="notice notice--problem" role="alert">
          <Icon name="warning" />
          <span>{t(`end.${problem}.title`)}</span>
        </p>
      )}
      {canChooseSpeaker() ? (
        <>
          <DeviceSelect {...props} role="speaker" />
          <DeviceSelect {...props} role="ringer" />
        </>
      ) : (
        <p class="hint">{t("devices.speaker-fixed")}</p>
      )}
      <div class="line__actions">
        <button type="button" class="button button--small" onClick={() => bench.play("speaker")}>
          {t("devices.test-speaker")}
        </button>
        <button type="button" class="button button--small" onClick={() => bench.play("ringer")}>
          {t("devices.test-ringer")}
        </button>
      </div>
      {TOGGLES.map(([key, text]) => (
        <label key={key} class="check">
          <input
            type="checkbox"
            checked={processing[key]}
            disabled={state.isRawAudio}
            onChange={(event) =>
              actions.setProcessing({ ...processing, [key]: event.currentTarget.checked })
            }
          />
          <span>{t(text)}</span>
        </label>
      ))}
      <label class="check">
        <input
          type="checkbox"
          data-testid="has-video"
          checked={state.devices.chosen.hasVideo}
          onChange={(event) => actions.setHasVideo(event.currentTarget.checked)}
        />
        <span>
          {t("devices.video")}
          <small>{t("devices.video.help")}</small>
        </span>
      </label>
      {state.devices.chosen.hasVideo ? <DeviceSelect {...props} role="camera" /> : null}
    </>
  );
}

type Meterable = Parameters<typeof Meter>[0]["level"];
