/** The page at `/`: nothing but the phone, with all that a page of its own can do for it. */
import { effect } from "@preact/signals";
import { mountPhone } from "./main.tsx";
import { cleanNumber } from "./number.ts";
import { ringingCallOf, RingSignals, startServiceWorker } from "./ring-signals.ts";

/** `?dial=tel:+49…`, as telephone links come: put into the field, and never dialled by itself. */
function takeDialRequest(): string {
  const url = new URL(location.href);
  const text = url.searchParams.get("dial") ?? "";
  if (text !== "") {
    url.searchParams.delete("dial");
    history.replaceState(null, "", url);
  }
  return cleanNumber(text).slice(0, 128);
}

async function start(root: HTMLElement): Promise<void> {
  let wanted = takeDialRequest();
  const { phone, shell, state } = await mountPhone({
    root,
    frame: document.documentElement,
    server: new URL(".", document.baseURI),
    isPage: true,
  });
  const signals = new RingSignals(document);
  effect(() => signals.update(state.value, shell.value.preferences.hasNotifications));
  effect(() => {
    if (wanted === "" || state.value.signIn.kind !== "signed-in") return;
    const number = wanted;
    wanted = "";
    // Not inside the effect: the draft is part of what it reads.
    queueMicrotask(() => phone.changeDraft(number));
  });
  startServiceWorker((callId, action) => {
    if (ringingCallOf(state.value)?.id !== callId) return;
    switch (action) {
      case "answer":
        phone.answer(callId);
        return;
      case "decline":
        phone.end(callId);
        return;
      case "show":
    }
  });
}

const root = document.querySelector<HTMLElement>("#phone");
if (root !== null) void start(root);
