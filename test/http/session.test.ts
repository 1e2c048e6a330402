import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createOriginPolicy } from "../../src/http/origin-policy.ts";
import { createLogger } from "../../src/observe/logger.ts";
import { ManualClock } from "../harness/manual-clock.ts";
import { codeOf, jsonOf, postJson, startServer, type TestServer } from "./fixture.ts";

const RIGHT = { user: "1001", password: "correct horse" };

function signIn(
  { url }: TestServer,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return postJson(`${url}/api/v1/session`, body, headers);
}

describe("POST /api/v1/session", () => {
  it("gives a phone all that it needs to register", async () => {
    const clock = new ManualClock(Date.UTC(2026, 10, 21, 10));
    const server = await startServer({ clock });
    const response = await signIn(server, RIGHT);
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const expiry = Date.UTC(2026, 10, 21, 22) / 1000;
    const username = `${expiry}:1001`;
    expect(await response.json()).toEqual({
      user: { id: "1001", name: "Ann Lee" },
      sip: {
        uri: "sip:1001@voice.example.com",
        webSocketUrl: `ws://127.0.0.1:${server.port}/ws`,
        username,
        password: server.credentials.find(username)?.password,
      },
      token: server.credentials.issue("1001").token,
      iceServers: [],
      tones: {
        ringBack: { frequencies: [425], cadence: [1, 4] },
        busy: { frequencies: [425], cadence: [0.5, 0.5] },
      },
      expiresAt: "2026-11-21T22:00:00.000Z",
    });
  });

  it("says when calls have sound only", async () => {
    const body = async (hasVideo?: boolean) =>
      await jsonOf(await signIn(await startServer({ settings: { hasVideo } }), RIGHT));
    expect((await body(false))["video"]).toBe(false);
    expect(await body(true)).not.toHaveProperty("video");
  });

  it("never sends the user's own password back", async () => {
    const response = await signIn(await startServer(), RIGHT);
    expect(await response.text()).not.toContain(RIGHT.password);
  });

  it("logs who came and from where, and never a password", async () => {
    const lines: string[] = [];
    const logger = createLogger({ stream: { write: (line) => lines.push(line) } });
    const server = await startServer({ logger });
    await signIn(server, RIGHT);
    await signIn(server, { user: "1002\r\nforged", password: "wrong-word" });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('"user":"1001","remote":"127.0.0.1","msg":"signed in"');
    expect(lines[1]).toContain('"level":"warn"');
    expect(lines[1]).toContain('"user":"1002\\r\\nforged"');
    expect(lines.join("")).not.toMatch(/correct horse|wrong-word/);
  });

  it("adds TURN with credentials that end with the session", async () => {
    const clock = new ManualClock(Date.UTC(2026, 10, 21, 10));
    const turn = { urls: ["turn:192.0.2.10:3478"], secret: "shared" };
    const response = await signIn(await startServer({ clock, settings: { turn } }), RIGHT);
    const username = `${Date.UTC(2026, 10, 21, 22) / 1000}:1001`;
    const credential = createHmac("sha1", "shared").update(username).digest("base64");
    expect((await jsonOf(response))["iceServers"]).toEqual([
      { urls: turn.urls, username, credential },
    ]);
  });

  it("names wss for a page over https, whose certificate a proxy may hold", async () => {
    const server = await startServer();
    const response = await signIn(server, RIGHT, { Origin: `https://127.0.0.1:${server.port}` });
    const { sip } = await jsonOf(response);
    expect(sip).toMatchObject({ webSocketUrl: `wss://127.0.0.1:${server.port}/ws` });
  });

  it("never trusts X-Forwarded-Host, -Proto or -For", async () => {
    const server = await startServer();
    const forged = {
      "X-Forwarded-Host": "evil.example",
      "X-Forwarded-Proto": "https",
      Forwarded: "host=evil.example;proto=https",
    };
    const { sip } = await jsonOf(await signIn(server, RIGHT, forged));
    expect(sip).toMatchObject({ webSocketUrl: `ws://127.0.0.1:${server.port}/ws` });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const source = { "X-Forwarded-For": `192.0.2.${attempt}` };
      await signIn(server, { user: `user-${attempt}`, password: "x" }, source);
    }
    expect((await signIn(server, RIGHT, { "X-Forwarded-For": "192.0.2.99" })).status).toBe(429);
  });

  it("lets the PBX that owns a user look at the password, and gives it back to nobody", async () => {
    const verdicts = { a: "right", b: "wrong", c: "unknown", d: "unavailable" } as const;
    const turn = { urls: ["turn:192.0.2.10:3478"], secret: "shared" };
    const asked: string[] = [];
    const server = await startServer({
      settings: { turn },
      passwords: {
        check: (user, password) => {
          asked.push(`${user} ${password}`);
          const verdict = Object.entries(verdicts).find(([id]) => id === user)?.[1];
          return verdict === undefined ? undefined : Promise.resolve(verdict);
        },
      },
    });
    const right = await signIn(server, { user: "a", password: "pbx-word" });
    expect(right.status).toBe(200);
    const body = await jsonOf(right);
    expect(body["sip"]).toEqual({
      uri: "sip:a@voice.example.com",
      webSocketUrl: `ws://127.0.0.1:${server.port}/ws`,
      username: "a",
    });
    expect(body["iceServers"]).toHaveLength(1);
    expect(JSON.stringify(body)).not.toContain("pbx-word");
    const unknown = await signIn(server, { user: "c", password: "x" });
    // No relay for whom nobody vouches for.
    expect(await jsonOf(unknown)).toMatchObject({ iceServers: [], sip: { username: "c" } });
    expect((await signIn(server, { user: "b", password: "x" })).status).toBe(401);
    const silent = await signIn(server, { user: "d", password: "x" });
    expect([silent.status, await codeOf(silent)]).toEqual([503, "ERR_OFFHOOK_HTTP_REGISTRAR"]);
    expect((await signIn(server, { user: "e", password: "x" })).status).toBe(401);
    // A user of the gateway's own is no matter of the PBX.
    expect((await signIn(server, RIGHT)).status).toBe(200);
    expect(asked).not.toContain(`1001 ${RIGHT.password}`);
  });

  it("answers an unknown user exactly as a wrong password", async () => {
    const server = await startServer();
    const answers = [];
    for (const user of ["1001", "no-such-user"]) {
      const response = await signIn(server, { user, password: "wrong" });
      const headers = [...response.headers].filter(([name]) => name !== "date");
      answers.push({ status: response.status, headers, body: await response.text() });
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toMatchObject({ status: 401 });
    expect(answers[0]?.body).toContain("ERR_OFFHOOK_HTTP_SIGN_IN");
  });

  it("takes as long for an unknown user as for a wrong password", async () => {
    const durations = new Map<string, number[]>([
      ["1001", []],
      ["no-such-user", []],
    ]);
    for (let round = 0; round < 30; round += 1) {
      // A fresh server, or the limit would answer instead.
      const server = await startServer();
      await signIn(server, { user: "warm-up", password: "wrong" });
      for (const [user, times] of durations) {
        const startedAt = performance.now();
        await signIn(server, { user, password: "wrong" });
        times.push(performance.now() - startedAt);
      }
    }
    const median = (user: string) =>
      durations.get(user)?.toSorted((a, b) => a - b)[15] ?? Number.NaN;
    // A password hash on one path alone would be a factor of ten and more.
    expect(median("1001") / median("no-such-user")).toBeGreaterThan(0.4);
    expect(median("1001") / median("no-such-user")).toBeLessThan(2.5);
  });

  it("refuses after too many failures, the right password too, and says when to come back", async () => {
    const clock = new ManualClock();
    const server = await startServer({ clock });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expect((await signIn(server, { user: "1001", password: "wrong" })).status).toBe(401);
    }
    const refused = await signIn(server, RIGHT);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await codeOf(refused)).toBe("ERR_OFFHOOK_HTTP_TOO_MANY_ATTEMPTS");
    clock.advance(Number(refused.headers.get("retry-after")) * 1000);
    expect((await signIn(server, RIGHT)).status).toBe(200);
  });

  it.each([
    ["another host", "http://evil.example"],
    ["another port", "http://127.0.0.1:1"],
    ["a sandboxed page", "null"],
    ["no URL", "nonsense"],
    ["another scheme", "file://"],
    ["the own host as a user name", "http://127.0.0.1@evil.example"],
  ])("refuses a page of %s", async (_name, origin) => {
    const response = await signIn(await startServer(), RIGHT, { Origin: origin });
    expect(response.status).toBe(403);
    expect(await codeOf(response)).toBe("ERR_OFFHOOK_HTTP_ORIGIN");
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  it("takes its own page, in every spelling of the host", async () => {
    const server = await startServer();
    for (const origin of [server.url, `http://127.0.0.1:${server.port}/`.slice(0, -1)]) {
      const response = await signIn(server, RIGHT, { Origin: origin });
      expect(response.status).toBe(200);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
    }
  });

  it("takes configured origins and no others, and lets their pages read the answer", async () => {
    const origins = ["https://intranet.example.com"];
    const isOriginAllowed = createOriginPolicy({ origins });
    const server = await startServer({ settings: { isOriginAllowed } });
    const right = await signIn(server, RIGHT, { Origin: "https://intranet.example.com" });
    expect(right.status).toBe(200);
    expect(right.headers.get("access-control-allow-origin")).toBe("https://intranet.example.com");
    expect(right.headers.get("vary")).toBe("Origin");
    expect((await signIn(server, RIGHT, { Origin: server.url })).status).toBe(403);
    const preflight = await fetch(`${server.url}/api/v1/session`, {
      method: "OPTIONS",
      headers: {
        Origin: "https://intranet.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("Content-Type");
  });

  it.each([
    ["no JSON", "{", 400],
    ["an empty body", "", 400],
    ["no object", "[]", 400],
    ["null", "null", 400],
    ["a number for the user", { user: 1001, password: "x" }, 400],
    ["no password", { user: "1001" }, 400],
    ["an unknown key", { ...RIGHT, admin: true }, 400],
    ["__proto__", '{"user":"1001","password":"correct horse","__proto__":{"a":1}}', 400],
    ["a user without end", { user: "1".repeat(129), password: "x" }, 400],
    ["deep nesting", "[".repeat(60_000), 400],
    ["64 KiB and more", { user: "1001", password: "x".repeat(65_536) }, 413],
  ])("refuses %s", async (_name, body, status) => {
    const server = await startServer();
    expect((await signIn(server, body)).status).toBe(status);
    expect((await signIn(server, RIGHT)).status).toBe(200);
  });

  it("refuses what is not JSON in UTF-8", async () => {
    const { url } = await startServer();
    const post = (headers: Record<string, string>, body: string | Buffer) =>
      fetch(`${url}/api/v1/session`, { method: "POST", headers, body: Buffer.from(body) });
    const body = JSON.stringify(RIGHT);
    expect((await post({ "Content-Type": "text/plain" }, body)).status).toBe(415);
    expect((await post({}, body)).status).toBe(415);
    const gzip = { "Content-Type": "application/json", "Content-Encoding": "gzip" };
    expect((await post(gzip, body)).status).toBe(415);
    const latin1 = Buffer.from('{"user":"\u00e9","password":"x"}', "latin1");
    expect((await post({ "Content-Type": "application/json" }, latin1)).status).toBe(400);
    const charset = { "Content-Type": "application/json; charset=utf-8" };
    expect((await post(charset, body)).status).toBe(200);
  });

  it("stops reading a chunked body at 64 KiB", async () => {
    const { url } = await startServer();
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        if (sent > 40) controller.close();
        else controller.enqueue(Buffer.alloc(4096, " "));
      },
    });
    const response = await fetch(`${url}/api/v1/session`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: endless,
      duplex: "half",
    });
    expect(response.status).toBe(413);
  });
});
