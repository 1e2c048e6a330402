/**
 * What the browser keeps for the phone: the session of this tab (short-lived credentials, no
 * password, gone with the tab), and per user the browser's instance id and the last numbers. A browser
 * that forbids storage has a phone that forgets.
 */
import type { Session } from "./agent/phone-agent.ts";
import type { Contact } from "./contacts/contacts.ts";
import { END_KINDS } from "./call-end.ts";
import { parsePreferences, type Preferences } from "./preferences.ts";
import { DEFAULT_CHOICE, type DeviceChoice, type DeviceRole } from "./devices.ts";
import { tryParseSession } from "./session-client.ts";
import type { Memory, RecentCall } from "./state.ts";

const SESSION = "offhook.session";
const INSTANCE = "offhook.instance";
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const RAW_AUDIO = "offhook.raw-audio";
const PREFERENCES = "offhook.preferences";
const DEVICES = "offhook.devices";
const DO_NOT_DISTURB = "offhook.do-not-disturb";

function read(storage: () => Storage, key: string): unknown {
  try {
    const text = storage().getItem(key);
    return text === null ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

function write(storage: () => Storage, key: string, value: unknown): void {
  try {
    if (value === undefined) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
  } catch {
    // Full or forbidden: the phone works without.
  }
}

const ofTab = (): Storage => sessionStorage;
const ofProfile = (): Storage => localStorage;

export function loadSession(): Session | undefined {
  return tryParseSession(read(ofTab, SESSION));
}

export function saveSession(session: Session | undefined): void {
  write(ofTab, SESSION, session);
}

export function loadRawAudio(): boolean {
  return read(ofProfile, RAW_AUDIO) === true;
}

export function saveRawAudio(isRaw: boolean): void {
  write(ofProfile, RAW_AUDIO, isRaw || undefined);
}

export function loadPreferences(): Preferences {
  return parsePreferences(read(ofProfile, PREFERENCES));
}

export function savePreferences(preferences: Preferences): void {
  write(ofProfile, PREFERENCES, preferences);
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** What of the stored choice makes sense; the default for the rest. */
export function readDeviceChoice(value: unknown): DeviceChoice {
  const stored = objectOf(value);
  const processing = objectOf(stored["processing"]);
  const idOf = (role: DeviceRole): string => {
    const id = stored[role];
    return typeof id === "string" ? id : DEFAULT_CHOICE[role];
  };
  return {
    microphone: idOf("microphone"),
    speaker: idOf("speaker"),
    ringer: idOf("ringer"),
    camera: idOf("camera"),
    hasVideo: stored["hasVideo"] !== false,
    processing: {
      echoCancellation: processing["echoCancellation"] !== false,
      noiseSuppression: processing["noiseSuppression"] !== false,
      autoGainControl: processing["autoGainControl"] !== false,
    },
  };
}

export function loadDeviceChoice(): DeviceChoice {
  return readDeviceChoice(read(ofProfile, DEVICES));
}

export function saveDeviceChoice(choice: DeviceChoice): void {
  write(ofProfile, DEVICES, choice);
}

export function loadDoNotDisturb(): boolean {
  return read(ofProfile, DO_NOT_DISTURB) === true;
}

export function saveDoNotDisturb(isOn: boolean): void {
  write(ofProfile, DO_NOT_DISTURB, isOn || undefined);
}

function memoryKey(userId: string): string {
  return `offhook.memory.${userId}`;
}

function isRecentCall(value: unknown): value is RecentCall {
  if (typeof value !== "object" || value === null) return false;
  const call: Partial<Record<keyof RecentCall, unknown>> = value;
  return (
    typeof call.id === "string" &&
    typeof call.number === "string" &&
    (call.name === undefined || typeof call.name === "string") &&
    (call.direction === "incoming" || call.direction === "outgoing") &&
    typeof call.startedAt === "number" &&
    typeof call.durationMs === "number" &&
    (call.status === undefined || typeof call.status === "number") &&
    (call.mos === undefined || typeof call.mos === "number") &&
    END_KINDS.some((kind) => kind === call.kind)
  );
}

export function loadMemory(userId: string): Memory {
  const stored = read(ofProfile, memoryKey(userId));
  if (typeof stored !== "object" || stored === null) return { recent: [], lastNumber: "" };
  const { recent, lastNumber }: { recent?: unknown; lastNumber?: unknown } = stored;
  return {
    recent: Array.isArray(recent) ? recent.filter(isRecentCall) : [],
    lastNumber: typeof lastNumber === "string" ? lastNumber : "",
  };
}

export function saveMemory(userId: string, memory: Memory): void {
  write(ofProfile, memoryKey(userId), memory);
}

function contactsKey(userId: string): string {
  return `offhook.contacts.${userId}`;
}

/** As it was kept; see `parseContacts`. */
export function loadContacts(userId: string): unknown {
  return read(ofProfile, contactsKey(userId));
}

export function saveContacts(userId: string, contacts: readonly Contact[]): void {
  write(ofProfile, contactsKey(userId), contacts);
}

/**
 * The UUID that tells this browser's registration from the user's other phones (RFC 5626 §4.1). Only
 * one of the browser's tabs registers a user, so they all have the same.
 */
export function instanceIdOf(userId: string): string {
  const key = `${INSTANCE}.${userId}`;
  const known = read(ofProfile, key);
  if (typeof known === "string" && UUID.test(known)) return known;
  const fresh = crypto.randomUUID();
  write(ofProfile, key, fresh);
  return fresh;
}
