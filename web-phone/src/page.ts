/** The page at `/`: nothing but the phone, with all that a page of its own can do for it. */
import { effect } from "@preact/signals";
import { watchInstallOffer } from "./install.ts";
import { mountPhone } from "./main.tsx";
import { cleanNumber } from "./number.ts";
import { tryParseDialLink } from "./page/dial-link.ts";
import { keepLoadedFiles } from "./page/keep-files.ts";
import { ringingCallOf, RingSignals, startServiceWorker } from "./ring-signals.ts";
import { preloadViews } from "./ui/late-views.ts";

/** `?dial=tel:+49…`, as telephone links come: put into the field, and never dialled by itself. */
function takeDialRequest(): string {
  const url = new URL(location.href);
  const number = tryParseDialLink(url.search) ?? "";
  if (url.searchParams.has("dial")) {
    url.searchParams.delete("dial");
    history.replaceState(null, "", url);
  }
  return cleanNumber(number).slice(0, 128);
}

async function start(root: HTMLElement): Promise<void> {
  let wanted = takeDialRequest();
  const { actions, shell, state } = await mountPhone({
    root,
    frame: document.documentElement,
    server: new URL(".", document.baseURI),
    isPage: true,
    isOpenedByLink: wanted !== "",
  });
  const signals = new RingSignals(document);
  effect(() => signals.update(state.value, shell.value.preferences.hasNotifications));
  effect(() => {
    // Ready: it is known which tab has the phone, and with it the field.
    if (wanted === "" || state.value.link.kind !== "ready") return;
    const number = wanted;
    wanted = "";
    // Not inside the effect: the draft is part of what it reads.
    queueMicrotask(() => actions.changeDraft(number));
  });
  const stopWaiting = effect(() => {
    if (state.value.signIn.kind !== "signed-in") return;
    queueMicrotask(() => stopWaiting());
    void preloadViews().then(keepLoadedFiles);
  });
  startServiceWorker((callId, action) => {
    if (ringingCallOf(state.value)?.id !== callId) return;
    switch (action) {
      case "answer":
        actions.answer(callId);
        return;
      case "decline":
        actions.end(callId);
        return;
      case "show":
    }
  });
}

watchInstallOffer();
const root = document.querySelector<HTMLElement>("#phone");
if (root !== null) void start(root);
