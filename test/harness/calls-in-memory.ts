import type { Gateway } from "./gateway.ts";

/** The environment of a gateway that {@link callsInMemory} can ask. */
export function countingCalls(): Readonly<Record<string, string>> {
  const preload = new URL("calls-in-memory-preload.ts", import.meta.url);
  return { NODE_OPTIONS: `--import=${preload.href}` };
}

/** How many calls the gateway's memory holds after a garbage collection, ended ones included. */
export async function callsInMemory(gateway: Gateway): Promise<number> {
  const answer = gateway.child.waitForLine(
    (line) => /^calls in memory: (\d+)$/.exec(line)?.[1],
    "the number of calls in memory",
  );
  process.kill(gateway.child.pid, "SIGUSR2");
  return Number(await answer);
}
