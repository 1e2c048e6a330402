/** The camera of this computer, as one call has it. */
import type { CameraProblem } from "../video.ts";

/** What asking for the camera came to. */
export type CameraResult =
  | { readonly kind: "open"; readonly stream: MediaStream }
  | { readonly kind: "failed"; readonly problem: CameraProblem };

/** What an error of `getUserMedia` means to the user (W3C Media Capture §10.2.5). */
export function cameraProblemOf(errorName: string): CameraProblem {
  switch (errorName) {
    case "NotFoundError":
    case "OverconstrainedError":
      return "camera-missing";
    case "NotReadableError":
    case "AbortError":
      return "camera-busy";
    default:
      return "camera-blocked";
  }
}

/**
 * Asks the browser, and so perhaps the user, for a camera.
 *
 * @param deviceId `""` for the one that the browser prefers
 */
export async function openCamera(deviceId: string): Promise<CameraResult> {
  const device = deviceId === "" ? {} : { deviceId: { exact: deviceId } };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      video: {
        ...device,
        width: { ideal: 640 },
        height: { ideal: 480 },
        frameRate: { ideal: 24, max: 30 },
      },
    });
    return { kind: "open", stream };
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    return { kind: "failed", problem: cameraProblemOf(name) };
  }
}
