import { randomToken } from "../core/ids.ts";
import type { ClientInviteOptions } from "./dialog/client-invite.ts";
import { requestUriOf } from "./dialog/dialog-state.ts";
import type { Peer } from "./dialog/peer.ts";
import type { OutgoingInviteOptions } from "./engine.ts";
import { buildSipUri } from "./message/uri.ts";
import type { Flow } from "./transport/flow.ts";
import type { Trunk } from "./trunk/trunk.ts";

/** Where the addresses of a new leg come from. */
export interface InviteEnvironment {
  readonly domain: string;
  readonly trunk: (trunkId: string) => Trunk | undefined;
  readonly path: (userId: string, instanceId: string) => Peer;
  /** The host of our own addresses on a flow. */
  readonly hostToward: (flow: Flow | undefined) => string;
}

const CONTACT_USER_LENGTH = 12;

/** Chooses the addresses of an INVITE of ours; nothing of another leg's message is in them. */
export function inviteParameters(
  options: OutgoingInviteOptions,
  environment: InviteEnvironment,
): ClientInviteOptions {
  const { target, from, to, sdp, headers = [] } = options;
  const common = { sdp, headers };
  if (target.kind === "binding") {
    const { binding } = target;
    const { domain } = environment;
    return {
      ...common,
      peer: environment.path(binding.userId, binding.instanceId),
      requestUri: requestUriOf(binding.contactUri),
      from: { uri: buildSipUri({ user: from.user, host: domain }), displayName: from.displayName },
      to: { uri: buildSipUri({ user: to.user, host: domain }), displayName: to.displayName },
      contactUser: randomToken(CONTACT_USER_LENGTH),
    };
  }
  const trunk = environment.trunk(target.trunkId);
  const peer = trunk?.peer() ?? nowhere(target.trunkId);
  const requestUri = trunk?.uriOf(target.number) ?? buildSipUri({ host: "trunk.invalid" });
  const host = environment.hostToward(peer.flowTo(requestUri));
  return {
    ...common,
    peer,
    requestUri,
    from: { uri: buildSipUri({ user: from.user, host }), displayName: from.displayName },
    to: { uri: requestUri, displayName: to.displayName },
    // Some carriers look at the user of Contact; it says no more than From does.
    contactUser: isPlainUser(from.user) ? from.user : randomToken(CONTACT_USER_LENGTH),
  };
}

/** A trunk that is not there, after a reload for example: the call fails with 503. */
function nowhere(trunkId: string): Peer {
  return {
    party: { kind: "trunk", trunkId },
    followsRoutes: true,
    flowTo: () => undefined,
    admits: () => false,
    heardOn() {},
    authorize: () => undefined,
    watch: () => () => {},
  };
}

/** Characters that need no escape in the user part of a URI (RFC 3261 §25.1). */
function isPlainUser(user: string): boolean {
  return user !== "" && user.length <= 64 && /^[A-Za-z0-9+*._-]+$/.test(user);
}
