import { execFile } from "node:child_process";
import { rename } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { AddressSet } from "../../src/core/address.ts";
import { HttpServerError } from "../../src/http/errors.ts";
import { ManualClock } from "../harness/manual-clock.ts";
import { within } from "../harness/wait.ts";
import { directoryOf, rawRequest, startServer, statusOf } from "./fixture.ts";

const UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
const exec = promisify(execFile);

describe("upgrades", () => {
  it.each(["/ws", "/ws?x=1"])("hands %s to the SIP transport", async (path) => {
    const { port, upgrades } = await startServer();
    const answer = await rawRequest(port, `GET ${path} HTTP/1.1\r\nHost: gw\r\n${UPGRADE}\r\n`);
    expect(statusOf(answer)).toBe(418);
    expect(upgrades.requests.map(({ url }) => url)).toEqual([path]);
  });

  it.each(["/", "/nothing", "/ws/", "/ws/x", "/wss", "/%77s", "//ws", "/api/v1/calls"])(
    "hands %s to nobody",
    async (path) => {
      const { port, upgrades } = await startServer();
      const answer = await rawRequest(
        port,
        `GET ${path} HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`,
      );
      expect(statusOf(answer)).toBeGreaterThanOrEqual(400);
      expect(upgrades.requests).toEqual([]);
    },
  );

  it("RFC 9110 §7.8: answers a request that merely offers another protocol", async () => {
    const { port } = await startServer();
    const answer = await rawRequest(
      port,
      "GET /healthz HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    );
    expect(statusOf(answer)).toBe(200);
  });

  it("asks a plain GET of /ws for the upgrade", async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/ws`);
    expect(response.status).toBe(426);
    expect(response.headers.get("upgrade")).toBe("websocket");
  });

  it("survives a client that leaves during the upgrade", async () => {
    const { port, url } = await startServer();
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    socket.write(`GET /ws HTTP/1.1\r\nHost: gw\r\n${UPGRADE}\r\n`, () => {
      socket.resetAndDestroy();
    });
    await within(new Promise((resolve) => socket.once("close", resolve)), { what: "the end" });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe("RFC 9112: requests that two parsers could read differently", () => {
  const smuggled = "GET /metrics HTTP/1.1\r\nHost: gw\r\n\r\n";

  it.each([
    [
      "Content-Length beside Transfer-Encoding",
      `POST /api/v1/session HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    [
      "two lengths",
      `POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    ],
    [
      "a coding after chunked",
      "POST / HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ],
    [
      "a length that is no number",
      "POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: +5\r\n\r\nhello",
    ],
    ["a space before the colon", "GET / HTTP/1.1\r\nHost : gw\r\n\r\n"],
    ["a folded field", "GET / HTTP/1.1\r\nHost: gw\r\nX: a\r\n b\r\n\r\n"],
    ["a bare LF", "GET / HTTP/1.1\nHost: gw\n\n"],
    ["a NUL in a value", "GET / HTTP/1.1\r\nHost: gw\r\nX: a\u0000b\r\n\r\n"],
    ["no Host", "GET / HTTP/1.1\r\n\r\n"],
    ["two Hosts", "GET /healthz HTTP/1.1\r\nHost: gw\r\nHost: evil\r\n\r\n"],
    ["no HTTP at all", "INVITE sip:1001@gw SIP/2.0\r\n\r\n"],
    ["a TLS hello", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n"],
  ])("refuses %s and closes", async (_name, octets) => {
    const { port, url } = await startServer();
    const answer = await rawRequest(port, octets);
    expect(statusOf(answer)).toBe(400);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it("refuses a header above 16 KiB", async () => {
    const { port } = await startServer();
    const answer = await rawRequest(
      port,
      `GET / HTTP/1.1\r\nHost: gw\r\nX: ${"a".repeat(17_000)}\r\n\r\n`,
    );
    expect(statusOf(answer)).toBe(431);
  });

  it("refuses a target that is no path", async () => {
    const { port } = await startServer();
    for (const target of ["*", "ftp://gw/", "/%zz", "/%00", "/%0d%0aX:%201"]) {
      const octets = `GET ${target} HTTP/1.1\r\nHost: gw\r\n\r\n`;
      expect(statusOf(await rawRequest(port, octets)), target).toBe(400);
    }
    const absolute = "GET http://gw/healthz HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n";
    expect(statusOf(await rawRequest(port, absolute))).toBe(200);
  });

  it("opens no tunnel", async () => {
    const { port } = await startServer();
    const answer = await rawRequest(port, "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: gw\r\n\r\n");
    expect(answer).not.toContain("200");
  });
});

describe("floods", () => {
  it("cuts off a client that sends its header octet by octet", async () => {
    const { port } = await startServer({ limits: { headersTimeoutMs: 100 } });
    const socket = connect({ host: "127.0.0.1", port });
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.write("GET / HTTP/1.1\r\nHost: g");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await within(closed, { what: "the cut", timeoutMs: 5000 });
    expect(statusOf(Buffer.concat(chunks).toString())).toBe(408);
  });

  it("caps the connections of one address, and lets the next in when one has gone", async () => {
    const limits = { connectionsPerAddress: 3, exempt: new AddressSet() };
    const { port } = await startServer({ limits });
    const open = (): Promise<Socket> =>
      new Promise((resolve) => {
        const socket = connect({ host: "127.0.0.1", port });
        onTestFinished(() => {
          socket.destroy();
        });
        socket.on("error", () => {});
        socket.once("data", () => {
          resolve(socket);
        });
        socket.once("close", () => {
          resolve(socket);
        });
        socket.write("GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\n");
      });
    const sockets = [await open(), await open(), await open()];
    expect(sockets.every((socket) => !socket.destroyed)).toBe(true);
    expect((await open()).destroyed).toBe(true);
    const [first] = sockets;
    if (first === undefined) throw new Error("no socket");
    const gone = new Promise((resolve) => first.once("close", resolve));
    first.end();
    await within(gone, { what: "the close" });
    await expect.poll(async () => (await open()).destroyed).toBe(false);
  });

  it("does not count the machine itself, where a reverse proxy may stand", async () => {
    const { url } = await startServer({ limits: { connectionsPerAddress: 0 } });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe("stop", () => {
  it("lets a request in progress end, takes no new one, and closes the rest", async () => {
    const { port, server } = await startServer({ clock: new ManualClock() });
    const idle = connect({ host: "127.0.0.1", port });
    const idleClosed = new Promise((resolve) => idle.once("close", resolve));
    const body = JSON.stringify({ user: "1001", password: "correct horse" });
    const busy = connect({ host: "127.0.0.1", port });
    const continued = new Promise((resolve) => busy.once("data", resolve));
    const chunks: Buffer[] = [];
    busy.on("data", (chunk) => chunks.push(chunk));
    const busyClosed = new Promise((resolve) => busy.once("close", resolve));
    busy.write(
      `POST /api/v1/session HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await continued;
    const stopped = server.stop();
    busy.write(body);
    await within(Promise.all([stopped, idleClosed, busyClosed]), { what: "the stop" });
    expect(Buffer.concat(chunks).toString()).toContain("HTTP/1.1 200 OK");
    await expect(rawRequest(port, "x")).rejects.toThrow("ECONNREFUSED");
    expect(server.address).toBeUndefined();
  });

  it("closes a request that does not end after the grace, and timers with it", async () => {
    const clock = new ManualClock();
    const { port, server } = await startServer({ clock });
    const busy = connect({ host: "127.0.0.1", port });
    const continued = new Promise((resolve) => busy.once("data", resolve));
    const closed = new Promise((resolve) => busy.once("close", resolve));
    busy.write(
      "POST /api/v1/session HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    );
    await continued;
    const stopped = server.stop();
    await clock.advanceAsync(2000);
    await within(Promise.all([stopped, closed]), { what: "the stop" });
    expect(clock.pendingTimers).toBe(0);
  });

  it("may be called twice, and before the start", async () => {
    const { server } = await startServer();
    await server.stop();
    await server.stop();
  });
});

describe("start", () => {
  it("says what to do when the address is taken", async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, "127.0.0.1", () => {
        const address = other.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
    onTestFinished(() => {
      other.close();
    });
    const listen = { host: "127.0.0.1", port };
    const failure = await startServer({ listen }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HttpServerError);
    expect(failure).toMatchObject({ code: "ERR_OFFHOOK_HTTP_LISTEN" });
    expect(String(failure)).toContain(`127.0.0.1:${port}`);
    expect(String(failure)).toContain("http.listen");
  });
});

describe("TLS", () => {
  async function certificate(name: string, files: { key: string; cert: string }) {
    const subject = `/CN=${name} -keyout ${files.key} -out ${files.cert}`;
    const options =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj";
    await exec("openssl", `${options} ${subject}`.split(" "));
  }

  async function tlsFiles(name: string) {
    const root = await directoryOf({});
    const files = { key: join(root, "key.pem"), cert: join(root, "cert.pem") };
    await certificate(name, files);
    return { root, ...files, tls: { certificatePath: files.cert, keyPath: files.key } };
  }

  function peerName(port: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const socket = tlsConnect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subject.CN);
        socket.destroy();
      });
      socket.on("error", reject);
    });
  }

  it("serves over TLS and names wss, to pages of its https origin alone", async () => {
    const { tls } = await tlsFiles("gw.test");
    const { port } = await startServer({ tls });
    const signIn = (origin: string) =>
      new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
        const headers = { "Content-Type": "application/json", Origin: origin };
        const options = { host: "127.0.0.1", port, rejectUnauthorized: false, headers };
        const request = httpsRequest(
          { ...options, path: "/api/v1/session", method: "POST" },
          (response) => {
            let text = "";
            response.setEncoding("utf8");
            response.on("data", (chunk: string) => {
              text += chunk;
            });
            response.on("end", () => {
              resolve({ status: response.statusCode, text });
            });
          },
        );
        request.on("error", reject);
        request.end('{"user":"1001","password":"correct horse"}');
      });
    const right = await signIn(`https://127.0.0.1:${port}`);
    expect(right.status).toBe(200);
    expect(right.text).toContain(`"wss://127.0.0.1:${port}/ws"`);
    expect((await signIn(`http://127.0.0.1:${port}`)).status).toBe(403);
  });

  it("refuses TLS 1.1 and plain HTTP", async () => {
    const { tls } = await tlsFiles("gw.test");
    const { port } = await startServer({ tls });
    const old = new Promise((resolve, reject) => {
      const socket = tlsConnect({
        host: "127.0.0.1",
        port,
        rejectUnauthorized: false,
        maxVersion: "TLSv1.1",
        minVersion: "TLSv1",
        ciphers: "ALL@SECLEVEL=0",
      });
      socket.on("secureConnect", resolve);
      socket.on("error", reject);
    });
    await expect(old).rejects.toThrow();
    const plain = await rawRequest(port, "GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\n");
    expect(plain).not.toContain("200 OK");
  });

  it("takes a renewed certificate without a restart, and keeps the old one when it is broken", async () => {
    const { cert, key, root, tls } = await tlsFiles("old.test");
    const { port, server } = await startServer({ tls });
    expect(await peerName(port)).toBe("old.test");
    await certificate("new.test", { key, cert });
    await server.reloadCertificate();
    expect(await peerName(port)).toBe("new.test");
    await rename(key, join(root, "moved.pem"));
    await expect(server.reloadCertificate()).rejects.toMatchObject({
      code: "ERR_OFFHOOK_HTTP_TLS",
    });
    expect(await peerName(port)).toBe("new.test");
  });

  it("says which file is unusable", async () => {
    const root = await directoryOf({ "cert.pem": "no certificate", "key.pem": "no key" });
    for (const name of ["cert.pem", "missing.pem"]) {
      const tls = { certificatePath: join(root, name), keyPath: join(root, "key.pem") };
      const failure = await startServer({ tls }).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "ERR_OFFHOOK_HTTP_TLS" });
      expect(String(failure)).toContain(name);
    }
  });
});
