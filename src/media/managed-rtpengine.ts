import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { accessSync, constants } from "node:fs";
import { isIP, isIPv6 } from "node:net";
import { delimiter, isAbsolute, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { formatSocketAddress } from "../core/address.ts";
import type { SocketAddress } from "../core/address.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { MediaError } from "./errors.ts";
import { rtpengineFacts } from "./facts.ts";
import { parseLogLine } from "./rtpengine-log.ts";
import { RtpengineNode } from "./rtpengine-node.ts";
import type { RtpengineNodeHandler } from "./rtpengine-node.ts";
import type { RtpengineCapabilities } from "./rtpengine-version.ts";

/** UDP ports, both ends included. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
}

export interface ManagedRtpengineOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The address that it binds for media: `192.0.2.10`, or `private!public` behind a 1:1 NAT. */
  readonly address: string;
  /** More addresses for media, of the other family, say. */
  readonly otherAddresses?: readonly string[];
  /** Where it reports the digits that it sees; undefined: nowhere. */
  readonly digitEvents?: () => SocketAddress | undefined;
  /**
   * UDP ports for media. Default: the first of three ranges of 10000 that no other gateway has.
   * rtpengine binds with SO_REUSEADDR, so two of them at one address would hand out the same port
   * without an error; we hold the last port of the range so that a second gateway notices.
   */
  readonly ports?: PortRange;
  /**
   * The program and what goes before its arguments; default `["rtpengine"]`, looked up in PATH and
   * the usual system directories. `["chroot", DIR, "/usr/bin/rtpengine"]` works too.
   */
  readonly command?: readonly string[];
  /** Milliseconds without a packet after which rtpengine itself forgets a call; default 60000. */
  readonly forgetAfterMs?: number | undefined;
  readonly handler?: RtpengineNodeHandler | undefined;
}

interface ClaimedRange {
  readonly range: PortRange;
  readonly guard: Socket;
}

type State =
  | { readonly name: "stopped" }
  | { readonly name: "running"; readonly child: ChildProcess; readonly node: RtpengineNode }
  | { readonly name: "waiting"; readonly timer: Timer }
  | { readonly name: "launching" };

const SYSTEM_DIRECTORIES = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];
const DEFAULT_RANGES: readonly PortRange[] = [
  { min: 30_000, max: 39_999 },
  { min: 40_000, max: 49_999 },
  { min: 20_000, max: 29_999 },
];
const START_ATTEMPTS = 3;
const LONG_RUN_MS = 5000;
const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 5000;
const TERMINATE_AFTER_MS = 1500;
const KEPT_LOG_LINES = 5;

/**
 * The rtpengine that the gateway starts for itself: our own command line, no configuration file,
 * no kernel module, one ng socket on loopback at a port of the system's choice.
 *
 * It is started again whenever it ends, and it never outlives the gateway: the kernel kills it
 * with its parent (PR_SET_PDEATHSIG, through util-linux's setpriv), a gateway killed with SIGKILL
 * included. It has a session of its own, so that Ctrl-C in a terminal reaches the gateway alone,
 * which then drains calls that still need media.
 */
export class ManagedRtpengine {
  readonly #options: ManagedRtpengineOptions;
  readonly #logger: Logger;
  #state: State = { name: "stopped" };
  #failures = 0;
  /** What the first process was found to be: those after it are the same program. */
  #capabilities: RtpengineCapabilities | undefined;
  #recentLines: string[] = [];
  #claim: ClaimedRange | undefined;

  constructor(options: ManagedRtpengineOptions) {
    this.#options = options;
    this.#logger = options.logger;
  }

  /** The running rtpengine; undefined while there is none. */
  get node(): RtpengineNode | undefined {
    return this.#state.name === "running" ? this.#state.node : undefined;
  }

  /** Process id of the running rtpengine. */
  get pid(): number | undefined {
    return this.#state.name === "running" ? this.#state.child.pid : undefined;
  }

  /** The address that it binds, without the public one. */
  get bindAddress(): string {
    return this.#options.address.split("!", 1)[0] ?? this.#options.address;
  }

  /**
   * Starts it and waits until it answers.
   *
   * @throws MediaError `ERR_OFFHOOK_MEDIA_NOT_INSTALLED` without its program,
   *   `ERR_OFFHOOK_MEDIA_START` when its address is not ours, its ports are another gateway's, or
   *   it ends, or does not answer, three times in a row
   */
  async start(): Promise<void> {
    if (this.#state.name !== "stopped") return;
    const program = this.#programAndPrefix();
    this.#claim = await this.#claimRange();
    for (let attempt = 1; attempt <= START_ATTEMPTS; attempt += 1) {
      if (await this.#launch(program)) return;
    }
    this.#state = { name: "stopped" };
    this.#releaseRange();
    throw new MediaError(
      "ERR_OFFHOOK_MEDIA_START",
      `rtpengine did not start. Its last words: ${this.#recentLines.join(" / ") || "(none)"}`,
    );
  }

  /** Ends it, with SIGKILL if SIGTERM is not enough, and waits until it is gone. Idempotent. */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { name: "stopped" };
    switch (state.name) {
      case "running":
        state.node.close("stopped");
        await this.#terminate(state.child);
        break;
      case "waiting":
        state.timer.cancel();
        break;
      case "launching":
      case "stopped":
        break;
    }
    this.#releaseRange();
  }

  /**
   * rtpengine itself starts with an address that is not this machine's, and fails at the first
   * call: the bind finds that out as well.
   */
  async #claimRange(): Promise<ClaimedRange> {
    const { ports } = this.#options;
    const ranges = ports === undefined ? DEFAULT_RANGES : [ports];
    for (const range of ranges) {
      const guard = await bindGuard(this.bindAddress, range.max);
      if (typeof guard !== "string") return { range, guard };
      if (guard !== "EADDRINUSE") {
        throw new MediaError(
          "ERR_OFFHOOK_MEDIA_START",
          `rtpengine cannot use ${this.bindAddress}: ${guard}. ` +
            "Set media.address to an address of this machine",
        );
      }
    }
    const texts = ranges.map(({ min, max }) => `${min}-${max}`).join(", ");
    throw new MediaError(
      "ERR_OFFHOOK_MEDIA_START",
      `the UDP ports ${texts} at ${this.bindAddress} are another gateway's: set media.ports`,
    );
  }

  #releaseRange(): void {
    this.#claim?.guard.close();
    this.#claim = undefined;
  }

  #programAndPrefix(): readonly string[] {
    const command = this.#options.command ?? ["rtpengine"];
    const [name = "rtpengine", ...rest] = command;
    const program = findProgram(name);
    if (program === undefined) {
      throw new MediaError(
        "ERR_OFFHOOK_MEDIA_NOT_INSTALLED",
        `${name} is not installed. Run: ` +
          "sudo apt-get install --yes --no-install-recommends rtpengine-daemon",
      );
    }
    const setpriv = findProgram("setpriv");
    if (setpriv === undefined) {
      this.#logger.warn(
        "setpriv (util-linux) is missing: rtpengine would outlive a killed gateway",
      );
      return [program, ...rest];
    }
    return [setpriv, "--pdeathsig", "KILL", "--", program, ...rest];
  }

  /** @returns whether it answers now */
  async #launch(command: readonly string[]): Promise<boolean> {
    this.#state = { name: "launching" };
    this.#recentLines = [];
    const port = await freeLoopbackPort();
    if (!this.#isLaunching() || this.#claim === undefined) return false;
    const [program = "", ...prefix] = command;
    const child = spawn(program, [...prefix, ...this.#arguments(port, this.#claim.range)], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
      // Nothing of the gateway's environment is its business; secrets may be in it.
      env: { PATH: SYSTEM_DIRECTORIES.join(delimiter) },
    });
    this.#forwardLog(child.stderr);
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const node = new RtpengineNode({
      address: { host: "127.0.0.1", port },
      clock,
      logger: this.#options.logger,
      capabilities: this.#capabilities,
      handler: this.#options.handler,
    });
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => {
        resolve(error.message);
      });
      child.once("exit", (code, signal) => {
        resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
      });
    });
    const isUp = await Promise.race([node.start(), ended.then(() => false)]);
    if (!isUp || !this.#isLaunching()) {
      node.close("did not start");
      await this.#terminate(child);
      return false;
    }
    this.#capabilities = node.capabilities;
    this.#state = { name: "running", child, node };
    // Only now can calls be moved to it.
    this.#options.handler?.onChange(node, true);
    this.#logger.info("rtpengine started", { pid: child.pid, ng: node.name });
    void ended.then((why) => {
      this.#onEnded(child, why, clock.monotonicMs() - startedMs, command);
    });
    return true;
  }

  #isLaunching(): boolean {
    return this.#state.name === "launching";
  }

  #onEnded(child: ChildProcess, why: string, ranMs: number, command: readonly string[]): void {
    const state = this.#state;
    if (state.name !== "running" || state.child !== child) return;
    state.node.close(why);
    this.#failures = ranMs >= LONG_RUN_MS ? 0 : this.#failures + 1;
    this.#logger.error("rtpengine ended and is started again", { why, pid: child.pid });
    rtpengineFacts.publish({ node: state.node.name, state: "restarting", detail: why });
    this.#relaunchLater(command);
  }

  #relaunchLater(command: readonly string[]): void {
    const delayMs =
      this.#failures <= 1
        ? 0
        : Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (this.#failures - 2));
    const timer = this.#options.clock.after(delayMs, () => {
      this.#launch(command).then(
        (isUp) => {
          if (isUp || !this.#isLaunching()) return;
          this.#onLaunchFailed(command);
        },
        (error: unknown) => {
          this.#logger.error("rtpengine could not be started", {
            error: error instanceof Error ? error.message : "unknown",
          });
          if (this.#isLaunching()) this.#onLaunchFailed(command);
        },
      );
    });
    this.#state = { name: "waiting", timer };
  }

  #onLaunchFailed(command: readonly string[]): void {
    this.#failures += 1;
    this.#relaunchLater(command);
  }

  #arguments(port: number, range: PortRange): readonly string[] {
    const { address, otherAddresses = [], digitEvents } = this.#options;
    const reports = digitEvents?.();
    return [
      // Else it reads Debian's /etc/rtpengine/rtpengine.conf, whose ports collide.
      "--config-file=none",
      "--foreground",
      "--log-stderr",
      // Userspace: no kernel module.
      "--table=-1",
      ...[address, ...otherAddresses].map((each) => `--interface=${each}`),
      ...(reports === undefined ? [] : [`--dtmf-log-dest=${formatSocketAddress(reports)}`]),
      `--listen-ng=127.0.0.1:${port}`,
      `--port-min=${range.min}`,
      // The last port is ours, and rtpengine takes ports in pairs.
      `--port-max=${range.max - 2}`,
      `--timeout=${Math.ceil((this.#options.forgetAfterMs ?? 60_000) / 1000)}`,
      "--silent-timeout=3600",
      "--tos=0",
      "--endpoint-learning=heuristic",
      // Else an ended call stays for 30 s.
      "--delete-delay=0",
      // Level 7 would print private keys.
      "--log-level=5",
    ];
  }

  #forwardLog(stderr: Readable | null): void {
    if (stderr === null) return;
    const lines = createInterface({ input: stderr, crlfDelay: Infinity });
    lines.on("line", (line) => {
      const entry = parseLogLine(line);
      if (entry === undefined) return;
      this.#recentLines = [...this.#recentLines.slice(1 - KEPT_LOG_LINES), entry.message];
      this.#logger[entry.level](`rtpengine: ${entry.message}`);
    });
  }

  async #terminate(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(TERMINATE_AFTER_MS, () => {
        child.kill("SIGKILL");
      });
      child.once("exit", () => {
        timer.cancel();
        resolve();
      });
      child.kill("SIGTERM");
    });
  }
}

function findProgram(name: string): string | undefined {
  if (isAbsolute(name)) return isExecutable(name) ? name : undefined;
  const path = (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute);
  return [...path, ...SYSTEM_DIRECTORIES]
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Binds a UDP port for ourselves alone. @returns the socket, or the error's code */
async function bindGuard(host: string, port: number): Promise<Socket | string> {
  if (isIP(host) === 0) return "not an IP address";
  const socket = createSocket({ type: isIPv6(host) ? "udp6" : "udp4", reuseAddr: false });
  return new Promise((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? error.message);
    });
    socket.bind(port, host, () => {
      resolve(socket);
    });
  });
}

/** A UDP port on loopback that nobody uses now. */
async function freeLoopbackPort(): Promise<number> {
  const socket = createSocket("udp4");
  try {
    return await new Promise<number>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, "127.0.0.1", () => {
        resolve(socket.address().port);
      });
    });
  } finally {
    socket.close();
  }
}
