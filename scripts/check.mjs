import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { runCheck, staticChecks } from "./setup/checks.mjs";
import { formatDuration, say } from "./setup/progress.mjs";
import { formatOutcome, runTests, sum } from "./setup/test-run.mjs";

// `npm run check`: what every commit has to pass, without root, network or real peers. The unit
// tests hold the docs true as well (test/docs/).

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const startedAt = Date.now();
const outcomes = [];
for (const check of staticChecks(root)) outcomes.push(await runCheck(root, check));
outcomes.push(await runTests(root, ["unit"], { filters: process.argv.slice(2) }));
const total = sum(outcomes);
for (const failure of total.failures) say(`✗ ${failure}`);
say(`${formatOutcome(total)} in ${formatDuration(Date.now() - startedAt)}`);
process.exitCode = total.failed === 0 ? 0 : 1;
