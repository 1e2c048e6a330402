import { readFile, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";

import type { SocketAddress } from "../../src/core/address.ts";

import { freePort, freePorts } from "./ports.ts";
import { Child } from "./process.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { waitFor, within } from "./wait.ts";

const SCENARIOS = join(import.meta.dirname, "../fixtures/sipp");

/** The scenarios under test/fixtures/sipp/. */
export type SippScenario =
  | "uas-echo"
  | "uas-early-media"
  | "uas-hangs-up"
  | "uas-hold"
  | "uas-busy"
  | "uas-refuses"
  | "uas-no-answer"
  | "uas-never-answers"
  | "uas-challenges"
  | "uas-registrar"
  | "uac-call"
  | "uac-refused"
  | "uac-cancels"
  | "uac-lossy"
  | "uas-lossy";

export interface SippOptions {
  /** A name of ours, or the absolute path of a scenario file. */
  readonly scenario: SippScenario | (string & {});
  /** Values for the `{{name=default}}` places of the scenario, e.g. `talk_ms`, `codec_number`. */
  readonly values?: Readonly<Record<string, string | number>>;
  /** Where a uac-… scenario calls. */
  readonly remote?: SocketAddress;
  /** User part that a uac-… scenario calls. */
  readonly service?: string;
  /** Default 127.0.0.1; any 127.x.y.z is a machine of its own for an address check. */
  readonly localHost?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Ends after so many calls; default 1. 0: goes on until it is stopped. */
  readonly calls?: number;
  /** New calls a second (uac). Default 10. */
  readonly rate?: number;
  /** Whether RTP that comes is sent back; default true. */
  readonly rtpEcho?: boolean;
  readonly args?: readonly string[];
  /** One socket for all calls; default UDP. */
  readonly transport?: "UDP" | "TCP";
}

/** One SIP message as sipp's message log holds it. */
export interface LoggedMessage {
  readonly direction: "sent" | "received";
  readonly text: string;
  /** `INVITE`, `BYE`… or the status code of a response. */
  readonly what: string;
}

export interface SippResult {
  readonly code: number | null;
  readonly successfulCalls: number;
  readonly failedCalls: number;
}

/** A running sipp. */
export class Sipp implements AsyncDisposable {
  readonly address: SocketAddress;
  /** RTP port; sipp echoes what arrives there, unless told otherwise. */
  readonly mediaPort: number;
  readonly child: Child;
  readonly #directory: string;

  /** Starts sipp; a uas-… scenario listens when this returns. */
  static async start(options: SippOptions): Promise<Sipp> {
    const directory = await makeTemporaryDirectory("sipp");
    const source = isAbsolute(options.scenario)
      ? options.scenario
      : join(SCENARIOS, `${options.scenario}.xml`);
    const scenario = join(directory, "scenario.xml");
    await writeFile(scenario, fill(await readFile(source, "utf8"), options.values ?? {}));
    const host = options.localHost ?? "127.0.0.1";
    const port = options.port ?? (await freePort(host));
    // RTP, RTCP, and the same again for video, which sipp binds too.
    const mediaPort = await freePorts(4, host);
    const isCaller = options.remote !== undefined;
    const args = [
      "-sf",
      scenario,
      "-i",
      host,
      "-p",
      String(port),
      "-mi",
      host,
      "-mp",
      String(mediaPort),
      ...(options.rtpEcho === false ? [] : ["-rtp_echo"]),
      "-nostdin",
      "-aa",
      "-skip_rlimit",
      "-t",
      options.transport === "TCP" ? "t1" : "u1",
      "-trace_msg",
      "-message_file",
      join(directory, "messages.log"),
      "-trace_err",
      "-error_file",
      join(directory, "errors.log"),
      "-trace_stat",
      "-stf",
      join(directory, "stats.csv"),
      "-fd",
      "1",
    ];
    const calls = options.calls ?? 1;
    if (calls > 0) args.push("-m", String(calls));
    if (options.remote !== undefined) {
      args.push("-r", String(options.rate ?? 10), "-s", options.service ?? "service");
      args.push(`${options.remote.host}:${options.remote.port}`);
    }
    args.push(...(options.args ?? []));
    const child = await Child.start("sipp", args, {
      name: `sipp ${options.scenario}`,
      cwd: directory,
      env: { TERM: "dumb" },
    });
    const sipp = new Sipp(child, directory, { host, port }, mediaPort);
    if (!isCaller) await sipp.#listening(options.transport ?? "UDP");
    return sipp;
  }

  private constructor(child: Child, directory: string, address: SocketAddress, mediaPort: number) {
    this.child = child;
    this.#directory = directory;
    this.address = address;
    this.mediaPort = mediaPort;
  }

  /** Every message sent and received so far. */
  async messages(): Promise<readonly LoggedMessage[]> {
    const text = await readIfThere(join(this.#directory, "messages.log"));
    const found: LoggedMessage[] = [];
    // A line of dashes, "UDP message sent (NNN bytes):" or "… received [NNN] bytes :", the message.
    for (const piece of text.split(/^-{20,}.*$/m)) {
      const head = /^(?:UDP|TCP|TLS) message (sent|received)[^\n]*\n\n?/m.exec(piece);
      if (head === null) continue;
      const message = piece.slice(head.index + head[0].length).trimStart();
      const words = message.split(" ", 2);
      found.push({
        direction: head[1] === "sent" ? "sent" : "received",
        text: message,
        what: (message.startsWith("SIP/2.0 ") ? words[1] : words[0]) ?? "",
      });
    }
    return found;
  }

  /** What arrived so far: `["INVITE", "ACK", "BYE"]`. */
  async received(): Promise<readonly string[]> {
    return (await this.messages()).filter((m) => m.direction === "received").map((m) => m.what);
  }

  /** The `nth` message (from 0) of that method or status, once it is in the log. */
  async waitForMessage(
    direction: LoggedMessage["direction"],
    what: string,
    nth = 0,
    timeoutMs = 10_000,
  ): Promise<LoggedMessage> {
    return await waitFor(
      async () =>
        (await this.messages()).filter((m) => m.direction === direction && m.what === what)[nth],
      { what: `${this.child.name}: ${what} ${direction} #${nth}`, timeoutMs, intervalMs: 50 },
    );
  }

  /** sipp's own account of messages that did not fit the scenario. */
  async errors(): Promise<string> {
    return await readIfThere(join(this.#directory, "errors.log"));
  }

  /** Waits until all calls are over. @throws {WaitTimeout} with what sipp complained about */
  async finished(timeoutMs = 30_000): Promise<SippResult> {
    let errors = "";
    const status = await within(this.child.exited, {
      what: `${this.child.name} to end`,
      timeoutMs,
      detail: () => this.child.tail(),
    }).catch(async (error: unknown) => {
      errors = await this.errors();
      throw new Error(`${this.child.name} did not end\n${errors}`, { cause: error });
    });
    const stats = lastRow(await readIfThere(join(this.#directory, "stats.csv")));
    return {
      code: status.code,
      successfulCalls: Number(stats.get("SuccessfulCall(C)") ?? 0),
      failedCalls: Number(stats.get("FailedCall(C)") ?? 0),
    };
  }

  /** Ends sipp and removes its files. */
  async stop(): Promise<void> {
    await this.child.stop("SIGKILL");
    await removeDirectory(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #listening(transport: "UDP" | "TCP"): Promise<void> {
    const port = this.address.port.toString(16).toUpperCase().padStart(4, "0");
    await waitFor(
      async () => {
        if (!this.child.isRunning) {
          throw new Error(`${this.child.name} ended\n${this.child.tail()}\n${await this.errors()}`);
        }
        // proc_net_udp, proc_net_tcp: the second column is the local address in hexadecimal.
        const table = await readFile(`/proc/net/${transport.toLowerCase()}`, "utf8");
        return table.includes(`:${port} 00000000:0000`);
      },
      { what: `${this.child.name} to listen`, detail: () => this.child.tail() },
    );
  }
}

function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  const unused = new Set(Object.keys(values));
  const filled = text.replaceAll(
    /\{\{(\w+)=([^}]*)\}\}/g,
    (_whole, name: string, usual: string) => {
      unused.delete(name);
      return String(values[name] ?? usual);
    },
  );
  if (unused.size > 0) throw new Error(`the scenario has no place for ${[...unused].join(", ")}`);
  return filled;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return "";
  }
}

function lastRow(csv: string): ReadonlyMap<string, string> {
  const [head, ...rows] = csv.split("\n").filter((line) => line !== "");
  const names = (head ?? "").split(";");
  const last = (rows.at(-1) ?? "").split(";");
  return new Map(names.map((name, index) => [name, last[index] ?? ""]));
}
