import { describe, expect, it } from "vitest";
import { SystemClock } from "../../src/core/clock.ts";
import { SessionCredentials } from "../../src/http/session-credentials.ts";
import { ManualClock } from "../harness/manual-clock.ts";
import { bearer, codeOf, jsonOf, postJson, startServer, TOKENS, USERS } from "./fixture.ts";

const [, operator] = TOKENS;
const headers = bearer(operator?.token ?? "");

describe("users", () => {
  it("are shown with what they have set, and without a secret", async () => {
    const { url, gateway } = await startServer();
    gateway.settings.set("1001", {
      doNotDisturb: true,
      forwards: { "no-answer": { number: "1002", isOn: true } },
      noAnswerMs: 15_000,
    });
    const list = await fetch(`${url}/api/v1/users`, { headers });
    const text = await list.text();
    for (const { password } of USERS.values()) expect(text).not.toContain(password);
    expect(JSON.parse(text)).toEqual({
      items: [
        {
          id: "1001",
          name: "Ann Lee",
          doNotDisturb: true,
          forward: { noAnswer: { number: "1002", on: true } },
          noAnswerSeconds: 15,
        },
        { id: "1002", name: "Bob Ray", doNotDisturb: false, forward: {} },
      ],
      nextCursor: null,
    });
    const one = await fetch(`${url}/api/v1/users/1002`, { headers });
    expect(await jsonOf(one)).toMatchObject({ id: "1002" });
    const nobody = await fetch(`${url}/api/v1/users/9`, { headers });
    expect([nobody.status, await codeOf(nobody)]).toEqual([404, "ERR_OFFHOOK_HTTP_NOT_FOUND"]);
  });

  it("are changed key by key", async () => {
    const { url } = await startServer();
    const change = async (body: unknown) =>
      jsonOf(await postJson(`${url}/api/v1/users/1001`, body, headers));
    expect(await change({ doNotDisturb: true })).toMatchObject({ doNotDisturb: true });
    expect(
      await change({ forward: { busy: { number: "1002" } }, noAnswerSeconds: 20 }),
    ).toMatchObject({
      doNotDisturb: true,
      forward: { busy: { number: "1002", on: true } },
      noAnswerSeconds: 20,
    });
    expect(await change({ forward: { busy: { on: false } } })).toMatchObject({
      forward: { busy: { number: "1002", on: false } },
    });
    const last = await change({
      doNotDisturb: false,
      forward: { busy: null },
      noAnswerSeconds: null,
    });
    expect(last).toEqual({ id: "1001", name: "Ann Lee", doNotDisturb: false, forward: {} });
  });

  it.each<[unknown, number, string, string?]>([
    [{ forward: { always: { number: "0900" } } }, 409, "ERR_OFFHOOK_HTTP_FORWARD"],
    [{ forward: { always: {} } }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ forward: { always: { number: "a b" } } }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ forward: { always: { number: "1".repeat(33) } } }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ noAnswerSeconds: 1 }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ password: "new" }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ doNotDisturb: true }, 404, "ERR_OFFHOOK_HTTP_NOT_FOUND", "9"],
  ])("refuse %j with %i", async (body, status, code, id = "1001") => {
    const { url, gateway } = await startServer();
    gateway.forbidden.add("0900");
    const reply = await postJson(`${url}/api/v1/users/${id}`, body, headers);
    expect([reply.status, await codeOf(reply)]).toEqual([status, code]);
    expect(gateway.settings.size).toBe(0);
  });
});

describe("a user's own settings", () => {
  async function signedIn(user: "1001" | "1002" = "1001") {
    const server = await startServer();
    const { token } = server.credentials.issue(user);
    const own = bearer(token);
    const url = `${server.url}/api/v1/me`;
    return { ...server, token, own, url, change: (body: unknown) => postJson(url, body, own) };
  }

  it("are opened by the token of the session, as it comes with the sign-in", async () => {
    const server = await startServer();
    const session = await jsonOf(
      await postJson(`${server.url}/api/v1/session`, { user: "1002", password: "battery staple" }),
    );
    const { token } = session;
    if (typeof token !== "string") throw new Error("no token");
    const reply = await fetch(`${server.url}/api/v1/me`, { headers: bearer(token) });
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(await jsonOf(reply)).toEqual({
      id: "1002",
      name: "Bob Ray",
      doNotDisturb: false,
      forward: {},
      settable: ["doNotDisturb", "always", "busy", "noAnswer"],
    });
  });

  it("are changed for this user alone", async () => {
    const { change, gateway } = await signedIn();
    const reply = await change({ doNotDisturb: true, forward: { always: { number: "1002" } } });
    expect(await jsonOf(reply)).toMatchObject({
      id: "1001",
      doNotDisturb: true,
      forward: { always: { number: "1002", on: true } },
      settable: ["doNotDisturb", "always", "busy", "noAnswer"],
    });
    expect([...gateway.settings.keys()]).toEqual(["1001"]);
  });

  it("take what the dialplan lets users set, and nothing else", async () => {
    const { change, gateway, own, url } = await signedIn();
    gateway.settable = ["forward-busy"];
    expect(await jsonOf(await fetch(url, { headers: own }))).toMatchObject({ settable: ["busy"] });
    for (const body of [
      { doNotDisturb: true },
      { forward: { always: { number: "1002" }, busy: { number: "1002" } } },
      { noAnswerSeconds: 20 },
    ]) {
      const reply = await change(body);
      expect([reply.status, await codeOf(reply)]).toEqual([403, "ERR_OFFHOOK_HTTP_FORBIDDEN"]);
    }
    expect(gateway.settings.size).toBe(0);
    expect((await change({ forward: { busy: { number: "1002" } } })).status).toBe(200);
    gateway.forbidden.add("0900");
    const costly = await change({ forward: { busy: { number: "0900" } } });
    expect([costly.status, await codeOf(costly)]).toEqual([409, "ERR_OFFHOOK_HTTP_FORWARD"]);
    const long = await change({ forward: { busy: { number: "1".repeat(5000) } } });
    expect(long.status).toBe(413);
  });

  it("open to nobody else: no token, the SIP password, an operator, another key, a user that is gone", async () => {
    const { credentials, token, url, gateway } = await signedIn();
    const { username, password } = credentials.issue("1001");
    const [name = "", signature = ""] = token.split(".");
    const bob = Buffer.from(username.replace("1001", "1002")).toString("base64url");
    const foreign = new SessionCredentials({ clock: new SystemClock() }).issue("1001").token;
    const tokens = [
      "",
      token.slice(0, -1),
      `${token}x`,
      `${bob}.${signature}`,
      `${name}.${password}`,
      `${username}.${signature}`,
      password,
      foreign,
      credentials.issue("9").token,
      operator?.token ?? "",
      "x".repeat(2000),
    ];
    for (const one of tokens) {
      const shown = await fetch(url, { headers: bearer(one) });
      expect([shown.status, await codeOf(shown)], one).toEqual([
        401,
        "ERR_OFFHOOK_HTTP_UNAUTHORIZED",
      ]);
      expect((await postJson(url, { doNotDisturb: true }, bearer(one))).status).toBe(401);
    }
    expect((await fetch(url)).status).toBe(401);
    expect(gateway.settings.size).toBe(0);
    // And it opens nothing that is the operator's.
    for (const path of ["users", "users/1001", "calls"]) {
      const reply = await fetch(url.replace("me", path), { headers: bearer(token) });
      expect(reply.status).toBe(401);
    }
  });

  it("are closed to pages of other origins, and when the session is over", async () => {
    const clock = new ManualClock(Date.UTC(2026, 10, 21, 10));
    const { credentials, gateway, url } = await startServer({ clock });
    const own = bearer(credentials.issue("1001").token);
    const body = { doNotDisturb: true };
    const evil = { ...own, Origin: "http://evil.example" };
    const refused = await postJson(`${url}/api/v1/me`, body, evil);
    expect([refused.status, await codeOf(refused)]).toEqual([403, "ERR_OFFHOOK_HTTP_ORIGIN"]);
    clock.advance(12 * 3_600_000);
    expect((await postJson(`${url}/api/v1/me`, body, own)).status).toBe(401);
    expect(gateway.settings.size).toBe(0);
  });
});
