import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
/** What V8 has compiled of it: half of the processor time of so short a run. */
const COMPILE_CACHE = fileURLToPath(new URL("../../.cache/compiled", import.meta.url));

const FILE = `
users:
  "1001": { password: x, groups: [staff] }
  "1002": { password: "\${PASSWORD:-y}" }
trunks:
  office:
    peer: sip:192.0.2.1
    register: { username: gw, password: z }
dialplan:
  time-zone: Europe/Berlin
  routes:
    - { name: colleagues, to: "@users", do: { ring: "@to", timeout: 25s, then: { dial: office } } }
    - { name: national, from: { group: staff }, to: "_0Z.", at: { days: mon-fri }, do: { dial: office, strip: 1, prepend: "+49" } }
  tests:
    - { from: 1001, to: "030123456", at: "2026-11-20T10:00", expect: { dial: office, number: "+4930123456" } }
`;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "offhook-cli-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** Runs the real program in the temporary directory. */
async function offhook(...args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE };
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: directory, env });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  let out = "";
  let error = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (error += text));
  child.on("error", reject).on("close", resolve);
  return { code: await promise, out, error };
}

function write(text: string, name = "offhook.yaml"): void {
  writeFileSync(join(directory, name), text);
}

describe("offhook check", () => {
  it("prints what the profile of a trunk sets, and not what the trunk says itself", async () => {
    write(FILE.replace("register:", "profile: sipgate\n    codecs: [PCMA]\n    register:"));
    const { code, out } = await offhook("check");
    expect(code).toBe(0);
    expect(out).toContain(
      "trunks.office: profile sipgate sets identity: ppi, number-format: e164-without-plus, from-user: account, from-domain: peer, trust: true\n",
    );
  });

  it("takes offhook.yaml of the working directory, and prints its warnings and what it holds", async () => {
    write(FILE);
    expect(await offhook("check")).toEqual({
      code: 0,
      out: [
        'WARNING offhook.yaml:12:7: dialplan.routes.0: no test covers "colleagues"',
        "offhook.yaml: ok (2 users, 1 trunk, 2 routes, 1 test)",
        "",
      ].join("\n"),
      error: "",
    });
  });

  it("takes the demo when there is no file, and makes no data", async () => {
    const outcome = await offhook("check");
    expect(outcome).toMatchObject({
      code: 0,
      out: "(built-in demo): ok (2 users, 0 trunks, 4 routes, 0 tests)\n",
    });
    expect(existsSync(join(directory, "data"))).toBe(false);
  });

  it("prints every mistake with its place", async () => {
    write("htp: {}\nlimits:\n  max-calls: lots\n", "a.yaml");
    expect(await offhook("check", "--config", "a.yaml")).toEqual({
      code: 1,
      out: [
        'a.yaml:1:1: htp: unknown key; did you mean "http"?',
        'a.yaml:3:14: limits.max-calls: found "lots"; expected a whole number from 1 to 1000000',
        "a.yaml: 2 mistakes",
        "",
      ].join("\n"),
      error: "",
    });
  });

  it("fails on a red test of the dialplan", async () => {
    write(FILE.replace('number: "+4930123456"', 'number: "030123456"'));
    const { code, out } = await offhook("check");
    expect(code).toBe(1);
    expect(out).toMatch(
      /^offhook\.yaml:15:\d+: dialplan\.tests\.0\.expect\.number: a call from 1001 to 030123456: expected number 030123456, but it is dial \+4930123456 over office/,
    );
  });

  it("fails on a file that is not there", async () => {
    const { code, out } = await offhook("check", "--config=none.yaml");
    expect(code).toBe(1);
    expect(out).toContain("none.yaml: cannot be read: ENOENT");
  });
});

describe("offhook route", () => {
  it("explains every rule, and does what was decided in words", async () => {
    write(FILE);
    const { code, out } = await offhook(
      "route",
      "--from",
      "1001",
      "--to",
      "030123456",
      "--at",
      "2026-11-20T10:00",
    );
    expect(code).toBe(0);
    expect(out.split("\n")).toEqual([
      expect.stringMatching(/^offhook\.yaml: user 1001 \(staff\) dials 030123456 on Fri.* 10:00 /),
      "  no   colleagues  to: wants @users, saw 030123456",
      "  yes  national",
      "         strip 1 makes 030123456 30123456",
      "         prepend +49 makes 30123456 +4930123456",
      "         +4930123456 is an international number, which the caller may dial",
      "         trunk office has not been measured",
      "         the callee sees 1001",
      "         codecs: auto, as media.codecs says",
      "-> dial +4930123456 over office for 60 s",
      "",
    ]);
  });

  it("shows what follows when nobody answers", async () => {
    write(FILE);
    const { out } = await offhook("route", "--from=1001", "--to=1002");
    expect(out.split("\n").slice(1)).toEqual([
      "  yes  colleagues",
      "         user 1002 is idle",
      "         codecs: auto, as media.codecs says",
      "         1002 is an internal number, which the caller may dial",
      "         trunk office has not been measured",
      "         the callee sees 1001",
      "         codecs: auto, as media.codecs says",
      "-> ring 1002 for 25 s",
      "   then dial 1002 over office for 60 s",
      "",
    ]);
  });

  it("says why nothing matched", async () => {
    write(FILE);
    const { code, out } = await offhook(
      "route",
      "--from",
      "+33123",
      "--trunk",
      "office",
      "--to",
      "030",
      "--at",
      "2026-11-21T10:00",
    );
    expect(code).toBe(0);
    expect(out.split("\n").slice(1)).toEqual([
      "  no   colleagues  to: wants @users, saw 030",
      "  no   national    from.group: wants staff, saw trunk office",
      "no route decides",
      "-> reject 404",
      "",
    ]);
  });

  it("prints JSON and nothing else with --json", async () => {
    write(FILE);
    const { code, out, error } = await offhook(
      "route",
      "--from",
      "1002",
      "--to",
      "1001",
      "--at",
      "2026-11-20T10:00",
      "--json",
    );
    expect([code, error]).toEqual([0, ""]);
    expect(JSON.parse(out)).toEqual({
      from: { kind: "user", id: "1002", groups: [], numbers: [] },
      to: "1001",
      at: "2026-11-20T09:00:00.000Z",
      route: "colleagues",
      action: {
        kind: "ring",
        users: ["1001"],
        timeoutMs: 25_000,
        then: [{ kind: "dial", trunks: ["office"], number: "1001", timeoutMs: 60_000, then: [] }],
      },
      trace: [
        {
          route: "colleagues",
          matched: true,
          steps: [
            { kind: "user", id: "1001", state: "idle" },
            { kind: "codecs", policy: "auto", by: "default" },
            { kind: "class", number: "1001", class: "internal", isAllowed: true },
            { kind: "trunk", id: "office", state: "unknown" },
            { kind: "identity", number: "1002" },
            { kind: "codecs", policy: "auto", by: "default" },
          ],
        },
      ],
      explanation: [
        "user 1002 dials 1001",
        "  yes  colleagues",
        "         user 1001 is idle",
        "         codecs: auto, as media.codecs says",
        "         1001 is an internal number, which the caller may dial",
        "         trunk office has not been measured",
        "         the callee sees 1002",
        "         codecs: auto, as media.codecs says",
        "-> ring 1001 for 25 s",
        "   then dial 1001 over office for 60 s",
      ],
    });
  });

  it.each([
    [["--from", "1009", "--to", "1"], 1, 'offhook route: no user has the id or the number "1009"'],
    [["--from", "1", "--to", "1", "--trunk", "x"], 1, 'offhook route: no trunk "x"'],
    [["--from", "1001", "--to", "1", "--at", "noon"], 1, 'offhook route: "noon" is no time'],
    [["--to", "1"], 2, "offhook route: --from is missing"],
    [["--from", "1001"], 2, "offhook route: --to is missing"],
    [["--from", "1001", "--to"], 2, "offhook route: --to needs a value"],
    [["--form", "1001"], 2, 'offhook route: unknown option --form; did you mean "from"?'],
    [["1001"], 2, 'offhook route: unexpected "1001"'],
    [["--json=yes"], 2, "offhook route: --json takes no value"],
    [["--from", "1", "--from", "2"], 2, "offhook route: --from is given twice"],
  ])("%j gives %i: %s", async (args, code, message) => {
    const outcome = await offhook("route", ...args);
    expect([outcome.code, outcome.out]).toEqual([code, ""]);
    expect(outcome.error).toContain(message);
  });

  it("fails with the mistakes of the file", async () => {
    write("domain: a b\n");
    const { code, error } = await offhook("route", "--from", "1001", "--to", "1");
    expect(code).toBe(1);
    expect(error).toContain('offhook.yaml:1:9: domain: found "a b"');
  });
});

describe("offhook", () => {
  it.each([
    [["help"], "offhook route --from WHO --to NUMBER"],
    [["--help"], "offhook run [--config FILE]"],
    [["help", "check"], "Usage: offhook check"],
    [["check", "--help"], "Usage: offhook check"],
    [["route", "-h"], "Usage: offhook route"],
    [["--version"], "0."],
  ])("%j", async (args, text) => {
    const { code, out, error } = await offhook(...args);
    expect([code, error]).toEqual([0, ""]);
    expect(out).toContain(text);
  });

  it.each([
    [[], "offhook run [--config FILE]"],
    [["chekc"], 'offhook: no command "chekc"; did you mean "check"?'],
    [["help", "rout"], 'no command "rout"; did you mean "route"?'],
    [["doctor"], "not built yet in this version"],
    [["check", "file.yaml"], 'offhook check: unexpected "file.yaml"'],
  ])("%j is not understood", async (args, text) => {
    const { code, out, error } = await offhook(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(error).toContain(text);
  });
});
