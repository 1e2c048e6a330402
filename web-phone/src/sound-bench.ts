/** Tries the sound devices outside of a call: the microphone's level, a tone, one ring. */
import { signal } from "@preact/signals";
import { type OpenMicrophone, openMicrophone } from "./agent/open-microphone.ts";
import { watchLevel } from "./audio/levels.ts";
import type { Tones } from "./audio/tones.ts";
import type { MicrophoneProblem } from "./call.ts";
import { type Devices, deviceInUse } from "./devices.ts";

/** Louder than the noise of a room, for the meter's scale of 0 to 1. */
export const HEARD_LEVEL = 0.35;
const TEST_SECONDS = 1.2;

/** What the screens of devices and of the check stand on. */
export interface Bench {
  readonly level: { readonly value: number };
  readonly listen: () => Promise<MicrophoneProblem | undefined>;
  readonly stop: () => void;
  readonly play: (role: "speaker" | "ringer") => void;
}

/** See the head of this file. */
export class SoundBench implements Bench {
  readonly level = signal(0);
  readonly #tones: Tones;
  readonly #devices: () => Devices;
  #open: { readonly audio: OpenMicrophone; readonly stopLevel: () => void } | undefined;
  #turn = 0;

  constructor(tones: Tones, devices: () => Devices) {
    this.#tones = tones;
    this.#devices = devices;
  }

  /** Opens the chosen microphone, and shows its level until `stop`. */
  readonly listen = async (): Promise<MicrophoneProblem | undefined> => {
    this.stop();
    const turn = this.#turn;
    this.#tones.unlock();
    const devices = this.#devices();
    const result = await openMicrophone(
      { deviceId: deviceInUse(devices, "microphone"), processing: devices.chosen.processing },
      () => this.stop(),
    );
    if (result.kind === "failed") return result.problem;
    if (turn !== this.#turn) {
      result.audio.close();
      return undefined;
    }
    const stopLevel = watchLevel(this.#tones.context, result.audio.stream, (level) => {
      this.level.value = level;
    });
    this.#open = { audio: result.audio, stopLevel };
    return undefined;
  };

  readonly stop = (): void => {
    this.#turn += 1;
    this.#open?.stopLevel();
    this.#open?.audio.close();
    this.#open = undefined;
    this.level.value = 0;
  };

  readonly play = (role: "speaker" | "ringer"): void => {
    this.#tones.unlock();
    this.#tones.sample(role, TEST_SECONDS);
  };
}
