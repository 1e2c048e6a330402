import { compileDialplan } from "../../src/dialplan/compile.ts";
import type { CompileResult, Dialplan, DialplanWorld } from "../../src/dialplan/compile.ts";
import { defaultPlan } from "../../src/dialplan/default-plan.ts";
import { dialplanSchema } from "../../src/dialplan/schema.ts";
import type { DialplanSource } from "../../src/dialplan/source.ts";

/** Two users and two trunks. */
export const world: DialplanWorld = {
  users: new Map([
    ["1001", { id: "1001", numbers: ["+493012345601"], groups: ["staff"] }],
    ["1002", { id: "1002", numbers: ["+493012345602", "+493012345600"], groups: [] }],
    ["ann", { id: "ann", numbers: ["+493012345600"], groups: ["staff", "sales"] }],
  ]),
  trunks: new Map([
    ["office", {}],
    ["backup", {}],
  ]),
};

/** A section as the file would have it. */
export function sourceOf(section: unknown): DialplanSource {
  const parsed = dialplanSchema.parse(section);
  return {
    ...parsed,
    routes: parsed.routes ?? defaultPlan(world.users.keys(), new Map([["office", {}]])).routes,
  };
}

/** Compiles a section over `world`, with some of it replaced. */
export function compileSection(
  section: unknown,
  other: Partial<DialplanWorld> = {},
): CompileResult {
  return compileDialplan(sourceOf(section), { ...world, ...other });
}

/** The compiled plan; a plan with mistakes fails the test. */
export function planOf(section: unknown, other: Partial<DialplanWorld> = {}): Dialplan {
  const result = compileSection(section, other);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.dialplan;
}
