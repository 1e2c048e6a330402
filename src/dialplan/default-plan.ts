import { DEFAULT_DIAL_MS, DEFAULT_EACH_MS, DEFAULT_RING_MS } from "./action-schema.ts";
import type { DialplanSource, RouteSource } from "./source.ts";
import { userOwners } from "./user-owners.ts";

/**
 * The plan of a file without routes: the demo's services, `@users` ring each other, and with
 * exactly one trunk everything else that users dial goes there. A trunk's calls ring users only:
 * nothing from outside is ever sent out again.
 *
 * A trunk that owns users carries their calls too.
 *
 * @param userIds users whose calls may go out
 * @param trunkTable all trunks of the file, by id
 */
export function defaultPlan(
  userIds: Iterable<string>,
  trunkTable: ReadonlyMap<string, unknown>,
): DialplanSource {
  const routes: RouteSource[] = [
    { name: "echo test", to: ["*43"], do: { kind: "echo" } },
    { name: "announcement", to: ["*44"], do: { kind: "play" } },
    { name: "digit test", to: ["*45"], do: { kind: "read-digits" } },
    {
      name: "users",
      to: ["@users"],
      do: {
        kind: "ring",
        targets: [{ kind: "user", name: "@to", afterMs: 0 }],
        by: "all",
        eachMs: DEFAULT_EACH_MS,
        timeoutMs: DEFAULT_RING_MS,
        then: [],
      },
    },
  ];
  const [trunk, ...others] = trunkTable.keys();
  if (trunk === undefined || others.length > 0) return { routes, tests: [] };
  const users = [...userIds];
  if (users.length > 0) routes.push(everythingElse(trunk, { user: users }));
  if (userOwners(trunkTable).length > 0) routes.push(everythingElse(trunk, { group: [trunk] }));
  return { routes, tests: [] };
}

function everythingElse(trunk: string, from: NonNullable<RouteSource["from"]>): RouteSource {
  return {
    name: from.group === undefined ? `everything else to ${trunk}` : `its users' calls to ${trunk}`,
    from,
    do: {
      kind: "dial",
      trunks: [{ id: trunk, weight: 1 }],
      by: "order",
      rewrite: { strip: 0, prepend: "" },
      timeoutMs: DEFAULT_DIAL_MS,
      then: [],
    },
  };
}
