import { tryParseAnnouncement } from "../dialplan/announce.ts";
import type { ActionSource, DialplanSource, RouteSource } from "../dialplan/source.ts";

/** The plan with the paths of its sound files made absolute. */
export function withAbsoluteFiles<Plan extends Omit<DialplanSource, "routes">>(
  plan: Plan & { readonly routes: readonly RouteSource[] },
  absolute: (file: string) => string,
): Plan & { readonly routes: readonly RouteSource[] } {
  const routesOf = (routes: readonly RouteSource[]): readonly RouteSource[] =>
    routes.map((route) => ({ ...route, do: inAction(route.do, absolute) }));
  return {
    ...plan,
    routes: routesOf(plan.routes),
    ...(plan.sets !== undefined && {
      sets: Object.fromEntries(
        Object.entries(plan.sets).map(([name, routes]) => [name, routesOf(routes)]),
      ),
    }),
    tests: plan.tests.map((test) =>
      test.expect.file === undefined
        ? test
        : { ...test, expect: { ...test.expect, file: absolute(test.expect.file) } },
    ),
  };
}

function inAction(action: ActionSource, absolute: (file: string) => string): ActionSource {
  const each = (actions: readonly ActionSource[]): readonly ActionSource[] =>
    actions.map((next) => inAction(next, absolute));
  switch (action.kind) {
    case "ring":
    case "dial":
    case "voicemail":
      return {
        ...withAbsoluteAnnounce(action, absolute),
        then: each(action.then),
        ...(action.on !== undefined && {
          on: Object.fromEntries(
            Object.entries(action.on).map(([outcome, next]) => [outcome, each(next)]),
          ),
        }),
      };
    case "ask":
      return { ...action, otherwise: each(action.otherwise) };
    case "play":
      return action.file === undefined ? action : { ...action, file: absolute(action.file) };
    case "forward":
    case "go":
    case "echo":
    case "read-digits":
    case "hang-up":
      return action;
    case "reject":
      return withAbsoluteAnnounce(action, absolute);
  }
}

function withAbsoluteAnnounce<T extends { readonly announce?: string }>(
  action: T,
  absolute: (file: string) => string,
): T {
  const { announce } = action;
  if (announce === undefined || tryParseAnnouncement(announce) !== undefined) return action;
  return { ...action, announce: absolute(announce) };
}
