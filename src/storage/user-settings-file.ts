import { mkdir, open, rename } from "node:fs/promises";
import { readFileSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import type { UserSettingsStore } from "../call/user-settings.ts";
import { FORWARD_NUMBER, NOTHING_SET, type UserSettings } from "../dialplan/user-settings.ts";

const forwardSchema = z.strictObject({
  number: z.string().regex(FORWARD_NUMBER),
  isOn: z.boolean(),
});
const settingsSchema = z.strictObject({
  doNotDisturb: z.boolean(),
  forwards: z.strictObject({
    always: forwardSchema.exactOptional(),
    busy: forwardSchema.exactOptional(),
    "no-answer": forwardSchema.exactOptional(),
  }),
  noAnswerMs: z.int().min(1000).max(600_000).exactOptional(),
});
const fileSchema = z.record(z.string(), settingsSchema);

/**
 * What users have set, in one file of the data directory. It is written whole under another name and
 * then renamed, one write at a time: changes that come meanwhile go into the next one. Where it
 * cannot be written the settings hold until the process ends, and `onError` is told.
 */
export class UserSettingsFile implements UserSettingsStore {
  readonly #file: string;
  readonly #onError: (error: unknown) => void;
  readonly #settings = new Map<string, UserSettings>();
  #writing: Promise<boolean> | undefined;
  /** The write that holds the changes since the running one began. */
  #next: Promise<boolean> | undefined;

  constructor(file: string, onError: (error: unknown) => void) {
    this.#file = file;
    this.#onError = onError;
    this.#read();
  }

  of(userId: string): UserSettings | undefined {
    return this.#settings.get(userId);
  }

  change(userId: string, change: (now: UserSettings) => UserSettings): Promise<boolean> {
    const next = change(this.#settings.get(userId) ?? NOTHING_SET);
    const isNothing =
      !next.doNotDisturb &&
      next.noAnswerMs === undefined &&
      Object.keys(next.forwards).length === 0;
    if (isNothing) this.#settings.delete(userId);
    else this.#settings.set(userId, next);
    return this.#save();
  }

  /** Resolves when everything is written. */
  async close(): Promise<void> {
    await (this.#next ?? this.#writing);
  }

  #save(): Promise<boolean> {
    if (this.#writing === undefined) {
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
      });
      return this.#writing;
    }
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      return this.#save();
    });
    return this.#next;
  }

  async #write(): Promise<boolean> {
    const text = `${JSON.stringify(Object.fromEntries(this.#settings))}\n`;
    const fresh = `${this.#file}.new`;
    try {
      await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
      const file = await open(fresh, "w", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, this.#file);
      return true;
    } catch (error) {
      this.#onError(error);
      return false;
    }
  }

  #read(): void {
    let text: string;
    try {
      text = readFileSync(this.#file, "utf8");
    } catch {
      // Nobody has set anything yet.
      return;
    }
    try {
      const kept = fileSchema.parse(JSON.parse(text));
      for (const [userId, settings] of Object.entries(kept)) this.#settings.set(userId, settings);
    } catch (error) {
      this.#onError(error);
      this.#setAside();
    }
  }

  /** The next change writes the file anew, and somebody may still want what is in this one. */
  #setAside(): void {
    try {
      renameSync(this.#file, `${this.#file}.unreadable`);
    } catch (error) {
      this.#onError(error);
    }
  }
}
