import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import { CONFIGURATION_PAGE } from "./config-docs/page.ts";
import { DIALPLAN_PAGE, EXAMPLE } from "./config-docs/dialplan-page.ts";
import { tryLoadConfigText } from "../src/config/load.ts";
import { fileSchema } from "../src/config/schema.ts";
import { ACTION_KEYS, ACTION_WORDS, EXTRA_KEYS } from "../src/dialplan/action-schema.ts";
import { childOf, shapesOf } from "../src/dialplan/issues.ts";
import { simulate } from "../src/dialplan/simulate.ts";

/**
 * Writes docs/configuration.md, docs/dialplan.md and docs/offhook.schema.json from the schema of the
 * configuration. A test holds them equal to what this makes.
 */

type Schema = z.core.$ZodType;

/** The JSON Schema of offhook.yaml, as text. */
export function renderJsonSchema(): string {
  const schema = z.toJSONSchema(fileSchema, {
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      const { scalar, default: byDefault, example, description, ...rest } = jsonSchema;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      Object.assign(jsonSchema, typeof scalar === "object" ? scalar : {}, rest);
      const says = [
        description,
        typeof byDefault === "string" ? `Default: ${byDefault}.` : undefined,
        typeof example === "string" ? `Example: ${example}` : undefined,
      ].filter((part) => part !== undefined);
      if (says.length > 0) jsonSchema.description = says.join(". ").replace("..", ".");
    },
  });
  const { $schema, ...rest } = schema;
  const titled = { $schema, title: "Configuration of Offhook (offhook.yaml)", ...rest };
  return `${JSON.stringify(titled, undefined, 2)}\n`;
}

interface Row {
  readonly key: string;
  readonly description: string;
  readonly byDefault: string;
  readonly example: string;
}

/** The tables of keys: one for each section of the file but the dialplan. */
export function renderTables(): string {
  const [root] = shapesOf(fileSchema);
  if (root === undefined) return "";
  const parts: string[] = [];
  const plain: Row[] = [];
  for (const key of keysOf(root)) {
    const [child] = childOf(root, key);
    if (child === undefined) continue;
    const rows = rowsOf(child, key);
    const [head, ...others] = rows;
    const says = `### ${key}\n\n${sentence(head?.description)}${defaultSentence(head)}`;
    if (rows.length === 1) plain.push(...rows);
    else if (key === DIALPLAN) parts.push(`${says}\n\nIts keys are in [dialplan.md](dialplan.md).`);
    else parts.push(`${says}\n\n${table(others)}`);
  }
  return [`### At the top\n\n${table(plain)}`, ...parts].join("\n\n");
}

const DIALPLAN = "dialplan";

/** The tables of the dialplan's keys: the section, then the actions. */
export function renderDialplanTables(): string {
  const [root] = shapesOf(fileSchema);
  const [section] = root === undefined ? [] : childOf(root, DIALPLAN);
  if (root === undefined || section === undefined) return "";
  const [, ...rows] = rowsOf(section, DIALPLAN);
  return [
    table(rows),
    `### Of actions\n\nWhat stands under \`do\`, \`then\`, \`on\` and \`else\`: a word (${ACTION_WORDS.map((word) => `\`${word}\``).join(", ")}) or a map with one of ${ACTION_KEYS.map((key) => `\`${key}\``).join(", ")}.`,
    table(actionRows(root)),
  ].join("\n\n");
}

/** Which keys stand beside each action. */
function renderMatrix(): string {
  return [
    "| action | beside it |",
    "| --- | --- |",
    ...ACTION_KEYS.map((kind) => {
      const keys = EXTRA_KEYS[kind].map((key) => `\`${key}\``).join(", ");
      return `| \`${kind}\` | ${keys === "" ? "nothing" : keys} |`;
    }),
  ].join("\n");
}

const EXPLAINED = { from: "1001", to: "030123456", at: "2026-11-20T10:00" };

/** What the example of the page says of one call, as the command prints it. */
function renderExplanation(): string {
  const world =
    "users: { 1001: { name: Ann, password: x, numbers: ['+493012345601'], groups: [staff] } }\n" +
    "trunks: { office: { peer: sip:192.0.2.1 }, backup: { peer: sip:192.0.2.2, codec-policy: narrow } }\n";
  const loaded = tryLoadConfigText(world + EXAMPLE, "example.yaml", {}, { interfaces: {} });
  if (!loaded.ok) throw new Error("the example of the page does not load");
  const { config, dialplan } = loaded;
  const told = simulate(EXPLAINED, { ...config, dialplan }, new Date());
  if (!told.ok) throw new Error(told.message);
  return ["```", ...told.result.explanation, "```"].join("\n");
}

function keysOf(schema: Schema): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** The key's own row, then the rows of what is under it. */
function rowsOf(schema: Schema, key: string): readonly Row[] {
  const meta = z.globalRegistry.get(schema) ?? {};
  const text = (name: string): string => {
    const value: unknown = meta[name];
    return typeof value === "string" ? value : "";
  };
  const byDefault = text("default") || (isOptional(schema) ? "" : "required");
  const rows: Row[] = [
    { key, description: text("description"), byDefault, example: text("example") },
  ];
  // Actions and expectations hold themselves, and sets hold routes: they are told elsewhere.
  if (/\.(?:do|on|sets)$/.test(key) || ["then", "on", "else"].includes(key)) return rows;
  for (const shape of shapesOf(schema)) {
    if (shape instanceof z.ZodObject) {
      for (const name of keysOf(shape)) rows.push(...childRows(shape, name, `${key}.${name}`));
    } else if (shape instanceof z.ZodRecord) {
      rows.push(...childRows(shape, "", `${key}.ID`).filter((row) => row.description !== ""));
    } else if (shape instanceof z.ZodArray) {
      rows.push(...childRows(shape, "", `${key}[]`).filter((row) => row.description !== ""));
    }
  }
  return rows;
}

function childRows(schema: Schema, name: string, key: string): readonly Row[] {
  return childOf(schema, name).flatMap((child) => rowsOf(child, key));
}

function actionRows(root: Schema): readonly Row[] {
  let found: readonly Schema[] = [root];
  for (const key of ["dialplan", "routes", "0", "do"]) {
    found = found.flatMap((schema) => childOf(schema, key)).flatMap(shapesOf);
  }
  return found.flatMap((shape) =>
    keysOf(shape).flatMap((name) =>
      childOf(shape, name).flatMap((child) => rowsOf(child, name).slice(0, 1)),
    ),
  );
}

function isOptional(schema: Schema): boolean {
  return schema instanceof z.ZodOptional;
}

function sentence(text: string | undefined): string {
  return text === undefined || text === "" ? "" : `${text}.`;
}

function defaultSentence(row: Row | undefined): string {
  return row === undefined || row.byDefault === "" ? "" : ` Default: ${row.byDefault}.`;
}

function table(rows: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const code = (text: string): string => (text === "" ? "" : `\`${cell(text)}\``);
  const lines = rows.map(
    (row) =>
      `| \`${row.key}\` | ${cell(row.description)} | ${cell(row.byDefault)} | ${code(row.example)} |`,
  );
  return ["| key | what it is | default | example |", "| --- | --- | --- | --- |", ...lines].join(
    "\n",
  );
}

/** docs/configuration.md, as text. */
export function renderConfigurationPage(): string {
  return CONFIGURATION_PAGE.replace("%TABLES%", () => renderTables());
}

/** docs/dialplan.md, as text. */
export function renderDialplanPage(): string {
  return DIALPLAN_PAGE.replace("%TABLES%", () => renderDialplanTables())
    .replace("%MATRIX%", () => renderMatrix())
    .replace("%EXAMPLE%", () => EXAMPLE)
    .replace("%EXPLANATION%", () => renderExplanation());
}

/** Where the files belong. */
export const OUTPUTS = {
  page: fileURLToPath(new URL("../docs/configuration.md", import.meta.url)),
  dialplan: fileURLToPath(new URL("../docs/dialplan.md", import.meta.url)),
  schema: fileURLToPath(new URL("../docs/offhook.schema.json", import.meta.url)),
} as const;

if (import.meta.main) {
  writeFileSync(OUTPUTS.page, renderConfigurationPage());
  writeFileSync(OUTPUTS.dialplan, renderDialplanPage());
  writeFileSync(OUTPUTS.schema, renderJsonSchema());
}
