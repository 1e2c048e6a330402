import { formatSocketAddress } from "../core/address.ts";
import type { SocketAddress } from "../core/address.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { rtpengineFacts } from "./facts.ts";
import type { NgCommand, NgCommands, NgReply, NgTiming } from "./ng-client.ts";
import { isDictionary, NgClient } from "./ng-client.ts";
import { probeCapabilities } from "./rtpengine-probe.ts";
import type { RtpengineCapabilities } from "./rtpengine-version.ts";
import { knownFlags, knownHoles, UNKNOWN_CAPABILITIES } from "./rtpengine-version.ts";

export interface RtpengineNodeOptions {
  readonly address: SocketAddress;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Its share of new calls beside the other nodes; default 1. 0: only when no other is up. */
  readonly weight?: number;
  /** How commands are repeated; default `DEFAULT_NG_TIMING`. */
  readonly timing?: NgTiming;
  /** Milliseconds from one answered ping to the next; default 200. */
  readonly pingIntervalMs?: number;
  /** What is known of it already; default: it is probed before it counts as up. */
  readonly capabilities?: RtpengineCapabilities | undefined;
  readonly handler?: RtpengineNodeHandler | undefined;
}

/** What a node tells its owner. */
export interface RtpengineNodeHandler {
  /** It answers, or answers no longer. `up` and `down` facts are published too. */
  onChange(node: RtpengineNode, isUp: boolean): void;
  /** It is another process than before, and knows none of its calls. */
  onRestarted(node: RtpengineNode): void;
}

const range = (from: number, to: number, step: number): readonly number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step);

// A process that is just starting answers some 10 ms later: ask often, then as always.
const FIRST_PING_TIMING: NgTiming = {
  resendAtMs: [10, 20, 40, 70, 110, 160, 220, 300, 400, 550, 700, 900, 1200, 1500, 1800],
  deadlineMs: 2000,
};
/** With the interval before it: a hung node is known within a second. */
const PING_TIMING: NgTiming = { resendAtMs: range(50, 750, 50), deadlineMs: 750 };
const PING_INTERVAL_MS = 200;
/** A ping that ends this much too late says that we were asleep, not that rtpengine is. */
const LATE_MS = 250;
/** Every so many pings the uptime is asked for instead. */
const PINGS_PER_UPTIME = 4;
/** Uptime is told in whole seconds, and the reply takes its time. */
const UPTIME_SLACK_MS = 1900;
/** Calls to be deleted on a node that does not answer; its own time-out takes the rest. */
const MAX_GRAVES = 2000;

/**
 * One rtpengine: whether it can be used, what it can do, and whether it is still the same process.
 *
 * It is up from its first answered ping on, and down when a ping and all its repeats were lost (a
 * single lost datagram changes nothing) or when its port is closed. A restart between two pings
 * shows in its uptime.
 */
export class RtpengineNode {
  readonly name: string;
  readonly weight: number;
  readonly #client: NgClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pingIntervalMs: number;
  readonly #handler: RtpengineNodeHandler | undefined;
  #state: "new" | "up" | "down" | "closed" = "new";
  #isDraining = false;
  #timer: Timer | undefined;
  #capabilities: RtpengineCapabilities = UNKNOWN_CAPABILITIES;
  #isProbed = false;
  /** When its process began, on our monotonic clock. */
  #bornMs: number | undefined;
  #pings = 0;
  #graves: string[] = [];

  constructor(options: RtpengineNodeOptions) {
    this.name = formatSocketAddress(options.address);
    this.weight = options.weight ?? 1;
    this.#clock = options.clock;
    this.#logger = options.logger.child({ rtpengine: this.name });
    this.#pingIntervalMs = options.pingIntervalMs ?? PING_INTERVAL_MS;
    this.#handler = options.handler;
    if (options.capabilities !== undefined) {
      this.#capabilities = options.capabilities;
      this.#isProbed = true;
    }
    this.#client = new NgClient({
      address: options.address,
      clock: options.clock,
      logger: this.#logger,
      onRefused: () => {
        this.#onRefused();
      },
      ...(options.timing === undefined ? {} : { timing: options.timing }),
    });
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Takes no new call while other nodes do; its calls live on. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  setDraining(isDraining: boolean): void {
    if (this.#isDraining === isDraining) return;
    this.#isDraining = isDraining;
    this.#logger.info(isDraining ? "rtpengine is drained" : "rtpengine takes calls again");
  }

  get capabilities(): RtpengineCapabilities {
    return this.#capabilities;
  }

  /** Seconds since its process began, as far as it has told. */
  get uptimeSeconds(): number | undefined {
    if (this.#bornMs === undefined) return undefined;
    return Math.max(0, Math.round((this.#clock.monotonicMs() - this.#bornMs) / 1000));
  }

  /** Sends the first ping and keeps pinging. @returns whether the first one was answered */
  async start(): Promise<boolean> {
    await this.#ping(FIRST_PING_TIMING);
    return this.isUp;
  }

  /** As `NgClient.request`, without the flags that this rtpengine does not know. */
  request<Command extends NgCommand>(
    command: Command,
    args: NgCommands[Command],
  ): Promise<NgReply> {
    const flags = args["flags"];
    if (!Array.isArray(flags)) return this.#client.request(command, args);
    return this.#client.request(command, {
      ...args,
      flags: knownFlags(flags, this.#capabilities),
    });
  }

  /** As `NgClient.takeDelayMs`. */
  takeDelayMs(): number {
    return this.#client.takeDelayMs();
  }

  /** Gives up every command that waits for a reply. */
  abandon(why: string): void {
    this.#client.abandon(why);
  }

  /**
   * Notes a call that was moved away while nobody answered: it is deleted when the node is heard
   * again, so that one that only hung keeps nothing.
   */
  bury(callId: string): void {
    if (this.#state === "closed") return;
    this.#graves.push(callId);
    if (this.#graves.length > MAX_GRAVES) this.#graves.shift();
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
    this.#handler?.onChange(this, false);
  }

  async #ping(timing: NgTiming = PING_TIMING): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    // The first answer of a node that was away tells at once whether it has been started anew.
    const asksUptime = this.#state !== "up" || this.#pings % PINGS_PER_UPTIME === 0;
    this.#pings += 1;
    try {
      const reply = await this.#client.request(asksUptime ? "statistics" : "ping", {}, timing);
      const isRestarted = asksUptime && this.#readUptime(reply, startedMs);
      if (!this.#isProbed) await this.#probe();
      this.#onPing(true, undefined);
      if (!isRestarted) return;
      this.#tellRestarted();
      // It may be another release now; its calls need not wait for that.
      await this.#probe();
    } catch (error) {
      const lateMs = this.#clock.monotonicMs() - startedMs - timing.deadlineMs;
      // Whoever sleeps himself hears nobody. And another command may have been answered meanwhile.
      const isDoubtful = lateMs > LATE_MS || this.#client.lastReplyMs > startedMs;
      if (isDoubtful && this.#state === "up") {
        this.#again(0);
        return;
      }
      this.#onPing(false, error instanceof Error ? error.message : "ping failed");
    }
  }

  /** The port is closed: there is no need to wait for more lost pings. */
  #onRefused(): void {
    if (this.#state !== "up") return;
    this.#state = "down";
    this.#tell(false, "its ng port is closed");
  }

  /** @returns whether it is another process than before */
  #readUptime(reply: NgReply, askedMs: number): boolean {
    const statistics = isDictionary(reply["statistics"]) ? reply["statistics"] : reply;
    const totals = statistics["totalstatistics"];
    const uptime = Number(isDictionary(totals) ? totals["uptime"] : Number.NaN);
    if (!Number.isFinite(uptime)) return false;
    // It was asked at the earliest now, so it began at the latest then.
    const bornMs = this.#clock.monotonicMs() - uptime * 1000;
    const before = this.#bornMs;
    if (before === undefined) {
      this.#bornMs = bornMs;
      return false;
    }
    const isRestarted = askedMs - uptime * 1000 - before > UPTIME_SLACK_MS;
    this.#bornMs = isRestarted ? bornMs : Math.min(before, bornMs);
    return isRestarted;
  }

  async #probe(): Promise<void> {
    if (this.#state === "closed") return;
    this.#isProbed = true;
    this.#capabilities = await probeCapabilities(this.#client, this.#clock);
    if (this.#isClosed()) return;
    const { versionText, hasTlsId } = this.#capabilities;
    this.#logger.info("rtpengine probed", { version: versionText ?? "unknown", hasTlsId });
    for (const { id, what, mitigation } of knownHoles(this.#capabilities)) {
      this.#logger.warn("rtpengine has a known hole", {
        cve: id,
        version: versionText ?? "unknown",
        what,
        mitigation,
      });
    }
  }

  #isClosed(): boolean {
    return this.#state === "closed";
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
    this.#again(this.#pingIntervalMs);
  }

  #again(delayMs: number): void {
    if (this.#state === "closed") return;
    this.#timer = this.#clock.after(delayMs, () => {
      void this.#ping();
    });
  }

  #tellRestarted(): void {
    if (this.#state === "closed") return;
    this.#logger.error("rtpengine was started anew and has lost its calls");
    rtpengineFacts.publish({ node: this.name, state: "restarted" });
    this.#handler?.onRestarted(this);
  }

  async #clearGraves(): Promise<void> {
    const graves = this.#graves;
    this.#graves = [];
    for (const callId of graves) {
      if (!this.isUp) return;
      // Calls that it has forgotten are deleted as well as any.
      await this.request("delete", { "call-id": callId }).catch(() => {});
    }
  }

  #tell(isUp: boolean, detail: string | undefined): void {
    const fields = detail === undefined ? {} : { detail };
    if (isUp) this.#logger.info("rtpengine is up");
    else this.#logger.warn("rtpengine is down", fields);
    rtpengineFacts.publish({ node: this.name, state: isUp ? "up" : "down", ...fields });
    this.#handler?.onChange(this, isUp);
    if (isUp && this.#graves.length > 0) void this.#clearGraves();
  }
}
