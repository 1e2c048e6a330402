import type { Config } from "./config.ts";

/**
 * Keys that a file may have although this version does not act on them: each gets one warning that
 * says what happens instead. A feature that gets built takes its lines away here.
 */
export function notBuiltYet(config: Config): readonly string[] {
  const warnings: string[] = [];
  const warn = (key: string, instead: string): void => {
    warnings.push(`${key}: not built yet in this version; ${instead}`);
  };
  if (config.sip.engine.kind === "drachtio") {
    warn("sip.engine.drachtio", "the embedded engine is used");
  }
  return warnings;
}
