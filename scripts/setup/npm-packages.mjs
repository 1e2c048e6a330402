import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";

import { failure, mustRun, run, step } from "./progress.mjs";

/**
 * Brings node_modules to what package-lock.json says.
 *
 * npm leaves out, without a word, an optional package whose `engines` refuse the Node that npm runs
 * on: with Debian 12's Node 18 that is every native part of the linter and of the bundler. So the
 * installation runs on a Node that is new enough, fetched first when the machine's is not; and what
 * is there is compared with the lock, package by package, so that a tree with holes is seen.
 */

/** Oldest Node on which all packages install whole: package.json, "engines". */
const OLDEST_NODE = { major: 22, minor: 18 };
/** npm that runs on the fetched Node, when the machine's own is too old. */
const NPM_VERSION = "11.19.1";

/**
 * @typedef {{ version?: string, optional?: boolean, os?: string[], cpu?: string[], libc?: string[], link?: boolean }} LockEntry
 * @typedef {{ packages?: Record<string, LockEntry> }} Lock
 * @typedef {{ platform: string, arch: string, libc: string | undefined }} Machine
 */

/** @param {string} version e.g. `v18.20.4` */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return major > OLDEST_NODE.major || (major === OLDEST_NODE.major && minor >= OLDEST_NODE.minor);
}

/** @returns {Machine} */
export function thisMachine() {
  const { glibcVersionRuntime } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (
    process.report?.getReport() ?? { header: {} }
  ).header;
  return {
    platform: process.platform,
    arch: process.arch,
    libc:
      process.platform !== "linux"
        ? undefined
        : glibcVersionRuntime === undefined
          ? "musl"
          : "glibc",
  };
}

/**
 * What the lock wants on this machine and node_modules has not, or has in another version.
 *
 * @param {Lock} wanted package-lock.json
 * @param {Lock} installed node_modules/.package-lock.json, which npm writes after an installation
 * @param {Machine} machine
 * @returns {string[]} paths below the project
 */
export function missingPackages(wanted, installed, machine) {
  const present = new Map(Object.entries(installed.packages ?? {}));
  return Object.entries(wanted.packages ?? {})
    .filter(([path, entry]) => path !== "" && isFor(entry, machine))
    .filter(([path, entry]) => present.get(path)?.version !== entry.version)
    .map(([path]) => path);
}

/**
 * Whether npm has to install it here. An optional package that names no system may belong to one that
 * this machine does not get (the WebAssembly variant of a native part), so its absence proves nothing.
 *
 * @param {LockEntry} entry
 * @param {Machine} machine
 */
function isFor(entry, machine) {
  if (entry.optional === true && entry.os === undefined && entry.cpu === undefined) return false;
  return (
    fits(entry.os, machine.platform) &&
    fits(entry.cpu, machine.arch) &&
    (machine.libc === undefined || fits(entry.libc, machine.libc))
  );
}

/** npm's lists: names, or names to leave out with a `!`. @param {string[] | undefined} list @param {string} value */
function fits(list, value) {
  if (list === undefined || list.length === 0) return true;
  if (list.includes(`!${value}`)) return false;
  return list.every((item) => item.startsWith("!")) || list.includes(value);
}

/** @param {string} file @returns {Lock | undefined} */
function tryReadLock(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** The Node that the package pins. @param {string} root */
export function pinnedNode(root) {
  return join(root, "node_modules/node/bin/node");
}

/** @param {string} root the project's directory */
function isInstalled(root) {
  const wanted = tryReadLock(join(root, "package-lock.json"));
  const installed = tryReadLock(join(root, "node_modules/.package-lock.json"));
  if (wanted === undefined || installed === undefined) return false;
  if (missingPackages(wanted, installed, thisMachine()).length > 0) return false;
  // The binary comes out of an install script; without it there is a text of some bytes.
  const node = pinnedNode(root);
  return existsSync(node) && statSync(node).size > 1_000_000;
}

/** The environment without the project's own programs, which an installation takes away. @param {string} root */
function environmentOutside(root) {
  const own = join(root, "node_modules");
  const path = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((entry) => !entry.startsWith(own));
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, PATH: path.join(delimiter) };
  // npm hands its own settings down to a script; a second npm would take them for the user's.
  for (const name of Object.keys(env)) {
    if (/^npm_(package|lifecycle|command|config_(local_prefix|prefix|noproxy))/.test(name))
      delete env[name];
  }
  return env;
}

/**
 * Installs what is missing; does nothing when all is there.
 *
 * @param {string} root
 */
export async function ensureNpmPackages(root) {
  if (isInstalled(root)) return;
  const env = environmentOutside(root);
  const runtime = join(root, ".cache/runtime");
  /** @type {[string, string[]]} */
  let npm = outsideNpm(root);
  const isOwnNode = process.execPath.startsWith(join(root, "node_modules"));
  if (isOwnNode || !isNewEnough(process.version)) {
    npm = await step("Fetching Node and npm for the set-up", () =>
      fetchRuntime(root, runtime, npm, env),
    );
    env.PATH = join(runtime, "node_modules/.bin") + delimiter + env.PATH;
  }
  await step("Installing the npm packages", () => installFromLock(root, npm, env));
  rmSync(runtime, { recursive: true, force: true });
}

/**
 * `npm ci`; and where npm takes the lock for incomplete, an installation that completes it in memory.
 * (npm leaves packages of other platforms out of a lock when the registry does not offer them.)
 *
 * @param {string} root
 * @param {[string, string[]]} npm
 * @param {NodeJS.ProcessEnv} env
 */
async function installFromLock(root, [command, first], env) {
  const quiet = ["--no-audit", "--no-fund", "--include=dev", "--include=optional"];
  const { code, output } = await run(command, [...first, "ci", ...quiet], { cwd: root, env });
  if (code === 0) return;
  if (!output.includes("EUSAGE")) throw failure(command, [...first, "ci", ...quiet], code, output);
  await mustRun(command, [...first, "install", "--no-save", ...quiet], { cwd: root, env });
}

/** The machine's npm: the one that runs this script, else the one on the path. @param {string} root @returns {[string, string[]]} */
function outsideNpm(root) {
  const cli = process.env["npm_execpath"];
  const node = process.env["npm_node_execpath"];
  const isNpm = cli !== undefined && cli.endsWith("npm-cli.js") && existsSync(cli);
  const isOutside =
    node !== undefined && !node.startsWith(join(root, "node_modules")) && existsSync(node);
  return isNpm && isOutside ? [node, [cli]] : ["npm", []];
}

/**
 * @param {string} root
 * @param {string} runtime
 * @param {[string, string[]]} npm
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<[string, string[]]>} the fetched npm, on the fetched Node
 */
async function fetchRuntime(root, runtime, npm, env) {
  const lock = tryReadLock(join(root, "package-lock.json"));
  const version = lock?.packages?.["node_modules/node"]?.version ?? "24";
  rmSync(runtime, { recursive: true, force: true });
  const quiet = ["--no-audit", "--no-fund", "--no-save", "--no-package-lock", "--loglevel=error"];
  await mustRun(
    npm[0],
    [...npm[1], "install", ...quiet, "--prefix", runtime, `node@${version}`, `npm@${NPM_VERSION}`],
    { env },
  );
  const modules = join(runtime, "node_modules");
  return [join(modules, "node/bin/node"), [join(modules, "npm/bin/npm-cli.js")]];
}
