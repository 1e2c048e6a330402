import type { Server, Tier } from "./locate.ts";
import { targetKey } from "./target.ts";
import type { Target } from "./target.ts";

const MAX_TARGETS = 16;

/**
 * The targets in the order in which one request tries them (RFC 3263 §4.2): tier by tier, within a
 * tier by the dice of RFC 2782, all addresses of one server before the next server.
 *
 * @param domain the host of the URI
 * @param random 0 ≤ x < 1
 */
export function orderTargets(
  tiers: readonly Tier[],
  domain: string,
  random: () => number,
): readonly Target[] {
  const targets = new Map<string, Target>();
  for (const { transport, servers } of tiers) {
    for (const { port, addresses } of byWeight(servers, random)) {
      for (const host of addresses) {
        const target: Target = { transport, remote: { host, port }, domain };
        const key = targetKey(target);
        if (targets.size < MAX_TARGETS && !targets.has(key)) targets.set(key, target);
      }
    }
  }
  return [...targets.values()];
}

/** The weighted order of RFC 2782, "Usage rules". */
export function byWeight(servers: readonly Server[], random: () => number): readonly Server[] {
  if (servers.length < 2) return servers;
  // RFC 2782: those of weight 0 stand first, which gives them a very small chance.
  const left = servers.toSorted((one, other) => Number(one.weight > 0) - Number(other.weight > 0));
  const ordered: Server[] = [];
  while (left.length > 0) {
    const sum = left.reduce((total, { weight }) => total + weight, 0);
    // RFC 2782: a whole number from 0 to the sum, both included.
    const dice = Math.floor(random() * (sum + 1));
    let running = 0;
    const index = left.findIndex(({ weight }) => {
      running += weight;
      return running >= dice;
    });
    ordered.push(...left.splice(Math.max(index, 0), 1));
  }
  return ordered;
}
