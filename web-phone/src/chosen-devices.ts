/**
 * Keeps every call on the microphone that is chosen: when the choice changes, when a device comes or
 * goes, and when the browser takes one away. The far end notices nothing of it.
 */
import type { OutgoingAudio } from "./agent/phone-agent.ts";
import {
  type DeviceChoice,
  deviceInUse,
  type DeviceRole,
  type MediaDevice,
  type Processing,
} from "./devices.ts";
import { findCall, liveCallsOf } from "./lines.ts";
import type { PhoneDesk } from "./phone-desk.ts";
import { type Call, hasVideo as mayHaveVideo } from "./state.ts";

function hasMicrophone(call: Call | undefined): boolean {
  switch (call?.phase) {
    case "calling":
    case "ringing":
    case "early-media":
    case "connected":
      return true;
    case "preparing":
    case "incoming":
    case "answering":
    case "ended":
    case undefined:
      return false;
  }
}

/** See the head of this file. */
export class ChosenDevices<Audio extends OutgoingAudio> {
  readonly #desk: PhoneDesk<Audio>;
  readonly #save: (choice: DeviceChoice) => void;

  constructor(desk: PhoneDesk<Audio>, save: (choice: DeviceChoice) => void) {
    this.#desk = desk;
    this.#save = save;
  }

  /** What the browser has now. */
  listed(
    microphones: readonly MediaDevice[],
    speakers: readonly MediaDevice[],
    cameras: readonly MediaDevice[] = [],
  ): void {
    this.#renewAfter(() =>
      this.#desk.dispatch({ type: "devices-listed", microphones, speakers, cameras }),
    );
  }

  /** @param id `""` for the system's default */
  choose(role: DeviceRole, id: string): void {
    this.#renewAfter(() => this.#desk.dispatch({ type: "device-chosen", role, id }));
    this.#save(this.#desk.state().devices.chosen);
  }

  /** Whether calls may have pictures, from the next one on. */
  setHasVideo(hasVideo: boolean): void {
    this.#desk.dispatch({ type: "video-use-changed", hasVideo });
    this.#save(this.#desk.state().devices.chosen);
    this.#desk.agent()?.allowVideo(mayHaveVideo(this.#desk.state()));
  }

  setProcessing(processing: Processing): void {
    this.#desk.dispatch({ type: "processing-changed", processing });
    this.#save(this.#desk.state().devices.chosen);
    this.#renewMicrophones();
  }

  dismissLoss(): void {
    this.#desk.dispatch({ type: "device-loss-dismissed" });
  }

  /** The browser took the microphone of a call away. */
  microphoneLost(lost: string): void {
    const { devices } = this.#desk.state();
    const used = devices.microphones.find(({ label }) => label !== lost)?.label;
    if (devices.loss === undefined) {
      this.#desk.dispatch({ type: "device-lost", loss: { role: "microphone", lost, used } });
    }
    this.#renewMicrophones();
  }

  /** Brings the calls to the microphone and the camera that are in use after the change. */
  #renewAfter(change: () => void): void {
    const before = this.#desk.state().devices;
    change();
    const now = this.#desk.state().devices;
    if (deviceInUse(now, "microphone") !== deviceInUse(before, "microphone")) {
      this.#renewMicrophones();
    }
    const camera = deviceInUse(now, "camera");
    if (camera !== deviceInUse(before, "camera")) this.#desk.agent()?.replaceCamera(camera);
  }

  #renewMicrophones(): void {
    for (const { id } of liveCallsOf(this.#desk.state()).filter(hasMicrophone)) {
      this.#desk.withMicrophone(id, {
        isWanted: () => hasMicrophone(findCall(this.#desk.state(), id)),
        open: (audio) => this.#desk.agent()?.replaceAudio(id, audio),
        // The banner says what is missing; the call goes on, and a device that comes is taken.
        failed: () => undefined,
      });
    }
  }
}
