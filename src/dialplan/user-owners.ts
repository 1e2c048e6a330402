/**
 * Trunks that own users (`registrar: true`). Their users stand in no list of ours: a plan knows them
 * as the group that is named like the trunk.
 */
export function userOwners(trunks: ReadonlyMap<string, unknown>): readonly string[] {
  return [...trunks].filter(([, trunk]) => isOwner(trunk)).map(([id]) => id);
}

function isOwner(trunk: unknown): boolean {
  return (
    typeof trunk === "object" && trunk !== null && "registrar" in trunk && trunk.registrar === true
  );
}
