/** The microphone of this computer, as one call has it. */
import type { MicrophoneResult, MicrophoneWish } from "../phone.ts";
import type { MicrophoneProblem } from "../state.ts";
import type { OutgoingAudio } from "./phone-agent.ts";

/** A microphone that is on until it is closed. */
export class OpenMicrophone implements OutgoingAudio {
  readonly stream: MediaStream;

  /** @param onLost the browser took it away: it was unplugged, say */
  constructor(stream: MediaStream, onLost: (label: string) => void = () => undefined) {
    this.stream = stream;
    for (const track of stream.getAudioTracks()) {
      // Not told for a track that we stop ourselves.
      track.addEventListener("ended", () => onLost(track.label));
    }
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

/** Asks the browser, and so perhaps the user, for the microphone. */
export async function openMicrophone(
  wish: MicrophoneWish,
  onLost: (label: string) => void,
): Promise<MicrophoneResult<OpenMicrophone>> {
  const { deviceId, processing } = wish;
  const device = deviceId === "" ? {} : { deviceId: { exact: deviceId } };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { ...processing, ...device },
    });
    return { kind: "open", audio: new OpenMicrophone(stream, onLost) };
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    return { kind: "failed", problem: microphoneProblemOf(name) };
  }
}
