import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";

import { askHook } from "../../src/call/hook.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { freePort } from "../harness/ports.ts";

let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)));
  server = undefined;
});

async function listen(answer: RequestListener): Promise<number> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this kind.
  return (server.address() as AddressInfo).port;
}

async function ask(port: number, timeoutMs = 5000): Promise<unknown> {
  const hook = { url: `http://127.0.0.1:${port}/`, secret: "0123456789abcdef", timeoutMs };
  const from = { kind: "user", id: "1001", number: "1001" } as const;
  return await askHook("crm", hook, { call: "c", from, to: "1", route: "r" }, 0, silentLogger);
}

describe("a hook", () => {
  it("that answers says what to do", async () => {
    const port = await listen((_, response) => response.end('{"do":{"ring":"1002"}}'));
    expect(await ask(port)).toEqual({ ring: "1002" });
  });

  it("that is down says nothing, at once", async () => {
    expect(await ask(await freePort())).toBeUndefined();
  });

  it("that is silent is waited for as long as the file says", async () => {
    const port = await listen(() => undefined);
    const start = performance.now();
    expect(await ask(port, 200)).toBeUndefined();
    expect(performance.now() - start).toBeGreaterThan(150);
  });

  it.each<[string, RequestListener]>([
    ["is no 200", (_, response) => response.writeHead(503).end('{"do":"echo"}')],
    ["leads elsewhere", (_, response) => response.writeHead(302, { Location: "/other" }).end()],
    ["is no JSON", (_, response) => response.end("echo")],
    ["names no action", (_, response) => response.end('{"then":"echo"}')],
    ["is too long", (_, response) => response.end(`{"do":"${"x".repeat(70_000)}"}`)],
  ])("whose answer %s says nothing", async (_, answer) => {
    expect(await ask(await listen(answer))).toBeUndefined();
  });
});
