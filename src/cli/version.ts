import { readFileSync } from "node:fs";

/** The version of package.json. */
export function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const data: unknown = JSON.parse(text);
  const isPackage = typeof data === "object" && data !== null && "version" in data;
  return isPackage && typeof data.version === "string" ? data.version : "unknown";
}
