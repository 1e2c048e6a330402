/** When the gateway is asked what the user has set for its calls, and told what the user wants. */
import { effect, type ReadonlySignal } from "@preact/signals";
import type { Session } from "./agent/phone-agent.ts";
import type { OwnCallsChange, OwnCallsEvent } from "./own-calls.ts";
import { askOwnCalls } from "./own-calls-client.ts";
import type { Shell } from "./shell.ts";
import type { PhoneState } from "./state.ts";

/**
 * Asks again whenever it can have changed: with every registration, when the settings are opened, when
 * the page comes to the fore, and after a call to a code.
 *
 * @returns stops it
 */
export function attachOwnCalls(parts: {
  readonly state: ReadonlySignal<PhoneState>;
  readonly shell: ReadonlySignal<Shell>;
  readonly onEvent: (event: OwnCallsEvent) => void;
  readonly session: () => Session | undefined;
  readonly endpoint: URL;
}): () => void {
  const { state, shell, session, endpoint } = parts;
  let requests = 0;
  /** Questions that wait for an answer. */
  let open = 0;
  let isReady = false;
  let isOpen = false;
  let code = "";
  let user = "";
  let wanted: OwnCallsChange | undefined;

  // Never inside an effect: what happens is part of what it reads.
  const tell = (event: OwnCallsEvent): void => queueMicrotask(() => parts.onEvent(event));
  const ask = (change?: OwnCallsChange): void => {
    const token = session()?.token;
    if (token === undefined) {
      tell({ type: "none" });
      return;
    }
    requests += 1;
    const request = requests;
    const asker = user;
    if (change === undefined) tell({ type: "load" });
    open += 1;
    void askOwnCalls(endpoint, token, change).then((event) => {
      open -= 1;
      const isCurrent = request === requests || change !== undefined;
      if (isCurrent && asker === user) parts.onEvent(event);
    });
  };

  const stop = effect(() => {
    const { signIn, link, isSettingsOpen, call } = state.value;
    const { wanted: change, load } = shell.value.ownCalls;
    const id = signIn.kind === "signed-in" ? signIn.userId : "";
    const before = { isReady, isOpen, code, user, wanted };
    isReady = id !== "" && link.kind === "ready";
    isOpen = id !== "" && isSettingsOpen;
    const isUp = call !== undefined && call.phase !== "ended";
    code = isUp && /^[*#]/.test(call.number) ? call.id : "";
    user = id;
    wanted = change;
    if (id !== before.user) {
      requests += 1;
      tell({ type: "none" });
    }
    if (change !== undefined && change !== before.wanted) ask(change);
    const isEnded = code !== before.code && before.code !== "";
    const hasBegun = (isReady && !before.isReady) || (isOpen && !before.isOpen);
    // Wanted by a click, and nobody has asked yet.
    const isAgain = load === "loading" && open === 0;
    if (id !== "" && (hasBegun || isEnded || isAgain)) ask();
  });
  const shown = (): void => {
    if (document.visibilityState === "visible" && isReady) ask();
  };
  document.addEventListener("visibilitychange", shown);
  return () => {
    stop();
    document.removeEventListener("visibilitychange", shown);
  };
}
