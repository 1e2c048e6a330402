import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { findProgram } from "./debian-packages.mjs";
import { formatDuration, run, say } from "./progress.mjs";

/**
 * Other releases of Debian beside the machine's own, each in a directory of a cache outside the
 * repository: rtpengine has three generations in the field, and Asterisk is in none of the two
 * stable releases. A directory there is whole: it is built under another name and renamed last.
 *
 * They are made by root alone. Without them the tests that need one are skipped, with the reason.
 */

/**
 * @typedef {object} Chroot
 * @property {string} suite Debian's name of the release
 * @property {string | undefined} script debootstrap's script, where this machine's has none of that name
 * @property {readonly string[]} packages
 * @property {string} title for people
 */

/** @type {readonly Chroot[]} */
export const CHROOTS = [
  {
    suite: "trixie",
    script: "sid",
    packages: ["rtpengine-daemon"],
    title: "Debian 13's rtpengine 12.5",
  },
  {
    suite: "forky",
    script: "sid",
    packages: ["asterisk", "rtpengine-daemon"],
    title: "Debian testing's rtpengine 26 and Asterisk 22",
  },
];

/** Raised when the same suite has to be built anew. */
const RECIPE = 1;
const STAMP = "offhook-chroot.json";
const LONGEST_BUILD_SECONDS = 900;
/** The modules of the harness that start a program out of a chroot, as a test imports them. */
const USERS = /from "[./a-z]*\/(?:asterisk|rtpengine-generation)\.ts"/;
/** What no test reads; most of the size. */
const SUPERFLUOUS = ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc"];

/** The directory that holds all of them. */
export function chrootCache() {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(cache, "offhook", "chroots");
}

/**
 * The directory of a release, or undefined when it has not been built.
 *
 * @param {string} suite
 * @param {string} [cache]
 * @returns {string | undefined}
 */
export function findChroot(suite, cache = chrootCache()) {
  const chroot = CHROOTS.find((one) => one.suite === suite);
  const directory = join(cache, suite);
  if (chroot === undefined || tryRead(join(directory, STAMP)) !== stampOf(chroot)) return undefined;
  return directory;
}

/**
 * Whether a run of the tests with these filters has a file that starts something out of a chroot.
 *
 * @param {string} root of the project
 * @param {readonly string[]} filters parts of paths, as vitest takes them; none: every file
 * @returns {boolean}
 */
export function needsChroots(root, filters) {
  return readdirSync(join(root, "test"), { recursive: true })
    .map((name) => join("test", String(name)))
    .filter((path) => path.endsWith(".test.ts"))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .some((path) => USERS.test(readFileSync(join(root, path), "utf8")));
}

/**
 * Builds those that are missing, one after another, and says how it goes. Never throws: a mirror
 * that is down fails no test.
 *
 * @returns {Promise<void>}
 */
export async function ensureChroots() {
  const cache = chrootCache();
  const missing = CHROOTS.filter(({ suite }) => findChroot(suite, cache) === undefined);
  if (missing.length === 0) return;
  const obstacle = await findObstacle();
  if (obstacle !== undefined) {
    say(`  not built: ${missing.map(({ title }) => title).join("; ")}: ${obstacle}`);
    return;
  }
  mkdirSync(cache, { recursive: true });
  sweep(cache);
  for (const chroot of missing) await build(cache, chroot);
}

/** Why none can be built here, or undefined. @returns {Promise<string | undefined>} */
async function findObstacle() {
  if (process.getuid?.() !== 0) return "that needs root";
  if (findProgram("debootstrap") === undefined) return "debootstrap is not installed";
  if ((await debianMirror()) === undefined) return "apt has no mirror of Debian configured";
  return undefined;
}

/**
 * The mirror that apt uses for Debian itself on this machine.
 *
 * @returns {Promise<string | undefined>}
 */
async function debianMirror() {
  const { code, output } = await run("apt-get", [
    "indextargets",
    "--format",
    "$(ORIGIN)|$(COMPONENT)|$(RELEASE)|$(REPO_URI)",
    "Created-By: Packages",
  ]);
  return code === 0 ? chooseMirror(output) : undefined;
}

/**
 * @param {string} targets lines of `origin|component|release|URI`; the origin is empty before the
 *   first `apt-get update`
 * @returns {string | undefined}
 */
export function chooseMirror(targets) {
  const candidates = targets
    .split("\n")
    .map((line) => line.split("|"))
    .filter(
      ([origin, component, release, uri]) =>
        component === "main" &&
        (origin === "Debian" || (origin === "" && /\/debian\/?$/.test(uri ?? ""))) &&
        !(release ?? "").includes("security") &&
        /^https?:/.test(uri ?? ""),
    )
    .sort(([left], [right]) => (right ?? "").length - (left ?? "").length);
  return candidates[0]?.[3];
}

/**
 * @param {string} cache
 * @param {Chroot} chroot
 */
async function build(cache, chroot) {
  const { suite, script, packages, title } = chroot;
  const mirror = (await debianMirror()) ?? "";
  const startedAt = Date.now();
  say(`· Building ${title} in ${join(cache, suite)}, once: some minutes …`);
  const making = join(cache, `.making-${suite}-${process.pid}`);
  const remove = () => rmSync(making, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const { code, output } = await run(
      "nice",
      [
        "timeout",
        "--kill-after=10",
        String(LONGEST_BUILD_SECONDS),
        // Its mounts below the directory are gone with it, however it ends.
        "unshare",
        "--mount",
        "--",
        "debootstrap",
        "--variant=minbase",
        `--include=${packages.join(",")}`,
        suite,
        making,
        mirror,
        ...(script === undefined ? [] : [script]),
      ],
      { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" } },
    );
    if (code !== 0) {
      const last =
        code === 124 ? "it took too long" : output.trim().split("\n").slice(-3).join(" ");
      say(`✗ ${title} could not be built; the tests that need it are skipped: ${last}`);
      return;
    }
    for (const part of SUPERFLUOUS) rmSync(join(making, part), { recursive: true, force: true });
    writeFileSync(join(making, STAMP), stampOf(chroot));
    moveInto(making, join(cache, suite), chroot);
    say(`✓ Building ${title} (${formatDuration(Date.now() - startedAt)})`);
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

/**
 * Another run may have finished the same one meanwhile: the first stays, since its tests use it.
 *
 * @param {string} making
 * @param {string} directory
 * @param {Chroot} chroot
 */
function moveInto(making, directory, chroot) {
  if (tryRead(join(directory, STAMP)) === stampOf(chroot)) return;
  if (existsSync(directory)) {
    const old = `${making}.old`;
    renameSync(directory, old);
    rmSync(old, { recursive: true, force: true });
  }
  renameSync(making, directory);
}

/** What a build that was killed has left. @param {string} cache */
function sweep(cache) {
  for (const name of readdirSync(cache)) {
    const pid = /^\.making-[a-z]+-(\d+)/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    rmSync(join(cache, name), { recursive: true, force: true });
  }
}

/** @param {Chroot} chroot */
function stampOf(chroot) {
  return `${JSON.stringify({ recipe: RECIPE, suite: chroot.suite, packages: chroot.packages })}\n`;
}

/** @param {string} file */
function tryRead(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
