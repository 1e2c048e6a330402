import { describe, expect, it } from "vitest";
import { createOriginPolicy } from "../../src/http/origin-policy.ts";
import { ROUTES } from "../../src/http/routes.ts";
import { callRecord } from "../observe/call-record-fixture.ts";
import {
  bearer,
  codeOf,
  DECISION,
  jsonOf,
  liveCall,
  postJson,
  startServer,
  TOKENS,
} from "./fixture.ts";

const ADMIN = bearer("admin-token-0123456789");
const VIEWER = bearer("viewer-token-0123456789");
const RANK = new Map([
  ["viewer", 1],
  ["operator", 2],
  ["admin", 3],
]);

function request(url: string, method: string, path: string, headers: Record<string, string>) {
  const body = method === "POST" ? "{}" : null;
  const type = method === "POST" ? { "Content-Type": "application/json" } : {};
  return fetch(url + path.replace("{id}", "some-id"), {
    method,
    headers: { ...type, ...headers },
    body,
  });
}

describe("the table of routes", () => {
  const guarded = ROUTES.filter((route) => route.role !== "public");

  it("leaves open what must be open, and nothing else", () => {
    const open = ROUTES.filter((route) => route.role === "public");
    expect(open.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /healthz",
      "GET /readyz",
      "GET /metrics",
      "GET /ws",
      "GET /console",
      "GET /console/",
      "POST /api/v1/session",
    ]);
    expect(guarded.every(({ path }) => path.startsWith("/api/v1/"))).toBe(true);
  });

  it("lets a viewer change nothing", () => {
    const changing = guarded.filter(({ method }) => method === "DELETE");
    expect(changing.every(({ role }) => role !== "viewer")).toBe(true);
  });

  for (const { method, path, role } of guarded) {
    for (const { role: held, token } of TOKENS) {
      const isAllowed = (RANK.get(held) ?? 0) >= (RANK.get(role) ?? Infinity);
      it(`${isAllowed ? "opens" : "forbids"} ${method} ${path} to ${held}`, async () => {
        const { url } = await startServer();
        const response = await request(url, method, path, bearer(token));
        if (isAllowed) expect([401, 403]).not.toContain(response.status);
        // No token of the configuration is a user's.
        else expect(response.status).toBe(role === "user" ? 401 : 403);
      });
    }

    it(`keeps ${method} ${path} shut without a right token`, async () => {
      const { url } = await startServer();
      for (const headers of [
        {},
        bearer("wrong"),
        bearer(""),
        bearer("viewer-token-012345678"),
        { Authorization: "viewer-token-0123456789" },
        { Authorization: "Basic dmlld2VyLXRva2VuLTAxMjM0NTY3ODk=" },
        { Cookie: "token=admin-token-0123456789" },
      ]) {
        const response = await request(url, method, path, headers);
        expect(response.status).toBe(401);
        expect(response.headers.get("www-authenticate")).toBe('Bearer realm="offhook"');
      }
      const inQuery = `${path}?access_token=admin-token-0123456789`;
      expect((await request(url, method, inQuery, {})).status).toBe(401);
    });

    it(`keeps ${method} ${path} shut when no token is configured, and says how to open it`, async () => {
      const { url } = await startServer({ settings: { tokens: [] } });
      const response = await request(url, method, path, ADMIN);
      expect(response.status).toBe(401);
      const text = await response.text();
      if (role === "user") {
        expect(text).toContain("ERR_OFFHOOK_HTTP_UNAUTHORIZED");
        expect(text).toContain("/api/v1/session");
      } else {
        expect(text).toContain("ERR_OFFHOOK_HTTP_NO_TOKENS");
        expect(text).toContain("api.tokens");
      }
    });
  }

  it("takes an empty token for none", async () => {
    const tokens = [{ name: "unset", token: "", role: "admin" as const }];
    const { url } = await startServer({ settings: { tokens } });
    const response = await fetch(`${url}/api/v1/calls`, { headers: { Authorization: "Bearer " } });
    expect(await codeOf(response)).toBe("ERR_OFFHOOK_HTTP_NO_TOKENS");
  });

  it("takes the scheme's name in any case", async () => {
    const { url } = await startServer();
    const headers = { Authorization: "bearer viewer-token-0123456789" };
    expect((await fetch(`${url}/api/v1/calls`, { headers })).status).toBe(200);
  });

  it("answers 405 with Allow to another method, and 404 to another path", async () => {
    const { url } = await startServer();
    const put = await fetch(`${url}/api/v1/calls/x`, { method: "PUT", headers: ADMIN });
    expect(put.status).toBe(405);
    expect(put.headers.get("allow")).toBe("GET, HEAD, DELETE, OPTIONS");
    expect((await fetch(`${url}/healthz`, { method: "POST" })).headers.get("allow")).toBe(
      "GET, HEAD",
    );
    for (const path of [
      "/api",
      "/api/",
      "/api/v1",
      "/api/v2/calls",
      "/api/v1/calls/",
      "/api/v1/calls/a/b",
    ]) {
      const response = await fetch(url + path, { headers: ADMIN });
      expect(response.status, path).toBe(404);
      expect(await codeOf(response)).toBe("ERR_OFFHOOK_HTTP_NOT_FOUND");
    }
  });

  it("takes new tokens at a reload", async () => {
    const { server, settings, url } = await startServer();
    const tokens = [{ name: "new", token: "fresh-token", role: "viewer" as const }];
    server.configure({ ...settings, tokens });
    const ask = (token: string) => fetch(`${url}/api/v1/calls`, { headers: bearer(token) });
    expect((await ask("viewer-token-0123456789")).status).toBe(401);
    expect((await ask("fresh-token")).status).toBe(200);
  });

  it("refuses a change that a foreign page asks for, even with a right token", async () => {
    const { gateway, url } = await startServer();
    gateway.live.set("c1", liveCall("c1"));
    const response = await fetch(`${url}/api/v1/calls/c1`, {
      method: "DELETE",
      headers: { ...ADMIN, Origin: "http://evil.example" },
    });
    expect(response.status).toBe(403);
    expect(gateway.live.size).toBe(1);
    const preflight = await fetch(`${url}/api/v1/calls/c1`, {
      method: "OPTIONS",
      headers: { Origin: "http://evil.example", "Access-Control-Request-Method": "DELETE" },
    });
    expect(preflight.status).toBe(403);
    expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
  });

  it("lets a page of an allowed origin read a list", async () => {
    const isOriginAllowed = createOriginPolicy({ origins: ["https://wall.example"] });
    const { url } = await startServer({ settings: { isOriginAllowed } });
    const get = (Origin: string) =>
      fetch(`${url}/api/v1/calls`, { headers: { ...VIEWER, Origin } });
    const allowed = (await get("https://wall.example")).headers;
    expect(allowed.get("access-control-allow-origin")).toBe("https://wall.example");
    const foreign = (await get("https://evil.example")).headers;
    expect(foreign.get("access-control-allow-origin")).toBeNull();
  });
});

describe("GET /healthz, /readyz and /metrics", () => {
  it("is alive while it answers", async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/healthz`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("ok\n");
    expect((await fetch(`${url}/healthz`, { method: "HEAD" })).status).toBe(200);
  });

  it("is ready only when calls can be taken, and says why not", async () => {
    const { gateway, url } = await startServer();
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ ready: true, reasons: [] });
    gateway.state = { ready: false, reasons: ["No rtpengine answers."] };
    const not = await fetch(`${url}/readyz`);
    expect(not.status).toBe(503);
    expect(await not.json()).toEqual({ ready: false, reasons: ["No rtpengine answers."] });
  });

  it("gives the metrics as Prometheus reads them", async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await response.text()).toBe("offhook_up 1\n");
  });

  it("answers 500 without details when a handler fails, and goes on", async () => {
    const { url } = await startServer({
      renderMetrics: () => {
        throw new Error("secret detail");
      },
    });
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).toContain("ERR_OFFHOOK_HTTP_INTERNAL");
    expect(text).not.toContain("secret detail");
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it("has no console yet", async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/console/`);
    expect(response.status).toBe(404);
    expect(await response.text()).toContain("later version");
  });
});

describe("calls", () => {
  it("lists live calls in the order of their start", async () => {
    const { gateway, url } = await startServer();
    gateway.live.set("b", liveCall("b", "2026-11-21T10:00:02.000Z"));
    gateway.live.set("a", liveCall("a", "2026-11-21T10:00:01.000Z"));
    const response = await fetch(`${url}/api/v1/calls`, { headers: VIEWER });
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await response.json()).toEqual({
      items: [liveCall("a", "2026-11-21T10:00:01.000Z"), liveCall("b", "2026-11-21T10:00:02.000Z")],
      nextCursor: null,
    });
  });

  it("pages without loss or repetition while calls come and go", async () => {
    const { gateway, url } = await startServer();
    const at = (second: number) => new Date(Date.UTC(2026, 10, 21, 10, 0, second)).toISOString();
    for (let index = 0; index < 25; index += 1) {
      gateway.live.set(`c${index}`, liveCall(`c${index}`, at(index)));
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? "" : `&cursor=${cursor}`;
      const response = await fetch(`${url}/api/v1/calls?limit=10${query}`, { headers: VIEWER });
      const page = await jsonOf(response);
      for (const item of page["items"] as { id: string }[]) seen.push(item.id);
      cursor = typeof page["nextCursor"] === "string" ? page["nextCursor"] : null;
      gateway.live.delete(seen.at(-1) ?? "");
      gateway.live.set(`late${seen.length}`, liveCall(`late${seen.length}`, at(59)));
    } while (cursor !== null);
    const early = Array.from({ length: 25 }, (_, index) => `c${index}`);
    expect(seen.filter((id) => !id.startsWith("late"))).toEqual(early);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it.each(["limit=0", "limit=1001", "limit=-1", "limit=1.5", "limit=", "limit=x", "limit=1e9"])(
    "refuses ?%s",
    async (query) => {
      const { url } = await startServer();
      const response = await fetch(`${url}/api/v1/calls?${query}`, { headers: VIEWER });
      expect(response.status).toBe(400);
      expect(await codeOf(response)).toBe("ERR_OFFHOOK_HTTP_BAD_REQUEST");
    },
  );

  it.each([
    "calls?cursor=",
    "calls?cursor=%00",
    "calls?cursor=*",
    "cdrs?cursor=YWJj",
    "cdrs?cursor=LTE",
  ])("refuses %s, which no page gave", async (path) => {
    const { url } = await startServer();
    const response = await fetch(`${url}/api/v1/${path}`, { headers: VIEWER });
    expect(response.status).toBe(400);
  });

  it("shows one call and hangs it up", async () => {
    const { gateway, url } = await startServer();
    gateway.live.set("c 1", liveCall("c 1"));
    const path = `${url}/api/v1/calls/c%201`;
    expect(await (await fetch(path, { headers: VIEWER })).json()).toEqual(liveCall("c 1"));
    const gone = await fetch(path, { method: "DELETE", headers: ADMIN });
    expect(gone.status).toBe(204);
    expect(gone.headers.get("content-length")).toBeNull();
    expect((await fetch(path, { headers: VIEWER })).status).toBe(404);
    expect((await fetch(path, { method: "DELETE", headers: ADMIN })).status).toBe(404);
  });
});

describe("bans", () => {
  const ban = {
    address: "2001:db8::",
    reason: "rate-limited",
    way: "datagram",
    since: "2026-11-21T10:00:00.000Z",
    until: "2026-11-21T10:05:00.000Z",
    dropped: 7,
  } as const;

  it("are shown and lifted, once each", async () => {
    const { gateway, url } = await startServer();
    gateway.banned.set(ban.address, ban);
    const list = await fetch(`${url}/api/v1/bans`, { headers: ADMIN });
    expect(await list.json()).toEqual({ items: [ban], nextCursor: null });
    for (const status of [204, 404]) {
      const path = `${url}/api/v1/bans/${encodeURIComponent(ban.address)}`;
      expect((await fetch(path, { method: "DELETE", headers: ADMIN })).status).toBe(status);
    }
  });
});

describe("lists", () => {
  it("shows rtpengines, and drains one", async () => {
    const { gateway, url } = await startServer();
    const node = { state: "up", weight: 1, calls: 3, version: "10.5.3.5", knownHoles: [] } as const;
    gateway.nodes.push({ name: "10.0.0.5:22222", isDraining: false, ...node });
    const path = `${url}/api/v1/media/nodes`;
    const shown = { name: "10.0.0.5:22222", draining: false, ...node };
    expect(await (await fetch(path, { headers: VIEWER })).json()).toEqual({
      items: [shown],
      nextCursor: null,
    });
    const drain = (name: string, body: object) =>
      postJson(`${path}/${name}`, body, bearer("operator-token-0123456789"));
    const drained = await drain("10.0.0.5:22222", { drain: true });
    expect(await drained.json()).toEqual({ ...shown, draining: true });
    const moved = await drain("10.0.0.5:22222", { drain: true, move: true });
    expect(await moved.json()).toEqual({ ...shown, draining: true, calls: 0 });
    expect((await drain("10.0.0.9:22222", { drain: true })).status).toBe(404);
    expect((await drain("10.0.0.5:22222", { drain: "yes" })).status).toBe(400);
    expect((await drain("10.0.0.5:22222", {})).status).toBe(400);
  });

  it("shows registrations with times as text", async () => {
    const { gateway, url } = await startServer();
    gateway.bindings.push({
      id: "b1",
      userId: "1001",
      instanceId: "urn:uuid:1",
      regId: 1,
      contactUri: "sip:x@y.invalid;transport=ws",
      userAgent: undefined,
      remoteAddress: "192.0.2.1:5",
      registeredAtMs: 0,
      expiresAtMs: 600_000,
    });
    const response = await fetch(`${url}/api/v1/registrations`, { headers: VIEWER });
    expect(await response.json()).toEqual({
      items: [
        {
          id: "b1",
          userId: "1001",
          instanceId: "urn:uuid:1",
          regId: 1,
          contactUri: "sip:x@y.invalid;transport=ws",
          remoteAddress: "192.0.2.1:5",
          registeredAt: "1970-01-01T00:00:00.000Z",
          expiresAt: "1970-01-01T00:10:00.000Z",
        },
      ],
      nextCursor: null,
    });
  });

  it("shows trunks by id", async () => {
    const { gateway, url } = await startServer();
    const trunk = { peer: "sip:pbx.example.com", state: "unknown", liveCalls: 0 } as const;
    gateway.trunkViews.push({ id: "office", ...trunk }, { id: "backup", ...trunk });
    const response = await fetch(`${url}/api/v1/trunks`, { headers: VIEWER });
    expect(await response.json()).toEqual({
      items: [
        { id: "backup", ...trunk },
        { id: "office", ...trunk },
      ],
      nextCursor: null,
    });
  });

  it("pages call records from the newest to the oldest", async () => {
    const { gateway, url } = await startServer();
    for (let index = 0; index < 5; index += 1) gateway.ended.push(callRecord({ id: `r${index}` }));
    const read = async (query: string) => {
      const page = await jsonOf(await fetch(`${url}/api/v1/cdrs?${query}`, { headers: VIEWER }));
      const ids = (page["items"] as { id: string }[]).map(({ id }) => id);
      return { ids, next: page["nextCursor"] };
    };
    const first = await read("limit=2");
    expect(first.ids).toEqual(["r4", "r3"]);
    gateway.ended.push(callRecord({ id: "late" }));
    const second = await read(`limit=2&cursor=${String(first.next)}`);
    expect(second.ids).toEqual(["r2", "r1"]);
    const third = await read(`limit=2&cursor=${String(second.next)}`);
    expect(third).toEqual({ ids: ["r0"], next: null });
  });
});

describe("POST /api/v1/dialplan/simulate", () => {
  it("hands the query over and gives the decision back", async () => {
    const { gateway, url } = await startServer();
    const query = { from: "1001", to: "*43", at: "2026-11-20T10:00", dialplan: { routes: [] } };
    const response = await postJson(`${url}/api/v1/dialplan/simulate`, query, VIEWER);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(DECISION);
    expect(gateway.simulated).toEqual([query]);
  });

  it("answers 400 to a query that cannot be decided", async () => {
    const { url } = await startServer();
    const simulate = (body: unknown) => postJson(`${url}/api/v1/dialplan/simulate`, body, VIEWER);
    const nonsense = await simulate({ from: "1001", to: "nonsense" });
    expect(nonsense.status).toBe(400);
    expect(await codeOf(nonsense)).toBe("ERR_OFFHOOK_HTTP_SIMULATION");
    expect(await codeOf(await simulate({ from: "1" }))).toBe("ERR_OFFHOOK_HTTP_BAD_REQUEST");
    expect(await codeOf(await simulate({ from: "1", to: "1", trunc: "x" }))).toBe(
      "ERR_OFFHOOK_HTTP_BAD_REQUEST",
    );
  });
});

describe("the plans", () => {
  const ADMIN = bearer("admin-token-0123456789");

  it("are changed by admins alone, who are named", async () => {
    const { gateway, url } = await startServer();
    const paths = ["reload", "diff", "rollback"].map((name) => `${url}/api/v1/dialplan/${name}`);
    const [reload = "", diff = "", rollback = ""] = paths;
    for (const path of paths) {
      const operator = bearer("operator-token-0123456789");
      expect((await postJson(path, {}, operator)).status).toBe(403);
    }
    const answer = await postJson(reload, {}, ADMIN);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      version: expect.objectContaining({ version: 3, isInForce: true }),
      needRestart: [],
      compared: 7,
      changed: 0,
      decisions: [],
      warnings: [],
    });
    const draft = { routes: [{ do: "echo" }] };
    expect((await postJson(diff, { dialplan: draft }, ADMIN)).status).toBe(200);
    expect((await postJson(rollback, { version: 3 }, ADMIN)).status).toBe(200);
    expect(gateway.planRequests).toEqual([
      ["reload", "ops"],
      ["diff", draft],
      ["rollback", 3, "ops"],
    ]);
    expect((await postJson(rollback, { version: 4 }, ADMIN)).status).toBe(404);
    expect((await postJson(rollback, { version: "3" }, ADMIN)).status).toBe(400);
    expect((await postJson(reload, { dialplan: draft }, ADMIN)).status).toBe(400);
    const versions = await fetch(`${url}/api/v1/dialplan/versions`, { headers: VIEWER });
    expect(await versions.json()).toMatchObject({ items: [{ version: 3, how: "file" }] });
  });

  it("are refused with every mistake", async () => {
    const { gateway, url } = await startServer();
    gateway.planChange = { ok: false, problems: ["offhook.yaml:3:1: one", "two"] };
    const answer = await postJson(`${url}/api/v1/dialplan/reload`, {}, ADMIN);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toEqual({
      error: { code: "ERR_OFFHOOK_HTTP_PLAN_REFUSED", message: "offhook.yaml:3:1: one\ntwo" },
    });
  });

  it("may be drafted larger than other bodies", async () => {
    const { url } = await startServer();
    const diff = (octets: number) =>
      postJson(`${url}/api/v1/dialplan/diff`, { dialplan: "x".repeat(octets) }, ADMIN);
    expect((await diff(1024 * 1024)).status).toBe(200);
    expect((await diff(4 * 1024 * 1024)).status).toBe(413);
  });
});
