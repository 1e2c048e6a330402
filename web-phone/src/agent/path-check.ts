/** Whether a peer connection still hears the gateway. */

const LOOK_EVERY_MS = 100;

/** What arrived so far: sound, reports and answers to ICE checks. */
async function arrivals(connection: RTCPeerConnection): Promise<number> {
  let sum = 0;
  for (const value of (await connection.getStats()).values()) {
    const stats: unknown = value;
    if (typeof stats !== "object" || stats === null) continue;
    for (const name of ["packetsReceived", "responsesReceived"]) {
      const count: unknown = Reflect.get(stats, name);
      if (typeof count === "number") sum += count;
    }
  }
  return sum;
}

/**
 * Looks for anything that arrives.
 *
 * @param milliseconds how long to look: sound comes every 20 ms, an answer to a check of a
 *   connection that carries none every 2.5 s
 */
export async function isPathAlive(
  connection: RTCPeerConnection,
  milliseconds: number,
): Promise<boolean> {
  try {
    const before = await arrivals(connection);
    const deadline = performance.now() + milliseconds;
    while (performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      if ((await arrivals(connection)) > before) return true;
    }
    return false;
  } catch {
    // Closed meanwhile: whoever closed it knows better.
    return true;
  }
}
