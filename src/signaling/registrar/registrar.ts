import { formatSocketAddress } from "../../core/address.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { randomToken } from "../../core/ids.ts";
import { ownCopy } from "../../core/own-copy.ts";
import { ourResponse } from "../dialog/responses.ts";
import type { Binding, CalledInstance, Locations } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { SipUri } from "../message/uri.ts";
import type { Flow } from "../transport/flow.ts";
import { boundFacts, unboundFacts } from "./channels.ts";
import type { UnboundReason } from "./channels.ts";
import { contactOf, tryReadContact } from "./contact.ts";
import type { RegisterContact } from "./contact.ts";
import { FlowTokens } from "./flow-tokens.ts";
import { Gruus, registrationOf } from "./gruu.ts";
import type { InstancePaths } from "./instance-path.ts";
import type { LocationStore, StoredBinding } from "./location-store.ts";
import { hasOutboundFirstHop, tryReadPath } from "./path.ts";

/** Bounds of a registration; expiry in seconds. */
export interface RegistrarLimits {
  /** A shorter expiry gets 423. Default 60. */
  readonly minSeconds: number;
  /** A longer expiry is shortened. Default 600. */
  readonly maxSeconds: number;
  /** When the client asks for none. Default 300. */
  readonly defaultSeconds: number;
  /** Bindings of one user. Default 10. */
  readonly maxBindings: number;
}

export interface RegistrarOptions {
  readonly clock: Clock;
  /** The domain of the addresses-of-record. */
  readonly domain: string;
  readonly store: LocationStore;
  readonly paths: InstancePaths;
  readonly limits?: Partial<RegistrarLimits>;
}

const DEFAULT_LIMITS: RegistrarLimits = {
  minSeconds: 60,
  maxSeconds: 600,
  defaultSeconds: 300,
  maxBindings: 10,
};
const BINDING_ID_LENGTH = 16;
const TAG_LENGTH = 12;

/** Who registers, and on which connection. */
interface Sender {
  readonly flow: Flow;
  readonly userId: string;
  /** As another registrar has decided; undefined: our own limits do. */
  readonly grantedSeconds: number | undefined;
}

/** One Contact of a REGISTER and what it does. */
interface Change {
  readonly contact: RegisterContact;
  /** The binding that it refreshes, replaces or removes. */
  readonly known: StoredBinding | undefined;
}

/**
 * The registrar of RFC 3261 §10.3 with RFC 5626. A binding is worth exactly as much as the
 * connection that it came on: it goes with it, and calls to it use nothing else.
 */
export class Registrar implements Locations {
  readonly #options: RegistrarOptions;
  readonly #limits: RegistrarLimits;
  readonly #gruus: Gruus;
  readonly #tokens = new FlowTokens();
  /** Expiry and connection of each binding, by its id. */
  readonly #live = new Map<string, { readonly flow: Flow; readonly expiry: Timer }>();
  readonly #byFlow = new Map<Flow, Map<string, StoredBinding>>();
  /** The flows of `#byFlow` by their id. */
  readonly #flows = new Map<string, Flow>();

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#gruus = new Gruus(options.domain);
  }

  bindings(userId: string): readonly Binding[] {
    return this.#options.store.bindings(userId);
  }

  all(): Iterable<Binding> {
    return this.#options.store.all();
  }

  /**
   * The one instance that a request is meant for, by a flow token in its Route (RFC 5626 §5.3) or a
   * GRUU in its Request-URI (RFC 5627 §5.5).
   *
   * @returns undefined when it is meant for nobody in particular, a status when it leads nowhere
   */
  calledBy(request: SipRequest): CalledInstance | 403 | 404 | 430 | 480 | undefined {
    const flowId = this.#tokens.flowIdOf(request);
    if (flowId === false) return 403; // RFC 5626 §5.3.2
    if (flowId !== undefined) return this.#registeredOn(flowId, request.uri) ?? 430;
    return this.#gruus.isGruu(request.uri) ? this.resolve(request.uri) : undefined;
  }

  /** The instance on a flow; of several the one whose Contact or user is asked for. */
  #registeredOn(flowId: string, uri: SipUri): CalledInstance | undefined {
    const flow = this.#flows.get(flowId);
    const here = flow === undefined ? [] : [...(this.#byFlow.get(flow)?.values() ?? [])];
    const binding =
      here.find(({ contactUri }) => SipUri.parse(contactUri).equals(uri)) ??
      here.find(({ userId }) => userId === uri.user) ??
      here[0];
    if (binding === undefined) return undefined;
    return { userId: binding.userId, instanceId: binding.instanceId };
  }

  /**
   * The registered instance that a GRUU of ours leads to (RFC 5627 §5.5).
   *
   * @returns 404 when it is none, 480 when the instance is not registered
   */
  resolve(uri: SipUri): CalledInstance | 404 | 480 {
    const target = this.#gruus.resolve(uri);
    if (target === undefined) return 404;
    const { userId, instanceId, registration } = target;
    const bindings = this.#options.store
      .bindings(userId)
      .filter((binding) => binding.hasInstance && binding.instanceId === instanceId);
    if (registration === undefined) return bindings.length > 0 ? { userId, instanceId } : 480;
    // RFC 5627 §5.3: a temporary one ends when the instance registers with another Call-ID.
    return bindings.some(({ callId }) => registrationOf(callId) === registration)
      ? { userId, instanceId }
      : 404;
  }

  /**
   * Answers a REGISTER whose sender has been authenticated as `userId`.
   *
   * @param grantedSeconds how long another registrar keeps the binding that it asks for; default:
   *   as our own limits say
   */
  register(request: SipRequest, flow: Flow, userId: string, grantedSeconds?: number): SipResponse {
    const refusal = this.#refusalOf(request, userId);
    if (refusal !== undefined) return refusal;
    if (request.contacts === "*") return this.#removeAll(request, userId);
    return this.#update(request, { flow, userId, grantedSeconds });
  }

  /**
   * Why a REGISTER that another registrar is to decide is refused here; undefined: it may go there.
   * Nothing changes. How long it asks for is the other one's matter.
   */
  refusalOf(request: SipRequest, flow: Flow, userId: string): SipResponse | undefined {
    const refusal = this.#refusalOf(request, userId);
    if (refusal !== undefined) return refusal;
    if (request.contacts === "*") {
      return request.expires === 0 ? undefined : respond(request, 400);
    }
    const read = this.#read(request, { flow, userId, grantedSeconds: 0 });
    return "refusal" in read ? read.refusal : undefined;
  }

  /** Whether a user is registered on this connection. */
  isRegisteredOn(flow: Flow, userId: string): boolean {
    for (const binding of this.#byFlow.get(flow)?.values() ?? []) {
      if (binding.userId === userId) return true;
    }
    return false;
  }

  /** Ends what a user has registered on this connection. */
  removeFrom(flow: Flow, userId: string): void {
    for (const binding of this.#byFlow.get(flow)?.values() ?? []) {
      if (binding.userId === userId) this.#remove(binding, "unregistered");
    }
  }

  /** A connection has gone, and with it its bindings. */
  onFlowClosed(flow: Flow): void {
    for (const binding of this.#byFlow.get(flow)?.values() ?? []) {
      this.#remove(binding, "flow-closed");
    }
  }

  /** Forgets all bindings and tells nobody. */
  close(): void {
    for (const { expiry } of this.#live.values()) expiry.cancel();
    for (const binding of this.#options.store.all()) {
      this.#options.store.remove(binding.userId, binding.id);
    }
    this.#live.clear();
    this.#byFlow.clear();
    this.#flows.clear();
  }

  #refusalOf(request: SipRequest, userId: string): SipResponse | undefined {
    const to = request.to.sipUri;
    if (to.scheme !== "sip" && to.scheme !== "sips") return respond(request, 400);
    // RFC 3261 §10.3 step 5: an address-of-record outside the domain is not found.
    if (to.host !== this.#options.domain.toLowerCase()) return respond(request, 404);
    // RFC 3261 §10.3 step 4: nobody changes the bindings of another user.
    return to.user === userId ? undefined : respond(request, 403);
  }

  /** RFC 3261 §10.3 step 6, `Contact: *`. */
  #removeAll(request: SipRequest, userId: string): SipResponse {
    if (request.expires !== 0) return respond(request, 400);
    const bindings = this.#options.store.bindings(userId);
    if (bindings.some((binding) => isOutOfOrder(request, binding))) return respond(request, 500);
    for (const binding of bindings) this.#remove(binding, "unregistered");
    return this.#accepted(request, userId);
  }

  #update(request: SipRequest, sender: Sender): SipResponse {
    const read = this.#read(request, sender);
    if ("refusal" in read) return read.refusal;
    // RFC 3261 §10.3 step 7: all of them or none.
    for (const { contact, known } of read.changes) {
      if (contact.expiresSeconds === 0) {
        if (known !== undefined) this.#remove(known, "unregistered");
      } else {
        this.#bind(request, contact, known, { ...sender, path: read.path });
      }
    }
    return this.#accepted(request, sender.userId);
  }

  /** What a REGISTER would change, or why it may not. */
  #read(
    request: SipRequest,
    { flow, userId, grantedSeconds }: Sender,
  ):
    | { readonly changes: readonly Change[]; readonly path: readonly string[] }
    | { readonly refusal: SipResponse } {
    const refuse = (...refusal: Parameters<typeof respond>) => ({ refusal: respond(...refusal) });
    if (request.contacts.length > this.#limits.maxBindings) return refuse(request, 403, TOO_MANY);
    // RFC 3261 §10.2.1 lets a Contact have any scheme; ours is a policy: only SIP can be called.
    if (!hasSipContacts(request)) return refuse(request, 403, NOT_SIP);
    const changes = this.#changesOf(request, flow, userId);
    const path = tryReadPath(request);
    if (changes === undefined || path === undefined) return refuse(request, 400);
    const isOutbound = changes.some(({ contact }) => contact.regId !== undefined);
    // RFC 5626 §6: the first proxy does not know the flow, so no request would find it.
    if (isOutbound && !hasOutboundFirstHop(request, path)) return refuse(request, 439);
    // RFC 5627 §5.1: a GRUU that leads to itself.
    if (changes.some(({ contact }) => this.#gruus.isGruu(SipUri.parse(contact.uri)))) {
      return refuse(request, 403, { reasonPhrase: "A GRUU is no contact" });
    }
    const isPassed = grantedSeconds !== undefined;
    const refusal = this.#refusalOfChanges(request, changes, userId, isPassed);
    return refusal === undefined ? { changes, path } : { refusal };
  }

  /** @returns undefined when one of the contacts cannot be taken */
  #changesOf(request: SipRequest, flow: Flow, userId: string): readonly Change[] | undefined {
    const { contacts } = request;
    if (contacts === "*") return undefined;
    const isOutbound = hasOption(request, "Supported", "outbound");
    const changes: Change[] = [];
    for (const given of contacts) {
      const { defaultSeconds } = this.#limits;
      const contact = tryReadContact(given, request.expires, isOutbound, defaultSeconds);
      if (contact === undefined) return undefined;
      // RFC 5626 §4.2.1: a REGISTER with reg-id has one Contact.
      if (contact.regId !== undefined && contacts.length > 1) return undefined;
      changes.push({ contact, known: this.#find(contact, flow, userId) });
    }
    return changes;
  }

  /** RFC 5626 §6: instance and reg-id name a binding; without them it is the URI (RFC 3261 §10.3). */
  #find(contact: RegisterContact, flow: Flow, userId: string): StoredBinding | undefined {
    const bindings = this.#options.store.bindings(userId);
    if (contact.instanceId !== undefined) {
      return bindings.find(
        (binding) =>
          binding.instanceId === contact.instanceId &&
          (contact.regId === undefined ||
            binding.regId === undefined ||
            binding.regId === contact.regId),
      );
    }
    const uri = SipUri.parse(contact.uri);
    return bindings.find(
      (binding) =>
        !binding.hasInstance &&
        binding.instanceId === flow.id &&
        SipUri.parse(binding.contactUri).equals(uri),
    );
  }

  #refusalOfChanges(
    request: SipRequest,
    changes: readonly Change[],
    userId: string,
    isPassed: boolean,
  ): SipResponse | undefined {
    const { minSeconds, maxBindings } = this.#limits;
    let count = this.#options.store.bindings(userId).length;
    for (const { contact, known } of changes) {
      const { expiresSeconds } = contact;
      if (!isPassed && expiresSeconds > 0 && expiresSeconds < minSeconds) {
        return respond(request, 423, { fields: [["Min-Expires", String(minSeconds)]] });
      }
      if (known !== undefined && isOutOfOrder(request, known)) return respond(request, 500);
      if (known === undefined && expiresSeconds > 0) count += 1;
    }
    return count > maxBindings ? respond(request, 403, TOO_MANY) : undefined;
  }

  #bind(
    request: SipRequest,
    contact: RegisterContact,
    known: StoredBinding | undefined,
    way: Sender & { readonly path: readonly string[] },
  ): void {
    const { flow, userId, path, grantedSeconds } = way;
    const { clock, store, paths } = this.#options;
    const nowMs = clock.wallMs();
    const seconds = grantedSeconds ?? Math.min(contact.expiresSeconds, this.#limits.maxSeconds);
    const isSame =
      known !== undefined &&
      known.contactUri === contact.uri &&
      this.#live.get(known.id)?.flow === flow;
    const binding: StoredBinding = {
      id: isSame ? known.id : randomToken(BINDING_ID_LENGTH),
      // A binding outlives its REGISTER: it must not keep the octets of it.
      userId: ownCopy(userId),
      instanceId: ownCopy(contact.instanceId ?? flow.id),
      hasInstance: contact.instanceId !== undefined,
      regId: contact.regId,
      contactUri: ownCopy(contact.uri),
      userAgent: ownCopy(request.headers.get("User-Agent")),
      remoteAddress: formatSocketAddress(flow.remote),
      ...(path.length === 0 ? {} : { path }),
      flowToken: this.#tokens.of(flow),
      registeredAtMs: isSame ? known.registeredAtMs : nowMs,
      expiresAtMs: nowMs + 1000 * seconds,
      callId: ownCopy(request.callId),
      cseqNumber: request.cseq.number,
    };
    if (isSame) this.#forget(known);
    const expiry = clock.after(1000 * seconds, () => this.#remove(binding, "expired"));
    this.#live.set(binding.id, { flow, expiry });
    const here = this.#byFlow.get(flow);
    this.#flows.set(flow.id, flow);
    if (here === undefined) this.#byFlow.set(flow, new Map([[binding.id, binding]]));
    else here.set(binding.id, binding);
    store.put(binding);
    // The new one before the old one goes: the instance is never seen without a connection.
    paths.bind(binding.userId, binding.instanceId, flow, path.length > 0);
    if (known !== undefined && !isSame) this.#remove(known, "replaced");
    boundFacts.publish({ binding, kind: isSame ? "refreshed" : "new" });
  }

  #remove(binding: StoredBinding, reason: UnboundReason): void {
    const flow = this.#live.get(binding.id)?.flow;
    this.#forget(binding);
    this.#options.store.remove(binding.userId, binding.id);
    if (flow !== undefined) this.#unbindPath(binding, flow);
    unboundFacts.publish({ binding, reason });
  }

  /** The path stays when the instance has another binding on the same connection. */
  #unbindPath(binding: StoredBinding, flow: Flow): void {
    const others = [...(this.#byFlow.get(flow)?.values() ?? [])];
    const isBoundStill = others.some(
      ({ userId, instanceId }) => userId === binding.userId && instanceId === binding.instanceId,
    );
    if (!isBoundStill) this.#options.paths.unbind(binding.userId, binding.instanceId, flow);
  }

  #forget(binding: StoredBinding): void {
    const live = this.#live.get(binding.id);
    if (live === undefined) return;
    live.expiry.cancel();
    this.#live.delete(binding.id);
    const here = this.#byFlow.get(live.flow);
    here?.delete(binding.id);
    if (here?.size !== 0) return;
    this.#byFlow.delete(live.flow);
    this.#flows.delete(live.flow.id);
  }

  /** RFC 3261 §10.3 step 8: all current bindings, and the date. */
  #accepted(request: SipRequest, userId: string): SipResponse {
    const nowMs = this.#options.clock.wallMs();
    const bindings = this.#options.store.bindings(userId);
    const isGruu = hasOption(request, "Supported", "gruu") || hasOption(request, "Require", "gruu");
    const gruus = isGruu ? this.#gruus : undefined;
    const isOutbound =
      hasOption(request, "Supported", "outbound") &&
      bindings.some(({ callId, regId }) => callId === request.callId && regId !== undefined);
    return respond(request, 200, {
      fields: [
        ...bindings.map((binding) => contactOf(binding, nowMs, gruus)),
        ["Date", new Date(nowMs).toUTCString()],
        ["Supported", "outbound, path, gruu"],
        // RFC 3327 §5.3: as it came, so that the client sees the way to it.
        ...request.headers.getAll("Path").map((value): HeaderField => ["Path", value]),
        // RFC 5626 §6: says that the registrar has done what the client asked for.
        ...(isOutbound ? [["Require", "outbound"] as const] : []),
      ],
    });
  }
}

const NOT_SIP = { reasonPhrase: "Only SIP contacts" };
const TOO_MANY = { reasonPhrase: "Too many bindings" };

function hasSipContacts({ contacts }: SipRequest): boolean {
  if (contacts === "*") return true;
  return contacts.every(({ sipUri: { scheme } }) => scheme === "sip" || scheme === "sips");
}

function respond(
  request: SipRequest,
  status: number,
  options: { readonly reasonPhrase?: string; readonly fields?: readonly HeaderField[] } = {},
): SipResponse {
  return ourResponse(request, status, { ...options, toTag: randomToken(TAG_LENGTH) });
}

/** RFC 3261 §10.3 step 7: within one Call-ID the CSeq must rise. */
function isOutOfOrder(request: SipRequest, binding: StoredBinding): boolean {
  return binding.callId === request.callId && request.cseq.number <= binding.cseqNumber;
}

function hasOption(request: SipRequest, name: string, option: string): boolean {
  return request.headers.list(name).some((value) => value.toLowerCase() === option);
}
