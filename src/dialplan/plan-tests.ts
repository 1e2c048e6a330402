import type { Dialplan } from "./compile.ts";
import type { DialplanProblem, Path } from "./condition.ts";
import type { Action, Decision } from "./decision.ts";
import type { ExpectSource, TestSource } from "./source.ts";

/**
 * Runs the tests of a plan.
 *
 * @param now what a test without `at` takes as the time
 * @returns one problem for each test that is red; empty when all are green
 */
export function runPlanTests(
  dialplan: Dialplan,
  tests: readonly TestSource[],
  now: Date,
): readonly DialplanProblem[] {
  return tests.flatMap((test, index) => {
    const red = runOne(dialplan, test, now);
    if (red === undefined) return [];
    const label = test.name === undefined ? "" : `test "${test.name}": `;
    return [{ path: ["tests", index, ...red.path], message: label + red.message }];
  });
}

interface Red {
  readonly path: Path;
  readonly message: string;
}

function runOne(dialplan: Dialplan, test: TestSource, now: Date): Red | undefined {
  const caller = dialplan.findCaller(test.from, test.trunk);
  if (typeof caller === "string") {
    return { path: [test.trunk === undefined ? "from" : "trunk"], message: caller };
  }
  const at = test.at === undefined ? now : dialplan.clock.tryParse(test.at);
  if (at === undefined) {
    return {
      path: ["at"],
      message: `found "${test.at ?? ""}"; expected a time such as 2026-11-20T10:00`,
    };
  }
  const decision = dialplan.decide({ from: caller, to: test.to, at });
  const difference = compare(test.expect, decision);
  if (difference === undefined) return undefined;
  return {
    path: difference.path,
    message: `a call from ${test.from ?? "a withheld number"} to ${test.to}: expected ${difference.expected}, but ${difference.actual} (decided by ${decision.route ?? "no route"})`,
  };
}

interface Difference {
  readonly path: Path;
  readonly expected: string;
  readonly actual: string;
}

function compare(expect: ExpectSource, decision: Decision): Difference | undefined {
  const { action } = decision;
  const actual = `it is ${describeAction(action)}`;
  const differs = (key: string, expected: string): Difference => ({
    path: ["expect", key],
    expected,
    actual,
  });
  if (expect.route !== undefined && expect.route !== decision.route) {
    return differs("route", `route "${expect.route}"`);
  }
  if (expect.kind !== undefined && expect.kind !== action.kind) {
    const { kind } = expect;
    const targets = (expect.users ?? expect.trunks ?? []).join(", ");
    return differs(kind, targets === "" ? kind : `${kind} ${targets}`);
  }
  switch (action.kind) {
    case "ring":
      if (expect.users !== undefined && !isSameSet(expect.users, action.users)) {
        return differs("ring", `ring ${expect.users.join(", ")}`);
      }
      return undefined;
    case "dial":
      return compareDial(expect, action, differs);
    case "reject":
      if (expect.status !== undefined && expect.status !== action.status) {
        return differs("reject", `reject ${expect.status}`);
      }
      return undefined;
    case "play":
      if (expect.file !== undefined && expect.file !== action.file) {
        return differs("play", `play ${expect.file}`);
      }
      return undefined;
    case "echo":
    case "read-digits":
      return undefined;
  }
}

function compareDial(
  expect: ExpectSource,
  action: Action & { kind: "dial" },
  differs: (key: string, expected: string) => Difference,
): Difference | undefined {
  const { trunks, number, caller } = expect;
  if (trunks !== undefined && trunks.some((id, index) => action.trunks[index] !== id)) {
    return differs("dial", `dial ${trunks.join(", then ")}`);
  }
  if (number !== undefined && number !== action.number)
    return differs("number", `number ${number}`);
  if (caller !== undefined && caller !== action.callerNumber) {
    return differs("caller", `caller ${caller}`);
  }
  return undefined;
}

function isSameSet(left: readonly string[], right: readonly string[]): boolean {
  const set = new Set(left);
  return set.size === new Set(right).size && right.every((item) => set.has(item));
}

/** `dial office with +4930123456`, `ring 1001 and 1002`, `reject 404`: an action in words. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case "ring":
      return `ring ${action.users.join(" and ")} for ${action.timeoutMs / 1000} s`;
    case "dial": {
      const as = action.callerNumber === undefined ? "" : ` as ${action.callerNumber}`;
      return `dial ${action.number} over ${action.trunks.join(", then ")}${as} for ${action.timeoutMs / 1000} s`;
    }
    case "echo":
      return "echo";
    case "play":
      return action.file === undefined ? "play the announcement" : `play ${action.file}`;
    case "read-digits":
      return "read-digits";
    case "reject":
      return `reject ${action.status}${action.reasonPhrase === undefined ? "" : ` ${action.reasonPhrase}`}`;
  }
}
