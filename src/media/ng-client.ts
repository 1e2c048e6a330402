import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { formatSocketAddress } from "../core/address.ts";
import type { SocketAddress } from "../core/address.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { encodeBencode } from "./bencode.ts";
import type { NgValue } from "./bencode.ts";
import { MediaError } from "./errors.ts";
import { cookieOf, decodeNgDatagram, newCookie } from "./ng-datagram.ts";

export type { NgValue } from "./bencode.ts";

/** Arguments of a command: a dictionary whose undefined values are left out. */
export type NgArguments = Readonly<Record<string, NgValue | undefined>>;

/** The dictionary of a reply whose `result` is not `error`. */
export type NgReply = Readonly<Record<string, unknown>>;

/** What every command about a call carries. The call-id is ours, never SIP's. */
export interface NgCallArguments extends NgArguments {
  readonly "call-id": string;
}

/** A command with an SDP is never sent without one, nor without the tag of who wrote it. */
export interface NgOfferArguments extends NgCallArguments {
  readonly "from-tag": string;
  readonly sdp: string;
}

/** No codec operation and no DTLS role in an answer: the offer decides. */
export interface NgAnswerArguments extends NgOfferArguments {
  readonly "to-tag": string;
  readonly codec?: undefined;
  readonly DTLS?: undefined;
}

/** The ng commands that we send, with what each needs. */
export interface NgCommands {
  readonly ping: NgArguments;
  readonly statistics: NgArguments;
  readonly list: NgArguments;
  readonly offer: NgOfferArguments;
  readonly answer: NgAnswerArguments;
  readonly query: NgCallArguments;
  readonly delete: NgCallArguments;
  readonly "play media": NgCallArguments;
  readonly "stop media": NgCallArguments;
  readonly "block media": NgCallArguments;
  readonly "unblock media": NgCallArguments;
  readonly "subscribe request": NgCallArguments;
  readonly "subscribe answer": NgCallArguments;
  readonly unsubscribe: NgCallArguments;
  readonly "play DTMF": NgCallArguments;
  readonly "block DTMF": NgCallArguments;
  readonly "unblock DTMF": NgCallArguments;
}

export type NgCommand = keyof NgCommands;

/** How often, and how long, a command is sent before it counts as lost. */
export interface NgTiming {
  /** Milliseconds after the first send at which the same datagram is sent again. */
  readonly resendAtMs: readonly number[];
  /** Milliseconds after the first send at which we give up. */
  readonly deadlineMs: number;
}

/**
 * A repeat costs rtpengine nothing (it answers from memory), and a call set-up is three commands:
 * with every third datagram lost, a command is given up once in a million.
 */
export const DEFAULT_NG_TIMING: NgTiming = {
  resendAtMs: [100, ...Array.from({ length: 25 }, (_, index) => 250 + index * 150)],
  deadlineMs: 4000,
};

export interface NgClientOptions {
  /** The ng socket of one rtpengine, a literal address. */
  readonly address: SocketAddress;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timing?: NgTiming;
  /** Commands that may wait for a reply at the same time; default 1000. */
  readonly maxInFlight?: number;
  /** A datagram was refused (ICMP): nobody listens on the ng port now. */
  readonly onRefused?: () => void;
}

/** Counters of one client since it was made. */
export interface NgCounters {
  readonly sent: number;
  readonly resent: number;
  readonly lost: number;
  /** Replies that no command was waiting for: late, repeated or forged. */
  readonly strayReplies: number;
  readonly brokenReplies: number;
}

interface Waiting {
  readonly timing: NgTiming;
  readonly datagram: Buffer;
  readonly startedMs: number;
  readonly resolve: (reply: NgReply) => void;
  readonly reject: (error: MediaError) => void;
  readonly command: NgCommand;
  attempt: number;
  timer: Timer;
}

/**
 * Room for the replies of a burst. A reply with statistics takes some 8 kB of the kernel's book, so
 * its default holds about 25: fewer than come while a busy machine lets this process wait for 0.2 s.
 * The kernel caps it without an error.
 */
const RECEIVE_BUFFER_OCTETS = 2 * 1024 * 1024;

// The largest payload of a UDP datagram over IPv4.
const MAX_DATAGRAM_OCTETS = 65_507;

/** Of fewer commands nobody can tell whether all wait or one was lost. */
const DELAYS_THAT_COUNT = 8;
const MAX_DELAYS = 256;

/** A timer of Node's may fire so much before its time. */
const TIMER_SLACK_MS = 1;

/**
 * One rtpengine's ng socket.
 *
 * A command and all its repeats carry one cookie: rtpengine remembers the reply to a cookie, so a
 * repeat is answered from that memory and nothing is done twice. Cookies are random UUIDs because
 * a cookie that was ever used, by any process, would get the old command's reply.
 */
export class NgClient {
  readonly address: SocketAddress;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timing: NgTiming;
  readonly #maxInFlight: number;
  readonly #waiting = new Map<string, Waiting>();
  readonly #socket: Socket;
  readonly #connected: Promise<void>;
  readonly #onRefused: (() => void) | undefined;
  #lastReplyMs = -Infinity;
  /** How long the replies since `takeDelayMs` took. */
  #delays: number[] = [];
  /** About the median of all: each reply moves it by a millisecond. */
  #usualMs = 0;
  #state: "connecting" | "open" | "closed" = "connecting";
  #sent = 0;
  #resent = 0;
  #lost = 0;
  #strayReplies = 0;
  #brokenReplies = 0;

  constructor(options: NgClientOptions) {
    this.address = options.address;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#timing = options.timing ?? DEFAULT_NG_TIMING;
    this.#maxInFlight = options.maxInFlight ?? 1000;
    this.#onRefused = options.onRefused;
    const socket = createSocket({
      type: isIPv6(options.address.host) ? "udp6" : "udp4",
      recvBufferSize: RECEIVE_BUFFER_OCTETS,
    });
    this.#socket = socket;
    // A refused datagram (ICMP) is an `error`; the repeat or the deadline deals with it.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#logger.debug("ng socket error", { error: error.message });
      if (error.code === "ECONNREFUSED" && this.#state === "open") this.#onRefused?.();
    });
    socket.on("message", (datagram) => {
      this.#onDatagram(datagram);
    });
    this.#connected = new Promise((resolve) => {
      // A connected socket takes datagrams from this rtpengine alone.
      socket.once("connect", () => {
        if (this.#state === "connecting") this.#state = "open";
        resolve();
      });
      socket.once("close", () => {
        resolve();
      });
      socket.connect(options.address.port, options.address.host);
    });
  }

  get counters(): NgCounters {
    return {
      sent: this.#sent,
      resent: this.#resent,
      lost: this.#lost,
      strayReplies: this.#strayReplies,
      brokenReplies: this.#brokenReplies,
    };
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  /** When the last reply to any command came, on the monotonic clock. */
  get lastReplyMs(): number {
    return this.#lastReplyMs;
  }

  /**
   * How long a command waits for its reply: the median of those that came since this was last asked,
   * or of those that are waited for when that is longer. Lost datagrams of a few do not show in it.
   *
   * @returns milliseconds; 0 when there were too few to tell
   */
  takeDelayMs(): number {
    const replied = this.#delays;
    this.#delays = [];
    const nowMs = this.#clock.monotonicMs();
    // The one that has waited longest is first.
    const waiting = [...this.#waiting.values()].map(({ startedMs }) => nowMs - startedMs);
    return Math.max(medianDelay(replied), medianDelay(waiting));
  }

  /** Gives up every command that waits, so that its caller can go elsewhere. */
  abandon(why: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { timer, reject } of waiting) {
      timer.cancel();
      this.#lost += 1;
      reject(this.#unavailable(why));
    }
  }

  /** Our own address on the way to this rtpengine: one that it can reach. */
  async localAddress(): Promise<string> {
    await this.#connected;
    if (this.#state === "closed") throw this.#unavailable("the ng client is closed");
    return this.#socket.address().address;
  }

  /**
   * Sends a command and waits for its reply.
   *
   * @param timing how often it is repeated; default the client's
   * @throws MediaError `ERR_OFFHOOK_MEDIA_UNAVAILABLE` when no reply came in time or too many
   *   commands are waiting, `ERR_OFFHOOK_MEDIA_SDP` when rtpengine refused the SDP,
   *   `ERR_OFFHOOK_MEDIA_UNKNOWN_CALL` when rtpengine has no such call (any more),
   *   `ERR_OFFHOOK_MEDIA_REFUSED` for every other error that it replied
   */
  async request<Command extends NgCommand>(
    command: Command,
    args: NgCommands[Command],
    timing: NgTiming = this.#timing,
  ): Promise<NgReply> {
    if (this.#state === "connecting") await this.#connected;
    if (this.#state === "closed") throw this.#unavailable("the ng client is closed");
    if (this.#waiting.size >= this.#maxInFlight) {
      throw this.#unavailable(`${this.#maxInFlight} commands are waiting already`);
    }
    const cookie = newCookie();
    const datagram = encode(cookie, command, args);
    if (datagram.length > MAX_DATAGRAM_OCTETS) {
      throw new MediaError("ERR_OFFHOOK_MEDIA_SDP", "the SDP does not fit into one ng datagram");
    }
    const reply = await new Promise<NgReply>((resolve, reject) => {
      const startedMs = this.#clock.monotonicMs();
      const waiting = { timing, datagram, startedMs, resolve, reject, command, attempt: 0 };
      const timer = this.#clock.after(this.#waitMs(waiting), () => {
        this.#onTimer(cookie);
      });
      this.#waiting.set(cookie, { ...waiting, timer });
      this.#sent += 1;
      this.#transmit(datagram);
    });
    if (reply["result"] === "error") throw refusal(command, reply["error-reason"]);
    return reply;
  }

  /** Closes the socket; every waiting command fails. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.abandon("the connection to it was closed");
    this.#socket.close();
  }

  #transmit(datagram: Buffer): void {
    this.#socket.send(datagram, (error) => {
      if (error === null) return;
      this.#logger.debug("ng send failed", { error: error.message });
      if ("code" in error && error.code === "ECONNREFUSED" && this.#state === "open") {
        this.#onRefused?.();
      }
    });
  }

  #onTimer(cookie: string): void {
    const waiting = this.#waiting.get(cookie);
    if (waiting === undefined) return;
    const sinceMs = this.#clock.monotonicMs() - waiting.startedMs;
    const { resendAtMs, deadlineMs } = waiting.timing;
    if (waiting.attempt >= resendAtMs.length || sinceMs > deadlineMs - TIMER_SLACK_MS) {
      this.#waiting.delete(cookie);
      this.#lost += 1;
      const afterMs = Math.round(sinceMs);
      waiting.reject(this.#unavailable(`no reply to ${waiting.command} within ${afterMs} ms`));
      return;
    }
    waiting.attempt += 1;
    waiting.timer = this.#clock.after(this.#waitMs(waiting), () => {
      this.#onTimer(cookie);
    });
    this.#resent += 1;
    this.#transmit(waiting.datagram);
  }

  #onDatagram(datagram: Buffer): void {
    const cookie = cookieOf(datagram);
    const waiting = this.#waiting.get(cookie);
    let data: unknown;
    try {
      data = decodeNgDatagram(datagram, waiting?.command);
    } catch {
      this.#brokenReplies += 1;
      return;
    }
    if (waiting === undefined) {
      this.#strayReplies += 1;
      return;
    }
    if (!isDictionary(data)) {
      this.#brokenReplies += 1;
      return;
    }
    this.#waiting.delete(cookie);
    this.#lastReplyMs = this.#clock.monotonicMs();
    this.#noteDelay(this.#lastReplyMs - waiting.startedMs);
    waiting.timer.cancel();
    waiting.resolve(data);
  }

  #noteDelay(delayMs: number): void {
    if (this.#delays.length < MAX_DELAYS) this.#delays.push(delayMs);
    this.#usualMs = Math.max(0, this.#usualMs + Math.sign(delayMs - this.#usualMs));
  }

  /**
   * Milliseconds until the next repeat, or the end. A busy rtpengine would only get more to do by
   * repeats of what it is about to answer.
   */
  #waitMs({ timing, startedMs, attempt }: Omit<Waiting, "timer">): number {
    const isLast = attempt >= timing.resendAtMs.length;
    const plannedMs = delayMs(timing, attempt) + (isLast ? 0 : 2 * this.#usualMs);
    const leftMs = startedMs + timing.deadlineMs - this.#clock.monotonicMs();
    return Math.max(0, Math.min(plannedMs, leftMs));
  }

  #unavailable(why: string): MediaError {
    return new MediaError(
      "ERR_OFFHOOK_MEDIA_UNAVAILABLE",
      `rtpengine at ${formatSocketAddress(this.address)} cannot be used: ${why}`,
    );
  }
}

function medianDelay(delays: readonly number[]): number {
  if (delays.length < DELAYS_THAT_COUNT) return 0;
  return delays.toSorted((one, other) => one - other)[delays.length >> 1] ?? 0;
}

/** Whether an ng value is a dictionary. */
export function isDictionary(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value)
  );
}

/** Milliseconds from one send to the next, or to the deadline. */
function delayMs({ resendAtMs, deadlineMs }: NgTiming, attempt: number): number {
  const from = attempt === 0 ? 0 : (resendAtMs[attempt - 1] ?? deadlineMs);
  return Math.max(0, (resendAtMs[attempt] ?? deadlineMs) - from);
}

function encode(cookie: string, command: NgCommand, args: NgArguments): Buffer {
  return encodeBencode({ ...args, command }, `${cookie} `);
}

function refusal(command: NgCommand, reason: unknown): MediaError {
  const text = typeof reason === "string" ? reason : "no reason given";
  const words = text.toLowerCase();
  return new MediaError(
    words.includes("unknown call")
      ? "ERR_OFFHOOK_MEDIA_UNKNOWN_CALL"
      : words.includes("sdp")
        ? "ERR_OFFHOOK_MEDIA_SDP"
        : "ERR_OFFHOOK_MEDIA_REFUSED",
    `rtpengine refused ${command}: ${text}`,
  );
}
