import { parseArgs } from "node:util";
import type { ParseArgsOptionDescriptor } from "node:util";

import { didYouMean } from "../dialplan/closest.ts";

/** The options of a command by name. */
export type OptionSpecs = Readonly<Record<string, { readonly type: "string" | "boolean" }>>;

/** The options as given, or the sentence that says what is not understood. */
export type ParsedOptions =
  | {
      readonly ok: true;
      text(name: string): string | undefined;
      isSet(name: string): boolean;
    }
  | { readonly ok: false; readonly message: string };

/** Reads `--name value`, `--name=value` and `--flag`. Every command also has `--help`. */
export function parseOptions(args: readonly string[], specs: OptionSpecs): ParsedOptions {
  const options: Record<string, ParseArgsOptionDescriptor> = {
    ...specs,
    help: { type: "boolean", short: "h" },
  };
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string | true>();
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      return { ok: false, message: `unexpected "${token.value}"` };
    }
    const { name, rawName } = token;
    if (!Object.hasOwn(options, name)) {
      const near = didYouMean(name, Object.keys(options));
      return { ok: false, message: `unknown option ${rawName}${near}` };
    }
    const isText = options[name]?.type === "string";
    if (isText && (token.value === undefined || token.value === "")) {
      return { ok: false, message: `${rawName} needs a value` };
    }
    if (!isText && token.value !== undefined) {
      return { ok: false, message: `${rawName} takes no value` };
    }
    if (values.has(name)) return { ok: false, message: `${rawName} is given twice` };
    values.set(name, token.value ?? true);
  }
  return {
    ok: true,
    text: (name) => {
      const value = values.get(name);
      return typeof value === "string" ? value : undefined;
    },
    isSet: (name) => values.has(name),
  };
}
