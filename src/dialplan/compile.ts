import { CallContext } from "./call-context.ts";
import type { ActionFailure, Elsewhere, Interior, Run } from "./call-context.ts";
import { chainActions, compileAction } from "./action.ts";
import { checkTrunk } from "./condition.ts";
import type { DialplanProblem, Safety, Surroundings } from "./condition.ts";
import type { Action, CallQuery, Caller, Decision, Refusal, TraceDetail } from "./decision.ts";
import { Directory } from "./directory.ts";
import type { DialplanUser } from "./directory.ts";
import { emergencyNumbers } from "./emergency.ts";
import { DEFAULT_DIAL_MS, actionSchema } from "./action-schema.ts";
import { explainIssues } from "./issues.ts";
import { compileMatcher } from "./pattern.ts";
import type { NumberMatcher } from "./pattern.ts";
import { Limits, Permissions } from "./permission.ts";
import { RateTable } from "./rates.ts";
import { RouteTable, nameOfRoute, worse } from "./route-table.ts";
import type { TableDecision } from "./route-table.ts";
import { WallClock } from "./schedule.ts";
import { StarCodes, USUAL_STAR_CODES } from "./star-codes.ts";
import type { CodecPolicyName, DialplanSource, LimitSource } from "./source.ts";
import { userOwners } from "./user-owners.ts";

/** What the routes may name. */
export interface DialplanWorld {
  readonly users: ReadonlyMap<string, DialplanUser>;
  /** By trunk id. */
  readonly trunks: ReadonlyMap<string, DialplanTrunk>;
  /** How codecs are chosen where neither route nor trunk says it; undefined: `auto`. */
  readonly media?: { readonly codecs: CodecPolicyName };
}

/** What the dialplan knows of a trunk. */
export interface DialplanTrunk {
  readonly codecPolicy?: CodecPolicyName;
  /** It owns users: they are the group that is named like it. */
  readonly registrar?: boolean;
}

/** A compiled plan, or every mistake in it. */
export type CompileResult =
  | {
      readonly ok: true;
      readonly dialplan: Dialplan;
      readonly warnings: readonly DialplanProblem[];
    }
  | { readonly ok: false; readonly problems: readonly DialplanProblem[] };

/** How emergency calls go out. */
interface EmergencyPlan {
  readonly numbers: ReadonlySet<string>;
  readonly trunks: readonly string[];
  readonly caller: string | undefined;
  readonly location: string | undefined;
}

/** How much of the trace is wanted. */
export interface DecideOptions {
  /**
   * `true`: every rule; `false`: the deciding one alone, which is what a large plan in a hurry
   * wants; a number: at most so many of the rules before it.
   */
  readonly explain?: boolean | number;
}

/** RFC 3261 §21.4.12: what nobody can have dialled is refused before any rule looks at it. */
const MAX_NUMBER_LENGTH = 255;
/** Jumps to sets and forwards that one decision may take, its continuations included. */
const MAX_JUMPS = 64;
/** The rule that stands before all others. */
export const EMERGENCY_RULE = "(emergency)";
/** The rule that takes what users dial to set something. */
export const STAR_CODE_RULE = "(star code)";

/** Decides calls. Immutable: the same query with the same facts gives the same decision. */
export class Dialplan implements Interior {
  /** The time zone's clock, to read times as the file writes them. */
  readonly clock: WallClock;
  readonly #directory: Directory;
  readonly #trunks: ReadonlyMap<string, unknown>;
  readonly #routes: RouteTable;
  readonly #sets: ReadonlyMap<string, RouteTable>;
  readonly #emergency: EmergencyPlan;
  readonly #around: Surroundings;
  readonly #starCodes: StarCodes;

  /** @internal use compileDialplan */
  constructor(parts: {
    readonly clock: WallClock;
    readonly directory: Directory;
    readonly trunks: ReadonlyMap<string, unknown>;
    readonly routes: RouteTable;
    readonly sets: ReadonlyMap<string, RouteTable>;
    readonly emergency: EmergencyPlan;
    readonly around: Surroundings;
    readonly starCodes: StarCodes;
  }) {
    this.clock = parts.clock;
    this.#directory = parts.directory;
    this.#trunks = parts.trunks;
    this.#routes = parts.routes;
    this.#sets = parts.sets;
    this.#emergency = parts.emergency;
    this.#around = parts.around;
    this.#starCodes = parts.starCodes;
  }

  /** Decides one call. Never throws. */
  decide(query: CallQuery, options: DecideOptions = {}): Decision {
    if (query.to.length > MAX_NUMBER_LENGTH) return tooLong(query.to.length);
    const explain = options.explain ?? true;
    const explained = explain === true ? Number.POSITIVE_INFINITY : explain === false ? 0 : explain;
    const run: Run = { interior: this, jumpsLeft: MAX_JUMPS, isExplained: explained > 0 };
    const context = new CallContext({
      query: capped(query),
      directory: this.#directory,
      clock: this.clock,
      run,
    });
    const decided = this.#starCall(context) ?? this.#decideFor(context, explained);
    const { route, failure, trace, omitted } = decided;
    const action: Action = chainActions(decided.actions) ?? {
      kind: "reject",
      status: failure?.status ?? 404,
      reasonPhrase: undefined,
    };
    const refusal = refusalOf(decided, action);
    return {
      route,
      action,
      ...(refusal !== undefined && { refusal }),
      trace,
      ...(explained > 0 && omitted > 0 && { omitted }),
    };
  }

  /**
   * Fills in an action that a hook has answered with, in the words of the file. The caller may do
   * what it may, whoever answers.
   *
   * @param onRefusal told when the caller may not
   * @returns what is wrong with it, as text
   */
  followHook(
    action: unknown,
    query: CallQuery,
    onRefusal: (refusal: Refusal) => void = () => undefined,
  ): readonly Action[] | string {
    const parsed = actionSchema.safeParse(action);
    if (!parsed.success) {
      return explainIssues(parsed.error.issues, actionSchema, action)
        .map(({ path, message }) => `${path.map(String).join(".")}: ${message}`)
        .join("; ");
    }
    const problems: string[] = [];
    const around: Surroundings = {
      ...this.#around,
      problem: (path, message) => problems.push(`${path.join(".")}: ${message}`),
      warn: () => undefined,
    };
    const plan = compileAction(parsed.data, [], -1, around);
    if (problems.length > 0) return problems.join("; ");
    const context = new CallContext({
      query: capped(query),
      directory: this.#directory,
      clock: this.clock,
      run: { interior: this, jumpsLeft: MAX_JUMPS, isExplained: false },
    });
    let failure: ActionFailure | undefined;
    const actions = plan(context, (met) => (failure = worse(failure, met)));
    if (actions.length > 0) return actions;
    if (failure?.refusal !== undefined) onRefusal(failure.refusal);
    return [{ kind: "reject", status: failure?.status ?? 404, reasonPhrase: undefined }];
  }

  /** @internal of the action `go` */
  enter(set: string, context: CallContext): Elsewhere {
    const table = this.#sets.get(set);
    const explained = context.run.isExplained ? MAX_TOLD : 0;
    return table === undefined ? NOWHERE : table.decide(context, explained);
  }

  /** @internal of the action `forward` */
  redial(context: CallContext): Elsewhere {
    if (context.query.to.length > MAX_NUMBER_LENGTH) return NOWHERE;
    return this.#decideFor(context, context.run.isExplained ? MAX_TOLD : 0);
  }

  /**
   * Who calls, from what a person types: with a trunk, `from` is the number that it presents
   * (undefined, "" or "anonymous": withheld); without one, a user's id or number.
   *
   * @returns the message of what is wrong when there is no such caller
   */
  findCaller(from: string | undefined, trunk?: string): Caller | string {
    if (trunk !== undefined) {
      if (!this.#trunks.has(trunk)) return `no trunk "${trunk}"`;
      const isWithheld = from === undefined || from === "" || from === "anonymous";
      return { kind: "trunk", id: trunk, number: isWithheld ? undefined : from };
    }
    if (from === undefined) return "no caller: neither from nor trunk is given";
    const known = this.#directory.caller(from);
    if (known !== undefined) return known;
    const owners = userOwners(this.#trunks);
    // Whom a PBX knows, we do not: it may be anybody.
    return owners.length > 0 && from !== ""
      ? { kind: "user", id: from, groups: owners, numbers: [] }
      : `no user has the id or the number "${from}"`;
  }

  /** The emergency numbers that a caller reaches by the rule before all others. */
  emergencyNumbersOf(caller: Caller): ReadonlySet<string> {
    const { numbers, trunks } = this.#emergency;
    if (caller.kind === "trunk" || trunks.length === 0) return NO_NUMBERS;
    const own = emergencyNumbers(this.#directory.homeOf(caller).country);
    return numbers.size === 0 ? own : new Set([...numbers, ...own]);
  }

  /**
   * Whether a user may have its calls forwarded to a number: the plan lets it call there, and it is
   * neither its own nor one for emergencies.
   */
  mayForward(userId: string, number: string, at: Date): boolean {
    const from = this.#directory.caller(userId);
    if (from === undefined || number.length > MAX_NUMBER_LENGTH) return false;
    const run: Run = { interior: this, jumpsLeft: MAX_JUMPS, isExplained: false };
    const context = new CallContext({
      query: { from, to: number, at },
      directory: this.#directory,
      clock: this.clock,
      run,
    });
    if (this.#emergencyCall(context) !== undefined) return false;
    const [first] = this.#decideFor(context, 0).actions;
    if (first === undefined || first.kind === "reject") return false;
    return first.kind !== "ring" || first.users.some((id) => id !== userId);
  }

  /** What users may set for their own calls. */
  get userSettable(): StarCodes["settable"] {
    return this.#starCodes.settable;
  }

  /** What a user sets by dialling. */
  #starCall(context: CallContext): TableDecision | undefined {
    const { at, from } = context.query;
    const change = this.#starCodes.read(context, (number) => this.mayForward(from.id, number, at));
    if (change === undefined) return undefined;
    return {
      route: STAR_CODE_RULE,
      isMatched: true,
      actions: [{ kind: "set", ...change }],
      failure: undefined,
      trace: [{ route: STAR_CODE_RULE, matched: true }],
      omitted: 0,
    };
  }

  #decideFor(context: CallContext, explained: number): TableDecision {
    return this.#emergencyCall(context) ?? this.#routes.decide(context, explained);
  }

  /** Users alone: what a trunk brings in is no emergency of this house. */
  #emergencyCall(context: CallContext): TableDecision | undefined {
    const { from, to } = context.query;
    const { numbers, trunks, caller, location } = this.#emergency;
    if (from.kind === "trunk" || trunks.length === 0 || to.length > 10) return undefined;
    if (!numbers.has(to) && !emergencyNumbers(context.home.country).has(to)) return undefined;
    const steps: readonly TraceDetail[] = [
      { kind: "class", number: to, class: "emergency", isAllowed: true },
      ...trunks.map((id): TraceDetail => ({
        kind: "trunk",
        id,
        state: context.facts.trunkState(id),
      })),
      { kind: "identity", number: from.numbers[0] ?? caller ?? from.id },
    ];
    return {
      route: EMERGENCY_RULE,
      isMatched: true,
      actions: [
        {
          kind: "dial",
          trunks,
          number: to,
          callerNumber: from.numbers[0] ?? caller,
          emergency: location === undefined ? {} : { location },
          timeoutMs: DEFAULT_DIAL_MS,
          then: [],
        },
      ],
      failure: undefined,
      trace: [
        {
          route: EMERGENCY_RULE,
          matched: true,
          ...(context.run.isExplained && { steps }),
        },
      ],
      omitted: 0,
    };
  }
}

/** Rules of a set or a forward that a trace tells. */
const MAX_TOLD = 100;
const NO_NUMBERS: ReadonlySet<string> = new Set();
const NOWHERE: TableDecision = {
  route: undefined,
  isMatched: false,
  actions: [],
  failure: undefined,
  trace: [],
  omitted: 0,
};

/**
 * Why a call was refused. What follows an attempt is worked out beforehand, so a refusal counts only
 * where nobody is called before it.
 */
function refusalOf(
  { isMatched, actions, failure }: TableDecision,
  first: Action,
): Refusal | undefined {
  if (actions.length === 0) return failure?.refusal ?? (isMatched ? undefined : "unknown");
  switch (first.kind) {
    case "ring":
    case "dial":
    case "voicemail":
    case "ask":
      return undefined;
    case "echo":
    case "play":
    case "read-digits":
    case "set":
    case "hang-up":
    case "reject":
      return failure?.refusal;
  }
}

function capped(query: CallQuery): CallQuery {
  const { from } = query;
  if (from.kind === "user" || (from.number?.length ?? 0) <= MAX_NUMBER_LENGTH) return query;
  return { ...query, from: { ...from, number: undefined } };
}

function tooLong(length: number): Decision {
  return {
    route: undefined,
    action: { kind: "reject", status: 414, reasonPhrase: undefined },
    trace: [
      {
        route: "(length)",
        matched: true,
        failed: {
          condition: "to",
          expected: `at most ${MAX_NUMBER_LENGTH} characters`,
          saw: `${length} characters`,
        },
      },
    ],
  };
}

/** Compiles a plan of the file, or says everything that is wrong with it. */
export function compileDialplan(source: DialplanSource, world: DialplanWorld): CompileResult {
  const problems: DialplanProblem[] = [];
  const warnings: DialplanProblem[] = [];
  const home = { country: source.country, areaCode: source.areaCode };
  const directory = new Directory(world.users, home);
  const clocks = new Map<string, WallClock>();
  const around: Surroundings = {
    directory,
    groups: new Set([
      ...[...world.users.values()].flatMap((user) => user.groups),
      ...userOwners(world.trunks),
    ]),
    trunks: world.trunks,
    sets: new Set(Object.keys(source.sets ?? {})),
    hooks: new Set(Object.keys(source.hooks ?? {})),
    holidays: new Map(Object.entries(source.holidays ?? {})),
    headers: new Set(source.headers ?? []),
    safety: safetyOf(source, problems),
    codecs: {
      usual: world.media?.codecs ?? "auto",
      ofTrunk: (id) => world.trunks.get(id)?.codecPolicy,
    },
    clockOf: (timeZone) => {
      const clock = clocks.get(timeZone) ?? new WallClock(timeZone);
      clocks.set(timeZone, clock);
      return clock;
    },
    problem: (path, message) => problems.push({ path, message }),
    warn: (path, message) => warnings.push({ path, message }),
  };
  checkNames(source, around);
  const routes = RouteTable.compile(source.routes, ["routes"], around);
  const sets = new Map(
    Object.entries(source.sets ?? {}).map(([name, list]) => [
      name,
      RouteTable.compile(list, ["sets", name], around),
    ]),
  );
  const emergency: EmergencyPlan = {
    numbers: new Set(source.emergency?.numbers ?? []),
    trunks: source.emergency?.trunks ?? [...world.trunks.keys()],
    caller: source.emergency?.caller,
    location: source.emergency?.location,
  };
  if (problems.length > 0) return { ok: false, problems };
  const dialplan = new Dialplan({
    clock: new WallClock(source.timeZone),
    directory,
    trunks: world.trunks,
    routes,
    sets,
    emergency,
    around,
    starCodes: new StarCodes(
      source.starCodes ?? USUAL_STAR_CODES,
      source.routes.flatMap(({ to }) => to ?? []),
    ),
  });
  return { ok: true, dialplan, warnings };
}

/** Users, groups and trunks that stand beside the routes. */
function checkNames(source: DialplanSource, around: Surroundings): void {
  for (const [index, id] of (source.emergency?.trunks ?? []).entries()) {
    checkTrunk(id, ["emergency", "dial", index], around);
  }
  for (const id of Object.keys(source.rates ?? {})) checkTrunk(id, ["rates", id], around);
  for (const key of ["allow", "limits"] as const) {
    const section = source[key];
    if (section === undefined) continue;
    for (const id of Object.keys(section.trunks)) checkTrunk(id, [key, "trunk", id], around);
    for (const id of Object.keys(section.users)) {
      if (around.directory.has(id)) continue;
      around.problem([key, "user", id], `no user "${id}"; expected the id of a user`);
    }
    for (const name of Object.keys(section.groups)) {
      if (around.groups.has(name)) continue;
      around.warn([key, "group", name], `no user is in group "${name}"`);
    }
  }
}

function safetyOf(source: DialplanSource, problems: DialplanProblem[]): Safety {
  const premium: NumberMatcher[] = [];
  for (const [index, text] of (source.premium ?? []).entries()) {
    const matcher = compileMatcher(text);
    if (matcher.kind === "pattern" || matcher.kind === "literal") premium.push(matcher);
    else {
      const message = matcher.kind === "problem" ? matcher.message : "found a regular expression";
      problems.push({ path: ["premium", index], message: `${message}; expected a _pattern` });
    }
  }
  const limitByRoute = new Map<string, LimitSource>();
  for (const list of [source.routes, ...Object.values(source.sets ?? {})]) {
    for (const [index, route] of list.entries()) {
      if (route.limits !== undefined) limitByRoute.set(nameOfRoute(route, index), route.limits);
    }
  }
  return {
    permissions: new Permissions(source, premium),
    limits: new Limits(source.limits),
    rates: new Map(
      Object.entries(source.rates ?? {}).map(([id, rates]) => [id, new RateTable(rates)]),
    ),
    limitOfRoute: (name) => limitByRoute.get(name),
  };
}
