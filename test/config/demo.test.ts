import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { keepDemoAccess, readablePassword } from "../../src/config/demo.ts";
import { loadConfig, tryLoadConfig } from "../../src/config/load.ts";

/** A text that holds this one. */
function containing(text: string): unknown {
  return expect.stringContaining(text);
}

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "offhook-demo-"));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

describe("the demo's secrets", () => {
  it("are made once, kept for the owner alone, and the same at the next start", () => {
    const directory = join(root, "data");
    const first = keepDemoAccess(directory);
    expect(first.users.map(({ id }) => id)).toEqual(["1001", "1002"]);
    expect(first.users[0]?.password).not.toBe(first.users[1]?.password);
    expect(first.adminToken).toMatch(/^[\w-]{32}$/);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, "demo.json")).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(["demo.json"]);
    expect(keepDemoAccess(directory)).toEqual(first);
  });

  it("lose the rights of others", () => {
    keepDemoAccess(root);
    chmodSync(join(root, "demo.json"), 0o644);
    keepDemoAccess(root);
    expect(statSync(join(root, "demo.json")).mode & 0o777).toBe(0o600);
  });

  it.each([
    "",
    "{",
    "[]",
    "null",
    '{"users":{}}',
    '{"users":{"1001":{"password":""},"1002":{"password":"x"}},"adminToken":"0123456789abcdef"}',
    '{"users":{"1001":{"password":"x"},"1002":{"password":"x"}},"adminToken":5}',
  ])("are not replaced when the file is damaged: %s", (content) => {
    const file = join(root, "demo.json");
    writeFileSync(file, content);
    expect(() => keepDemoAccess(root)).toThrow(
      expect.objectContaining({
        code: "ERR_OFFHOOK_DEMO_DATA",
        message: containing("delete it, and the next start makes new ones"),
      }),
    );
    expect(readFileSync(file, "utf8")).toBe(content);
    expect(tryLoadConfig(undefined, { dataDirectory: root })).toMatchObject({
      ok: false,
      problems: [{ message: containing("is damaged") }],
    });
  });

  it("say what to do when they cannot be kept", () => {
    writeFileSync(join(root, "file"), "");
    expect(() => keepDemoAccess(join(root, "file", "data"))).toThrow(
      expect.objectContaining({ code: "ERR_OFFHOOK_DEMO_DATA" }),
    );
  });

  it("are read by people: no letter that looks like a digit", () => {
    for (let round = 0; round < 100; round += 1) {
      expect(readablePassword()).toMatch(/^[a-hjkmnp-z2-9]{4}(-[a-hjkmnp-z2-9]{4}){2}$/);
    }
  });
});

describe("the built-in demo", () => {
  it("is a configuration with two users, an admin token and the services", () => {
    const config = loadConfig(undefined, { dataDirectory: root });
    expect(config.file).toBeUndefined();
    expect(config.domain).toBe("localhost");
    expect(config.demo).toEqual(keepDemoAccess(root));
    expect([...config.users.values()].map(({ id, password }) => [id, password])).toEqual(
      config.demo?.users.map(({ id, password }) => [id, password]),
    );
    expect(config.warnings).toEqual([]);
    expect(config.dialplan.routes.flatMap(({ to }) => to)).toEqual(["*43", "*44", "*45", "@users"]);
  });
});
