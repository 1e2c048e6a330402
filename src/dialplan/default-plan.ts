import { DEFAULT_DIAL_MS, DEFAULT_EACH_MS, DEFAULT_RING_MS } from "./action-schema.ts";
import type { DialplanSource, RouteSource } from "./source.ts";

/**
 * The plan of a file without routes: the demo's services, `@users` ring each other, and with
 * exactly one trunk everything else that users dial goes there. A trunk's calls ring users only:
 * nothing from outside is ever sent out again.
 *
 * @param userIds users whose calls may go out
 * @param trunkIds all trunks of the file
 */
export function defaultPlan(userIds: Iterable<string>, trunkIds: Iterable<string>): DialplanSource {
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
  const [trunk, ...others] = trunkIds;
  const users = [...userIds];
  if (trunk !== undefined && others.length === 0 && users.length > 0) {
    routes.push({
      name: `everything else to ${trunk}`,
      from: { user: users },
      do: {
        kind: "dial",
        trunks: [{ id: trunk, weight: 1 }],
        by: "order",
        rewrite: { strip: 0, prepend: "" },
        timeoutMs: DEFAULT_DIAL_MS,
        then: [],
      },
    });
  }
  return { routes, tests: [] };
}
