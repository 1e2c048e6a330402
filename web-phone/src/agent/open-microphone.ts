/** The microphone of this computer, as one call has it. */
import type { MicrophoneResult } from "../phone.ts";
import type { MicrophoneProblem } from "../state.ts";
import type { OutgoingAudio } from "./phone-agent.ts";

/** A microphone that is on until it is closed. */
export class OpenMicrophone implements OutgoingAudio {
  readonly stream: MediaStream;

  constructor(stream: MediaStream) {
    this.stream = stream;
  }

  /** Sends silence instead of sound, or sound again. */
  setSending(isSending: boolean): void {
    for (const track of this.stream.getAudioTracks()) track.enabled = isSending;
  }

  close(): void {
    for (const track of this.stream.getTracks()) track.stop();
  }
}

/** What an error of `getUserMedia` means to the user (W3C Media Capture §10.2.5). */
export function microphoneProblemOf(errorName: string): MicrophoneProblem {
  switch (errorName) {
    case "NotFoundError":
    case "OverconstrainedError":
      return "microphone-missing";
    case "NotReadableError":
    case "AbortError":
      return "microphone-busy";
    default:
      return "microphone-blocked";
  }
}

/**
 * Asks the browser, and so perhaps the user, for the microphone.
 *
 * @param isRaw without echo cancelling, noise suppression and automatic gain
 */
export async function openMicrophone(isRaw: boolean): Promise<MicrophoneResult<OpenMicrophone>> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: !isRaw, noiseSuppression: !isRaw, autoGainControl: !isRaw },
    });
    return { kind: "open", audio: new OpenMicrophone(stream) };
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    return { kind: "failed", problem: microphoneProblemOf(name) };
  }
}
