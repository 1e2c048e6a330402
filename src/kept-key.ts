import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The key that keeps short-lived credentials good over a restart; made at the first one. */
export function keepKey(directory: string): Buffer {
  const file = join(directory, "session.key");
  if (existsSync(file)) {
    const kept = Buffer.from(readFileSync(file, "utf8").trim(), "base64url");
    if (kept.length >= 32) return kept;
  }
  const key = randomBytes(32);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(file, `${key.toString("base64url")}\n`, { mode: 0o600 });
  return key;
}
