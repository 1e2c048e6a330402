import type { Dialplan } from "./compile.ts";
import type { DialplanProblem, Path } from "./condition.ts";
import type { Action, Decision } from "./decision.ts";
import { describeAction } from "./describe.ts";
import { statedFacts } from "./facts.ts";
import { nextActions } from "./outcome.ts";
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
  const decision = dialplan.decide(
    {
      from: caller,
      to: test.to,
      at,
      headers: (name) => test.headers?.[name],
      ...(test.state !== undefined && { facts: statedFacts(test.state) }),
    },
    { explain: false },
  );
  const difference = compareDecision(test.expect, decision);
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

function compareDecision(expect: ExpectSource, decision: Decision): Difference | undefined {
  const { action, route } = decision;
  if (expect.route !== undefined && expect.route !== route) {
    return {
      path: ["expect", "route"],
      expected: `route "${expect.route}"`,
      actual: `it is ${describeAction(action)}`,
    };
  }
  return compareAction(expect, action, ["expect"]);
}

function compareAction(expect: ExpectSource, action: Action, path: Path): Difference | undefined {
  const actual = `it is ${describeAction(action)}`;
  const differs = (key: string, expected: string): Difference => ({
    path: [...path, key],
    expected,
    actual,
  });
  if (expect.kind !== undefined && expect.kind !== action.kind) {
    const { kind } = expect;
    const targets = (expect.users ?? expect.trunks ?? []).join(", ");
    return differs(kind, targets === "" ? kind : `${kind} ${targets}`);
  }
  return compareKind(expect, action, differs) ?? compareOutcomes(expect, action, path);
}

function compareKind(
  expect: ExpectSource,
  action: Action,
  differs: (key: string, expected: string) => Difference,
): Difference | undefined {
  switch (action.kind) {
    case "ring":
      return expect.users !== undefined && !isSameSet(expect.users, action.users)
        ? differs("ring", `ring ${expect.users.join(", ")}`)
        : undefined;
    case "dial":
      return compareDial(expect, action, differs);
    case "voicemail":
      if (expect.trunks !== undefined && expect.trunks[0] !== action.trunk) {
        return differs("voicemail", `voicemail ${expect.trunks.join(", ")}`);
      }
      return expect.number !== undefined && expect.number !== action.number
        ? differs("number", `number ${expect.number}`)
        : undefined;
    case "ask":
      return expect.hook !== undefined && expect.hook !== action.hook
        ? differs("ask", `ask ${expect.hook}`)
        : undefined;
    case "reject":
      return expect.status !== undefined && expect.status !== action.status
        ? differs("reject", `reject ${expect.status}`)
        : undefined;
    case "play":
      return expect.file !== undefined && expect.file !== action.file
        ? differs("play", `play ${expect.file}`)
        : undefined;
    case "echo":
    case "read-digits":
    case "set":
    case "hang-up":
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

/** What follows by outcome: the first action of each that the test names. */
function compareOutcomes(expect: ExpectSource, action: Action, path: Path): Difference | undefined {
  for (const [outcome, wanted] of Object.entries(expect.on ?? {})) {
    const place: Path = [...path, "on", outcome];
    const hasOutcomes =
      action.kind === "ring" || action.kind === "dial" || action.kind === "voicemail";
    const next = hasOutcomes
      ? outcome === "then"
        ? action.then
        : nextActions(action, outcome)
      : [];
    const [first] = next;
    if (first === undefined) {
      return {
        path: place,
        expected: `something after ${outcome}`,
        actual: `nothing follows ${describeAction(action)}`,
      };
    }
    const difference = compareAction(wanted, first, place);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function isSameSet(left: readonly string[], right: readonly string[]): boolean {
  const set = new Set(left);
  return set.size === new Set(right).size && right.every((item) => set.has(item));
}
