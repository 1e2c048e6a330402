import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { Child, descendantsOf, endAll } from "./process.ts";
import { waitFor } from "./wait.ts";

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe("children of a test", () => {
  it("gives both streams line by line and the exit code", async () => {
    const child = await Child.start("sh", ["-c", "echo one; echo two >&2; printf three; exit 7"]);
    expect(await child.exited).toEqual({ code: 7, signal: null });
    expect(child.lines.toSorted()).toEqual(["one", "three", "two"]);
    expect(child.isRunning).toBe(false);
  });

  it("waits for a line, and says what came instead when the process ends", async () => {
    const child = await Child.start("sh", ["-c", "echo port 5060; exit 3"]);
    const port = await child.waitForLine((line) => /^port (\d+)$/.exec(line)?.[1], "its port");
    expect(port).toBe("5060");
    await expect(child.waitForLine((line) => line === "no" || undefined, "a no")).rejects.toThrow(
      /ended \(code 3\) before a no\nport 5060/,
    );
  });

  it("ends one that does not want to, and what it started", async () => {
    const child = await Child.start("sh", [
      "-c",
      "trap '' TERM; setsid sleep 600 & echo up; while :; do sleep 0.05; done",
    ]);
    await child.waitForLine((line) => line === "up" || undefined, "its start");
    const family = descendantsOf(child.pid);
    expect(family.length).toBeGreaterThanOrEqual(1);
    expect(await child.stop("SIGTERM", 200)).toEqual({ code: null, signal: "SIGKILL" });
    await waitFor(() => family.every(({ pid }) => !isAlive(pid)), { what: "the end of them all" });
  });

  it("leaves orphans of a crash to the end of the test file", async () => {
    // The grandchild holds the output open, as a media server under a gateway does.
    const child = await Child.start("sh", ["-c", "sleep 600 & echo up; wait"]);
    await child.waitForLine((line) => line === "up" || undefined, "its start");
    const [orphan] = await waitFor(
      () => descendantsOf(child.pid).length > 0 && descendantsOf(child.pid),
      {
        what: "its child",
      },
    );
    await child.kill();
    expect(orphan !== undefined && isAlive(orphan.pid)).toBe(true);
    await endAll();
    await waitFor(() => orphan !== undefined && !isAlive(orphan.pid), { what: "its end" });
  });

  it("does not start what is not there", async () => {
    const child = await Child.start("offhook-no-such-program", []);
    expect((await child.exited).code).not.toBe(0);
  });
});
