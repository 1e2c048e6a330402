import { findProfile } from "./profiles/all.ts";
import type { TrunkProfile } from "./profiles/profile.ts";
import { trunkSchema } from "./schema.ts";
import type { FileValues } from "./schema.ts";

type TrunkValues = NonNullable<FileValues["trunks"]>[string];

/** What a profile sets, read as a file is. @throws ZodError when a profile has a wrong value */
export function valuesOfProfile(profile: TrunkProfile, peer = "sip:192.0.2.1"): TrunkValues {
  const written = Object.entries(profile.keys).map(([key, { value }]) => [key, value]);
  return trunkSchema.parse({ peer, ...Object.fromEntries(written) });
}

/** A trunk with the keys of its profile behind its own, and which of them those are. */
export function withProfile(trunk: TrunkValues): {
  readonly trunk: TrunkValues;
  readonly profile?: { readonly name: string; readonly applied: readonly string[] };
} {
  const profile = trunk.profile === undefined ? undefined : findProfile(trunk.profile);
  if (profile === undefined) return { trunk };
  const applied = Object.keys(profile.keys).filter((key) => !Object.hasOwn(trunk, key));
  return {
    trunk: { ...valuesOfProfile(profile, trunk.peer), ...trunk },
    profile: { name: profile.name, applied },
  };
}
