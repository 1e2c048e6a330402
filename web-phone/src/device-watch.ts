/** Lists the microphones, speakers and cameras of this computer, now and whenever one comes or goes. */
import { devicesOf, type MediaDevice } from "./devices.ts";

/** Watches until the signal aborts. @returns lists again: a permission shows more */
export function watchDevices(
  onListed: (
    microphones: readonly MediaDevice[],
    speakers: readonly MediaDevice[],
    cameras: readonly MediaDevice[],
  ) => void,
  options: { readonly signal: AbortSignal },
): () => void {
  const media: MediaDevices | undefined = Reflect.get(navigator, "mediaDevices");
  if (media === undefined) return () => undefined;
  const list = (): void => {
    media.enumerateDevices().then(
      (all) =>
        onListed(
          devicesOf(all, "audioinput"),
          devicesOf(all, "audiooutput"),
          devicesOf(all, "videoinput"),
        ),
      () => undefined,
    );
  };
  media.addEventListener("devicechange", list, options);
  list();
  return list;
}
