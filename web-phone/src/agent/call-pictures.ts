/**
 * The pictures of one call: our camera, and what the far end agrees to. The call never depends on
 * them: whatever fails here ends with a camera that is off and a sentence about why.
 */
import type { VideoProblem } from "../video.ts";
import type { DescriptionHandler } from "./description-handler.ts";
import { openCamera } from "./open-camera.ts";
import type { VideoState } from "./video-section.ts";

/** What the pictures need of their call. */
export interface CallPicturesPorts {
  readonly media: () => DescriptionHandler | undefined;
  readonly isOver: () => boolean;
  /** Sends a re-INVITE when it is this change's turn. @returns `accepted`, or what refused it */
  readonly change: (prepare: () => void) => Promise<number | "accepted">;
  /** How long to wait before a change that met the far end's own (RFC 3261 §14.1) comes again. */
  readonly glareMs: () => number;
  /** Whether our camera is on, and whether theirs can be seen. */
  readonly onVideo: (isSending: boolean, isReceiving: boolean) => void;
  readonly onProblem: (problem: VideoProblem) => void;
}

const TRIES = 3;

/** See the head of this file. */
export class CallPictures {
  readonly #ports: CallPicturesPorts;
  #camera: MediaStream | undefined;
  #isReceiving = false;
  /** Counts what the user has asked for: only the newest wish holds. */
  #wish = 0;

  constructor(ports: CallPicturesPorts) {
    this.#ports = ports;
  }

  /** Our own pictures. */
  get camera(): MediaStream | undefined {
    return this.#camera;
  }

  /** Opens the camera for a description that is still to be made. @param deviceId of the camera */
  async prepare(deviceId: string): Promise<void> {
    const stream = await this.#open(deviceId);
    if (stream !== undefined) this.#use(stream);
    this.#tell();
  }

  /** Shows the camera to the far end. @param deviceId `""` for the one that the browser prefers */
  async show(deviceId: string): Promise<void> {
    const stream = await this.#open(deviceId);
    if (stream === undefined) {
      this.#tell();
      return;
    }
    this.#use(stream);
    this.#settle(await this.#agree(TRIES));
  }

  /** Switches the camera off, at once, and then tells the far end. */
  async hide(): Promise<void> {
    this.#switchOff();
    await this.#agree(TRIES);
    this.#tell();
  }

  /** Sees nothing of the far end until it shows something anew. */
  async decline(): Promise<void> {
    this.#ports.media()?.declineVideo();
    await this.#agree(TRIES);
    this.#tell();
  }

  /** Goes on with another camera, without a word to the far end. */
  async replace(deviceId: string): Promise<void> {
    if (this.#camera === undefined) return;
    const stream = await this.#open(deviceId);
    if (stream === undefined) return;
    if (this.#camera === undefined) {
      stop(stream);
      return;
    }
    const before = this.#camera;
    this.#use(stream);
    const [track] = stream.getVideoTracks();
    if (track !== undefined) this.#ports.media()?.replaceCamera(track);
    stop(before);
    this.#tell();
  }

  /**
   * What both sides have agreed on.
   *
   * @param isHeld by either side: what is not sent now comes again
   */
  onAgreed(state: VideoState, isHeld: boolean): void {
    const isRefused = this.#camera !== undefined && !state.isSending && !isHeld;
    const hasChanged = isRefused || this.#isReceiving !== state.isReceiving;
    this.#isReceiving = state.isReceiving;
    if (isRefused) {
      // Nobody takes our pictures: the camera's lamp has nothing to burn for.
      this.#switchOff();
      this.#ports.onProblem("refused");
    }
    if (hasChanged) this.#tell();
  }

  /** The call is over. */
  close(): void {
    this.#switchOff();
  }

  async #open(deviceId: string): Promise<MediaStream | undefined> {
    const wish = (this.#wish += 1);
    const result = await openCamera(deviceId);
    if (this.#ports.isOver()) {
      if (result.kind === "open") stop(result.stream);
      return undefined;
    }
    if (result.kind === "failed") {
      this.#ports.onProblem(result.problem);
      return undefined;
    }
    if (wish === this.#wish) return result.stream;
    stop(result.stream);
    return undefined;
  }

  #use(stream: MediaStream): void {
    this.#camera = stream;
    const [track] = stream.getVideoTracks();
    this.#ports.media()?.setCamera(track);
    // Not told for a track that we stop ourselves.
    track?.addEventListener("ended", () => {
      if (this.#camera !== stream || this.#ports.isOver()) return;
      this.#ports.onProblem("camera-missing");
      void this.hide();
    });
  }

  /** Makes the far end agree to what is wanted now. */
  async #agree(tries: number): Promise<number | "accepted"> {
    const wish = this.#wish;
    const outcome = await this.#ports.change(() =>
      this.#ports.media()?.setCamera(this.#camera?.getVideoTracks()[0]),
    );
    const isAgain = outcome === 491 && tries > 1 && wish === this.#wish && !this.#ports.isOver();
    if (!isAgain) return outcome;
    await new Promise((resolve) => setTimeout(resolve, this.#ports.glareMs()));
    return await this.#agree(tries - 1);
  }

  #settle(outcome: number | "accepted"): void {
    if (outcome !== "accepted" && this.#camera !== undefined && !this.#ports.isOver()) {
      this.#switchOff();
      this.#ports.onProblem(outcome === 488 ? "refused" : "failed");
    }
    this.#tell();
  }

  #switchOff(): void {
    this.#wish += 1;
    const before = this.#camera;
    this.#camera = undefined;
    this.#ports.media()?.setCamera(undefined);
    stop(before);
  }

  #tell(): void {
    if (!this.#ports.isOver()) this.#ports.onVideo(this.#camera !== undefined, this.#isReceiving);
  }
}

function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
