import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

// A copy of the project's lint configuration over a small tree of rooms, so that the real tree
// never holds a wrong file, not even for a moment.

const project = join(import.meta.dirname, "../..");

const ROOMS = {
  core: "src/core/room.ts",
  config: "src/config/room.ts",
  message: "src/signaling/message/room.ts",
  transport: "src/signaling/transport/room.ts",
  transaction: "src/signaling/transaction/room.ts",
  dialog: "src/signaling/dialog/room.ts",
  auth: "src/signaling/auth/room.ts",
  registrar: "src/signaling/registrar/room.ts",
  trunk: "src/signaling/trunk/room.ts",
  endpoint: "src/signaling/endpoint.ts",
  media: "src/media/room.ts",
  dialplan: "src/dialplan/room.ts",
  call: "src/call/room.ts",
  storage: "src/storage/room.ts",
  http: "src/http/room.ts",
  observe: "src/observe/room.ts",
  cli: "src/cli/room.ts",
  "cli/run": "src/cli/run.ts",
  gateway: "src/gateway.ts",
  main: "src/main.ts",
} as const;
type Room = keyof typeof ROOMS;
const rooms = Object.keys(ROOMS).filter((name): name is Room => name in ROOMS);

const TO_DIALOG = ["core", "message", "transport", "transaction", "dialog"] as const;
const SIGNALING = [...TO_DIALOG, "auth", "registrar", "trunk", "endpoint"] as const;
const INWARD = [...SIGNALING, "config", "media", "dialplan", "call"] as const;

/** What each room may import: docs/architecture.md, "Rooms". Everything else is a wall. */
const ALLOWED: Readonly<Record<Room, readonly Room[]>> = {
  core: [],
  config: ["core", "dialplan"],
  message: ["core"],
  transport: ["core", "message"],
  transaction: ["core", "message", "transport"],
  dialog: ["core", "message", "transport", "transaction"],
  auth: TO_DIALOG,
  registrar: TO_DIALOG,
  trunk: TO_DIALOG,
  endpoint: SIGNALING,
  media: ["core"],
  dialplan: ["core"],
  call: [...SIGNALING, "media", "dialplan"],
  storage: INWARD,
  http: INWARD,
  observe: INWARD,
  cli: [...INWARD, "cli/run"],
  "cli/run": [...INWARD, "cli", "gateway"],
  gateway: [...INWARD, "storage", "http", "observe"],
  main: ["cli", "cli/run"],
};

const pairs = rooms.flatMap((from) =>
  rooms
    .filter((to) => to !== from)
    .map((to) => ({ from, to, allowed: ALLOWED[from].includes(to) })),
);

/** The file that stands for `from` importing `to`: beside the room's own file, or that file. */
function importerOf(from: Room, to: Room): string {
  const own = ROOMS[from];
  const isOneFile = ["endpoint", "cli/run", "gateway", "main"].includes(from);
  return isOneFile ? own : join(dirname(own), `from-${from}-to-${to.replace("/", "-")}.ts`);
}

function importLine(file: string, target: string, name: string): string {
  const path = relative(dirname(file), target);
  return `import type { Room as ${name} } from "${path.startsWith(".") ? path : `./${path}`}";\n`;
}

interface Finding {
  readonly code: string;
  readonly filename: string;
  readonly message: string;
  readonly line: number;
}

async function lint(directory: string): Promise<readonly Finding[]> {
  const output = await new Promise<string>((resolve) => {
    execFile(
      process.execPath,
      [join(project, "node_modules/oxlint/bin/oxlint"), "--format=json", "."],
      { cwd: directory, maxBuffer: 64 * 1024 * 1024 },
      // Findings make the exit code 1; what counts is the report.
      (_error, stdout) => resolve(stdout),
    );
  });
  const report: unknown = JSON.parse(output);
  if (typeof report !== "object" || report === null || !("diagnostics" in report)) {
    throw new Error(`oxlint gave no report: ${output.slice(0, 500)}`);
  }
  // The shape of oxlint's JSON reporter.
  const diagnostics = report.diagnostics as readonly {
    readonly code: string;
    readonly message: string;
    readonly filename: string;
    readonly labels: readonly { readonly span: { readonly line: number } }[];
  }[];
  return diagnostics.map((d) => ({
    code: d.code,
    filename: d.filename,
    message: d.message,
    line: d.labels[0]?.span.line ?? 0,
  }));
}

describe("import walls of the linter", () => {
  let directory = "";
  let findings: readonly Finding[] = [];
  const forbiddenIn = new Map<string, { readonly line: number; readonly text: string }[]>();

  async function put(file: string, text: string): Promise<void> {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await writeFile(join(directory, file), text);
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "offhook-walls-"));
    for (const name of [".oxlintrc.json", "tsconfig.json"]) {
      await cp(join(project, name), join(directory, name));
    }
    await symlink(join(project, "node_modules"), join(directory, "node_modules"));

    const files = new Map<string, string>();
    for (const room of rooms) files.set(ROOMS[room], "");
    for (const { from, to } of pairs) {
      const file = importerOf(from, to);
      const name = `To${to.replace(/\W/g, "")}`;
      const text = `${files.get(file) ?? ""}${importLine(file, ROOMS[to], name)}export type { ${name} };\n`;
      files.set(file, text);
    }
    for (const [file, text] of files) {
      await put(file, `${text}export interface Room {\n  readonly name: string;\n}\n`);
    }
    await put(
      "src/core/loose.ts",
      `async function work(): Promise<void> {
  await Promise.resolve();
}
export function start(): void {
  work();
}
export function name(color: "red" | "green"): string {
  switch (color) {
    case "red":
      return "r";
  }
  return "";
}
export function shout(value: any): void {
  console.log(value);
}
`,
    );
    await put("src/media/timer.ts", "export const timer = setTimeout(() => undefined, 1);\n");
    await put("src/signaling/message/socket.ts", 'export { createSocket } from "node:dgram";\n');
    await put(
      "src/core/ring-a.ts",
      'import type { B } from "./ring-b.ts";\nexport type A = { readonly b?: B };\n',
    );
    await put(
      "src/core/ring-b.ts",
      'import type { A } from "./ring-a.ts";\nexport type B = { readonly a?: A };\n',
    );
    await put(
      "web-phone/src/agent/spy.ts",
      'export type { Room } from "../../../src/core/room.ts";\n',
    );
    await put("web-phone/src/agent/own.ts", 'export type { Own } from "../media/own.ts";\n');
    await put("web-phone/src/media/own.ts", "export type Own = string;\n");
    findings = await lint(directory);
    for (const finding of findings.filter((f) => f.code === "eslint(no-restricted-imports)")) {
      const list = forbiddenIn.get(finding.filename) ?? [];
      list.push({ line: finding.line, text: finding.message });
      forbiddenIn.set(finding.filename, list);
    }
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  /** Whether the import of `to` in its importer file is reported, found by its line. */
  function isReported(from: Room, to: Room): boolean {
    const file = importerOf(from, to);
    const isShared = ROOMS[from] === file;
    const line = isShared ? 1 + 2 * rooms.filter((room) => room !== from).indexOf(to) : 1;
    return (forbiddenIn.get(file) ?? []).some((finding) => finding.line === line);
  }

  it.each(pairs.filter((pair) => !pair.allowed))("$from may not import $to", ({ from, to }) => {
    expect(isReported(from, to)).toBe(true);
  });

  it.each(pairs.filter((pair) => pair.allowed))("$from may import $to", ({ from, to }) => {
    expect(isReported(from, to)).toBe(false);
  });

  it("keeps the web phone out of the gateway's sources, and lets it use its own", () => {
    expect(forbiddenIn.has("web-phone/src/agent/spy.ts")).toBe(true);
    expect(forbiddenIn.has("web-phone/src/agent/own.ts")).toBe(false);
  });

  it("keeps sockets out of the pure rooms", () => {
    expect(forbiddenIn.has("src/signaling/message/socket.ts")).toBe(true);
  });

  it.each([
    ["import(no-cycle)", "src/core/ring-a.ts"],
    ["import(no-cycle)", "src/core/ring-b.ts"],
    ["typescript(no-floating-promises)", "src/core/loose.ts"],
    ["typescript(switch-exhaustiveness-check)", "src/core/loose.ts"],
    ["typescript(no-explicit-any)", "src/core/loose.ts"],
    ["eslint(no-console)", "src/core/loose.ts"],
    ["eslint(no-restricted-globals)", "src/media/timer.ts"],
  ])("reports %s in %s", (code, file) => {
    expect(findings.filter((f) => f.filename === file).map((f) => f.code)).toContain(code);
  });
});
