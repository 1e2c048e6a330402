/**
 * Has the service worker keep what this page has loaded. It keeps by itself what a page asks for
 * while it is at work; what the very first visit loaded came before it was there.
 */
export async function keepLoadedFiles(): Promise<void> {
  const registration = await navigator.serviceWorker?.ready;
  const files = performance.getEntriesByType("resource").map(({ name }) => name);
  registration?.active?.postMessage({ type: "keep-files", files });
}
