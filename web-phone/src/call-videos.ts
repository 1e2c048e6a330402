/** The user's side of pictures: the camera of the call in the pane, and theirs. */
import type { OutgoingAudio } from "./agent/phone-agent.ts";
import { deviceInUse } from "./devices.ts";
import type { PhoneDesk } from "./phone-desk.ts";
import { type Call, hasVideo } from "./state.ts";

/** See the head of this file. */
export class CallVideos<Audio extends OutgoingAudio> {
  readonly #desk: PhoneDesk<Audio>;

  constructor(desk: PhoneDesk<Audio>) {
    this.#desk = desk;
  }

  /** The camera to ask for; undefined where the user wants no pictures at all. */
  get camera(): string | undefined {
    const state = this.#desk.state();
    return hasVideo(state) ? deviceInUse(state.devices, "camera") : undefined;
  }

  /** Shows our camera in the call in the pane, or no longer. */
  toggle(): void {
    const call = this.#connected();
    const { camera } = this;
    if (call === undefined || call.video.isPending || call.isHeld) return;
    if (camera === undefined && !call.video.isSending) return;
    this.#desk.dispatch({ type: "video-asked", id: call.id });
    this.#desk.agent()?.setVideo(call.id, call.video.isSending ? undefined : camera);
  }

  /** Sees nothing more of what the far end shows. */
  decline(): void {
    const call = this.#connected();
    if (call === undefined || call.video.isPending) return;
    this.#desk.dispatch({ type: "video-asked", id: call.id });
    this.#desk.agent()?.declineVideo(call.id);
  }

  /** Closes the question, or what was said of pictures that failed. */
  closeNotice(): void {
    const id = this.#desk.state().call?.id;
    if (id !== undefined) this.#desk.dispatch({ type: "video-notice-closed", id });
  }

  #connected(): Call | undefined {
    const { call } = this.#desk.state();
    return call?.phase === "connected" ? call : undefined;
  }
}
