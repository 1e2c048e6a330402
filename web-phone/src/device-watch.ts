/** Lists the microphones and speakers of this computer, now and whenever one comes or goes. */
import type { AudioDevice } from "./devices.ts";

/** The entries that browsers add for what the system prefers: the choice "" says the same. */
const ALIASES: ReadonlySet<string> = new Set(["", "default", "communications"]);

/** The devices of a kind, without the browser's aliases (W3C Media Capture §9.2). */
export function devicesOf(
  all: readonly Pick<MediaDeviceInfo, "deviceId" | "kind" | "label">[],
  kind: "audioinput" | "audiooutput",
): readonly AudioDevice[] {
  return all
    .filter((device) => device.kind === kind && !ALIASES.has(device.deviceId))
    .map(({ deviceId, label }) => ({ id: deviceId, label }));
}

/** Watches until the signal aborts. @returns lists again: a permission shows more */
export function watchDevices(
  onListed: (microphones: readonly AudioDevice[], speakers: readonly AudioDevice[]) => void,
  options: { readonly signal: AbortSignal },
): () => void {
  const media: MediaDevices | undefined = Reflect.get(navigator, "mediaDevices");
  if (media === undefined) return () => undefined;
  const list = (): void => {
    media.enumerateDevices().then(
      (all) => onListed(devicesOf(all, "audioinput"), devicesOf(all, "audiooutput")),
      () => undefined,
    );
  };
  media.addEventListener("devicechange", list, options);
  list();
  return list;
}
