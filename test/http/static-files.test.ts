import { randomBytes } from "node:crypto";
import { mkdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createOriginPolicy } from "../../src/http/origin-policy.ts";
import { ManualClock } from "../harness/manual-clock.ts";
import { directoryOf, rawRequest, startServer, statusOf } from "./fixture.ts";

const SCRIPT = `export const words = ${JSON.stringify("offhook ".repeat(500))};\n`;
const FILES = {
  "index.html": "<!doctype html><title>Phone</title>",
  "assets/index-B3xk_9-Q.js": SCRIPT,
  "assets/ring.wav": Buffer.from(Array.from({ length: 100 }, (_, index) => index)),
  "favicon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
  "help/index.html": "<title>Help</title>",
  "embed/sip-phone.js": SCRIPT,
  "embed/assets/de-B3xk_9-Q.js": SCRIPT,
  ".env": "SECRET=1",
};

async function servedPhone() {
  const root = await directoryOf({ ...prefixed("dist/", FILES), "outside.txt": "secret" });
  return { root, ...(await startServer({ webRoot: join(root, "dist") })) };
}

function prefixed(prefix: string, files: Readonly<Record<string, string | Buffer>>) {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [prefix + name, text]));
}

describe("the web phone's files", () => {
  it.each([
    ["/", "text/html; charset=utf-8"],
    ["/index.html", "text/html; charset=utf-8"],
    ["/help/", "text/html; charset=utf-8"],
    ["/assets/index-B3xk_9-Q.js", "text/javascript; charset=utf-8"],
    ["/assets/ring.wav", "audio/wav"],
    ["/favicon.svg?v=2", "image/svg+xml; charset=utf-8"],
  ])("serves %s as %s", async (path, mediaType) => {
    const { url } = await servedPhone();
    const response = await fetch(url + path);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(mediaType);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("answers 404 for what is not there, and 405 for another method", async () => {
    const { url } = await servedPhone();
    expect((await fetch(`${url}/nothing.js`)).status).toBe(404);
    expect((await fetch(`${url}/assets`)).status).toBe(404);
    const post = await fetch(`${url}/`, { method: "POST" });
    expect(post.status).toBe(405);
    expect(post.headers.get("allow")).toBe("GET, HEAD");
  });

  it.each([
    "/../outside.txt",
    "/..%2foutside.txt",
    "/%2e%2e/outside.txt",
    "/%2e%2e%2foutside.txt",
    "/assets/../../outside.txt",
    "/assets/%2e%2e/%2e%2e/outside.txt",
    "/..\\outside.txt",
    "/..%5coutside.txt",
    "//outside.txt",
    "/./../outside.txt",
    "/assets/..%00/outside.txt",
    "/%c0%ae%c0%ae/outside.txt",
    "/..;/outside.txt",
    "/.env",
    "/%2eenv",
    "/link.txt",
    "/up/outside.txt",
  ])("gives nothing away at %s", async (path) => {
    const { port, root } = await servedPhone();
    await symlink(join(root, "outside.txt"), join(root, "dist", "link.txt"));
    await symlink(root, join(root, "dist", "up"));
    const answer = await rawRequest(
      port,
      `GET ${path} HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n`,
    );
    expect([400, 404]).toContain(statusOf(answer));
    expect(answer).not.toContain("secret");
    expect(answer).not.toContain("SECRET");
  });

  it("answers HEAD with the same header fields and no body", async () => {
    const { port } = await servedPhone();
    const request = (method: string) =>
      rawRequest(port, `${method} / HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n`);
    const [head, get] = [await request("HEAD"), await request("GET")];
    const [headFields, headBody] = head.split("\r\n\r\n", 2);
    const [getFields, getBody] = get.split("\r\n\r\n", 2);
    const withoutDate = (fields: string | undefined) => fields?.replace(/\r\nDate: .*/, "");
    expect(withoutDate(headFields)).toBe(withoutDate(getFields));
    expect(headBody).toBe("");
    expect(getBody).toBe(FILES["index.html"]);
  });

  it("lets a browser keep hashed files for ever and ask again for the page", async () => {
    const { url } = await servedPhone();
    const cacheOf = async (path: string) => (await fetch(url + path)).headers.get("cache-control");
    expect(await cacheOf("/assets/index-B3xk_9-Q.js")).toBe("public, max-age=31536000, immutable");
    expect(await cacheOf("/")).toBe("no-cache");
    expect(await cacheOf("/favicon.svg")).toBe("no-cache");
  });

  it("answers 304 to a known ETag, and 200 to another", async () => {
    const { url } = await servedPhone();
    const etag = (await fetch(`${url}/`)).headers.get("etag") ?? "";
    const ask = (value: string) => fetch(`${url}/`, { headers: { "If-None-Match": value } });
    for (const value of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const response = await ask(value);
      expect(response.status, value).toBe(304);
      expect(response.headers.get("etag")).toBe(etag);
      expect(await response.text()).toBe("");
    }
    expect((await ask('"other"')).status).toBe(200);
  });

  it.each([
    ["br", "gzip, deflate, br", (octets: Buffer) => brotliDecompressSync(octets)],
    ["gzip", "gzip, br;q=0", (octets: Buffer) => gunzipSync(octets)],
    [undefined, "br;q=0.0, deflate", (octets: Buffer) => octets],
    [undefined, "identity", (octets: Buffer) => octets],
  ])("sends a script as %s to a client that accepts %s", async (coding, accept, decode) => {
    const { port } = await servedPhone();
    const answer = await rawRequest(
      port,
      `GET /assets/index-B3xk_9-Q.js HTTP/1.1\r\nHost: gw\r\nAccept-Encoding: ${accept}\r\nConnection: close\r\n\r\n`,
    );
    const end = answer.indexOf("\r\n\r\n");
    const fields = answer.slice(0, end);
    expect(/\r\nContent-Encoding: (.*)/.exec(fields)?.[1]).toBe(coding);
    expect(fields).toContain("\r\nVary: Accept-Encoding");
    const body = Buffer.from(answer.slice(end + 4), "latin1");
    expect(/\r\nContent-Length: (.*)/.exec(fields)?.[1]).toBe(String(body.length));
    expect(decode(body).toString()).toBe(SCRIPT);
  });

  it("gives each coding an ETag of its own", async () => {
    const { url } = await servedPhone();
    const etags = new Set<string | null>();
    for (const coding of ["br", "gzip", "identity"]) {
      const headers = { "Accept-Encoding": coding };
      etags.add((await fetch(`${url}/assets/index-B3xk_9-Q.js`, { headers })).headers.get("etag"));
    }
    expect(etags.size).toBe(3);
  });

  it.each([
    ["bytes=0-9", 206, "bytes 0-9/100", 10],
    ["bytes=90-", 206, "bytes 90-99/100", 10],
    ["bytes=-5", 206, "bytes 95-99/100", 5],
    ["bytes=0-1000", 206, "bytes 0-99/100", 100],
    ["bytes=100-", 416, "bytes */100", 0],
    ["bytes=-0", 416, "bytes */100", 0],
    ["bytes=9-0", 200, null, 100],
    ["bytes=0-1,5-6", 200, null, 100],
    ["lines=0-1", 200, null, 100],
  ])("RFC 9110 §14: answers %s of a sound with %i", async (range, status, contentRange, length) => {
    const { url } = await servedPhone();
    const response = await fetch(`${url}/assets/ring.wav`, { headers: { Range: range } });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-range")).toBe(contentRange);
    expect((await response.arrayBuffer()).byteLength).toBe(length);
  });

  it("gives the custom element, and nothing else, to pages of the origins that may use it", async () => {
    const root = await directoryOf(FILES);
    const page = "https://intranet.example.com";
    const { url } = await startServer({
      webRoot: root,
      settings: { isOriginAllowed: createOriginPolicy({ origins: [page] }) },
    });
    const ask = async (path: string, origin: string) => {
      const response = await fetch(url + path, { headers: { Origin: origin } });
      return {
        allowed: response.headers.get("access-control-allow-origin"),
        policy: response.headers.get("cross-origin-resource-policy"),
        vary: response.headers.get("vary"),
        cache: response.headers.get("cache-control"),
      };
    };
    const open = { allowed: page, policy: "cross-origin", vary: "Origin, Accept-Encoding" };
    expect(await ask("/embed/sip-phone.js", page)).toEqual({ ...open, cache: "no-cache" });
    expect(await ask("/embed/assets/de-B3xk_9-Q.js", page)).toMatchObject({
      ...open,
      cache: expect.stringContaining("immutable"),
    });
    const closed = { allowed: null, policy: "same-origin" };
    expect(await ask("/embed/sip-phone.js", "https://evil.example")).toMatchObject(closed);
    expect(await ask("/embed/sip-phone.js", "null")).toMatchObject(closed);
    expect(await ask("/assets/index-B3xk_9-Q.js", page)).toMatchObject(closed);
    expect(await ask("/", page)).toMatchObject(closed);
  });

  it("says which command builds a missing phone, and serves it once it is there", async () => {
    const clock = new ManualClock();
    const root = await directoryOf({ "new/index.html": "built" });
    const { url } = await startServer({ webRoot: join(root, "dist"), clock });
    const missing = await fetch(`${url}/`);
    expect(missing.status).toBe(503);
    expect(await missing.text()).toContain("npm run build:phone");
    expect(missing.headers.get("content-security-policy")).toContain("default-src 'self'");
    await rename(join(root, "new"), join(root, "dist"));
    clock.advance(1000);
    expect(await (await fetch(`${url}/`)).text()).toBe("built");
  });

  it("notices a rebuilt phone, and forgets the files of the old one", async () => {
    const clock = new ManualClock();
    const root = await directoryOf({ "index.html": "one", "assets/a-00000001.js": "1" });
    const { url } = await startServer({ webRoot: root, clock });
    expect((await fetch(`${url}/assets/a-00000001.js`)).status).toBe(200);
    await rm(join(root, "assets"), { recursive: true });
    await mkdir(join(root, "assets"));
    await writeFile(join(root, "assets", "a-00000002.js"), "2");
    await writeFile(join(root, "index.html"), "two");
    await utimes(join(root, "index.html"), 1, 1);
    clock.advance(1000);
    expect(await (await fetch(`${url}/`)).text()).toBe("two");
    expect((await fetch(`${url}/assets/a-00000001.js`)).status).toBe(404);
    expect((await fetch(`${url}/assets/a-00000002.js`)).status).toBe(200);
  });

  it("leaves out a file that is too large to hold", async () => {
    const root = await directoryOf({
      "index.html": "x",
      "huge.bin": randomBytes(16 * 1024 * 1024 + 1),
    });
    const { url } = await startServer({ webRoot: root });
    expect((await fetch(`${url}/huge.bin`)).status).toBe(404);
  });
});

describe("the web phone's security headers", () => {
  it("allows scripts, styles and sockets of the own host alone", async () => {
    const { port, url } = await servedPhone();
    const { headers } = await fetch(`${url}/`);
    const policy = headers.get("content-security-policy")?.split("; ");
    expect(policy).toEqual([
      "default-src 'self'",
      `connect-src 'self' ws://127.0.0.1:${port} wss://127.0.0.1:${port}`,
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "media-src 'self' blob:",
      "object-src 'none'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ]);
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("permissions-policy")).toContain("microphone=(self), camera=(self)");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
  });

  it.each(["gw; script-src *", "gw'", "gw/x", "a b", "[::1", "gw:99999", "*"])(
    "takes nothing of the Host %j into the policy",
    async (host) => {
      const { port } = await servedPhone();
      const answer = await rawRequest(
        port,
        `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toContain("connect-src 'self'; script-src 'self';");
    },
  );
});
