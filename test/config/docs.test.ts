import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

import {
  OUTPUTS,
  renderConfigurationPage,
  renderDialplanPage,
  renderDialplanTables,
  renderJsonSchema,
  renderTables,
} from "../../scripts/generate-config-docs.ts";
import { tryLoadConfigText } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";

const page = readFileSync(OUTPUTS.page, "utf8");
const dialplanPage = readFileSync(OUTPUTS.dialplan, "utf8");
const contract = readFileSync(new URL("../fixtures/config/contract.yaml", import.meta.url), "utf8");

describe("docs/configuration.md", () => {
  it("is what scripts/generate-config-docs.ts makes", () => {
    expect(page).toBe(renderConfigurationPage());
  });

  it("describes every key of the contract, each with its default", () => {
    const tables = renderTables() + renderDialplanTables();
    const keys = [...tables.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map((row) => row[1]);
    expect(keys).toEqual(
      expect.arrayContaining([
        "domain",
        "http.listen",
        "http.tls.certificate",
        "http.origins",
        "sip.engine",
        "sip.listen",
        "sip.tls.ca",
        "media.rtpengine",
        "media.address",
        "media.ports",
        "media.codecs",
        "media.turn.secret",
        "users.ID.password",
        "users.ID.numbers",
        "trunks.ID.peer",
        "trunks.ID.register.expires",
        "trunks.ID.max-calls",
        "dialplan.country",
        "dialplan.time-zone",
        "dialplan.routes[].at.hours",
        "dialplan.tests[].expect",
        "api.tokens[].role",
        "limits.max-calls-per-user",
        "ring",
        "then",
      ]),
    );
    expect(keys).toHaveLength(new Set(keys).size);
  });

  it("holds examples that load", () => {
    const blocks = [...(page + dialplanPage).matchAll(/```yaml\n([\s\S]*?)```/g)].map(
      (block) => block[1] ?? "",
    );
    expect(blocks.length).toBeGreaterThanOrEqual(3);
    const trunks = "trunks: { office: { peer: sip:192.0.2.1 }, backup: { peer: sip:192.0.2.2 } }\n";
    const users = "users: { 1001: { password: x, groups: [staff] } }\n";
    for (const block of blocks) {
      const text =
        block.includes("trunks:") || !block.includes("dialplan:") ? block : users + trunks + block;
      const result = tryLoadConfigText(text, "example.yaml", {});
      expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([]);
    }
  });
});

describe("docs/dialplan.md", () => {
  it("is what scripts/generate-config-docs.ts makes", () => {
    expect(dialplanPage).toBe(renderDialplanPage());
  });

  it("is led to, and explains a call of its example", () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    expect(readme).toContain("(docs/dialplan.md)");
    expect(page).toContain("(dialplan.md)");
    expect(dialplanPage).toContain("user 1001 (staff) dials 030123456");
    expect(dialplanPage).toContain("codecs: narrow over backup, as the trunk says");
  });
});

describe("docs/offhook.schema.json", () => {
  const text = readFileSync(OUTPUTS.schema, "utf8");

  it("is what scripts/generate-config-docs.ts makes", () => {
    // The formatter lays the file out; what it says is what counts.
    expect(JSON.parse(text)).toEqual(JSON.parse(renderJsonSchema()));
  });

  it("accepts the contract's example as other tools read it, and refuses mistakes", () => {
    const schema = z.fromJSONSchema(z.record(z.string(), z.unknown()).parse(JSON.parse(text)));
    const accepts = (yaml: string): boolean => schema.safeParse(parse(yaml)).success;
    expect(accepts(contract)).toBe(true);
    expect(accepts("users: { 1001: { password: 5 } }\nlimits: { max-calls: 5 }")).toBe(true);
    expect(accepts("limits: { max-calls: '${MAX}' }")).toBe(true);
    expect(accepts("htp: {}")).toBe(false);
    expect(accepts("limits: { max-calls: lots }")).toBe(false);
    expect(accepts("trunks: { a: {} }")).toBe(false);
    expect(accepts("trunks: { a: { peer: 'sip:a', dtmf: morse } }")).toBe(false);
  });
});
