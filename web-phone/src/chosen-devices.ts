/**
 * Keeps every call on the microphone that is chosen: when the choice changes, when a device comes or
 * goes, and when the browser takes one away. The far end notices nothing of it.
 */
import type { OutgoingAudio } from "./agent/phone-agent.ts";
import {
  type AudioDevice,
  type DeviceChoice,
  deviceInUse,
  type DeviceRole,
  type Processing,
} from "./devices.ts";
import { findCall, liveCallsOf } from "./lines.ts";
import type { PhoneDesk } from "./phone-desk.ts";
import type { Call } from "./state.ts";

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
  listed(microphones: readonly AudioDevice[], speakers: readonly AudioDevice[]): void {
    const before = this.#inUse();
    this.#desk.dispatch({ type: "devices-listed", microphones, speakers });
    if (this.#inUse() !== before) this.#renewMicrophones();
  }

  /** @param id `""` for the system's default */
  choose(role: DeviceRole, id: string): void {
    const before = this.#inUse();
    this.#desk.dispatch({ type: "device-chosen", role, id });
    this.#save(this.#desk.state().devices.chosen);
    if (this.#inUse() !== before) this.#renewMicrophones();
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

  #inUse(): string {
    return deviceInUse(this.#desk.state().devices, "microphone");
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
