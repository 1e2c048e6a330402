/**
 * The views that no first screen shows, each in a file of its own: the page stands before they are
 * loaded. Whoever has signed in gets them all before asking for one, those of a call first.
 */
import { lazy } from "./lazy.ts";

export const CallPane = lazy(async () => (await import("./CallPane.tsx")).CallPane);
export const LineBar = lazy(async () => (await import("./CallPane.tsx")).LineBar);
export const VideoPane = lazy(async () => (await import("./VideoPane.tsx")).VideoPane);
export const ContactList = lazy(async () => (await import("./ContactList.tsx")).ContactList);
export const ChatView = lazy(async () => (await import("./ChatView.tsx")).ChatView);
export const SettingsDialog = lazy(
  async () => (await import("./SettingsDialog.tsx")).SettingsDialog,
);
export const CheckDialog = lazy(async () => (await import("./CheckDialog.tsx")).CheckDialog);

const FIRST = [CallPane, LineBar];
const LATER = [ContactList, ChatView, SettingsDialog, CheckDialog, VideoPane];

/** Resolves when the page has nothing else to do, or has had no such moment for long. */
async function idle(): Promise<void> {
  await new Promise<void>((resolve) => {
    // Safari has no such callback.
    if ("requestIdleCallback" in globalThis) {
      requestIdleCallback(() => resolve(), { timeout: 2_000 });
    } else {
      setTimeout(resolve, 200);
    }
  });
}

let loading: Promise<void> | undefined;

/** Loads them all, once. What does not come is loaded when it is drawn. */
export function preloadViews(): Promise<void> {
  loading ??= load();
  return loading;
}

async function load(): Promise<void> {
  await Promise.allSettled(FIRST.map((view) => view.preload()));
  for (const view of LATER) {
    await idle();
    await view.preload().catch(() => undefined);
  }
}
