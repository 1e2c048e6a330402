/** The microphones, speakers and cameras of this computer and which of them are chosen, as plain data. */

/** A device as the browser names it. */
export interface MediaDevice {
  readonly id: string;
  readonly label: string;
}

/** The entries that browsers add for what the system prefers: the choice "" says the same. */
const ALIASES: ReadonlySet<string> = new Set(["", "default", "communications"]);

/** The part of `MediaDeviceInfo` that is read here. */
export interface BrowserDevice {
  readonly deviceId: string;
  readonly kind: "audioinput" | "audiooutput" | "videoinput";
  readonly label: string;
}

/** The devices of a kind, without the browser's aliases (W3C Media Capture §9.2). */
export function devicesOf(
  all: readonly BrowserDevice[],
  kind: BrowserDevice["kind"],
): readonly MediaDevice[] {
  return all
    .filter((device) => device.kind === kind && !ALIASES.has(device.deviceId))
    .map(({ deviceId, label }) => ({ id: deviceId, label }));
}

/** What a device is for. */
export type DeviceRole = "microphone" | "speaker" | "ringer" | "camera";

/** What the browser does to the microphone's sound. */
export interface Processing {
  readonly echoCancellation: boolean;
  readonly noiseSuppression: boolean;
  readonly autoGainControl: boolean;
}

/** A device that went away while it was in use, and what is used instead. */
export interface DeviceLoss {
  readonly role: DeviceRole;
  readonly lost: string;
  /** Undefined: there is none left. */
  readonly used: string | undefined;
}

/** What outlives a visit. `""` is the system's default. */
export interface DeviceChoice {
  readonly microphone: string;
  readonly speaker: string;
  readonly ringer: string;
  readonly camera: string;
  /** Whether calls may have pictures: false refuses them and offers none. */
  readonly hasVideo: boolean;
  readonly processing: Processing;
}

/** All of it. */
export interface Devices {
  readonly microphones: readonly MediaDevice[];
  readonly speakers: readonly MediaDevice[];
  readonly cameras: readonly MediaDevice[];
  readonly chosen: DeviceChoice;
  readonly loss: DeviceLoss | undefined;
}

/** What can happen to devices. */
export type DeviceEvent =
  | {
      readonly type: "devices-listed";
      readonly microphones: readonly MediaDevice[];
      readonly speakers: readonly MediaDevice[];
      readonly cameras: readonly MediaDevice[];
    }
  | { readonly type: "device-chosen"; readonly role: DeviceRole; readonly id: string }
  | { readonly type: "processing-changed"; readonly processing: Processing }
  | { readonly type: "video-use-changed"; readonly hasVideo: boolean }
  /** A device that nobody chose by name, the system's default, went away in a call. */
  | { readonly type: "device-lost"; readonly loss: DeviceLoss }
  | { readonly type: "device-loss-dismissed" };

/** The choice of a first visit. */
export const DEFAULT_CHOICE: DeviceChoice = {
  microphone: "",
  speaker: "",
  ringer: "",
  camera: "",
  hasVideo: true,
  processing: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
};

/** Before the browser was asked. */
export const NO_DEVICES: Devices = {
  microphones: [],
  speakers: [],
  cameras: [],
  chosen: DEFAULT_CHOICE,
  loss: undefined,
};

const ROLES: readonly DeviceRole[] = ["microphone", "speaker", "ringer", "camera"];

/** The devices that a role is chosen from. */
export function devicesFor(devices: Devices, role: DeviceRole): readonly MediaDevice[] {
  switch (role) {
    case "microphone":
      return devices.microphones;
    case "speaker":
    case "ringer":
      return devices.speakers;
    case "camera":
      return devices.cameras;
  }
}

/**
 * The id to ask the browser for: the chosen one while it is there, else the default. The choice
 * itself stays, so that a headset that comes back is used again.
 */
export function deviceInUse(devices: Devices, role: DeviceRole): string {
  const chosen = devices.chosen[role];
  return devicesFor(devices, role).some(({ id }) => id === chosen) ? chosen : "";
}

function lossBetween(before: Devices, now: Devices): DeviceLoss | undefined {
  for (const role of ROLES) {
    const used = deviceInUse(before, role);
    if (used === "" || deviceInUse(now, role) === used) continue;
    const lost = devicesFor(before, role).find(({ id }) => id === used)?.label ?? "";
    return { role, lost, used: devicesFor(now, role)[0]?.label };
  }
  // Back again: the banner has nothing more to say.
  const { loss } = now;
  return loss !== undefined && deviceInUse(now, loss.role) !== "" ? undefined : loss;
}

/** The devices after the event. Pure. */
export function reduceDevices(devices: Devices, event: DeviceEvent): Devices {
  switch (event.type) {
    case "devices-listed": {
      const { microphones, speakers, cameras } = event;
      const now = { ...devices, microphones, speakers, cameras };
      return { ...now, loss: lossBetween(devices, now) };
    }
    case "device-chosen":
      return {
        ...devices,
        chosen: { ...devices.chosen, [event.role]: event.id },
        loss: devices.loss?.role === event.role ? undefined : devices.loss,
      };
    case "processing-changed":
      return { ...devices, chosen: { ...devices.chosen, processing: event.processing } };
    case "video-use-changed":
      return { ...devices, chosen: { ...devices.chosen, hasVideo: event.hasVideo } };
    case "device-lost":
      return { ...devices, loss: event.loss };
    case "device-loss-dismissed":
      return devices.loss === undefined ? devices : { ...devices, loss: undefined };
  }
}
