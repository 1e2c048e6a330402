/**
 * What tells a user whose eyes are elsewhere that somebody calls: the page's icon, the number on the
 * installed app's icon, and a notification of the system with Answer and Decline.
 */
import { t } from "./i18n/text.ts";
import { callsOf } from "./lines.ts";
import type { PhoneState } from "./state.ts";
import { callerOf } from "./ui/wording.ts";

/** What a user wants who clicked on the notification of a call. */
export type NotificationAction = "answer" | "decline" | "show";

/** The call that rings now: the one in the pane, or one that waits. */
export function ringingCallOf(state: PhoneState): PhoneState["call"] {
  return callsOf(state).find(({ phase }) => phase === "incoming");
}

/** See the head of this file. */
export class RingSignals {
  readonly #icon: HTMLLinkElement | null;
  readonly #calmIcon: string;
  #ringing = "";
  #wasShown = false;

  constructor(document: Document) {
    this.#icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    this.#calmIcon = this.#icon?.href ?? "";
  }

  /** @param wantsNotification the user has switched them on */
  update(state: PhoneState, wantsNotification: boolean): void {
    const call = ringingCallOf(state);
    const id = call?.id ?? "";
    if (id === this.#ringing) return;
    this.#ringing = id;
    if (this.#icon !== null) {
      this.#icon.href =
        call === undefined ? this.#calmIcon : new URL("favicon-ringing.svg", document.baseURI).href;
    }
    setBadge(call === undefined ? 0 : 1);
    if (call === undefined) {
      if (this.#wasShown) void post({ type: "hide-calls" });
      this.#wasShown = false;
    } else if (wantsNotification && !document.hasFocus() && isPermitted()) {
      this.#wasShown = true;
      void post({
        type: "show-call",
        callId: id,
        title: t("notification.title", { caller: callerOf(call) }),
        body: t("notification.body"),
        answer: t("call.answer"),
        decline: t("call.decline"),
      });
    }
  }
}

function isPermitted(): boolean {
  return "Notification" in window && Notification.permission === "granted";
}

function setBadge(count: number): void {
  if (!("setAppBadge" in navigator)) return;
  const done = count === 0 ? navigator.clearAppBadge() : navigator.setAppBadge(count);
  done.catch(() => undefined);
}

async function post(message: object): Promise<void> {
  const registration = await navigator.serviceWorker?.ready;
  registration?.active?.postMessage(message);
}

/** Starts the service worker; a browser without one has a phone without notifications. */
export function startServiceWorker(
  onNotification: (callId: string, action: NotificationAction) => void,
): void {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register(new URL("sw.js", document.baseURI)).catch(() => undefined);
  navigator.serviceWorker.addEventListener("message", (event) => {
    const data: unknown = event.data;
    if (typeof data !== "object" || data === null || !("callId" in data) || !("action" in data)) {
      return;
    }
    const { action, callId } = data;
    if (typeof callId !== "string") return;
    onNotification(callId, action === "answer" || action === "decline" ? action : "show");
  });
  navigator.serviceWorker.startMessages();
}
