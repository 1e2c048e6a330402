/** What the shell does outside of itself: keeps contacts per user, watches their lamps. */
import { effect, type ReadonlySignal } from "@preact/signals";
import { type Contact, parseContacts } from "./contacts/contacts.ts";
import type { Shell, ShellEvent } from "./shell.ts";
import type { PhoneState } from "./state.ts";
import { loadContacts, saveContacts } from "./storage.ts";

/** @returns stops it */
export function attachShell(parts: {
  readonly state: ReadonlySignal<PhoneState>;
  readonly shell: ReadonlySignal<Shell>;
  readonly onShell: (event: ShellEvent) => void;
  /** Numbers that are watched whoever is a contact. */
  readonly always: readonly string[];
  readonly watchLamps: (numbers: readonly string[]) => void;
}): () => void {
  let user = "";
  let kept: readonly Contact[] = [];
  let watched = "";
  let isLoading = false;
  return effect(() => {
    const { signIn, link } = parts.state.value;
    const { contacts } = parts.shell.value;
    const now = signIn.kind === "signed-in" ? signIn.userId : "";
    if (now !== user) {
      user = now;
      watched = "";
      kept = now === "" ? [] : parseContacts(loadContacts(now));
      const loaded = kept;
      isLoading = true;
      queueMicrotask(() => parts.onShell({ type: "contacts-loaded", contacts: loaded }));
      return;
    }
    // What was there before is nobody's to keep.
    if (isLoading && contacts !== kept) return;
    isLoading = false;
    if (user === "") return;
    if (contacts !== kept) {
      kept = contacts;
      saveContacts(user, contacts);
    }
    const colleagues = contacts.filter(({ isWatched }) => isWatched).map(({ number }) => number);
    const numbers = [...parts.always, ...colleagues];
    if (link.kind !== "ready" || numbers.join("\n") === watched) return;
    watched = numbers.join("\n");
    queueMicrotask(() => parts.watchLamps(numbers));
  });
}
