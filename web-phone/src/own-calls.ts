/**
 * What the user has set on the gateway for the calls to all of its telephones: do not disturb and
 * forwards, as the star codes set them. Plain data and one function that changes it; what goes over
 * the network is in `own-calls-client.ts`.
 */

import { cleanNumber } from "./number.ts";

export const FORWARD_KINDS = ["always", "busy", "noAnswer"] as const;

/** When calls go on to another number. */
export type ForwardKind = (typeof FORWARD_KINDS)[number];

/** A forward; one that is off keeps its number. */
export interface Forward {
  readonly number: string;
  readonly on: boolean;
}

/** As the gateway has it. */
export interface OwnCalls {
  readonly doNotDisturb: boolean;
  readonly forward: Readonly<Partial<Record<ForwardKind, Forward>>>;
  /** What the user may set. */
  readonly settable: readonly (ForwardKind | "doNotDisturb")[];
}

/** A change of the keys that it names. */
export interface OwnCallsChange {
  readonly doNotDisturb?: boolean;
  readonly forward?: Readonly<Partial<Record<ForwardKind, Partial<Forward>>>>;
}

/** `refused`: one of the numbers may not be called. */
export type SaveProblem = "refused" | "failed";

/** What the screens show of it. */
export interface OwnCallsState {
  /** Undefined until the gateway has told, and where it has nothing to tell. */
  readonly known: OwnCalls | undefined;
  readonly load: "none" | "loading" | "loaded" | "failed";
  readonly save: "idle" | "saving" | "saved" | SaveProblem;
  /** The change that is under way. */
  readonly wanted: OwnCallsChange | undefined;
}

export const NO_OWN_CALLS: OwnCallsState = {
  known: undefined,
  load: "none",
  save: "idle",
  wanted: undefined,
};

/** What can happen to it. */
export type OwnCallsEvent =
  /** Nobody is signed in, or the gateway has no such settings. */
  | { readonly type: "none" }
  | { readonly type: "load" }
  | { readonly type: "loaded"; readonly known: OwnCalls }
  | { readonly type: "load-failed" }
  | { readonly type: "save"; readonly change: OwnCallsChange }
  | { readonly type: "saved"; readonly known: OwnCalls }
  | { readonly type: "save-failed"; readonly problem: SaveProblem }
  /** Something else is in the form than what was saved last. */
  | { readonly type: "edited" };

/** The state after the event. Pure. */
export function changeOwnCalls(state: OwnCallsState, event: OwnCallsEvent): OwnCallsState {
  switch (event.type) {
    case "none":
      return NO_OWN_CALLS;
    case "load":
      // What is being saved comes back with its answer.
      return state.save === "saving" ? state : { ...state, load: "loading" };
    case "loaded":
      return state.save === "saving"
        ? state
        : { ...state, load: "loaded", known: sameOr(state.known, event.known) };
    case "load-failed":
      return state.load === "loading" ? { ...state, load: "failed" } : state;
    case "save":
      return state.known === undefined || state.save === "saving"
        ? state
        : { ...state, save: "saving", wanted: event.change };
    case "saved":
      return { known: event.known, load: "loaded", save: "saved", wanted: undefined };
    case "save-failed":
      return { ...state, save: event.problem, wanted: undefined };
    case "edited":
      return state.save === "saving" || state.save === "idle" ? state : { ...state, save: "idle" };
  }
}

/** What stands in the form, saved or not. */
export interface OwnCallsDraft {
  readonly doNotDisturb: boolean;
  readonly forward: Readonly<Record<ForwardKind, Forward>>;
}

/** A form that says what holds. */
export function draftOf({ doNotDisturb, forward }: OwnCalls): OwnCallsDraft {
  const one = (kind: ForwardKind): Forward => forward[kind] ?? { number: "", on: false };
  return {
    doNotDisturb,
    forward: { always: one("always"), busy: one("busy"), noAnswer: one("noAnswer") },
  };
}

/** What to tell the gateway, of what it lets the user set. */
export function changeOf(draft: OwnCallsDraft, known: OwnCalls): OwnCallsChange {
  const forward: Partial<Record<ForwardKind, Partial<Forward>>> = {};
  for (const kind of FORWARD_KINDS.filter((one) => known.settable.includes(one))) {
    const { number, on } = draft.forward[kind];
    if (on) forward[kind] = { number: cleanNumber(number), on };
    // One that is off and was never there has nothing to say.
    else if (known.forward[kind] !== undefined) forward[kind] = { on };
  }
  const hasSwitch = known.settable.includes("doNotDisturb");
  return { ...(hasSwitch ? { doNotDisturb: draft.doNotDisturb } : {}), forward };
}

/** What is as it was stays the same object: a form that shows it goes on undisturbed. */
function sameOr(before: OwnCalls | undefined, now: OwnCalls): OwnCalls {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(now) ? before : now;
}

/** The number that every call goes on to; undefined where they ring. */
export function forwardedTo({ known }: OwnCallsState): string | undefined {
  const always = known?.forward.always;
  return always?.on === true ? always.number : undefined;
}

/** @returns undefined when it is no answer of `/api/v1/me` */
export function tryParseOwnCalls(value: unknown): OwnCalls | undefined {
  if (!isObject(value) || typeof value["doNotDisturb"] !== "boolean") return undefined;
  const { doNotDisturb, forward, settable } = value;
  if (!isObject(forward) || !Array.isArray(settable)) return undefined;
  const forwards = FORWARD_KINDS.flatMap((kind) => {
    const one = forward[kind];
    if (!isObject(one) || typeof one["number"] !== "string") return [];
    return [[kind, { number: one["number"], on: one["on"] === true }] as const];
  });
  return {
    doNotDisturb,
    forward: Object.fromEntries(forwards),
    settable: (["doNotDisturb", ...FORWARD_KINDS] as const).filter((one) => settable.includes(one)),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
