import { existsSync, readFileSync } from "node:fs";

import { findProgram, installDebianPackages } from "./debian-packages.mjs";

/**
 * Installs Debian's rtpengine when the gateway will need one of its own and there is none.
 *
 * @param {string | undefined} configFile undefined: the built-in demo
 */
export async function ensureMediaServer(configFile) {
  if (findProgram("rtpengine") !== undefined) return;
  if (configFile !== undefined && (await hasExternalMediaServer(configFile))) return;
  await installDebianPackages(
    ["rtpengine-daemon"],
    "the media server that carries the calls' sound",
  );
}

/**
 * Whether the configuration names rtpengines of its own. A file that cannot be read as YAML names
 * none; the gateway tells what is wrong with it.
 *
 * @param {string} file
 */
export async function hasExternalMediaServer(file) {
  if (!existsSync(file)) return false;
  try {
    // Not at the top: the npm packages come while this program runs.
    const { parse } = await import("yaml");
    const rtpengine = parse(readFileSync(file, "utf8"))?.media?.rtpengine;
    return rtpengine !== undefined && rtpengine !== null && rtpengine !== "managed";
  } catch {
    return false;
  }
}
