/** Whether the browser offers to install the page as an app, and the way to take the offer. */
import { signal } from "@preact/signals";

/** Chromium's event; other browsers have the same under their own menus. */
interface InstallOffer extends Event {
  prompt(): Promise<unknown>;
}

/** The offer that stands; undefined: none, or it is installed. */
export const installOffer = signal<InstallOffer | undefined>(undefined);

/** Keeps the browser's offer for the button under Settings. */
export function watchInstallOffer(): void {
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    installOffer.value = event as InstallOffer;
  });
  addEventListener("appinstalled", () => {
    installOffer.value = undefined;
  });
}
