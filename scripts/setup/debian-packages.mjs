import { accessSync, constants, existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import { mustRun, run, SetupError, step } from "./progress.mjs";

/**
 * Debian packages, installed only when they are missing. No service of a package is started: rtpengine
 * runs as a child of the gateway with a command line of its own.
 */

const POLICY_FILE = "/usr/sbin/policy-rc.d";
const RTPENGINE_SERVICES = ["rtpengine-daemon", "rtpengine"];

/**
 * The file of a program, on the path or where Debian keeps daemons.
 *
 * @param {string} name
 * @returns {string | undefined}
 */
export function findProgram(name) {
  const directories = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
  ];
  return directories
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** @param {readonly string[]} names @returns {Promise<string[]>} those that are not installed */
export async function missingDebianPackages(names) {
  const { output } = await run(
    "dpkg-query",
    ["--show", "--showformat=${Package} ${db:Status-Status}\\n", ...names],
    {
      env: { ...process.env, LC_ALL: "C" },
    },
  );
  const installed = new Set(
    output
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/** What a user types to install them. @param {readonly string[]} names */
export function installCommand(names) {
  const sudo = process.getuid?.() === 0 ? "" : "sudo ";
  return `${sudo}apt-get update && ${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${names.join(" ")}`;
}

/**
 * Installs packages. Without root, or on a machine without apt-get, says what to do.
 *
 * @param {readonly string[]} names all of them missing
 * @param {string} reason what they are for
 * @throws {SetupError}
 */
export async function installDebianPackages(names, reason) {
  if (findProgram("apt-get") === undefined) {
    throw new SetupError(
      `Missing: ${names.join(", ")} (${reason}).\nThis machine has no apt-get; install them by hand, then start again.`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new SetupError(
      `Missing: ${names.join(", ")} (${reason}).\nInstall as root, then start again:\n\n  ${installCommand(names)}\n`,
    );
  }
  await step(`Installing Debian's ${names.join(", ")}`, () =>
    withoutServices(names, async () => {
      const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
      await mustRun("apt-get", ["update", "-q"], { env });
      await mustRun(
        "apt-get",
        [
          "install",
          "-q",
          "-y",
          "--no-install-recommends",
          "-o",
          "Dpkg::Use-Pty=0",
          "-o",
          "DPkg::Lock::Timeout=300",
          ...names,
        ],
        { env },
      );
    }),
  );
}

/**
 * Keeps maintainer scripts from starting services for as long as `work` takes, and rtpengine's from
 * starting at the next boot. A policy of the machine's own stays as it is.
 *
 * @param {readonly string[]} names
 * @param {() => Promise<void>} work
 */
async function withoutServices(names, work) {
  const isOurs = !existsSync(POLICY_FILE);
  const remove = () => rmSync(POLICY_FILE, { force: true });
  if (isOurs) {
    writeFileSync(
      POLICY_FILE,
      "#!/bin/sh\n# Written by Offhook's set-up, for the time of one installation.\nexit 101\n",
      { mode: 0o755 },
    );
    process.once("exit", remove);
  }
  try {
    await work();
  } finally {
    if (isOurs) {
      remove();
      process.removeListener("exit", remove);
    }
  }
  if (names.includes("rtpengine-daemon")) await disableServices(RTPENGINE_SERVICES);
}

/** @param {readonly string[]} services */
async function disableServices(services) {
  for (const service of services) {
    // Without systemd, or without that unit, there is nothing to disable.
    if (findProgram("systemctl") !== undefined)
      await run("systemctl", ["disable", "--quiet", service]);
    else if (existsSync(`/etc/init.d/${service}`)) await run("update-rc.d", [service, "disable"]);
  }
}
