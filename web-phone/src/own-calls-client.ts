/** Asks the gateway what the user has set for its calls, and tells it what the user wants. */
import { type OwnCallsChange, type OwnCallsEvent, tryParseOwnCalls } from "./own-calls.ts";

/** One request, told as what came of it. */
export async function askOwnCalls(
  endpoint: string | URL,
  token: string,
  change?: OwnCallsChange,
): Promise<OwnCallsEvent> {
  const isSave = change !== undefined;
  try {
    const response = await fetch(endpoint, {
      ...(isSave ? { method: "POST", body: JSON.stringify(change) } : {}),
      headers: {
        authorization: `Bearer ${token}`,
        ...(isSave ? { "content-type": "application/json" } : {}),
      },
      signal: AbortSignal.timeout(10_000),
    });
    if (response.ok) {
      const known = tryParseOwnCalls(await response.json());
      if (known !== undefined) return { type: isSave ? "saved" : "loaded", known };
    } else {
      await response.body?.cancel();
      const isRefused = response.status === 400 || response.status === 409;
      if (isSave && isRefused) return { type: "save-failed", problem: "refused" };
    }
  } catch {
    // No network, or no answer in time.
  }
  return isSave ? { type: "save-failed", problem: "failed" } : { type: "load-failed" };
}
