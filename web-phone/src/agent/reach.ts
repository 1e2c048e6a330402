const LONGEST_MS = 5_000;

/**
 * Whether the gateway answers over HTTP at the place of its WebSocket; a proxy that says that it
 * does not (5xx) counts as a no. The origins that may open a WebSocket may read the answer.
 *
 * @param webSocketUrl `wss://HOST/…/ws`; asked is `https://HOST/…/healthz`
 */
export async function canReach(webSocketUrl: string): Promise<boolean> {
  const url = new URL("healthz", webSocketUrl.replace(/^ws/, "http"));
  try {
    const { status } = await fetch(url, {
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(LONGEST_MS),
    });
    return status < 500;
  } catch {
    return false;
  }
}
