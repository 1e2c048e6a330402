import type { SocketAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
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
  #external: readonly RtpengineNode[] = [];
  #turn = 0;

  constructor(options: MediaEngineOptions) {
    this.#options = options;
    const { clock, logger, rtpengine } = options;
    if (rtpengine.kind === "managed") {
      const { address, ports, command } = rtpengine;
      this.#managed = new ManagedRtpengine({
        clock,
        logger,
        address,
        ...(ports === undefined ? {} : { ports }),
        ...(command === undefined ? {} : { command }),
      });
    }
  }

  get isReady(): boolean {
    return this.#nodes().some((node) => node.isUp);
  }

  async start(): Promise<void> {
    const { clock, logger, rtpengine } = this.#options;
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
  }

  createSession(options: { readonly policy: CodecPolicy }): MediaSession {
    return new RtpengineSession({
      policy: options.policy,
      sdpLimits: this.#options.sdpLimits,
      nodes: () => this.#healthyNodes(),
    });
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
