import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { formatSocketAddress } from "../core/address.ts";
import type { SocketAddress } from "../core/address.ts";
import type { ScopedClock } from "../core/clock.ts";
import { AttemptLimit } from "./auth/attempt-limit.ts";
import { Authenticator } from "./auth/authenticator.ts";
import { Nonces } from "./auth/nonces.ts";
import { DEFAULT_LIMITS } from "./dialog/dialog-context.ts";
import type { Carrier } from "./drachtio/carrier.ts";
import { asCarried } from "./drachtio/carried-trunk.ts";
import { DialogLayer } from "./dialog/dialog-layer.ts";
import { DialogTable } from "./dialog/dialog-table.ts";
import { ALLOW, CALL_OPTIONS, SUPPORTED } from "./dialog/our-headers.ts";
import { methodResponse, optionsResponse, requireRefusal } from "./dialog/responses.ts";
import type { Peer } from "./dialog/peer.ts";
import type { InviteExtras } from "./dialog/server-invite.ts";
import type {
  Locations,
  OutgoingInvite,
  OutgoingInviteHandler,
  OutgoingInviteOptions,
  OutgoingMessageOptions,
  OutgoingSubscribeOptions,
  OutgoingSubscription,
  OutgoingSubscriptionHandler,
  SignalingEngine,
} from "./engine.ts";
import { addressesOnBehalf, inviteParameters } from "./invite-parameters.ts";
import type { InviteEnvironment } from "./invite-parameters.ts";
import { SCANNERS } from "./guard/scanners.ts";
import { inviteRefusal } from "./invite-refusal.ts";
import { PassThrough } from "./pass-through.ts";
import { passNotify } from "./passed-notify.ts";
import type { PasswordVerdict } from "./pass-through.ts";
import { LoopGuard } from "./loop-guard.ts";
import { SipResponse } from "./message/message.ts";
import type { SipMessage, SipRequest } from "./message/message.ts";
import { tryParseReplaces } from "./message/replaces.ts";
import { buildSipUri } from "./message/uri.ts";
import { instanceOf } from "./registrar/contact.ts";
import { InstancePaths } from "./registrar/instance-path.ts";
import { Registrar } from "./registrar/registrar.ts";
import type { EmbeddedEngine, EmbeddedEngineOptions, GuardCounts } from "./embedded-engine.ts";
import { RefusalLog } from "./refusal-log.ts";
import { isBrowser, Screen } from "./screen.ts";
import { StandaloneRequests } from "./standalone-requests.ts";
import { timerValuesOf } from "./transaction/timer-values.ts";
import { TransactionLayer } from "./transaction/transaction-layer.ts";
import type { ServerTransaction, TransactionUser } from "./transaction/transaction.ts";
import type { Flow, TransportHandler } from "./transport/flow.ts";
import { CachingResolver } from "./transport/dns/caching-resolver.ts";
import { NodeResolver } from "./transport/dns/node-resolver.ts";
import { TransportLayer } from "./transport/transport-layer.ts";
import { withChallenges } from "./trunk-challenges.ts";
import type { TrunkState } from "./trunk/channels.ts";
import type { PingView } from "./trunk/options-ping.ts";
import type { RegistrationView } from "./trunk/registration.ts";
import type { TargetView } from "./trunk/trunk.ts";
import { TrunkTable } from "./trunk/trunk-table.ts";

/**
 * Builds the SIP stack: transports, transactions, dialogs, authentication, registrar and trunks.
 *
 * @throws SipParseError when a trunk's peer is no SIP URI
 */
export function createEmbeddedEngine(options: EmbeddedEngineOptions): EmbeddedEngine {
  return new Endpoint(options);
}

const DEFAULT_SUBSCRIPTION_SECONDS = 3600;
const MAX_CONTACTS = 10;
const RETRY_AFTER_SECONDS = "30";
/** How long the stop waits for the registrars of trunks. */
const UNREGISTER_MS = 2000;
/** Schemes of a Request-URI that we can read. */
const KNOWN_SCHEMES: ReadonlySet<string> = new Set(["sip", "sips", "tel"]);
/** Methods that mean something only inside a dialog. */
const IN_DIALOG: ReadonlySet<string> = new Set(["BYE", "INFO", "UPDATE", "NOTIFY", "PRACK"]);

/** Owns the layers and dispatches by method. Every request passes the screen first. */
class Endpoint implements EmbeddedEngine, TransportHandler {
  readonly locations: Locations;
  readonly #options: EmbeddedEngineOptions;
  readonly #clock: ScopedClock;
  readonly #transport: TransportLayer;
  readonly #transactions: TransactionLayer;
  readonly #dialogs: DialogLayer;
  readonly #authenticator: Authenticator;
  readonly #paths: InstancePaths;
  readonly #registrar: Registrar;
  readonly #passThrough: PassThrough | undefined;
  readonly #resolver: NodeResolver;
  readonly #trunks: TrunkTable;
  readonly #refusals: RefusalLog;
  readonly #standalone: StandaloneRequests;
  readonly #loops = new LoopGuard();
  readonly #screen: Screen;
  #carrier: Carrier | undefined;
  #state: "idle" | "running" | "draining" | "stopped" = "idle";

  constructor(options: EmbeddedEngineOptions) {
    this.#options = options;
    const { domain, logger, webSocket } = options;
    const clock = options.clock.scope((cause) => {
      logger.error("a timer of the SIP engine failed", { cause });
    });
    const timers = timerValuesOf(options.timers);
    const { parser, maxDatagramOctets } = options.messages ?? {};
    const { sources } = options;
    const common = {
      parser,
      maxMessageOctets: parser?.messageOctets,
      ...(sources === undefined
        ? {}
        : { admits: (host: string) => sources.admitsConnection(host) }),
    };
    const streams = { ...common, ...options.streams };
    this.#clock = clock;
    this.#refusals = new RefusalLog(clock, logger);
    this.#transport = new TransportLayer({
      clock,
      logger,
      handler: this,
      udp: options.udp.map((address) => ({
        ...asListener(address),
        parser,
        maxDatagramOctets,
        ...(sources === undefined
          ? {}
          : { admits: (host: string) => sources.admitsDatagram(host) }),
      })),
      tcp: { ...streams, listen: (options.tcp ?? []).map(asListener) },
      tls: {
        ...streams,
        listen: (options.tls ?? []).map(asListener),
        files: options.certificates ?? {},
        peerFiles: options.trunks.flatMap(({ tls }) => tls?.files ?? []),
        clientCertificates: options.certificates?.clients,
      },
      webSocket: { random: options.random, ...common, ...webSocket },
    });
    this.#transactions = new TransactionLayer({
      clock,
      logger,
      timers,
      user: this.#user(),
      ...(options.maxTransactions === undefined
        ? {}
        : { maxTransactions: options.maxTransactions }),
    });
    this.#dialogs = new DialogLayer({
      clock,
      logger,
      timers,
      transactions: this.#transactions,
      table: new DialogTable(),
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      random: options.random ?? Math.random,
      onInviteEnd: (invite) => options.overload?.onServed(invite),
    });
    this.#standalone = new StandaloneRequests(
      options.handler,
      this.#dialogs,
      options.subscriptions,
    );
    const attempts = options.attempts ?? new AttemptLimit({ clock });
    this.#authenticator = new Authenticator({
      realm: domain,
      credentials: options.credentials,
      nonces: new Nonces({ clock, realm: domain }),
      limit: attempts,
    });
    this.#paths = new InstancePaths(this.#authenticator);
    this.#registrar = new Registrar({
      clock,
      domain,
      store: options.locations,
      paths: this.#paths,
      limits: options.registrar ?? {},
    });
    this.locations = this.#registrar;
    this.#resolver = new NodeResolver({ clock, servers: options.dns?.servers });
    this.#trunks = new TrunkTable({
      clock,
      logger,
      resolver: new CachingResolver(
        clock,
        options.dns?.resolver ?? this.#resolver,
        options.dns?.limits,
      ),
      supports: (transport) =>
        options.drachtio === undefined
          ? listenersOf(options, transport).length > 0
          : (this.#carrier?.supports(transport) ?? true),
      flowTo: ({ transport, remote }, how) =>
        options.drachtio === undefined
          ? this.#transport.flowTo(transport, remote, how)
          : this.#carrier?.flowTo(transport, remote),
      random: options.random ?? Math.random,
      fromUri: (flow) => buildSipUri({ host: this.#hostToward(flow) }),
      send: (request, flow, handler) => this.#transactions.request(request, flow, handler),
      transactions: this.#transactions,
      trunks: options.trunks
        .map((trunk) => (options.drachtio === undefined ? trunk : asCarried(trunk)))
        .map((trunk) => withChallenges(trunk)),
    });
    const { passThrough } = options;
    this.#passThrough =
      passThrough &&
      new PassThrough({
        terms: passThrough,
        domain,
        clock,
        logger,
        random: options.random ?? Math.random,
        trunks: this.#trunks,
        transactions: this.#transactions,
        registrar: this.#registrar,
        authenticator: this.#authenticator,
        attempts,
        maxContactsPerUser: options.registrar?.maxBindings ?? MAX_CONTACTS,
      });
    this.#screen = new Screen({
      passThrough: this.#passThrough,
      authenticator: this.#authenticator,
      dialogs: this.#dialogs,
      trunks: this.#trunks,
      refusals: this.#refusals,
      transactions: this.#transactions,
      sources: options.sources,
      overload: options.overload,
      scanners: options.scanners ?? SCANNERS,
    });
  }

  checkPassword(userId: string, password: string): Promise<PasswordVerdict> | undefined {
    const passThrough = this.#passThrough;
    return passThrough?.owns(userId) === true
      ? passThrough.checkPassword(userId, password)
      : undefined;
  }

  isTrunk(host: string): boolean {
    return this.#trunks.accepts(host);
  }

  get guardCounts(): GuardCounts {
    return {
      scanners: this.#screen.scanned,
      waitingConnections: this.#transport.waitingCount,
    };
  }

  get counts(): SignalingEngine["counts"] {
    return {
      transactions: this.#transactions.count,
      dialogs: this.#dialogs.count,
      flows: this.#transport.connectionCount,
    };
  }

  get listeners(): readonly string[] {
    const carried = this.#carrier?.listeners ?? [];
    return [...this.#transport.listeners, ...carried].map(
      ({ transport, local }) => `${transport.toLowerCase()}:${formatSocketAddress(local)}`,
    );
  }

  async start(): Promise<void> {
    await this.#transport.start();
    await this.#startCarrier();
    await this.#trunks.start();
    this.#state = "running";
  }

  /** drachtio-srf is read only where it is wanted. */
  async #startCarrier(): Promise<void> {
    const { drachtio, messages, logger, random, sources } = this.#options;
    if (drachtio === undefined) return;
    const { Carrier } = await import("./drachtio/carrier.ts");
    this.#carrier = new Carrier({
      clock: this.#clock,
      logger,
      servers: drachtio,
      handler: this,
      parser: messages?.parser,
      random: random ?? Math.random,
      admits: sources && ((host) => sources.admitsDatagram(host)),
    });
    this.#transactions.use(this.#carrier);
    await this.#carrier.start();
  }

  async stop(): Promise<void> {
    if (this.#state !== "idle") await this.#unregister();
    this.#state = "stopped";
    this.#trunks.stop();
    this.#resolver.close();
    this.#dialogs.close();
    this.#transactions.close();
    await this.#transport.stop();
    this.#passThrough?.close();
    this.#registrar.close();
    this.#refusals.close();
    this.#clock.close();
  }

  drain(): void {
    if (this.#state !== "running") return;
    this.#state = "draining";
    // The peers send no more calls then; those that are there go on.
    void this.#trunks.unregister();
  }

  /** Waits for the registrars, but not for long. */
  #unregister(): Promise<void> {
    return new Promise((resolve) => {
      const limit = this.#clock.after(UNREGISTER_MS, resolve);
      void this.#trunks.unregister().then(() => {
        limit.cancel();
        resolve();
      });
    });
  }

  reloadCertificates(): Promise<void> {
    return this.#transport.reloadCertificates();
  }

  trunkState(trunkId: string): TrunkState {
    return this.#trunks.stateOf(trunkId);
  }

  trunkPing(trunkId: string): PingView | undefined {
    return this.#trunks.pingOf(trunkId);
  }

  trunkRegistration(trunkId: string): RegistrationView | undefined {
    return this.#trunks.registrationOf(trunkId);
  }

  trunkTargets(trunkId: string): readonly TargetView[] {
    return this.#trunks.targetsOf(trunkId);
  }

  trunkHosts(trunkId: string): readonly string[] {
    return this.#trunks.hostsOf(trunkId);
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#transport.handleUpgrade(request, socket, head);
  }

  invite(options: OutgoingInviteOptions, handler: OutgoingInviteHandler): OutgoingInvite {
    const { onBehalfOf, target, headers = [] } = options;
    if (onBehalfOf !== undefined) this.#options.overload?.onServed(onBehalfOf);
    const passed = onBehalfOf === undefined ? [] : this.#loops.fieldsOf(onBehalfOf, target.kind);
    const parameters = inviteParameters(
      { ...options, headers: [...passed, ...headers] },
      this.#environment(),
    );
    return this.#dialogs.invite(parameters, handler);
  }

  message(options: OutgoingMessageOptions): Promise<number> {
    const addresses = addressesOnBehalf(options, this.#environment());
    return this.#dialogs.message(addresses, options.text, options.onChallenge);
  }

  subscribe(
    options: OutgoingSubscribeOptions,
    handler: OutgoingSubscriptionHandler,
  ): OutgoingSubscription {
    const { event, accept = [], expiresSeconds = DEFAULT_SUBSCRIPTION_SECONDS } = options;
    const addresses = addressesOnBehalf(options, this.#environment());
    return this.#dialogs.subscribe(
      { ...addresses, event: event.toLowerCase(), accept, expiresSeconds },
      handler,
    );
  }

  onMessage(message: SipMessage, flow: Flow): void {
    if (message.kind === "request") {
      const judgement = this.#screen.judge(message, flow);
      switch (judgement.kind) {
        case "let in":
          break;
        case "refused":
          this.#transactions.sendStateless(judgement.response, flow);
          return;
        case "ignored":
          return;
        case "cut off":
          flow.close(judgement.reason);
          return;
      }
    }
    this.#transactions.onMessage(message, flow);
  }

  onFault(flow: Flow): void {
    if (this.#screen.countFault(flow)) flow.close("too many requests");
  }

  onFlowOpen(flow: Flow): void {
    this.#transactions.onFlowOpen(flow);
  }

  onFlowClosed(flow: Flow, reason: string): void {
    // Dialogs learn of it before their transactions fail: they then know that it is the way, and
    // not the far end, that has gone.
    this.#passThrough?.onFlowClosed(flow);
    this.#registrar.onFlowClosed(flow);
    this.#paths.onFlowClosed(flow);
    this.#transactions.onFlowClosed(flow, reason);
    this.#trunks.onFlowClosed(flow);
  }

  /** What the transactions call; connections are followed below them, in `onFlowClosed`. */
  #user(): TransactionUser {
    return {
      onRequest: (request, transaction, flow) => this.#onRequest(request, transaction, flow),
      onAck: (request, flow) => this.#dialogs.onAck(request, flow),
      onCancel: (cancel, invite) => this.#dialogs.onCancel(cancel, invite),
      onStrayResponse: (response, flow) => this.#dialogs.onStrayResponse(response, flow),
      onFlowOpen() {},
      onFlowClosed() {},
    };
  }

  #onRequest(request: SipRequest, transaction: ServerTransaction, flow: Flow): void {
    if (request.toTag !== undefined) {
      this.#dialogs.onRequest(request, transaction, flow);
      return;
    }
    // RFC 3261 §8.2.2.1
    if (!KNOWN_SCHEMES.has(request.uri.scheme)) {
      transaction.respond(this.#screen.refuse(request, 416));
      return;
    }
    switch (request.method) {
      case "INVITE":
        this.#onInvite(request, transaction, flow);
        return;
      case "REGISTER":
        this.#onRegister(request, transaction, flow);
        return;
      case "OPTIONS":
        transaction.respond(this.#onOptions(request, flow));
        return;
      case "MESSAGE":
        this.#onMessage(request, transaction, flow);
        return;
      case "SUBSCRIBE":
        this.#standalone.onSubscribe(transaction, this.#senderOf(request, flow));
        return;
      case "NOTIFY":
        this.#onNotify(request, transaction, flow);
        return;
      default:
        transaction.respond(
          IN_DIALOG.has(request.method)
            ? this.#screen.refuse(request, 481)
            : methodResponse(request),
        );
    }
  }

  #onInvite(request: SipRequest, transaction: ServerTransaction, flow: Flow): void {
    const refusal = this.#refusalOfInvite(request, flow);
    if (refusal !== undefined) {
      transaction.respond(refusal);
      return;
    }
    const peer = this.#senderOf(request, flow);
    const contact = this.#calledContact(request, peer.party);
    const called = contact ?? this.#registrar.calledBy(request);
    if (typeof called === "number") {
      transaction.respond(this.#screen.refuse(request, called));
      return;
    }
    const calledUser = this.#calledUser(request, peer);
    const calledNumber = called?.userId ?? calledUser;
    if (this.#loops.isLoop({ request, party: peer.party, calledNumber })) {
      transaction.respond(this.#screen.refuse(request, 482)); // RFC 5393 §4.2
      return;
    }
    const replaced = this.#replacedBy(request, flow, peer);
    if (typeof replaced === "number") {
      if (replaced === 403) this.#refusals.note(request, flow, 403);
      transaction.respond(this.#screen.refuse(request, replaced));
      return;
    }
    const invite = this.#dialogs.receive(transaction, peer, {
      ...replaced,
      calledInstance: called,
      isToContact: contact !== undefined,
      calledUser,
    });
    if (invite !== undefined) this.#options.handler.onInvite(invite);
  }

  /** RFC 6665 §4.1.3: without a subscription it is refused; a PBX tells its own users all the same. */
  #onNotify(request: SipRequest, transaction: ServerTransaction, flow: Flow): void {
    const { party } = this.#senderOf(request, flow);
    const called = this.#calledContact(request, party) ?? 481;
    if (typeof called === "number") transaction.respond(this.#screen.refuse(request, called));
    else {
      passNotify(transaction, called, {
        dialogs: this.#dialogs,
        locations: this.#registrar,
        environment: this.#environment(),
      });
    }
  }

  /** Whom a PBX calls by a contact that it has of us. */
  #calledContact(request: SipRequest, party: Peer["party"]): ReturnType<PassThrough["calledBy"]> {
    if (party.kind !== "trunk") return undefined;
    return this.#passThrough?.calledBy(request, party.trunkId);
  }

  /** Whom an INVITE calls. To our registered Contact a peer sends calls to any number of ours. */
  #calledUser(request: SipRequest, { party }: Peer): string {
    const isToAccount =
      party.kind === "trunk" && this.#trunks.isAccountOf(party.trunkId, request.uri);
    return (isToAccount ? request.to.sipUri.user : undefined) ?? request.uri.user ?? "";
  }

  /** The far end of a request outside a dialog, whose sender has been let in. */
  #senderOf(request: SipRequest, flow: Flow): Peer {
    const trunk = isBrowser(flow) ? undefined : this.#trunks.byFlow(flow, request.uri);
    if (trunk !== undefined) {
      trunk.noteAgent(request.headers);
      return trunk.peer(flow);
    }
    // RFC 5627 §4.4: a client that has a GRUU puts it into Contact instead of its instance.
    const contact = request.contact?.sipUri;
    const own = contact === undefined ? undefined : this.#registrar.resolve(contact);
    const instanceId = typeof own === "object" ? own.instanceId : instanceOf(request.contact);
    return this.#paths.ofSender(flow, request.from.sipUri.user ?? "", instanceId);
  }

  #onMessage(request: SipRequest, transaction: ServerTransaction, flow: Flow): void {
    // As with calls: other domains are not ours to reach.
    const isOurs = !isBrowser(flow) || this.#isOurHost(request.uri.host, flow);
    const peer = this.#senderOf(request, flow);
    const contact = this.#calledContact(request, peer.party);
    const called = isOurs ? (contact ?? this.#registrar.calledBy(request)) : 404;
    this.#standalone.onMessage(transaction, peer, called, contact !== undefined);
  }

  /** What an INVITE with Replaces takes over; a number refuses it (RFC 3891 §3). */
  #replacedBy(request: SipRequest, flow: Flow, peer: Peer): InviteExtras | number {
    const { handlesReplaces = false } = this.#options.handler;
    if (!handlesReplaces || !request.headers.has("Replaces")) return {};
    const [value, ...others] = request.headers.list("Replaces");
    const replaces = value === undefined ? undefined : tryParseReplaces(value);
    if (replaces === undefined || others.length > 0) return 400;
    const trunk = isBrowser(flow) ? undefined : this.#trunks.byFlow(flow, request.uri);
    const found = this.#dialogs.replaced(replaces, {
      party: peer.party,
      mayReplaceAny: trunk?.mayReplaceAny ?? false,
    });
    switch (found.kind) {
      case "dialog":
        return { replaces: found.dialog };
      case "invite":
        return { replacesInvite: found.invite };
      case "refused":
        return found.status;
    }
  }

  #environment(): InviteEnvironment {
    return {
      domain: this.#options.domain,
      trunk: (id) => this.#trunks.get(id),
      path: (userId, instanceId) => this.#paths.of(userId, instanceId),
      hostToward: (flow) => this.#hostToward(flow),
      callOf: (caller, target) => this.#passThrough?.callOf(caller, target),
    };
  }

  #refusalOfInvite(request: SipRequest, flow: Flow): SipResponse | undefined {
    if (this.#state !== "running") {
      return this.#screen.refuse(request, 503, { fields: [["Retry-After", RETRY_AFTER_SECONDS]] });
    }
    const fault = inviteRefusal(request);
    if (fault !== undefined) {
      return this.#screen.refuse(request, fault.status, { fields: fault.fields ?? [] });
    }
    const { handlesReplaces = false } = this.#options.handler;
    const understood = handlesReplaces ? [...CALL_OPTIONS, "replaces"] : CALL_OPTIONS;
    const missing = requireRefusal(request, understood);
    if (missing !== undefined) return missing;
    // A web user calls numbers of this gateway; other domains are not ours to reach.
    return isBrowser(flow) && !this.#isOurHost(request.uri.host, flow)
      ? this.#screen.refuse(request, 404)
      : undefined;
  }

  #onRegister(request: SipRequest, transaction: ServerTransaction, flow: Flow): void {
    const refusal = isBrowser(flow)
      ? requireRefusal(request, ["outbound", "path", "gruu"])
      : methodResponse(request);
    if (refusal !== undefined) transaction.respond(refusal);
    else if (this.#passThrough?.owns(request.from.sipUri.user ?? "") === true) {
      this.#passThrough.onRegister(request, transaction, flow);
    } else transaction.respond(this.#registered(request, flow));
  }

  #registered(request: SipRequest, flow: Flow): SipResponse {
    const response = this.#registrar.register(request, flow, request.from.sipUri.user ?? "");
    this.#options.logger.debug("answered a REGISTER", {
      user: request.from.sipUri.user,
      status: response.statusCode,
      flow: flow.id,
    });
    return response;
  }

  #onOptions(request: SipRequest, flow: Flow): SipResponse {
    const missing = requireRefusal(request, []);
    if (missing !== undefined) return missing;
    // What a PBX qualifies its contacts with: the answer is that of the browser's connection.
    const contact = this.#calledContact(request, this.#senderOf(request, flow).party);
    if (typeof contact === "number") return this.#screen.refuse(request, contact);
    const response = optionsResponse(request, this.#standalone.fields);
    const { handlesReplaces = false } = this.#options.handler;
    const more = [...this.#standalone.methods, ...(isBrowser(flow) ? ["REGISTER"] : [])];
    const options = [...SUPPORTED, ...(handlesReplaces ? ["replaces"] : [])];
    const headers = response.headers
      .with("Allow", [ALLOW, ...more].join(", "))
      .with("Supported", options.join(", "));
    return new SipResponse(response.statusCode, response.reasonPhrase, headers);
  }

  #isOurHost(host: string, flow: Flow): boolean {
    // A tel URI has no host.
    if (host === "" || host === this.#options.domain.toLowerCase()) return true;
    const own = [flow.local.host, hostOf(flow.sentBy)];
    return own.includes(host.replace("[", "").replace("]", ""));
  }

  /** The host of our addresses-of-record toward a trunk. */
  #hostToward(flow: Flow | undefined): string {
    const { domain } = this.#options;
    // A domain without a dot, such as `localhost`, means nothing to another machine.
    return domain.includes(".") || flow === undefined ? domain : hostOf(flow.sentBy);
  }
}

function asListener({ host, port }: SocketAddress): { readonly listen: SocketAddress } {
  return { listen: { host, port } };
}

function listenersOf(
  { udp, tcp = [], tls = [] }: EmbeddedEngineOptions,
  transport: "UDP" | "TCP" | "TLS",
): readonly SocketAddress[] {
  return { UDP: udp, TCP: tcp, TLS: tls }[transport];
}

/** The host of `host:port`, without brackets. */
function hostOf(sentBy: string): string {
  const end = sentBy.startsWith("[") ? sentBy.indexOf("]") + 1 : sentBy.indexOf(":");
  const host = end <= 0 ? sentBy : sentBy.slice(0, end);
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
