import type { SocketAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { DigitEvents } from "./digit-events.ts";
import { MediaError } from "./errors.ts";
import { ManagedRtpengine } from "./managed-rtpengine.ts";
import type { PortRange } from "./managed-rtpengine.ts";
import { RtpengineSession } from "./media-session.ts";
import { NodePool } from "./node-pool.ts";
import { Recorder } from "./recording/recorder.ts";
import { RtpengineNode } from "./rtpengine-node.ts";
import type { SdpLimits } from "./sdp.ts";
import { knownHoles } from "./rtpengine-version.ts";
import { createServiceEndpoint } from "./service/endpoint.ts";
import type {
  CodecPolicy,
  MediaEngine,
  MediaNodeView,
  MediaSession,
  MediaSessionHandler,
  OpusParameters,
  Recording,
  RecordingOptions,
  ServiceEndpoint,
  ServiceHandler,
  ServiceKind,
  ServiceOptions,
} from "./session.ts";

/** Where the rtpengines are: one that we start, or others' that we are told of. */
export type RtpengineSource =
  | {
      readonly kind: "managed";
      /** The address that it binds: `192.0.2.10`, or `private!public` behind a 1:1 NAT. */
      readonly address: string;
      /** More of them, of the other family, say. */
      readonly otherAddresses?: readonly string[];
      /** Default: a free range of 10000 ports; see ManagedRtpengineOptions. */
      readonly ports?: PortRange;
      /** Default `["rtpengine"]`; see ManagedRtpengineOptions. */
      readonly command?: readonly string[];
    }
  | { readonly kind: "external"; readonly nodes: readonly RtpengineSocket[] };

/** The ng socket of an rtpengine that somebody else runs. */
export interface RtpengineSocket extends SocketAddress {
  /** Its share of new calls beside the others; default 1. */
  readonly weight?: number | undefined;
}

export interface MediaEngineOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rtpengine: RtpengineSource;
  /**
   * The address at which rtpengine reaches our services (echo, announcement). Default: the
   * managed rtpengine's own address, else ours on the way to the first healthy rtpengine.
   */
  readonly serviceAddress?: string;
  /** How much of an SDP of a leg is taken; default SDP_LIMITS. */
  readonly sdpLimits?: SdpLimits;
  /** What senders of Opus are asked for; undefined: what the two sides ask each other. */
  readonly opus?: OpusParameters | undefined;
  /** Differentiated services code point of media; undefined: left alone. */
  readonly dscp?: number | undefined;
  /** Whether rtpengine is an ICE-lite agent toward browsers; default false. */
  readonly isIceLite?: boolean;
  /**
   * Where external rtpengines report digits to (their `dtmf-log-dest`); undefined: nowhere. A managed
   * one reports by itself.
   */
  readonly digitEvents?: SocketAddress | undefined;
  /** Milliseconds without a packet after which a managed rtpengine itself forgets a call. */
  readonly forgetAfterMs?: number | undefined;
}

// One ng datagram holds the reply; ids of 22 characters.
const LIST_LIMIT = 2000;

/** Makes the media engine; nothing runs before its `start`. */
export function createMediaEngine(options: MediaEngineOptions): MediaEngine {
  return new RtpengineMediaEngine(options);
}

class RtpengineMediaEngine implements MediaEngine {
  readonly #options: MediaEngineOptions;
  readonly #managed: ManagedRtpengine | undefined;
  readonly #services = new Set<ServiceEndpoint>();
  readonly #digitEvents: DigitEvents | undefined;
  readonly #pool = new NodePool(() => this.#nodes());
  #external: readonly RtpengineNode[] = [];

  constructor(options: MediaEngineOptions) {
    this.#options = options;
    const { clock, logger, rtpengine } = options;
    if (rtpengine.kind === "managed" || options.digitEvents !== undefined) {
      this.#digitEvents = new DigitEvents(logger);
    }
    if (rtpengine.kind === "managed") {
      const { address, otherAddresses, ports, command } = rtpengine;
      this.#managed = new ManagedRtpengine({
        clock,
        logger,
        address,
        digitEvents: () => this.#digitEvents?.address,
        ...(otherAddresses === undefined ? {} : { otherAddresses }),
        handler: this.#pool,
        forgetAfterMs: options.forgetAfterMs,
        ...(ports === undefined ? {} : { ports }),
        ...(command === undefined ? {} : { command }),
      });
    }
  }

  get isReady(): boolean {
    return this.#nodes().some((node) => node.isUp);
  }

  async start(): Promise<void> {
    const { clock, logger, rtpengine, digitEvents } = this.#options;
    await this.#digitEvents?.open(digitEvents);
    if (rtpengine.kind === "managed") {
      await this.#managed?.start();
      return;
    }
    this.#external = rtpengine.nodes.map(
      ({ weight = 1, ...address }) =>
        new RtpengineNode({ address, clock, logger, weight, handler: this.#pool }),
    );
    const areUp = await Promise.all(this.#external.map((node) => node.start()));
    if (!areUp.includes(true)) {
      // Not fatal: it may come up after us, and readiness says so meanwhile.
      logger.warn("no rtpengine answers yet", { nodes: this.#external.map(({ name }) => name) });
    }
  }

  async stop(): Promise<void> {
    for (const service of this.#services) service.close();
    this.#services.clear();
    for (const node of this.#external) node.close("stopped");
    this.#external = [];
    await this.#managed?.stop();
    this.#digitEvents?.close();
  }

  createSession(options: {
    readonly policy: CodecPolicy;
    readonly handler?: MediaSessionHandler | undefined;
  }): MediaSession {
    const { clock, logger, opus, dscp, isIceLite, sdpLimits } = this.#options;
    const events = this.#digitEvents;
    const session = new RtpengineSession({
      policy: options.policy,
      clock,
      logger,
      canReadFiles: this.#managed !== undefined,
      opus,
      dscp,
      isIceLite,
      sdpLimits,
      handler: options.handler,
      reportsDigits: events !== undefined && options.handler !== undefined,
      nodes: () => this.#pool.candidates(),
      onRenamed: (renamed, before) => {
        events?.forget(before);
        events?.watch(renamed);
      },
      onClosed: (closed) => {
        this.#pool.remove(closed);
        events?.forget(closed.id);
      },
    });
    this.#pool.add(session);
    events?.watch(session);
    return session;
  }

  nodes(): readonly MediaNodeView[] {
    return this.#nodes().map((node) => this.#viewOf(node));
  }

  setDraining(name: string, isDraining: boolean, move = false): MediaNodeView | undefined {
    const node = this.#nodes().find((candidate) => this.#nameOf(candidate) === name);
    if (node === undefined) return undefined;
    node.setDraining(isDraining);
    if (isDraining && move) this.#pool.moveAway(node);
    return this.#viewOf(node);
  }

  async createService(
    kind: ServiceKind,
    handler: ServiceHandler,
    options: ServiceOptions = {},
  ): Promise<ServiceEndpoint> {
    const { clock, logger } = this.#options;
    const endpoint = await createServiceEndpoint({
      kind,
      handler,
      sound: options.sound,
      clock,
      logger,
      address: await this.#serviceAddress(),
      onClosed: () => {
        this.#services.delete(endpoint);
      },
    });
    this.#services.add(endpoint);
    return endpoint;
  }

  async record(session: MediaSession, recording: RecordingOptions): Promise<Recording> {
    const { clock } = this.#options;
    return Recorder.start({ clock, address: await this.#serviceAddress(), session, recording });
  }

  async sessionCount(): Promise<number> {
    const nodes = this.#nodes().filter((node) => node.isUp);
    if (nodes.length === 0) throw noRtpengine();
    const replies = await Promise.all(
      nodes.map((node) => node.request("list", { limit: LIST_LIMIT })),
    );
    return replies.reduce(
      (count, { calls }) => count + (Array.isArray(calls) ? calls.length : 0),
      0,
    );
  }

  takeDelayMs(): number {
    const delays = this.#nodes().flatMap((node) => (node.isUp ? [node.takeDelayMs()] : []));
    return delays.length === 0 ? 0 : Math.min(...delays);
  }

  async #serviceAddress(): Promise<string> {
    if (this.#options.serviceAddress !== undefined) return this.#options.serviceAddress;
    if (this.#managed !== undefined) return this.#managed.bindAddress;
    const [node] = this.#pool.candidates();
    if (node === undefined) throw noRtpengine();
    return node.localAddress();
  }

  #nodes(): readonly RtpengineNode[] {
    if (this.#managed === undefined) return this.#external;
    const { node } = this.#managed;
    return node === undefined ? [] : [node];
  }

  /** The port of our own rtpengine is another one after each start. */
  #nameOf(node: RtpengineNode): string {
    return this.#managed === undefined ? node.name : "managed";
  }

  #viewOf(node: RtpengineNode): MediaNodeView {
    const { versionText } = node.capabilities;
    const { uptimeSeconds } = node;
    return {
      name: this.#nameOf(node),
      state: node.isUp ? "up" : "down",
      isDraining: node.isDraining,
      weight: node.weight,
      calls: this.#pool.sessionsOn(node),
      ...(versionText === undefined ? {} : { version: versionText }),
      ...(uptimeSeconds === undefined ? {} : { uptimeSeconds }),
      knownHoles: knownHoles(node.capabilities).map(({ id }) => id),
    };
  }
}

function noRtpengine(): MediaError {
  return new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "no rtpengine answers");
}
