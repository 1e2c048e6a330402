import { execFile } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { Coverage } from "./coverage.ts";
import { MAX_MS, faultOf, fuzz } from "./fuzzer.ts";
import type { Target } from "./fuzzer.ts";
import { TARGETS } from "./targets.ts";

/** Long runs have a command of their own: `npm run fuzz`. */
const SECONDS = Number(process.env["OFFHOOK_FUZZ_SECONDS"] ?? 10);
const MAIN = join(import.meta.dirname, "main.ts");
const CRASHERS = join(import.meta.dirname, "crashers");

/** Throws for what only several steps in a row lead to. */
const BROKEN: Target = {
  name: "broken",
  seeds: [Buffer.from("Digest a=b")],
  words: ["SIP/2.0", "\r\n"],
  maxOctets: 200,
  run(octets) {
    if (octets.includes("SIP/2.0\r\n")) throw new Error("a planted fault");
  },
};

function fuzzBroken(seed: number): ReturnType<typeof fuzz> {
  const coverage = new Coverage((url) => url.includes("/test/fuzz/fuzz.test"));
  const report = fuzz({ target: BROKEN, coverage, seed, forMs: 8000, inputs: 5000 });
  coverage.stop();
  return report;
}

describe("the fuzzer", () => {
  it("finds a planted fault, and makes it as small as it can be", { timeout: 30_000 }, () => {
    const [finding] = fuzzBroken(1).findings;
    expect(finding?.what).toBe("exception");
    expect(finding?.octets.toString()).toBe("SIP/2.0\r\n");
    expect(finding?.detail).toContain("a planted fault");
  });

  it("says that an input is slow", () => {
    const slow: Target = {
      ...BROKEN,
      run() {
        const before = process.threadCpuUsage();
        while (process.threadCpuUsage(before).user < 1000 * (MAX_MS + 5));
      },
    };
    expect(faultOf(slow, Buffer.from("x"))?.what).toBe("slow");
    expect(faultOf(BROKEN, Buffer.from("x"))).toBeUndefined();
  });
});

describe("whatever arrives: no exception but the parse error, and no input over 20 ms", () => {
  it.each(TARGETS.map(({ name }) => name))(
    `%s, for ${SECONDS} s`,
    async (name) => {
      // A process of its own: V8 counts blocks only in what it compiles after it was told to.
      const args = [MAIN, name, "--seconds", String(SECONDS)];
      const run = promisify(execFile)(process.execPath, args, {
        env: { ...process.env, NODE_OPTIONS: "", VITEST: "" },
      });
      const { stdout } = await run;
      process.stdout.write(stdout);
      expect(stdout).toContain(" 0 findings");
    },
    (SECONDS + 30) * 1000,
  );

  const crashers = existsSync(CRASHERS) ? readdirSync(CRASHERS) : [];

  it("nor for anything that was ever found", () => {
    for (const file of crashers) {
      const target = TARGETS.find(({ name }) => file.startsWith(`${name}-`));
      if (target === undefined) throw new Error(`${file} belongs to no target`);
      expect(faultOf(target, readFileSync(join(CRASHERS, file))), file).toBeUndefined();
    }
  });
});
