import type { LoadResult } from "./config/load.ts";
import { type PlanVersion, PlanVersions } from "./storage/plan-versions.ts";

/** What puts a plan in force, and whose token, where it was the API. */
export type PlanCause = Pick<PlanVersion, "how" | "by">;

/** Loads the configuration, with another plan in the place of the file's when one is given. */
export type LoadConfiguration = (plan?: { readonly section: unknown }) => LoadResult;

/**
 * Which plan is to be in force: the file's, or the version that a roll-back went back to. A
 * roll-back stands, restarts included, until the file's plan says something else than it did when
 * the roll-back was made, or until somebody asks for the file's plan by the API.
 */
export class Plans {
  readonly #load: LoadConfiguration;
  readonly versions: PlanVersions;

  constructor(options: {
    readonly load: LoadConfiguration;
    /** Where earlier plans are kept. */
    readonly directory: string;
    /** They cannot be kept or read there. */
    readonly onError: (error: unknown) => void;
  }) {
    this.#load = options.load;
    this.versions = new PlanVersions(options.directory, options.onError);
  }

  /** The configuration with the plan that is to be in force. */
  read(): LoadResult {
    const result = this.#load();
    const { pin } = this.versions;
    if (!result.ok || pin === undefined || pin.fileHash !== result.planOfFile.hash) return result;
    const kept = this.versions.section(pin.version);
    return kept === undefined ? result : this.#load(kept);
  }

  /** As `read`, at the start: a rolled-back plan that no longer fits gives way to the file's. */
  readAtStart(): { readonly result: LoadResult; readonly refused?: LoadResult } {
    const result = this.read();
    if (result.ok) return { result };
    const ofFile = this.#load();
    return ofFile.ok ? { result: ofFile, refused: result } : { result: ofFile };
  }

  /** The configuration with the file's own plan. */
  readFile(): LoadResult {
    return this.#load();
  }

  /** The configuration with a plan that is not in force; undefined: the file's. */
  readDraft(section: unknown): LoadResult {
    return section === undefined ? this.#load() : this.#load({ section });
  }

  /** The configuration with a kept plan; undefined when there is none of this version. */
  readVersion(version: number): LoadResult | undefined {
    const kept = this.versions.section(version);
    return kept === undefined ? undefined : this.#load(kept);
  }

  /**
   * Notes which plan is in force now; a new version only where it is another one.
   *
   * @param of the version that it goes back to
   */
  entered(
    result: Extract<LoadResult, { ok: true }>,
    cause: PlanCause,
    at: Date,
    of?: number,
  ): PlanVersion {
    const { plan, planOfFile, config } = result;
    const { newest } = this.versions;
    const isNew = newest === undefined || newest.hash !== plan.hash;
    const entered = isNew
      ? this.versions.add(
          {
            at: at.toISOString(),
            hash: plan.hash,
            ...cause,
            routes: config.dialplan.routes.length,
            ...(of !== undefined && { of }),
          },
          plan.section,
        )
      : newest;
    this.versions.setPin(
      plan.hash === planOfFile.hash
        ? undefined
        : { version: entered.version, fileHash: planOfFile.hash },
    );
    return entered;
  }
}
