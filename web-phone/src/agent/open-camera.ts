/** Asks the browser, and so perhaps the user, for a camera. @returns undefined when there is none */
export async function openCamera(): Promise<MediaStream | undefined> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24, max: 30 } },
    });
  } catch {
    // Refused, missing or in use: the call goes on with its sound.
    return undefined;
  }
}
