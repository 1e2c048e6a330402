import type { SocketAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { DigitEvents } from "./digit-events.ts";
import { MediaError } from "./errors.ts";
import { ManagedRtpengine } from "./managed-rtpengine.ts";
import type { PortRange } from "./managed-rtpengine.ts";
import { RtpengineSession } from "./media-session.ts";
import { RtpengineNode } from "./rtpengine-node.ts";
import type { SdpLimits } from "./sdp.ts";
import { createServiceEndpoint } from "./service/endpoint.ts";
import type {
  CodecPolicy,
  MediaEngine,
  MediaSession,
  MediaSessionHandler,
  OpusParameters,
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
  | { readonly kind: "external"; readonly nodes: readonly SocketAddress[] };

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
  #external: readonly RtpengineNode[] = [];
  #turn = 0;

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
      (address) => new RtpengineNode({ address, clock, logger }),
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
    const { clock, opus, dscp, isIceLite, sdpLimits } = this.#options;
    const events = this.#digitEvents;
    const session = new RtpengineSession({
      policy: options.policy,
      clock,
      opus,
      dscp,
      isIceLite,
      sdpLimits,
      nodes: () => this.#healthyNodes(),
      ...(events === undefined || options.handler === undefined
        ? {}
        : { handler: options.handler, onClosed: () => events.forget(session.id) }),
    });
    if (options.handler !== undefined) events?.watch(session);
    return session;
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

  async sessionCount(): Promise<number> {
    const nodes = this.#healthyNodes();
    if (nodes.length === 0) throw noRtpengine();
    const replies = await Promise.all(
      nodes.map((node) => node.request("list", { limit: LIST_LIMIT })),
    );
    return replies.reduce(
      (count, { calls }) => count + (Array.isArray(calls) ? calls.length : 0),
      0,
    );
  }

  async #serviceAddress(): Promise<string> {
    if (this.#options.serviceAddress !== undefined) return this.#options.serviceAddress;
    if (this.#managed !== undefined) return this.#managed.bindAddress;
    const [node] = this.#healthyNodes();
    if (node === undefined) throw noRtpengine();
    return node.localAddress();
  }

  #nodes(): readonly RtpengineNode[] {
    if (this.#managed === undefined) return this.#external;
    const { node } = this.#managed;
    return node === undefined ? [] : [node];
  }

  /** Healthy ones, each time beginning with another. */
  #healthyNodes(): readonly RtpengineNode[] {
    const healthy = this.#nodes().filter((node) => node.isUp);
    if (healthy.length === 0) return healthy;
    this.#turn = (this.#turn + 1) % healthy.length;
    return [...healthy.slice(this.#turn), ...healthy.slice(0, this.#turn)];
  }
}

function noRtpengine(): MediaError {
  return new MediaError("ERR_OFFHOOK_MEDIA_UNAVAILABLE", "no rtpengine answers");
}
