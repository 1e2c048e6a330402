import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";

import { UserSettingsFile } from "../../src/storage/user-settings-file.ts";
import { makeTemporaryDirectory, removeDirectory } from "../harness/temporary.ts";

async function place(): Promise<string> {
  const directory = await makeTemporaryDirectory("settings");
  onTestFinished(() => removeDirectory(directory));
  return join(directory, "data", "user-settings.json");
}

const fail = (error: unknown): void => {
  throw error instanceof Error ? error : new Error(String(error));
};

describe("what users have set", () => {
  it("is there after a restart, all of it, however many changes came at once", async () => {
    const file = await place();
    const first = new UserSettingsFile(file, fail);
    const changes = Array.from({ length: 50 }, (_, index) =>
      first.change(`u${index}`, (now) => ({
        ...now,
        doNotDisturb: index % 2 === 0,
        forwards: { always: { number: String(index), isOn: index % 3 === 0 } },
      })),
    );
    expect(first.of("u2")).toMatchObject({ doNotDisturb: true });
    expect(await Promise.all(changes)).toEqual(changes.map(() => true));
    const second = new UserSettingsFile(file, fail);
    for (let index = 0; index < 50; index += 1) {
      expect(second.of(`u${index}`)).toEqual(first.of(`u${index}`));
    }
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("forgets a user who has nothing set", async () => {
    const file = await place();
    const settings = new UserSettingsFile(file, fail);
    await settings.change("1001", (now) => ({ ...now, doNotDisturb: true }));
    void settings.change("1001", (now) => ({ ...now, doNotDisturb: false }));
    await settings.close();
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual({});
  });

  it("says that it could not be kept, and holds all the same", async () => {
    const file = await place();
    await mkdir(join(file, "in the way"), { recursive: true });
    const errors: unknown[] = [];
    const settings = new UserSettingsFile(file, (error) => errors.push(error));
    const change = settings.change("1001", (now) => ({ ...now, doNotDisturb: true }));
    expect(await change).toBe(false);
    expect(errors).toHaveLength(1);
    expect(settings.of("1001")?.doNotDisturb).toBe(true);
  });

  it("a file that is not its own work is told, taken for none, and kept beside the new one", async () => {
    const file = await place();
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, '{"1001":{"doNotDisturb":1}}');
    const errors: unknown[] = [];
    const settings = new UserSettingsFile(file, (error) => errors.push(error));
    expect(errors).toHaveLength(1);
    expect(settings.of("1001")).toBeUndefined();
    await settings.change("1001", (now) => ({ ...now, doNotDisturb: true }));
    expect(await readFile(`${file}.unreadable`, "utf8")).toBe('{"1001":{"doNotDisturb":1}}');
  });
});
