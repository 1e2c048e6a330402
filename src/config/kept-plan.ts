import { createHash } from "node:crypto";

/** A dialplan in the words of the file, to be kept and loaded again. */
export interface KeptPlan {
  /**
   * The `dialplan` section with its includes drawn in, `hooks` left out: they hold secrets, and are
   * always those of the file. Undefined: the built-in plan.
   */
  readonly section: unknown;
  /** SHA-256 of the section, the first 16 hexadecimal digits. */
  readonly hash: string;
}

const HASH_DIGITS = 16;

/** @param section the `dialplan` of a file, as read, with the lists of its includes in it */
export function keptPlan(section: unknown): KeptPlan {
  const kept = isMap(section) ? without(section, ["include", "hooks"]) : section;
  const text = JSON.stringify(kept) ?? "";
  const hash = createHash("sha256").update(text).digest("hex").slice(0, HASH_DIGITS);
  return { section: kept, hash };
}

/** The values of a file with another plan, which keeps the file's hooks where it has none. */
export function withPlan(file: unknown, section: unknown): Readonly<Record<string, unknown>> {
  const values = isMap(file) ? file : {};
  const { dialplan } = values;
  const hooks = isMap(dialplan) ? dialplan["hooks"] : undefined;
  const plan =
    isMap(section) && hooks !== undefined && !Object.hasOwn(section, "hooks")
      ? { ...section, hooks }
      : section;
  return plan === undefined ? without(values, ["dialplan"]) : { ...values, dialplan: plan };
}

function without(
  map: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
