import { randomToken } from "../core/ids.ts";
import type { ClientInviteOptions } from "./dialog/client-invite.ts";
import type { RequestAddresses } from "./dialog/client-request.ts";
import { requestUriOf } from "./dialog/dialog-state.ts";
import type { Peer } from "./dialog/peer.ts";
import type {
  ExtraHeaders,
  Identity,
  InviteTarget,
  OnBehalfOf,
  OutgoingInviteOptions,
} from "./engine.ts";
import { uriOf } from "./identity-headers.ts";
import { buildSipUri } from "./message/uri.ts";
import type { Flow } from "./transport/flow.ts";
import type { PassThrough } from "./pass-through.ts";
import type { Trunk } from "./trunk/trunk.ts";

/** Where the addresses of a new leg come from. */
export interface InviteEnvironment {
  readonly domain: string;
  readonly trunk: (trunkId: string) => Trunk | undefined;
  readonly path: (userId: string, instanceId: string) => Peer;
  /** The host of our own addresses on a flow. */
  readonly hostToward: (flow: Flow | undefined) => string;
  /** What a call of a user that the trunk owns says there; default: it owns none. */
  readonly callOf?: PassThrough["callOf"] | undefined;
}

const CONTACT_USER_LENGTH = 12;

/** What a request of ours outside a dialog says. */
export interface AddressOptions {
  readonly target: InviteTarget;
  readonly from: Identity;
  readonly to: Identity;
  readonly headers?: ExtraHeaders;
  readonly hasAlternative?: boolean | undefined;
}

/** The addresses of an INVITE of ours; nothing of another leg's message is in them. */
export function inviteParameters(
  options: OutgoingInviteOptions,
  environment: InviteEnvironment,
): ClientInviteOptions {
  return { ...addressesOnBehalf(options, environment), sdp: options.sdp };
}

/**
 * As `addressesOf`; what a user of the PBX asks the PBX carries that user's own address, and its
 * answer to the PBX's challenge.
 */
export function addressesOnBehalf(
  options: AddressOptions & { readonly onBehalfOf?: OnBehalfOf | undefined },
  environment: InviteEnvironment,
): RequestAddresses & { readonly contactUser: string } {
  const { onBehalfOf, target } = options;
  const addresses = addressesOf(options, environment);
  const passed = target.kind === "trunk" ? environment.callOf?.(onBehalfOf, target) : undefined;
  if (passed === undefined) return addresses;
  const { requestUri, fromUri, credentials, callersRealms } = passed;
  return {
    ...addresses,
    requestUri,
    from: { ...addresses.from, uri: fromUri },
    to: { ...addresses.to, uri: requestUri },
    headers: [...addresses.headers, ...credentials],
    callersRealms,
  };
}

/** Chooses the addresses of a request of ours outside a dialog, and the user of its Contact. */
export function addressesOf(
  options: AddressOptions,
  environment: InviteEnvironment,
): RequestAddresses & { readonly contactUser: string } {
  const { target, from, to, headers = [] } = options;
  if (target.kind === "binding") {
    const { binding } = target;
    const { domain } = environment;
    return {
      headers,
      routes: binding.path ?? [],
      peer: environment.path(binding.userId, binding.instanceId),
      requestUri: requestUriOf(binding.contactUri),
      from: { uri: callerUri(from, domain), displayName: from.displayName },
      to: { uri: buildSipUri({ user: to.user, host: domain }), displayName: to.displayName },
      contactUser: randomToken(CONTACT_USER_LENGTH),
    };
  }
  const trunk = environment.trunk(target.trunkId);
  const peer = trunk?.peer(undefined, options.hasAlternative) ?? nowhere(target.trunkId);
  const requestUri = trunk?.uriOf(target.number) ?? buildSipUri({ host: "trunk.invalid" });
  const host = environment.hostToward(peer.flowTo(requestUri));
  return {
    headers,
    routes: [],
    peer,
    requestUri,
    from: { uri: callerUri(from, host), displayName: from.displayName },
    to: { uri: requestUri, displayName: to.displayName },
    // Some carriers look at the user of Contact; it says no more than From does.
    contactUser: isPlainUser(from.user) ? from.user : randomToken(CONTACT_USER_LENGTH),
  };
}

/** @param ours our host toward this far end */
function callerUri({ user, host, isPhone = false }: Identity, ours: string): string {
  return uriOf(user, { host: host ?? ours, isPhone });
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
