import { readFileSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";

import { gatewayArguments } from "../../scripts/setup/arguments.mjs";
import { chooseMirror, findChroot, needsChroots } from "../../scripts/setup/chroots.mjs";
import { installCommand, missingDebianPackages } from "../../scripts/setup/debian-packages.mjs";
import { hasExternalMediaServer } from "../../scripts/setup/media-server.mjs";
import { isNewEnough, missingPackages } from "../../scripts/setup/npm-packages.mjs";
import { run } from "../../scripts/setup/progress.mjs";
import { formatOutcome, readOutcome, sum } from "../../scripts/setup/test-run.mjs";
import { sourceHash } from "../../scripts/setup/web-phone.mjs";
import { makeTemporaryDirectory } from "../harness/temporary.ts";

const project = join(import.meta.dirname, "../..");

interface LockFile {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string;
        readonly optionalDependencies?: Readonly<Record<string, string>>;
      }
    >
  >;
}

describe("npm packages of the set-up", () => {
  const machine = { platform: "linux", arch: "x64", libc: "glibc" };

  it.each([
    ["v18.20.4", false],
    ["v20.20.2", false],
    ["v22.17.9", false],
    ["v22.18.0", true],
    ["v24.21.0", true],
  ])("takes Node %s as new enough: %s", (version, expected) => {
    expect(isNewEnough(version)).toBe(expected);
  });

  it.each([
    ["nothing", { version: "1.0.0" }, { version: "1.0.0" }, []],
    ["a package that is not there", { version: "1.0.0" }, undefined, ["node_modules/a"]],
    ["another version", { version: "1.0.1" }, { version: "1.0.0" }, ["node_modules/a"]],
    [
      "the native part for this machine, which npm on an old Node leaves out",
      { version: "1.0.0", optional: true, os: ["linux"], cpu: ["x64"], libc: ["glibc"] },
      undefined,
      ["node_modules/a"],
    ],
    [
      "no native part for another system",
      { version: "1.0.0", optional: true, os: ["darwin"], cpu: ["x64"] },
      undefined,
      [],
    ],
    [
      "no native part for another C library",
      { version: "1.0.0", optional: true, os: ["linux"], cpu: ["x64"], libc: ["musl"] },
      undefined,
      [],
    ],
    ["no package that excludes this system", { version: "1.0.0", os: ["!linux"] }, undefined, []],
    [
      "nothing that may belong to another machine's variant",
      { version: "1.0.0", optional: true },
      undefined,
      [],
    ],
  ])("misses %s", (_what, wanted, installed, expected) => {
    const lock = { packages: { "": {}, "node_modules/a": wanted } };
    const tree = { packages: installed === undefined ? {} : { "node_modules/a": installed } };
    expect(missingPackages(lock, tree, machine)).toEqual(expected);
  });

  it("has a lock that names the native parts of every platform, as npm ci demands", () => {
    // The shape of npm's lock file, version 3.
    const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as LockFile;
    const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) =>
          lock.packages[`node_modules/${name}`] === undefined &&
          lock.packages[`${path}/node_modules/${name}`] === undefined,
      ),
    );
    expect(missing).toEqual([]);
  });
});

describe("Debian packages of the set-up", () => {
  it("asks dpkg which are missing", async () => {
    expect(await missingDebianPackages(["dpkg", "offhook-no-such-package"])).toEqual([
      "offhook-no-such-package",
    ]);
    expect(await missingDebianPackages(["dpkg", "bash"])).toEqual([]);
  });

  it("says what to type", () => {
    expect(installCommand(["rtpengine-daemon", "tshark"])).toMatch(
      /^(sudo )?apt-get update && (sudo )?env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rtpengine-daemon tshark$/,
    );
  });
});

describe("arguments of npm start", () => {
  let root = "";
  let caller = "";

  beforeEach(async () => {
    root = await makeTemporaryDirectory("root");
    caller = await makeTemporaryDirectory("caller");
  });

  it.each([
    [["--config", "my.yaml"], "--config FILE"],
    [["--config=my.yaml"], "--config=FILE"],
  ])("reads %j from the caller's directory", (given) => {
    const { args, configFile } = gatewayArguments([...given, "--log-pretty"], caller, root);
    expect(configFile).toBe(join(caller, "my.yaml"));
    expect(args.join("=")).toBe(`--config=${join(caller, "my.yaml")}=--log-pretty`);
  });

  it("leaves an absolute path as it is", () => {
    expect(gatewayArguments(["--config", "/etc/offhook.yaml"], caller, root)).toEqual({
      args: ["--config", "/etc/offhook.yaml"],
      configFile: "/etc/offhook.yaml",
    });
  });

  it("finds offhook.yaml with the caller, then in the package, else there is the demo", async () => {
    expect(gatewayArguments([], caller, root)).toEqual({ args: [], configFile: undefined });
    await writeFile(join(root, "offhook.yaml"), "");
    expect(gatewayArguments([], caller, root).configFile).toBe(join(root, "offhook.yaml"));
    await writeFile(join(caller, "offhook.yaml"), "");
    expect(gatewayArguments(["--log-pretty"], caller, root)).toEqual({
      args: ["--config", join(caller, "offhook.yaml"), "--log-pretty"],
      configFile: join(caller, "offhook.yaml"),
    });
  });

  it("passes an option without its value on, for the gateway to refuse", () => {
    expect(gatewayArguments(["--config"], caller, root)).toEqual({
      args: ["--config"],
      configFile: undefined,
    });
  });
});

describe("media server of the set-up", () => {
  it.each([
    ["media: { rtpengine: managed }", false],
    ['media: { rtpengine: ["udp:10.0.0.5:22222"] }', true],
    ["media: { address: 192.0.2.1 }", false],
    ["domain: localhost", false],
    ["media: [", false],
    ["", false],
  ])("%j has an external one: %s", async (text, expected) => {
    const file = join(await makeTemporaryDirectory("config"), "offhook.yaml");
    await writeFile(file, text);
    expect(await hasExternalMediaServer(file)).toBe(expected);
  });

  it("takes a file that is not there as none", async () => {
    expect(await hasExternalMediaServer("/no/such/offhook.yaml")).toBe(false);
  });
});

describe("hash of the web phone's sources", () => {
  it("changes with a file, its name and the lock, and not with what is built", async () => {
    const root = await makeTemporaryDirectory("phone");
    await mkdir(join(root, "web-phone/src"), { recursive: true });
    await mkdir(join(root, "web-phone/dist"));
    await writeFile(join(root, "web-phone/src/main.ts"), "one");
    await writeFile(join(root, "package-lock.json"), "{}");
    const first = sourceHash(root);
    await writeFile(join(root, "web-phone/dist/index.html"), "built");
    expect(sourceHash(root)).toBe(first);
    await writeFile(join(root, "web-phone/src/main.ts"), "two");
    const second = sourceHash(root);
    await cp(join(root, "web-phone/src/main.ts"), join(root, "web-phone/src/other.ts"));
    const third = sourceHash(root);
    await writeFile(join(root, "package-lock.json"), "{ }");
    expect(new Set([first, second, third, sourceHash(root)]).size).toBe(4);
  });
});

describe("outcome of a test run", () => {
  const report = (passed: number, failed: number, skipped: number): string => {
    const tests = (count: number): readonly object[] =>
      Array.from({ length: count }, (_, index) => ({ name: `t${index}`, reason: "" }));
    return JSON.stringify({ passed, failed: tests(failed), skipped: tests(skipped) });
  };

  it.each([
    ["all well", report(3, 0, 0), 0, false, "3 passed, 0 failed, 0 skipped"],
    ["one red", report(3, 1, 2), 1, false, "3 passed, 1 failed, 2 skipped"],
    ["a bad end with every test well", report(3, 0, 0), 1, false, "3 passed, 1 failed, 0 skipped"],
    ["no test at all", report(0, 0, 0), 0, false, "0 passed, 1 failed, 0 skipped"],
    ["no test for the filter", report(0, 0, 0), 1, true, "0 passed, 0 failed, 0 skipped"],
    ["no report", undefined, 0, false, "0 passed, 1 failed, 0 skipped"],
    ["a crash", undefined, 139, true, "0 passed, 1 failed, 0 skipped"],
  ])("%s", (_what, text, code, isFiltered, expected) => {
    const outcome = readOutcome("unit", text, code, isFiltered);
    expect(formatOutcome(outcome)).toBe(expected);
    expect(outcome.failures).toHaveLength(outcome.failed);
  });

  it("adds up", () => {
    expect(
      sum([
        { passed: 1, failed: 2, skipped: 3, failures: ["a: b", "c: d"] },
        { passed: 10, failed: 1, skipped: 30, failures: ["e: f"] },
      ]),
    ).toEqual({ passed: 11, failed: 3, skipped: 33, failures: ["a: b", "c: d", "e: f"] });
  });

  it("names every failure of a real run, whatever it is that failed, and why", async () => {
    const directory = await makeTemporaryDirectory("outcome");
    const file = join(directory, "outcome.json");
    const reporter = join(project, "scripts/setup/vitest-reporter.mjs");
    const files = {
      "vitest.config.mjs": `export default { test: {
        globals: true, reporters: [[${JSON.stringify(reporter)}, ${JSON.stringify({ file })}]],
      } };`,
      "broken.test.mjs": 'throw new Error("no such room\\nat all");',
      "some.test.mjs": `
        it("is well", () => {});
        it("is red", () => expect(1).toBe(2));
        it("has no peer", ({ skip }) => skip("it is not here"));
        it("throws later", () => { setImmediate(() => { throw new Error("too late"); }); });
        describe("a suite", () => {
          beforeAll(() => { throw new Error("its hook"); });
          it("never runs", () => {});
        });`,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    const vitest = join(project, "node_modules/vitest/vitest.mjs");
    const { code } = await run(process.execPath, [vitest, "run"], { cwd: directory });
    const outcome = readOutcome("real", await readFile(file, "utf8"), code, false);
    expect(outcome.failures.toSorted()).toEqual([
      "broken.test.mjs: no such room",
      "outside of the tests: too late",
      "some.test.mjs > a suite: its hook",
      "some.test.mjs > is red: expected 1 to be 2 // Object.is equality",
    ]);
    expect(outcome.reasons.toSorted()).toEqual([
      "some.test.mjs > a suite > never runs: no reason given",
      "some.test.mjs > has no peer: it is not here",
    ]);
    expect(formatOutcome(outcome)).toBe("2 passed, 4 failed, 2 skipped");
  });
});

describe("other releases of Debian for the tests", () => {
  it.each([
    [
      "Debian's own archive, not the security one and nobody else's",
      [
        "Debian|main|bookworm-security|http://mirror.test/debian-security/",
        "Somebody|main|bookworm|https://packages.test/",
        "Debian|main|bookworm-updates|http://mirror.test/debian/",
        "Debian|main|bookworm|http://mirror.test/debian/",
      ],
      "http://mirror.test/debian/",
    ],
    [
      "what is called debian before apt knows the origins",
      ["|main|stable|https://packages.test/", "|main|bookworm|http://mirror.test/debian/"],
      "http://mirror.test/debian/",
    ],
    ["none where there is none", ["Ubuntu|main|noble|http://archive.test/ubuntu/"], undefined],
    ["none that debootstrap cannot read", ["Debian|main|bookworm|file:/srv/debian"], undefined],
  ])("come from %s", (_what, targets, expected) => {
    expect(chooseMirror(targets.join("\n"))).toBe(expected);
  });

  it("are needed by the tests that start a program out of one, and by no others", () => {
    expect(needsChroots(project, [])).toBe(true);
    expect(needsChroots(project, ["rtpengine-generation"])).toBe(true);
    expect(needsChroots(project, ["dialplan"])).toBe(false);
  });

  it("count only when they are whole, and built for what the tests start", async () => {
    const cache = await makeTemporaryDirectory("chroots");
    expect(findChroot("forky", cache)).toBeUndefined();
    await mkdir(join(cache, "forky"));
    expect(findChroot("forky", cache)).toBeUndefined();
    await writeFile(join(cache, "forky", "offhook-chroot.json"), '{"recipe":0}\n');
    expect(findChroot("forky", cache)).toBeUndefined();
    expect(findChroot("no-such-suite", cache)).toBeUndefined();
  });
});
