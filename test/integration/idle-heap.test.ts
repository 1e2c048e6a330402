import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { PINNED_NODE_FLAGS } from "../../scripts/setup/node-flags.mjs";

/** Makes garbage, marks the heap, and does nothing for as long as V8 usually waits, and longer. */
const PAUSE = `
  import { setFlagsFromString } from "node:v8";
  import { runInNewContext } from "node:vm";
  setFlagsFromString("--expose-gc");
  const kept = Array.from({ length: 500_000 }, (_, number) => ({ number, list: [number] }));
  runInNewContext("gc")();
  kept.length = 1000;
  setTimeout(() => console.log(kept.length), 12_000);`;

async function collectionsOf(flags: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...flags, "--trace-gc", "--input-type=module", "--eval", PAUSE],
    { timeout: 40_000 },
  );
  return stdout;
}

describe("the flags of Node", () => {
  it("keep V8 from letting its compiled code go in a pause between calls", async () => {
    const [ours, usual] = await Promise.all([
      collectionsOf(PINNED_NODE_FLAGS),
      collectionsOf(PINNED_NODE_FLAGS.filter((flag) => !flag.includes("memory-reducer"))),
    ]);
    expect(usual).toContain("Mark-Compact (reduce)");
    expect(ours).toContain("Mark-Compact");
    expect(ours).not.toContain("(reduce)");
  }, 60_000);
});
