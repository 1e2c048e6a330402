import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { runCheck, staticChecks } from "./setup/checks.mjs";
import { ensureChroots, needsChroots } from "./setup/chroots.mjs";
import {
  findProgram,
  installDebianPackages,
  missingDebianPackages,
} from "./setup/debian-packages.mjs";
import { ensureNpmPackages } from "./setup/npm-packages.mjs";
import { endRunning, formatDuration, run, say, SetupError } from "./setup/progress.mjs";
import { formatOutcome, runTests, sum } from "./setup/test-run.mjs";
import { ensureWebPhone } from "./setup/web-phone.mjs";

// `npm test`: sets up what the tests need, then types, lint, format, unit tests, and the tests with
// real peers and a real browser in a network of their own. The last lines name what failed and
// count all.

/** Real peers: https://packages.debian.org/bookworm. */
const DEBIAN_PACKAGES = [
  "rtpengine-daemon",
  "chromium",
  "firefox-esr",
  "fonts-dejavu-core",
  "sip-tester",
  "baresip-core",
  "linphone-cli",
  "kamailio",
  "kamailio-tls-modules",
  "coturn",
  "kamailio",
  "tshark",
  "iproute2",
  "iptables",
  // rtpengine of other generations, and Asterisk: see setup/chroots.mjs.
  "debootstrap",
];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const filters = process.argv.slice(2);
const startedAt = Date.now();

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.once(signal, () => {
    endRunning("SIGTERM");
    process.exitCode = 130;
    setTimeout(() => process.exit(130), 10_000).unref();
  });
}

async function setUp() {
  await ensureNpmPackages(root);
  const missing = await missingDebianPackages(DEBIAN_PACKAGES);
  if (missing.length > 0) await installDebianPackages(missing, "the tests call them");
  await ensureWebPhone(root);
}

/**
 * How to run a command where only the loopback interface exists: no port is taken there, nothing
 * leaves the machine, and it is gone with the command, however that ends.
 *
 * @returns {Promise<string[] | undefined>}
 */
async function ownNetwork() {
  const unshare = findProgram("unshare");
  const ip = findProgram("ip");
  if (unshare === undefined || ip === undefined) return undefined;
  const kinds = process.getuid?.() === 0 ? [["--net"]] : [["--user", "--map-root-user", "--net"]];
  for (const kind of kinds) {
    const wrapper = [unshare, ...kind, "--", "sh", "-c", `${ip} link set lo up && exec "$@"`, "sh"];
    if ((await run(wrapper[0] ?? "", [...wrapper.slice(1), "true"])).code === 0) return wrapper;
  }
  return undefined;
}

async function runAll() {
  const outcomes = [];
  // Minutes on a new machine: they pass while the unit tests run.
  const chroots = needsChroots(root, filters) ? ensureChroots() : Promise.resolve();
  if (filters.length === 0) {
    for (const check of staticChecks(root)) outcomes.push(await runCheck(root, check));
  }
  const wrapper = await ownNetwork();
  const withPeers = (/** @type {string} */ project, isBeside = false) =>
    runTests(root, [project], { filters, wrapper: wrapper ?? [], isBeside });
  // What waits for minutes and does nothing meanwhile does so beside the unit tests.
  const asleep = wrapper === undefined ? [] : [chroots.then(() => withPeers("sleeping", true))];
  outcomes.push(...(await Promise.all([runTests(root, ["unit"], { filters }), ...asleep])));
  await chroots;
  if (wrapper === undefined) {
    say("skipped: integration and browser tests: they need root, or unprivileged user namespaces,");
    say("  for a network of their own. Run them with: sudo npm test");
    outcomes.push({ passed: 0, failed: 0, skipped: 4, failures: [] });
  } else {
    for (const project of ["waiting", "integration", "browser"]) {
      outcomes.push(await withPeers(project));
    }
  }
  return sum(outcomes);
}

try {
  await setUp();
  const total = await runAll();
  say(`all of it took ${formatDuration(Date.now() - startedAt)}`);
  for (const failure of total.failures) say(`✗ ${failure}`);
  say(formatOutcome(total));
  process.exitCode ??= total.failed === 0 && total.passed > 0 ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
