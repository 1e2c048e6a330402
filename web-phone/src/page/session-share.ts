/**
 * A tab that a telephone link has opened goes on with the session of a tab that is there already, so
 * that nobody signs in for each link. Any other new tab asks nobody: it may be for another user.
 */
import type { Session } from "../agent/phone-agent.ts";
import { tryParseSession } from "../session-client.ts";

const PATIENCE_MS = 400;

function nameOf(server: URL): string {
  return `offhook.session ${server.href}`;
}

/** Answers tabs that ask, until the signal aborts. Only pages of this origin can ask. */
export function shareSession(
  server: URL,
  session: () => Session | undefined,
  signal: AbortSignal,
): void {
  const channel = new BroadcastChannel(nameOf(server));
  channel.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    const known = session();
    if (data !== "session?" || known === undefined) return;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- BroadcastChannel has none
    channel.postMessage(known);
  });
  signal.addEventListener("abort", () => channel.close(), { once: true });
}

/** Asks the other tabs. @returns undefined when none has one */
export function askForSession(server: URL): Promise<Session | undefined> {
  const channel = new BroadcastChannel(nameOf(server));
  return new Promise((resolve) => {
    const finish = (session: Session | undefined): void => {
      clearTimeout(timer);
      channel.close();
      resolve(session);
    };
    const timer = setTimeout(() => finish(undefined), PATIENCE_MS);
    channel.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      const session = tryParseSession(data);
      if (session !== undefined) finish(session);
    });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- BroadcastChannel has none
    channel.postMessage("session?");
  });
}
