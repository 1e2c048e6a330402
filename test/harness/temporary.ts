import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made = new Set<string>();

/**
 * A new empty directory; gone when the test file ends, if nobody removes it before.
 *
 * @param parent default: the system's directory for such
 */
export async function makeTemporaryDirectory(name: string, parent = tmpdir()): Promise<string> {
  const directory = await mkdtemp(join(parent, `offhook-${name}-`));
  made.add(directory);
  return directory;
}

/** Removes a directory with all that is in it. */
export async function removeDirectory(directory: string): Promise<void> {
  made.delete(directory);
  await rm(directory, { recursive: true, force: true });
}

if (process.env["VITEST"] !== undefined) {
  const { afterAll } = await import("vitest");
  afterAll(async () => {
    await Promise.all([...made].map(removeDirectory));
  });
}
