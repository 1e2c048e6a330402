import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configText } from "../harness/gateway.ts";
import { freePort, freePorts } from "../harness/ports.ts";
import { Child } from "../harness/process.ts";
import { makeTemporaryDirectory, removeDirectory } from "../harness/temporary.ts";
import { waitFor } from "../harness/wait.ts";

const PROJECT = join(import.meta.dirname, "../..");

describe("npm start, once everything is set up", () => {
  it("is ready within 2 s, serves the phone, and ends with npm", async () => {
    const directory = await makeTemporaryDirectory("npm-start");
    const first = await freePorts(100);
    const ports = {
      http: await freePort(),
      sip: await freePort(),
      media: { min: first, max: first + 99 },
    };
    const file = join(directory, "offhook.yaml");
    await writeFile(file, configText({}, ports));
    const elapsed: number[] = [];
    // The first one may find a web phone to build, or sources that are not compiled yet.
    for (let run = 1; run <= 3; run += 1) {
      const startedAt = performance.now();
      await using npm = await Child.start("npm", ["start", "--", "--config", file], {
        name: "npm start",
        cwd: PROJECT,
        env: { NODE_OPTIONS: undefined, VITEST: undefined, NODE_ENV: undefined },
      });
      await npm.waitForLine(
        (line) => (line.includes('"msg":"ready"') ? true : undefined),
        "its ready line",
        60_000,
      );
      if (run > 1) elapsed.push(performance.now() - startedAt);
      const page = await fetch(`http://127.0.0.1:${ports.http}/`);
      expect(page.status).toBe(200);
      expect(await page.text()).toContain("<title>");
      await npm.stop("SIGTERM", 10_000);
      await waitFor(
        async () =>
          await fetch(`http://127.0.0.1:${ports.http}/healthz`).then(
            () => false,
            () => true,
          ),
        { what: "the gateway to end with npm" },
      );
    }
    console.info(`second npm start: ready after ${elapsed.map(Math.round).join(" and ")} ms`);
    expect(Math.min(...elapsed)).toBeLessThan(2000);
    await removeDirectory(directory);
  });
});
