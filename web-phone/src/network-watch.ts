/** Tells when the browser changes its network, as far as a page can know. */

/** What is told. */
export interface NetworkWatchEvents {
  /** It was in none and is in one again. */
  onChanged(): void;
  /** Something about it has changed; perhaps only its speed. */
  onHint(): void;
}

/** Watches for as long as the page lives. */
export function watchNetwork(events: NetworkWatchEvents): void {
  addEventListener("online", () => events.onChanged());
  // W3C Network Information; Firefox and Safari have none.
  const connection: unknown = Reflect.get(navigator, "connection");
  if (!(connection instanceof EventTarget)) return;
  connection.addEventListener("change", () => {
    if (navigator.onLine) events.onHint();
  });
}
