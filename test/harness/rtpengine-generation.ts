import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "vitest";

import { findChroot } from "../../scripts/setup/chroots.mjs";
import { makeTemporaryDirectory } from "./temporary.ts";

/**
 * The generations of rtpengine that are in the field: Debian 12's, which this machine has, and out
 * of a chroot Debian 13's and Debian testing's. They differ in what they know of the ng protocol.
 */
export interface RtpengineGeneration {
  /** As `rtpengine --version` begins. */
  readonly version: "10.5" | "12.5" | "26";
  /** How it is started; undefined when it is not on this machine. */
  readonly command: readonly string[] | undefined;
  /** Why it is not. */
  readonly reason: string;
}

/** All three, oldest first, on this machine or not. */
export const RTPENGINE_GENERATIONS: readonly RtpengineGeneration[] = [
  { version: "10.5", command: ["rtpengine"], reason: "" },
  fromChroot("12.5", "trixie"),
  fromChroot("26", "forky"),
];

/** Skips a test, or every test from a `beforeEach`, with its reason when a generation is missing. */
export function skipWithout(generation: RtpengineGeneration, context: TestContext): void {
  context.skip(generation.command === undefined, generation.reason);
}

/**
 * The environment in which `media.rtpengine: managed` starts that generation: a `PATH` whose first
 * directory has a program `rtpengine` that is this one.
 */
export async function environmentFor(
  generation: RtpengineGeneration,
): Promise<Readonly<Record<string, string>>> {
  const { command } = generation;
  if (command === undefined) throw new Error(generation.reason);
  if (command.length === 1) return {};
  const directory = await makeTemporaryDirectory("rtpengine");
  const file = join(directory, "rtpengine");
  // `exec` keeps the process id, so that signals and the parent's death reach rtpengine itself.
  await writeFile(file, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`);
  await chmod(file, 0o755);
  return { PATH: `${directory}:${process.env["PATH"] ?? ""}` };
}

function fromChroot(version: RtpengineGeneration["version"], suite: string): RtpengineGeneration {
  const directory = findChroot(suite);
  return {
    version,
    command:
      directory === undefined ? undefined : ["/usr/sbin/chroot", directory, "/usr/bin/rtpengine"],
    reason: `rtpengine ${version} comes out of a chroot of Debian ${suite}, which npm test builds as root`,
  };
}
