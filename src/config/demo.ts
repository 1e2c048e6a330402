import { randomInt } from "node:crypto";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { randomToken } from "../core/ids.ts";
import type { DemoAccess } from "./config.ts";
import { DemoDataError } from "./errors.ts";

/**
 * The secrets of the built-in demo: two users and an admin token, made at the first start and kept
 * in `demo.json`, readable by the owner alone.
 */

const USERS = [
  { id: "1001", name: "Demo 1001" },
  { id: "1002", name: "Demo 1002" },
] as const;

/** Ids of the demo's users. */
export const DEMO_USER_IDS: readonly string[] = USERS.map((user) => user.id);

const FILE = "demo.json";

/** Without the letters and digits that are taken for one another: 31 of them, 5 bits each. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";

/** `k7mp-x2qd-9wtn`: 59 bits that a person can type. */
export function readablePassword(): string {
  const group = (): string =>
    Array.from({ length: 4 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  return `${group()}-${group()}-${group()}`;
}

/** New secrets that are kept nowhere. */
export function makeDemoAccess(): DemoAccess {
  return {
    users: USERS.map((user) => ({ ...user, password: readablePassword() })),
    adminToken: randomToken(32),
  };
}

/**
 * The kept secrets; made and kept at the first time.
 *
 * @param directory made with mode 0700 when it is missing
 * @throws DemoDataError when the file cannot be read, understood or written
 */
export function keepDemoAccess(directory: string): DemoAccess {
  const file = join(directory, FILE);
  const kept = read(file);
  if (kept !== undefined) return kept;
  const made = makeDemoAccess();
  try {
    write(directory, file, made);
  } catch (error) {
    throw new DemoDataError(
      `cannot keep the demo's passwords in ${file}: ${reasonOf(error)}; make ${directory} writable, or start with a configuration file that has users`,
      { cause: error },
    );
  }
  // Another process may have been first: what is in the file is what counts.
  return read(file) ?? { ...made, file };
}

function read(file: string): DemoAccess | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new DemoDataError(`cannot read the demo's passwords from ${file}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  const access = tryParse(text);
  if (access === undefined) {
    throw new DemoDataError(
      `${file} is damaged: it does not hold the demo's passwords; delete it, and the next start makes new ones`,
    );
  }
  return { ...access, file };
}

function write(directory: string, file: string, access: DemoAccess): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const content = {
    users: Object.fromEntries(access.users.map(({ id, password }) => [id, { password }])),
    adminToken: access.adminToken,
  };
  const draft = `${file}.${randomToken(8)}`;
  writeFileSync(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
  try {
    // A link appears whole or not at all, and never replaces a file that is there.
    linkSync(draft, file);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    unlinkSync(draft);
  }
}

function tryParse(text: string): DemoAccess | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return undefined;
  }
  const adminToken = property(data, "adminToken");
  if (typeof adminToken !== "string" || adminToken.length < 16) return undefined;
  const users: { id: string; name: string; password: string }[] = [];
  for (const user of USERS) {
    const password = property(property(property(data, "users"), user.id), "password");
    if (typeof password !== "string" || password === "") return undefined;
    users.push({ ...user, password });
  }
  return { users, adminToken };
}

function property(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  // Any object can be read by its own key; what comes out is unknown again.
  return (value as Record<string, unknown>)[key];
}

function hasCode(error: unknown, code: string): boolean {
  return property(error, "code") === code;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
