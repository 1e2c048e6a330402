/** Sends what the user wants to the tab that has the phone, and takes what comes from the others. */
import type { PhoneActions } from "../ui/actions.ts";

/** What each tab does for itself. */
const OWN: ReadonlySet<string> = new Set<keyof PhoneActions>([
  "signIn",
  "signOut",
  "downloadReport",
  "openMiniWindow",
  "registerLinks",
  "useHere",
]);

/**
 * The same actions, forwarded where another tab has the phone.
 *
 * @param isElsewhere whether another tab has it, at the moment of the action
 */
export function forwardActions(
  actions: PhoneActions,
  isElsewhere: () => boolean,
  send: (name: string, parameters: readonly unknown[]) => void,
): PhoneActions {
  const forwarded = Object.entries(actions).map(([name, action]: [string, unknown]) => [
    name,
    (...parameters: readonly unknown[]): unknown => {
      if (typeof action !== "function") return undefined;
      if (OWN.has(name) || !isElsewhere()) return Reflect.apply(action, undefined, parameters);
      // The event of a click can go to no other tab, and no action wants it.
      send(
        name,
        parameters.filter((parameter) => !(parameter instanceof Event)),
      );
      return undefined;
    },
  ]);
  // Made of the same names, each with the same parameters.
  return Object.fromEntries(forwarded) as PhoneActions;
}

/** Does what another tab's user wants; anything that is no action is ignored. */
export function runAction(
  actions: PhoneActions,
  name: string,
  parameters: readonly unknown[],
): void {
  if (OWN.has(name) || !Object.hasOwn(actions, name)) return;
  const action: unknown = Reflect.get(actions, name);
  if (typeof action === "function") Reflect.apply(action, undefined, parameters);
}
