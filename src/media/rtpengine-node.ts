import { formatSocketAddress } from "../core/address.ts";
import type { SocketAddress } from "../core/address.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { rtpengineFacts } from "./facts.ts";
import type { NgArguments, NgCommand, NgReply, NgTiming } from "./ng-client.ts";
import { NgClient } from "./ng-client.ts";

export interface RtpengineNodeOptions {
  readonly address: SocketAddress;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How commands are repeated; default 250 ms, doubling, lost after 2 s. */
  readonly timing?: NgTiming;
  /** Milliseconds from one answered ping to the next; default 1000. */
  readonly pingIntervalMs?: number;
  /** `up` and `down` facts are published here too. */
  readonly onChange?: (isUp: boolean) => void;
}

// A process that is just starting answers some 10 ms later: ask often, then as always.
const FIRST_PING_TIMING: NgTiming = {
  resendAtMs: [10, 20, 40, 70, 110, 160, 220, 300, 400, 550, 700, 900, 1200, 1500, 1800],
  deadlineMs: 2000,
};

/**
 * One rtpengine and whether it can be used.
 *
 * It is up from its first answered ping on, and down when a ping and all its repeats were lost:
 * a single lost datagram changes nothing.
 */
export class RtpengineNode {
  readonly name: string;
  readonly #client: NgClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pingIntervalMs: number;
  readonly #onChange: ((isUp: boolean) => void) | undefined;
  #state: "new" | "up" | "down" | "closed" = "new";
  #timer: Timer | undefined;

  constructor(options: RtpengineNodeOptions) {
    this.name = formatSocketAddress(options.address);
    this.#clock = options.clock;
    this.#logger = options.logger.child({ rtpengine: this.name });
    this.#pingIntervalMs = options.pingIntervalMs ?? 1000;
    this.#onChange = options.onChange;
    this.#client = new NgClient({
      address: options.address,
      clock: options.clock,
      logger: this.#logger,
      ...(options.timing === undefined ? {} : { timing: options.timing }),
    });
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Sends the first ping and keeps pinging. @returns whether the first one was answered */
  async start(): Promise<boolean> {
    await this.#ping(FIRST_PING_TIMING);
    return this.isUp;
  }

  /** As `NgClient.request`. */
  request(command: NgCommand, args: NgArguments): Promise<NgReply> {
    return this.#client.request(command, args);
  }

  /** Our own address on the way to this rtpengine. @throws MediaError when closed */
  localAddress(): Promise<string> {
    return this.#client.localAddress();
  }

  /** Ends it; commands that wait for a reply fail at once. Idempotent. */
  close(detail = "closed"): void {
    if (this.#state === "closed") return;
    const wasUp = this.isUp;
    this.#state = "closed";
    this.#timer?.cancel();
    this.#client.close();
    if (!wasUp) return;
    rtpengineFacts.publish({ node: this.name, state: "down", detail });
    this.#onChange?.(false);
  }

  async #ping(timing?: NgTiming): Promise<void> {
    try {
      await this.#client.request("ping", {}, timing);
      this.#onPing(true, undefined);
    } catch (error) {
      this.#onPing(false, error instanceof Error ? error.message : "ping failed");
    }
  }

  #onPing(isAnswered: boolean, detail: string | undefined): void {
    switch (this.#state) {
      case "closed":
        return;
      case "up":
        if (!isAnswered) {
          this.#state = "down";
          this.#tell(false, detail);
        }
        break;
      case "new":
      case "down": {
        const isFirst = this.#state === "new";
        this.#state = isAnswered ? "up" : "down";
        if (isAnswered || isFirst) this.#tell(isAnswered, detail);
        break;
      }
    }
    this.#timer = this.#clock.after(this.#pingIntervalMs, () => {
      void this.#ping();
    });
  }

  #tell(isUp: boolean, detail: string | undefined): void {
    const fields = detail === undefined ? {} : { detail };
    if (isUp) this.#logger.info("rtpengine is up");
    else this.#logger.warn("rtpengine is down", fields);
    rtpengineFacts.publish({ node: this.name, state: isUp ? "up" : "down", ...fields });
    this.#onChange?.(isUp);
  }
}
