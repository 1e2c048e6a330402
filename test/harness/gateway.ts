import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";

import { type SocketAddress, tryParseSocketAddress } from "../../src/core/address.ts";

import { freePort, freePorts } from "./ports.ts";
import { Child, type ExitStatus } from "./process.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { within } from "./wait.ts";

const PROJECT = join(import.meta.dirname, "../..");
/** What V8 has compiled of the gateway: half of the processor time that its start takes. */
const COMPILE_CACHE = join(PROJECT, ".cache/compiled");

/** What a test configures in one section of offhook.yaml, as YAML would write it. */
export type YamlValue =
  | string
  | number
  | boolean
  | null
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue };

/** Free ports that a test's own configuration may name. */
export interface GatewayPorts {
  readonly http: number;
  readonly sip: number;
  /** First and last of the media ports. */
  readonly media: { readonly min: number; readonly max: number };
}

export interface GatewayOptions {
  /**
   * Sections of offhook.yaml over the harness's own: `domain` localhost, free ports on 127.0.0.1
   * for `http`, `sip` and `media` (managed rtpengine), users 1001 and 1002, no rationing of calls
   * when the machine is late, one admin token. A
   * section whose both sides are maps is merged key by key; anything else replaces.
   */
  readonly config?:
    | Readonly<Record<string, YamlValue>>
    | ((ports: GatewayPorts) => Readonly<Record<string, YamlValue>>);
  /** The whole file as text instead of `config`. */
  readonly yaml?: string | ((ports: GatewayPorts) => string);
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Of its Node; V8's own are none that NODE_OPTIONS may have. Default none. */
  readonly nodeFlags?: readonly string[];
  /** More arguments for `run`. */
  readonly args?: readonly string[];
  /** Milliseconds until it must be ready; default 20000. */
  readonly readyTimeoutMs?: number;
}

/** One line of the gateway's log. */
export interface LogLine {
  readonly msg: string;
  readonly fields: ReadonlyMap<string, unknown>;
  readonly text: string;
}

export interface ApiReply {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON; the text when it is none; undefined when it is empty. */
  readonly body: unknown;
}

/** Bearer token with the role admin that every harness configuration holds. */
export const ADMIN_TOKEN = "harness-admin-token-0123456789abcdef";

/** Passwords of the harness's users. */
export const PASSWORDS = {
  "1001": "harness-password-one",
  "1002": "harness-password-two",
} as const;

/** A gateway as a process of its own: `src/main.ts run --config FILE`. */
export class Gateway implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly httpUrl: string;
  readonly wsUrl: string;
  /** Where it takes SIP over UDP from PBXs. */
  readonly sip: SocketAddress;
  /** All listeners toward PBXs, as bound: `udp:127.0.0.1:5060`. */
  readonly listeners: readonly string[];
  readonly ports: GatewayPorts;
  readonly child: Child;
  readonly configFile: string;
  readonly directory: string;
  /** Milliseconds from the start of the process to its `ready` line. */
  readonly readyMs: number;

  constructor(parts: {
    readonly child: Child;
    readonly directory: string;
    readonly configFile: string;
    readonly ports: GatewayPorts;
    readonly ready: LogLine;
    readonly readyMs: number;
  }) {
    this.child = parts.child;
    this.directory = parts.directory;
    this.configFile = parts.configFile;
    this.ports = parts.ports;
    this.readyMs = parts.readyMs;
    const http = parts.ready.fields.get("http");
    this.httpUrl = typeof http === "string" ? http.replace(/\/$/, "") : "";
    this.wsUrl = `${this.httpUrl.replace(/^http/, "ws")}/ws`;
    const listeners: unknown = parts.ready.fields.get("sip");
    this.listeners = (Array.isArray(listeners) ? listeners : []).filter(
      (listener): listener is string => typeof listener === "string",
    );
    const udp = this.listeners.find((listener) => listener.startsWith("udp:"));
    this.sip = tryParseSocketAddress(udp?.slice(4) ?? "") ?? {
      host: "127.0.0.1",
      port: parts.ports.sip,
    };
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Calls the gateway over HTTP. @param path from the root, e.g. `/api/v1/calls` */
  async api(
    path: string,
    options: {
      readonly method?: string;
      /** Default: the harness's admin token; "" sends none. */
      readonly token?: string;
      /** Sent as JSON. */
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<ApiReply> {
    const headers = new Headers(options.headers);
    const token = options.token ?? ADMIN_TOKEN;
    if (token !== "") headers.set("Authorization", `Bearer ${token}`);
    if (options.body !== undefined) headers.set("Content-Type", "application/json");
    const reply = await fetch(new URL(path, this.httpUrl), {
      method: options.method ?? "GET",
      headers,
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await reply.text();
    return { status: reply.status, headers: reply.headers, body: parseJson(text) };
  }

  /** Every line of JSON that it has logged. */
  logs(): readonly LogLine[] {
    return this.child.lines.map(parseLogLine).filter((line) => line !== undefined);
  }

  /**
   * The first log line, past or future, with that `msg` or `event`, or for which `match` holds.
   *
   * @param from number of log lines to leave out, to wait for a new one: `logs().length`
   */
  async waitForLog(
    match: string | ((line: LogLine) => boolean),
    options: { readonly timeoutMs?: number; readonly from?: number } = {},
  ): Promise<LogLine> {
    const fits = (line: LogLine): boolean =>
      typeof match === "string"
        ? line.msg === match || line.fields.get("event") === match
        : match(line);
    let seen = 0;
    return await this.child.waitForLine(
      (text) => {
        const line = parseLogLine(text);
        if (line === undefined) return undefined;
        seen += 1;
        return seen > (options.from ?? 0) && fits(line) ? line : undefined;
      },
      typeof match === "string" ? `log line ${match}` : "a log line",
      options.timeoutMs ?? 10_000,
    );
  }

  /** Ends it, by default gracefully, and removes its files. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 10_000): Promise<ExitStatus> {
    const status = await this.child.stop(signal, graceMs);
    await removeDirectory(this.directory);
    return status;
  }

  /** Ends it as a crash would. Its files stay, so that another can start with them. */
  async kill(): Promise<ExitStatus> {
    return await this.child.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGTERM", 3000);
  }
}

/**
 * Starts a gateway and waits until it says that it is ready.
 *
 * @throws when it ends before, with its last log lines
 */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const directory = await makeTemporaryDirectory("gateway");
  const first = await freePorts(100);
  const ports: GatewayPorts = {
    http: await freePort(),
    sip: await freePort(),
    media: { min: first, max: first + 99 },
  };
  const configFile = join(directory, "offhook.yaml");
  await writeFile(configFile, configText(options, ports));
  return await runGateway({ directory, configFile, ports, options });
}

/** Starts another gateway process on the files of one that was killed. */
export async function restartGateway(
  gateway: Gateway,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const { directory, configFile, ports } = gateway;
  return await runGateway({ directory, configFile, ports, options });
}

async function runGateway(start: {
  readonly directory: string;
  readonly configFile: string;
  readonly ports: GatewayPorts;
  readonly options: GatewayOptions;
}): Promise<Gateway> {
  const { directory, configFile, ports, options } = start;
  const startedAt = performance.now();
  const main = join(PROJECT, "src/main.ts");
  const args = [
    ...(options.nodeFlags ?? []),
    main,
    "run",
    "--config",
    configFile,
    ...(options.args ?? []),
  ];
  const child = await Child.start(process.execPath, args, {
    name: "gateway",
    cwd: directory,
    env: {
      NODE_OPTIONS: undefined,
      VITEST: undefined,
      NODE_ENV: undefined,
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...options.env,
    },
  });
  const ready = await child.waitForLine(
    (text) => {
      const line = parseLogLine(text);
      return line?.msg === "ready" ? line : undefined;
    },
    "its ready line",
    options.readyTimeoutMs ?? 20_000,
  );
  const readyMs = performance.now() - startedAt;
  return new Gateway({ child, directory, configFile, ports, ready, readyMs });
}

/** The text of the offhook.yaml that `startGateway` writes. */
export function configText(options: GatewayOptions, ports: GatewayPorts): string {
  if (options.yaml !== undefined) {
    return typeof options.yaml === "string" ? options.yaml : options.yaml(ports);
  }
  const own = typeof options.config === "function" ? options.config(ports) : options.config;
  const sections: Record<string, YamlValue> = {
    domain: "localhost",
    http: { listen: `127.0.0.1:${ports.http}` },
    sip: { listen: [`udp:127.0.0.1:${ports.sip}`] },
    media: {
      rtpengine: "managed",
      address: "127.0.0.1",
      ports: `${ports.media.min}-${ports.media.max}`,
    },
    users: {
      "1001": { name: "Ann Lee", password: PASSWORDS["1001"] },
      "1002": { name: "Bob Ray", password: PASSWORDS["1002"] },
    },
    // A test machine with a browser on it is late now and then: that is for tests of their own.
    limits: { overload: "off" },
    api: { tokens: [{ name: "harness", token: ADMIN_TOKEN, role: "admin" }] },
  };
  for (const [name, value] of Object.entries(own ?? {})) {
    // With drachtio-server the gateway itself listens for no trunk.
    const hasListeners = name !== "sip" || !isMap(value) || value["engine"] === undefined;
    const usual = hasListeners ? sections[name] : undefined;
    sections[name] = isMap(usual) && isMap(value) ? { ...usual, ...value } : value;
  }
  return stringify(sections);
}

/** Waits for the gateway to have no call, leg or media session left. */
export async function waitForNoCalls(gateway: Gateway, timeoutMs = 5000): Promise<void> {
  const look = async (): Promise<void> => {
    for (;;) {
      const reply = await gateway.api("/api/v1/calls");
      if (JSON.stringify(reply.body).includes('"items":[]')) return;
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
  };
  await within(look(), { what: "no call to be left", timeoutMs });
}

function isMap(value: YamlValue | undefined): value is { readonly [key: string]: YamlValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function parseLogLine(text: string): LogLine | undefined {
  if (!text.startsWith("{")) return undefined;
  const value = parseJson(text);
  if (typeof value !== "object" || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const msg = fields.get("msg");
  return { msg: typeof msg === "string" ? msg : "", fields, text };
}
