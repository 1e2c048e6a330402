import type { TrunkView } from "./http/ports.ts";
import type { EmbeddedEngine } from "./signaling/embedded-engine.ts";

/** How a trunk is, as the API shows it. */
export function trunkHealthView(
  id: string,
  engine: Pick<EmbeddedEngine, "trunkPing" | "trunkRegistration" | "trunkTargets">,
): Pick<TrunkView, "reason" | "since" | "registration" | "targets"> {
  const { reason, sinceMs } = engine.trunkPing(id) ?? {};
  const registration = engine.trunkRegistration(id);
  return {
    ...(reason === undefined ? {} : { reason }),
    ...timeOf("since", sinceMs),
    ...(registration === undefined ? {} : { registration: registrationView(registration) }),
    targets: engine.trunkTargets(id).map((target) => ({
      address: target.address,
      transport: target.transport,
      state: target.state,
      ...(target.reason === undefined ? {} : { reason: target.reason }),
      ...timeOf("since", target.sinceMs),
    })),
  };
}

function registrationView(
  view: NonNullable<ReturnType<EmbeddedEngine["trunkRegistration"]>>,
): NonNullable<TrunkView["registration"]> {
  const { state, reason, status, sinceMs, expiresAtMs, retryAtMs } = view;
  return {
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(status === undefined ? {} : { status }),
    since: new Date(sinceMs).toISOString(),
    ...timeOf("expiresAt", expiresAtMs),
    ...timeOf("retryAt", retryAtMs),
  };
}

function timeOf<Name extends string>(
  name: Name,
  unixMs: number | undefined,
): { readonly [key in Name]?: string } {
  return unixMs === undefined
    ? {}
    : ({ [name]: new Date(unixMs).toISOString() } as { readonly [key in Name]?: string });
}
