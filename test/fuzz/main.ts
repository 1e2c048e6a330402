/**
 * `npm run fuzz -- [target…] [--minutes N | --seconds N] [--inputs N] [--seed N]`: feeds changed
 * inputs to the parsers of what comes from the network. Ends with 1 when something was found; each
 * finding is written to test/fuzz/crashers/, where the tests run it again for ever.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Coverage } from "./coverage.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string" },
    seconds: { type: "string" },
    inputs: { type: "string" },
    seed: { type: "string" },
  },
});

const SOURCES = new URL("../../src/", import.meta.url).href;
const UNDER_TEST = ["signaling/message/", "media/sdp", "media/codecs"].map(
  (path) => `${SOURCES}${path}`,
);
const coverage = new Coverage((url) => UNDER_TEST.some((path) => url.startsWith(path)));
// Imported only now: V8 counts blocks in what it compiles from here on.
const { fuzz, crasherName } = await import("./fuzzer.ts");
const { TARGETS } = await import("./targets.ts");

const chosen = positionals.length === 0 ? TARGETS.map(({ name }) => name) : positionals;
const seconds =
  values.minutes === undefined ? Number(values.seconds ?? 60) : 60 * Number(values.minutes);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
let found = 0;

for (const name of chosen) {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined) {
    process.stderr.write(
      `There is no target ${name}: ${TARGETS.map((one) => one.name).join(", ")}\n`,
    );
    process.exit(2);
  }
  const report = fuzz({
    target,
    coverage,
    seed,
    forMs: 1000 * seconds,
    ...(values.inputs === undefined ? {} : { inputs: Number(values.inputs) }),
  });
  const perSecond = Math.round((1000 * report.inputs) / report.elapsedMs);
  process.stdout.write(
    `${name}: seed ${seed}, ${report.inputs} inputs, ${perSecond}/s, ${report.kept} kept, ` +
      `${report.covered} characters of source run, slowest ${report.slowestMs.toFixed(1)} ms, ` +
      `${report.findings.length} findings\n`,
  );
  for (const finding of report.findings) {
    found += 1;
    const directory = join(import.meta.dirname, "crashers");
    mkdirSync(directory, { recursive: true });
    const file = join(directory, crasherName(target, finding));
    writeFileSync(file, finding.octets);
    process.stdout.write(`${finding.what} in ${file}\n${finding.detail}\n`);
  }
}
coverage.stop();
process.exitCode = found === 0 ? 0 : 1;
