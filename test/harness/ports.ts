import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** As many as `vitest.config.ts` lets run at once. */
const MOST_WORKERS = 4;
// Below Linux's ephemeral ports (32768…), so that no client socket takes one in between.
const [FIRST_PORT, LAST_PORT] = ownPorts(10_000, 29_999);

const givenOut = new Set<number>();
let next = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));

/**
 * Each worker of vitest has ports of its own: what one hands to a program that binds it later is free
 * for the others until then.
 */
function ownPorts(first: number, last: number): readonly [first: number, last: number] {
  const worker = process.env["VITEST_POOL_ID"];
  if (worker === undefined) return [first, last];
  const count = Math.floor((last - first + 1) / MOST_WORKERS);
  const own = first + ((Number(worker) - 1) % MOST_WORKERS) * count;
  return [own, own + count - 1];
}

/** A port that was free for UDP and TCP a moment ago and that this process gives out only once. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  return await freePorts(1, host);
}

/**
 * The first of `count` neighbouring ports, all free for UDP and TCP, given out only once.
 *
 * The first is even, as RTP wants it (RFC 3550 §11).
 */
export async function freePorts(count: number, host = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < 2000; attempt += 1) {
    if (next % 2 === 1) next += 1;
    if (next + count > LAST_PORT) next = FIRST_PORT;
    const first = next;
    next += count;
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (ports.some((port) => givenOut.has(port))) continue;
    const free = await Promise.all(
      ports.map(async (port) => (await isUdpFree(port, host)) && (await isTcpFree(port, host))),
    );
    if (!free.every(Boolean)) continue;
    for (const port of ports) givenOut.add(port);
    return first;
  }
  throw new Error(`no ${count} free ports on ${host}`);
}

function isUdpFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: host, exclusive: true }, () => {
      socket.close(() => resolve(true));
    });
  });
}

function isTcpFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
