import { CallTable, handlerOf } from "./call/call-table.ts";
import { callRefused } from "./call/channels.ts";
import type { CallContext, TrunkTerms } from "./call/context.ts";
import { askHook } from "./call/hook.ts";
import { CallLimits } from "./call/limits.ts";
import { LiveFacts } from "./call/live-facts.ts";
import { MediaPace } from "./call/media-pace.ts";
import type { Config, SipListen, TrunkConfig } from "./config/config.ts";
import { FileWatch } from "./config/file-watch.ts";
import type { LoadResult } from "./config/load.ts";
import { formatProblem } from "./config/problem.ts";
import { AddressSet, formatSocketAddress } from "./core/address.ts";
import { SystemClock } from "./core/clock.ts";
import { HeapGrowth } from "./core/heap-growth.ts";
import type { EndReason } from "./core/end-reason.ts";
import type { Logger, LogLevel } from "./core/logger.ts";
import type { Dialplan } from "./dialplan/compile.ts";
import type { ComparedPlans } from "./dialplan/diff.ts";
import { simulate } from "./dialplan/simulate.ts";
import { userOwners } from "./dialplan/user-owners.ts";
import { ClientAddress } from "./http/client-address.ts";
import { createOriginPolicy, type IsOriginAllowed } from "./http/origin-policy.ts";
import type {
  BanView,
  GatewayView,
  PlanChange,
  PlanControl,
  Readiness,
  TrunkView,
  UserControl,
} from "./http/ports.ts";
import type { HttpSettings } from "./http/route.ts";
import { keepKey } from "./kept-key.ts";
import { passThroughTerms } from "./pass-through-terms.ts";
import { ProfileProposals } from "./profile-proposals.ts";
import { trunkTerms } from "./trunk-terms.ts";
import { trunkHealthView } from "./trunk-view.ts";
import { createHttpServer, type HttpServer } from "./http/server.ts";
import { SessionCredentials } from "./http/session-credentials.ts";
import { createMediaEngine, type RtpengineSource } from "./media/media-engine.ts";
import type { MediaEngine } from "./media/session.ts";
import { CallRecords } from "./observe/call-records.ts";
import { createLogger } from "./observe/logger.ts";
import { Metrics } from "./observe/metrics.ts";
import { RefusedCallLog } from "./observe/refused-call-log.ts";
import { SecurityLog } from "./observe/security-log.ts";
import { AttemptLimit } from "./signaling/auth/attempt-limit.ts";
import type { EmbeddedEngine } from "./signaling/embedded-engine.ts";
import { createEmbeddedEngine } from "./signaling/endpoint.ts";
import { Overload } from "./signaling/guard/overload.ts";
import { SourceLimit } from "./signaling/guard/source-limit.ts";
import { holdMusic, recordingSettings } from "./call-sounds.ts";
import { comparePlans, isSame, refused } from "./plan-comparison.ts";
import type { PlanCause, Plans } from "./plans.ts";
import { MemoryLocations } from "./storage/memory-locations.ts";
import type { UserSettingsFile } from "./storage/user-settings-file.ts";
import { keepUserSettings, userControl } from "./user-control.ts";

/** How long a call waits for a browser whose connection went. */
const FLOW_GRACE_MS = 30_000;
/** How long a drain waits for calls to end by themselves. */
const DRAIN_MS = 30_000;
/** Records that a new plan is tried on, and changed decisions that the log names. */
const COMPARED_RECORDS = 200;
const NAMED_CHANGES = 10;
/** Rules before the deciding one that a call's record tells. */
const TOLD_RULES = 20;
/** How much later than the gateway rtpengine gives a silent call up. */
const FORGET_LATER_MS = 60_000;
const SHUTDOWN: EndReason = { sipStatus: 503, q850: 41, text: "The gateway is shutting down" };

export interface GatewayOptions {
  /** As `plans.readAtStart` gave it. */
  readonly loaded: Extract<LoadResult, { ok: true }>;
  readonly plans: Plans;
  readonly log: { readonly level: LogLevel; readonly pretty: boolean };
  readonly version: string;
  /** The built web phone. */
  readonly webRoot: string;
  /** Where the key of the short-lived credentials is kept. */
  readonly dataDirectory: string;
}

/** Where the gateway can be reached, as bound. */
export interface GatewayAddresses {
  /** `http://127.0.0.1:8080` */
  readonly http: string;
  /** `udp:127.0.0.1:5060` */
  readonly sip: readonly string[];
}

/**
 * The gateway: the only place that builds the rooms and knows all of them.
 *
 * Start order: media, SIP, HTTP, so that nobody is let in before calls can be taken. What a reload
 * can change (users, dialplan, tokens) is read through `#current`.
 */
export class Gateway implements GatewayView {
  /** The log of the process. */
  readonly logger: Logger;
  readonly #options: GatewayOptions;
  readonly #clock = new SystemClock();
  /** The calls' own, so that its timers can be counted apart. */
  readonly #callClock = new SystemClock();
  readonly #media: MediaEngine;
  readonly #engine: EmbeddedEngine;
  readonly #calls: CallTable;
  readonly #limits: CallLimits;
  readonly #attempts: AttemptLimit;
  readonly #sources: SourceLimit;
  readonly #overload: Overload | undefined;
  readonly #heapGrowth = new HeapGrowth({
    clock: this.#clock,
    liveCalls: () => this.#calls.size,
  });
  readonly #facts: LiveFacts;
  readonly #settings: UserSettingsFile;
  readonly users: UserControl;
  readonly #http: HttpServer;
  readonly #records = new CallRecords();
  readonly #metrics: Metrics;
  readonly #refusedLog: RefusedCallLog;
  readonly #securityLog: SecurityLog;
  readonly #proposals: ProfileProposals;
  #originPolicy: IsOriginAllowed;
  #current: { readonly config: Config; readonly dialplan: Dialplan };
  /** What the configuration was read from last. */
  #files: readonly string[];
  readonly #watch: FileWatch;
  #state: "stopped" | "running" | "draining" = "stopped";

  constructor(options: GatewayOptions) {
    const { config, dialplan, files } = options.loaded;
    const logger = createLogger(options.log);
    this.#options = options;
    this.logger = logger;
    this.#current = { config, dialplan };
    this.#files = files;
    this.#watch = new FileWatch({
      clock: this.#clock,
      onChange: () => this.reload({ how: "file" }),
      onError: (err) => logger.warn("changes of the configuration are not watched", { err }),
    });
    this.#media = createMediaEngine({
      rtpengine: rtpengineSource(config.media),
      // The gateway ends silent calls by itself; what is left is for calls that nobody ended.
      forgetAfterMs: config.media.timeoutMs + FORGET_LATER_MS,
      clock: this.#clock,
      logger: logger.child({ room: "media" }),
      sdpLimits: config.limits.sdp,
      opus: config.media.opus,
      dscp: config.media.dscp,
      isIceLite: config.media.ice === "lite",
      digitEvents: config.media.digitEvents,
    });
    const sessionKey = keepKey(options.dataDirectory);
    const credentials = new SessionCredentials({ clock: this.#clock, key: sessionKey });
    const { limits } = config;
    const exempt = new AddressSet(limits.exempt);
    const attempts = new AttemptLimit({ clock: this.#clock, ...limits.signIns, exempt });
    this.#attempts = attempts;
    const security = logger.child({ room: "security" });
    this.#refusedLog = new RefusedCallLog({ clock: this.#clock, logger: security });
    this.#securityLog = new SecurityLog({ clock: this.#clock, logger: security });
    this.#proposals = new ProfileProposals(config.trunks, logger.child({ room: "trunk" }));
    this.#sources = new SourceLimit({
      clock: this.#clock,
      limits: limits.requests,
      exempt,
      isTrunk: (host) => this.#engine.isTrunk(host),
      onBan: ({ network, way, untilMs }) => {
        const until = new Date(untilMs).toISOString();
        security.warn("a source is banned", { event: "rate-limited", source: network, way, until });
      },
      onLifted: ({ network, way, dropped }, by) => {
        security.info("a ban is lifted", {
          event: "ban-lifted",
          source: network,
          way,
          by,
          dropped,
        });
      },
    });
    this.#overload =
      limits.overload === undefined
        ? undefined
        : new Overload({
            clock: this.#clock,
            limits: limits.overload,
            random: Math.random,
            waitMs: () => this.#media.takeDelayMs(),
            onChange: (isOverloaded) => {
              if (isOverloaded)
                security.warn("overloaded: new calls are rationed", { event: "overload" });
              else security.info("no longer overloaded", { event: "overload-ended" });
            },
          });
    const connections = {
      maxConnections: limits.maxConnections,
      maxConnectionsPerAddress: limits.maxConnectionsPerAddress,
      exempt,
      limits: { firstMessageMs: limits.firstMessageMs },
    };
    const clientAddress = new ClientAddress(config.http.trustedProxies, config.http.clientAddress);
    this.#originPolicy = createOriginPolicy({ origins: config.http.origins });
    this.#engine = createEmbeddedEngine({
      domain: config.domain,
      clock: this.#clock,
      logger: logger.child({ room: "signaling" }),
      ...sipListeners(config.sip),
      streams: connections,
      messages: { parser: limits.message, maxDatagramOctets: limits.maxDatagramOctets },
      maxTransactions: limits.maxTransactions,
      registrar: { maxBindings: limits.maxContactsPerUser },
      sources: this.#sources,
      ...(this.#overload === undefined ? {} : { overload: this.#overload }),
      scanners: limits.scanners,
      webSocket: {
        ...connections,
        upgradesPerSecond: limits.maxConnectionsPerSecond,
        sentBy: formatSocketAddress(config.http.listen),
        isOriginAllowed: (origin, request) => this.#originPolicy(origin, request),
        clientAddress: (request) => clientAddress.of(request),
      },
      credentials: {
        find: (username) => {
          const issued = credentials.find(username);
          const user = this.#current.config.users.get(issued?.userId ?? username);
          if (user === undefined) return undefined;
          return issued ?? { userId: user.id, password: user.password };
        },
      },
      attempts,
      locations: new MemoryLocations(),
      dns: { servers: config.sip.dns },
      trunks: [...config.trunks.values()].map((trunk) => ({
        ...trunk,
        isPhone: trunk.identity.isPhone,
      })),
      passThrough: passThroughTerms(config.trunks.values(), {
        key: sessionKey,
        isOwnUser: (userId) => this.#current.config.users.has(userId),
      }),
      handler: handlerOf(() => this.#calls),
    });
    this.#limits = new CallLimits({
      maxCalls: config.limits.maxCalls,
      perSecond: { calls: limits.maxCallsPerSecond, clock: this.#clock },
      maxCallsPerUser: config.limits.maxCallsPerUser,
      maxCallsOfTrunk: (id) => this.#current.config.trunks.get(id)?.maxCalls,
    });
    this.#settings = keepUserSettings(options.dataDirectory, logger);
    this.users = userControl(this.#settings, () => this.#current);
    this.#facts = new LiveFacts({
      settingsOf: (id) => this.#settings.of(id),
      clock: this.#callClock,
      isRegistered: (id) => this.#engine.locations.bindings(id).length > 0,
      trunkState: (id) => this.#engine.trunkState(id),
      dayOf: (at) => this.#current.dialplan.clock.localTime(at).date,
    });
    const terms = new WeakMap<TrunkConfig, TrunkTerms>();
    const context: CallContext = {
      domain: config.domain,
      facts: this.#facts,
      settings: this.#settings,
      askHook: async (name, question) => {
        const { dialplan } = this.#current;
        const hook = this.#current.config.dialplan.hooks?.[name];
        if (hook === undefined) return undefined;
        const nowMs = this.#callClock.wallMs();
        const wanted = await askHook(name, hook, question, nowMs, logger);
        if (wanted === undefined) return undefined;
        const from = dialplan.findCaller(
          question.from.kind === "user" ? question.from.id : question.from.number,
          question.from.kind === "user" ? undefined : question.from.id,
        );
        if (typeof from === "string") return undefined;
        const { to, route } = question;
        const query = { from, to, at: new Date(nowMs), facts: this.#facts.now() };
        const actions = dialplan.followHook(wanted, query, (reason) => {
          callRefused.publish({ reason, from: { kind: from.kind, id: from.id }, to, route });
        });
        if (typeof actions !== "string") return actions;
        logger.warn("a hook answered with an action that cannot be", { hook: name, why: actions });
        return undefined;
      },
      engine: this.#engine,
      media: this.#media,
      clock: this.#callClock,
      logger: logger.child({ room: "call" }),
      limits: this.#limits,
      codecPolicy: config.media.codecs,
      hasVideo: config.media.video,
      flowGraceMs: FLOW_GRACE_MS,
      holdMusic: holdMusic(config.media.music),
      recording: recordingSettings(config.recording),
      country: config.dialplan.country,
      mediaPace: new MediaPace(config.media.timeoutMs),
      user: (id) => this.#current.config.users.get(id),
      trunk: (id) => {
        const trunk = this.#current.config.trunks.get(id);
        if (trunk === undefined) return undefined;
        let known = terms.get(trunk);
        if (known === undefined) {
          known = trunkTerms(trunk, this.#engine, config.media.video);
          terms.set(trunk, known);
        }
        return known;
      },
    };
    this.#calls = new CallTable({
      context,
      decide: (query) => this.#current.dialplan.decide(query, { explain: TOLD_RULES }),
      groupsOf: (id) => this.#current.config.users.get(id)?.groups ?? userOwners(config.trunks),
    });
    this.#metrics = new Metrics({
      version: options.version,
      sources: {
        liveCalls: () => this.#calls.size,
        registrations: () => count(this.#engine.locations.all()),
        webSocketFlows: () => this.#engine.counts.flows,
        transactions: () => this.#engine.counts.transactions,
        dialogs: () => this.#engine.counts.dialogs,
        isMediaReady: () => this.#media.isReady,
        mediaNodes: () => this.#media.nodes(),
        isDraining: () => this.#state === "draining",
        heapGrowthPercent: () => this.#heapGrowth.percent,
        callTimers: () => this.#callClock.pendingTimers,
        isOverloaded: () => this.#overload?.isOverloaded ?? false,
        waitingConnections: () => this.#engine.guardCounts.waitingConnections,
        trunks: () =>
          [...config.trunks.keys()].map((id) => {
            const registration = this.#engine.trunkRegistration(id);
            const ping = this.#engine.trunkPing(id);
            return {
              id,
              isUp: ping === undefined ? undefined : ping.state === "up",
              isRegistered:
                registration === undefined ? undefined : registration.state === "registered",
            };
          }),
        bans: () => this.#sources.banCount,
        bansMade: () => this.#sources.counts.bans,
        dropped: () => ({
          "rate-limited": this.#sources.counts.rateLimited,
          banned: this.#sources.counts.banned,
          stranger: this.#sources.counts.strangers,
          scanner: this.#engine.guardCounts.scanners,
          overload: this.#overload?.refused ?? 0,
        }),
      },
    });
    this.#http = createHttpServer({
      listen: config.http.listen,
      tls: config.http.tls,
      webRoot: options.webRoot,
      clock: this.#clock,
      logger: logger.child({ room: "http" }),
      sip: this.#engine,
      services: {
        gateway: this,
        users: { find: (id) => this.#current.config.users.get(id) },
        credentials,
        passwords: { check: (id, password) => this.#engine.checkPassword(id, password) },
        signInLimit: attempts,
        metrics: this.#metrics,
      },
      settings: this.#httpSettings(),
      clientAddress,
      limits: {
        // Those of WebSockets are among them: a full house shall not lock the operator out.
        connections: 2 * limits.maxConnections,
        connectionsPerAddress: 2 * limits.maxConnectionsPerAddress,
        exempt,
      },
    });
  }

  /**
   * Starts everything, or nothing.
   *
   * @throws OffhookError with what to do: a port that is taken, no rtpengine, a bad certificate
   */
  async start(): Promise<GatewayAddresses> {
    try {
      await this.#media.start();
      await this.#engine.start();
      this.#overload?.start();
      this.#heapGrowth.start();
      const http = await this.#http.start();
      this.#state = "running";
      const { loaded, plans } = this.#options;
      plans.entered(loaded, { how: "start" }, new Date());
      this.#follow();
      const scheme = loaded.config.http.tls === undefined ? "http" : "https";
      return {
        http: `${scheme}://${formatSocketAddress(http)}`,
        sip: this.#engine.listeners,
      };
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Takes no new call and waits for the live ones; what is left after `deadlineMs` is hung up.
   * Then stops.
   */
  async drain(deadlineMs: number = DRAIN_MS): Promise<void> {
    if (this.#state !== "running") return;
    this.#state = "draining";
    this.#engine.drain();
    this.logger.info("draining", { calls: this.#calls.size, deadlineMs });
    const deadline = this.#clock.after(deadlineMs, () => this.#calls.hangUpAll(SHUTDOWN));
    await this.#calls.whenIdle();
    deadline.cancel();
    await this.stop();
  }

  /** Ends live calls and stops at once. */
  async stop(): Promise<void> {
    if (this.#state === "running") this.#engine.drain();
    this.#state = "stopped";
    this.#watch.close();
    this.#calls.hangUpAll(SHUTDOWN);
    await this.#calls.whenIdle();
    // Before the HTTP server, which cuts every connection: browsers get a proper close, with 1001.
    await this.#engine.stop();
    await this.#http.stop();
    await this.#media.stop();
    this.#sources.close();
    this.#overload?.close();
    this.#heapGrowth.close();
    await this.#settings.close();
    this.#metrics.close();
    this.#records.close();
    this.#refusedLog.close();
    this.#securityLog.close();
    this.#proposals.close();
  }

  /**
   * Reads the configuration again and puts it in force: users, dialplan, API tokens, origins and
   * TURN at once; addresses, trunks and media after a restart, which the log says. A wrong one
   * changes nothing. Certificates are read again from where they were: connections that are up live
   * on.
   */
  reload(cause: PlanCause): PlanChange {
    // Before it is read: a change that comes in between is seen later.
    this.#follow();
    const { plans } = this.#options;
    // Who asks by the API wants the file; a certificate's renewal must not undo a roll-back.
    const result = cause.how === "api" ? plans.readFile() : plans.read();
    this.#files = result.files;
    const change = this.#put(result, cause);
    this.#follow("add");
    return change;
  }

  /** Changes of the plan, for the API. */
  readonly plans: PlanControl = {
    reload: (by) => this.reload({ how: "api", by }),
    diff: (section) => {
      const result = this.#options.plans.readDraft(section);
      return result.ok ? { ok: true, ...this.#compare(result) } : refused(result);
    },
    versions: () =>
      this.#options.plans.versions.versions.map((version, index) => ({
        ...version,
        isInForce: index === 0,
      })),
    rollBack: (version, by) => {
      const result = this.#options.plans.readVersion(version);
      return result && this.#put(result, { how: "rollback", by }, version);
    },
  };

  /** @param of the version that is gone back to */
  #put(result: LoadResult, cause: PlanCause, of?: number): PlanChange {
    if (!result.ok) {
      for (const problem of result.problems) this.logger.error(formatProblem(problem));
      this.logger.error("configuration refused, the old one stays", {
        problems: result.problems.length,
        ...cause,
      });
      return refused(result);
    }
    const { config, dialplan } = result;
    const before = this.#options.loaded.config;
    const needRestart = (["domain", "sip", "media", "trunks", "limits"] as const).filter(
      (key) => !isSame(before[key], config[key]),
    );
    const compared = this.#compare(result);
    // Routes may name trunks that only a restart makes; the engine refuses those calls with 503.
    this.#current = { config, dialplan };
    this.#originPolicy = createOriginPolicy({ origins: config.http.origins });
    this.#http.configure(this.#httpSettings());
    void this.#reloadCertificates();
    const version = this.#options.plans.entered(result, cause, new Date(), of);
    this.logger.info("configuration reloaded", {
      users: config.users.size,
      routes: config.dialplan.routes.length,
      decisionsChanged: compared.changed,
      planVersion: version.version,
      ...cause,
      ...(needRestart.length === 0 ? {} : { needRestart }),
    });
    for (const change of compared.decisions.slice(0, NAMED_CHANGES)) {
      this.logger.info("this call would go elsewhere now", { ...change });
    }
    return { ok: true, version: { ...version, isInForce: true }, needRestart, ...compared };
  }

  #compare(next: Extract<LoadResult, { ok: true }>): ComparedPlans {
    const { items } = this.#records.page({ limit: COMPARED_RECORDS });
    return comparePlans(this.#current, next, items);
  }

  /** Watches the files that were read last, or none. */
  #follow(how: "anew" | "add" = "anew"): void {
    const files = this.#current.config.isWatched ? this.#files : [];
    if (how === "add") this.#watch.add(files);
    else this.#watch.follow(files);
  }

  async #reloadCertificates(): Promise<void> {
    const outcomes = await Promise.allSettled([
      this.#engine.reloadCertificates(),
      this.#http.reloadCertificate(),
    ]);
    let areAllRead = true;
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") continue;
      areAllRead = false;
      this.logger.error("a certificate was refused, the old one stays", { err: outcome.reason });
    }
    if (areAllRead) this.logger.info("certificates reloaded");
  }

  readiness(): Readiness {
    const reasons: string[] = [];
    if (this.#state === "draining") reasons.push("The gateway is draining.");
    if (this.#state === "stopped") reasons.push("The gateway is not running.");
    if (!this.#media.isReady) reasons.push("No rtpengine answers.");
    if (this.#overload?.isOverloaded === true) reasons.push("The gateway is overloaded.");
    return { ready: reasons.length === 0, reasons };
  }

  calls() {
    return this.#calls.views();
  }

  call(id: string) {
    return this.#calls.view(id);
  }

  hangUp(id: string): boolean {
    return this.#calls.hangUp(id);
  }

  record(id: string, action: "start" | "stop"): boolean | undefined {
    return this.#calls.record(id, action);
  }

  registrations() {
    return this.#engine.locations.all();
  }

  *trunks(): Iterable<TrunkView> {
    for (const { id, peer, maxCalls } of this.#options.loaded.config.trunks.values()) {
      yield {
        id,
        peer,
        state: this.#engine.trunkState(id),
        ...trunkHealthView(id, this.#engine),
        ...this.#proposals.viewOf(id),
        liveCalls: this.#limits.callsOfTrunk(id),
        ...(maxCalls === undefined ? {} : { maxCalls }),
      };
    }
  }

  *bans(): Iterable<BanView> {
    for (const { network, way, sinceMs, untilMs, dropped } of this.#sources.bans()) {
      yield {
        address: network,
        reason: "rate-limited",
        way,
        since: new Date(sinceMs).toISOString(),
        until: new Date(untilMs).toISOString(),
        dropped,
      };
    }
    const nowMs = this.#clock.wallMs();
    for (const { network, leftMs } of this.#attempts.blockedSources()) {
      yield {
        address: network,
        reason: "failed-sign-ins",
        way: "connection",
        since: new Date(nowMs + leftMs - this.#attempts.blockMs).toISOString(),
        until: new Date(nowMs + leftMs).toISOString(),
      };
    }
  }

  liftBan(address: string): boolean {
    const isLifted = this.#sources.lift(address);
    return this.#attempts.liftSource(address) || isLifted;
  }

  mediaNodes() {
    return this.#media.nodes();
  }

  drainMediaNode(name: string, options: { readonly drain: boolean; readonly move: boolean }) {
    return this.#media.setDraining(name, options.drain, options.move);
  }

  records() {
    return this.#records;
  }

  simulate(query: Parameters<GatewayView["simulate"]>[0]) {
    const { config, dialplan } = this.#current;
    return simulate(query, { ...config, dialplan, facts: this.#facts.now(0) }, new Date());
  }

  #httpSettings(): HttpSettings {
    const { config } = this.#current;
    return {
      domain: this.#options.loaded.config.domain,
      isOriginAllowed: (origin, request) => this.#originPolicy(origin, request),
      tokens: config.api.tokens,
      turn: config.media.turn,
      country: config.dialplan.country,
      hasVideo: config.media.video,
    };
  }
}

/** The listeners toward trunks, and what those of TLS show. */
function sipListeners({ engine, listen, tls }: Config["sip"]) {
  if (engine.kind === "drachtio") return { udp: [], drachtio: engine.servers };
  const of = (wanted: SipListen["transport"]): readonly SipListen[] =>
    listen.filter(({ transport }) => transport === wanted);
  return {
    udp: of("udp"),
    tcp: of("tcp"),
    tls: of("tls"),
    ...(tls === undefined ? {} : { certificates: { ...tls, clients: tls.verifyClient } }),
  };
}

function rtpengineSource(media: Config["media"]): RtpengineSource {
  const { rtpengine, address, otherAddresses, ports } = media;
  if (rtpengine.kind === "external") return { kind: "external", nodes: rtpengine.sockets };
  return {
    kind: "managed",
    address: address ?? "127.0.0.1",
    ...(otherAddresses === undefined ? {} : { otherAddresses }),
    ports,
  };
}

function count(items: Iterable<unknown>): number {
  let total = 0;
  for (const _ of items) total += 1;
  return total;
}
