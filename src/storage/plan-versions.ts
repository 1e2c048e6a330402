import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** How many plans are kept. */
export const MAX_VERSIONS = 20;

const versionSchema = z.strictObject({
  version: z.int().min(1),
  /** Since when it is, or was, in force: ISO 8601. */
  at: z.string(),
  hash: z.string(),
  /** What put it in force. */
  how: z.enum(["start", "signal", "file", "api", "rollback"]),
  /** The name of the API token, where one did. */
  by: z.string().exactOptional(),
  routes: z.int(),
  /** Of a roll-back: the version that it went back to. */
  of: z.int().exactOptional(),
});

const indexSchema = z.strictObject({
  versions: z.array(versionSchema).max(MAX_VERSIONS),
  /** A roll-back that stands. */
  pin: z.strictObject({ version: z.int(), fileHash: z.string() }).exactOptional(),
});

/** A plan that was in force. */
export type PlanVersion = z.output<typeof versionSchema>;

/** The version that stands in for the file's plan, for as long as the file holds the same plan. */
export interface PlanPin {
  readonly version: number;
  /** Of the file's plan when the roll-back was made. */
  readonly fileHash: string;
}

/**
 * The last plans that were in force, in the data directory: an index and one file for each plan.
 * The newest version is the one in force. Where the directory cannot be written to, they are kept
 * in memory and `onError` is told.
 */
export class PlanVersions {
  readonly #directory: string;
  readonly #onError: (error: unknown) => void;
  readonly #sections = new Map<number, { readonly section: unknown }>();
  #versions: readonly PlanVersion[] = [];
  #pin: PlanPin | undefined;

  /** @param directory `dialplan` inside the data directory; made when first needed */
  constructor(directory: string, onError: (error: unknown) => void) {
    this.#directory = directory;
    this.#onError = onError;
    this.#readIndex();
  }

  /** Newest first. */
  get versions(): readonly PlanVersion[] {
    return this.#versions.toReversed();
  }

  get newest(): PlanVersion | undefined {
    return this.#versions.at(-1);
  }

  get pin(): PlanPin | undefined {
    return this.#pin;
  }

  /** A kept plan; undefined when there is no such version, or its file is gone. */
  section(version: number): { readonly section: unknown } | undefined {
    if (!this.#versions.some((kept) => kept.version === version)) return undefined;
    const inMemory = this.#sections.get(version);
    if (inMemory !== undefined) return inMemory;
    try {
      const text = readFileSync(this.#fileOf(version), "utf8");
      const value: unknown = JSON.parse(text);
      // JSON has no undefined: null stands for the built-in plan.
      return { section: value ?? undefined };
    } catch (error) {
      this.#onError(error);
      return undefined;
    }
  }

  /** Keeps a plan as the newest version; the oldest one goes when there are too many. */
  add(entry: Omit<PlanVersion, "version">, section: unknown): PlanVersion {
    const added: PlanVersion = { version: (this.newest?.version ?? 0) + 1, ...entry };
    const all = [...this.#versions, added];
    const dropped = all.slice(0, -MAX_VERSIONS);
    this.#versions = all.slice(-MAX_VERSIONS);
    const isKept = this.#write(this.#fileOf(added.version), section ?? null);
    if (!isKept) this.#sections.set(added.version, { section });
    this.#writeIndex();
    for (const { version } of dropped) {
      this.#sections.delete(version);
      rmSync(this.#fileOf(version), { force: true });
    }
    return added;
  }

  /** Lets a version stand in for the file's plan; undefined: none any more. */
  setPin(pin: PlanPin | undefined): void {
    if (pin === undefined && this.#pin === undefined) return;
    this.#pin = pin;
    this.#writeIndex();
  }

  #fileOf(version: number): string {
    return join(this.#directory, `${version}.json`);
  }

  #readIndex(): void {
    let text: string;
    try {
      text = readFileSync(join(this.#directory, "index.json"), "utf8");
    } catch {
      // The first start.
      return;
    }
    try {
      const { versions, pin } = indexSchema.parse(JSON.parse(text));
      this.#versions = versions;
      this.#pin = pin;
    } catch (error) {
      this.#onError(error);
    }
  }

  #writeIndex(): void {
    this.#write(join(this.#directory, "index.json"), {
      versions: this.#versions,
      ...(this.#pin !== undefined && { pin: this.#pin }),
    });
  }

  /** Whole or not at all: a crash leaves the old file. @returns whether it was written */
  #write(file: string, value: unknown): boolean {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.new`, `${JSON.stringify(value)}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
      return true;
    } catch (error) {
      this.#onError(error);
      return false;
    }
  }
}
