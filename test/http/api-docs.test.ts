import { readFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { SERVER_DEFAULTS } from "../../src/http/server.ts";
import { MAX_BODY_OCTETS } from "../../src/http/json-body.ts";
import { DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT } from "../../src/http/paging.ts";
import { ROUTES } from "../../src/http/routes.ts";
import { DEFAULT_CREDENTIAL_LIFE_SECONDS } from "../../src/http/session-credentials.ts";
import { DEFAULT_RECORD_CAPACITY } from "../../src/observe/call-records.ts";
import { Metrics } from "../../src/observe/metrics.ts";

const page = await readFile(new URL("../../docs/api.md", import.meta.url), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| `"));

describe("docs/api.md", () => {
  it.each(ROUTES.map(({ method, path, role }) => ({ name: `${method} ${path}`, role })))(
    "names $name with its role",
    ({ name, role }) => {
      const row = rows.find((line) => line.includes(`\`${name}\``));
      expect(row).toBeDefined();
      expect(row?.split("|")[2]?.trim()).toMatch(role === "public" ? /^anyone/ : role);
    },
  );

  it("names no path under /api that the server does not have", () => {
    const paths = new Set(ROUTES.map(({ path }) => path));
    for (const [, path = ""] of page.matchAll(/`(?:GET|POST|DELETE) (\/api[^`]*)`/g)) {
      expect(paths, path).toContain(path);
    }
  });

  it("names every metric, and no other", () => {
    const none = () => 0;
    const metrics = new Metrics({
      version: "0",
      sources: {
        liveCalls: none,
        registrations: none,
        webSocketFlows: none,
        transactions: none,
        dialogs: none,
        isMediaReady: () => false,
        isDraining: () => false,
        mediaNodes: () => [{ name: "managed", state: "up" as const }],
        callTimers: () => 0,
        heapGrowthPercent: () => 60,
        isOverloaded: () => false,
        trunks: () => [],
        waitingConnections: none,
        bans: none,
        bansMade: none,
        dropped: () => ({
          "rate-limited": 0,
          banned: 0,
          stranger: 0,
          scanner: 0,
          overload: 0,
        }),
      },
    });
    onTestFinished(() => {
      metrics.close();
    });
    const shown = [...metrics.render().matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    const named = [...page.matchAll(/`((?:offhook|process|nodejs)_[a-z_]+)`/g)].map(
      ([, name]) => name,
    );
    expect(new Set(named)).toEqual(new Set(shown));
  });

  it("gives the limits as they are", () => {
    const { headersTimeoutMs, maxHeaderOctets, requestTimeoutMs } = SERVER_DEFAULTS;
    const { connections, connectionsPerAddress } = SERVER_DEFAULTS;
    for (const line of [
      `| header | ${maxHeaderOctets / 1024} KiB, complete within ${headersTimeoutMs / 1000} s;`,
      `| request | complete within ${requestTimeoutMs / 1000} s |`,
      `| body | ${MAX_BODY_OCTETS / 1024} KiB;`,
      `one IPv6 /64 | ${connectionsPerAddress};`,
      `| connections in all | ${connections.toLocaleString("en-US")} |`,
      `1 to ${MAX_PAGE_LIMIT}, default ${DEFAULT_PAGE_LIMIT}`,
      `the newest ${DEFAULT_RECORD_CAPACITY.toLocaleString("en-US")}`,
      `${DEFAULT_CREDENTIAL_LIFE_SECONDS / 3600} hours later`,
    ]) {
      expect(page).toContain(line);
    }
  });

  it("holds JSON that is JSON", () => {
    const blocks = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
    expect(blocks.length).toBeGreaterThan(2);
    for (const block of blocks) expect(() => void JSON.parse(block)).not.toThrow();
  });
});
