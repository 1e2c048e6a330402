import { mkdtemp, rm, writeFile, mkdir } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";
import type { CallRecord, CallView } from "../../src/call/record.ts";
import type { ApiToken } from "../../src/config/config.ts";
import { SystemClock, type Clock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type {
  SimulationOutcome,
  SimulationQuery,
  SimulationResult,
} from "../../src/dialplan/simulate.ts";
import type { MediaNodeView } from "../../src/media/session.ts";
import { createOriginPolicy } from "../../src/http/origin-policy.ts";
import type {
  BanView,
  GatewayView,
  PasswordCheck,
  PlanChange,
  PlanControl,
  Readiness,
  RecordLog,
  SipUpgrade,
  TrunkView,
  UserControl,
  WebUser,
} from "../../src/http/ports.ts";
import { NOTHING_SET, type UserSettings } from "../../src/dialplan/user-settings.ts";
import type { HttpSettings } from "../../src/http/route.ts";
import {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
} from "../../src/http/server.ts";
import type { ClientAddress } from "../../src/http/client-address.ts";
import { SessionCredentials } from "../../src/http/session-credentials.ts";
import { AttemptLimit } from "../../src/signaling/auth/attempt-limit.ts";
import type { Binding } from "../../src/signaling/engine.ts";

export const TOKENS: readonly ApiToken[] = [
  { name: "wallboard", token: "viewer-token-0123456789", role: "viewer" },
  { name: "desk", token: "operator-token-0123456789", role: "operator" },
  { name: "ops", token: "admin-token-0123456789", role: "admin" },
];

/** What the gateway below decides of any call. */
export const DECISION: SimulationResult = {
  from: { kind: "user", id: "1001", groups: [], numbers: [] },
  to: "*43",
  at: "2026-11-20T09:00:00.000Z",
  route: "echo test",
  action: { kind: "echo" },
  trace: [{ route: "echo test", matched: true }],
  explanation: ["user 1001 dials *43", "  yes  echo test", "-> echo"],
};

const VERSION = {
  version: 3,
  at: "2026-11-20T09:00:00.000Z",
  hash: "0123456789abcdef",
  how: "file",
  routes: 4,
  isInForce: true,
} as const;

const COMPARED = { compared: 7, changed: 0, decisions: [], warnings: [] };

/** A gateway of plain tables. */
export class TableGateway implements GatewayView {
  state: Readiness = { ready: true, reasons: [] };
  readonly live = new Map<string, CallView>();
  readonly bindings: Binding[] = [];
  readonly trunkViews: TrunkView[] = [];
  readonly banned = new Map<string, BanView>();
  readonly ended: CallRecord[] = [];
  readonly simulated: SimulationQuery[] = [];
  /** What was asked of the plans, by whom. */
  readonly planRequests: unknown[][] = [];
  planChange: PlanChange = { ok: true, ...COMPARED, version: VERSION, needRestart: [] };
  readonly plans: PlanControl = {
    reload: (by) => {
      this.planRequests.push(["reload", by]);
      return this.planChange;
    },
    diff: (dialplan) => {
      this.planRequests.push(["diff", dialplan]);
      return this.planChange.ok ? { ok: true, ...COMPARED } : this.planChange;
    },
    versions: () => [VERSION],
    rollBack: (version, by) => {
      this.planRequests.push(["rollback", version, by]);
      return version === VERSION.version ? this.planChange : undefined;
    },
  };

  readiness(): Readiness {
    return this.state;
  }

  calls(): Iterable<CallView> {
    return this.live.values();
  }

  call(id: string): CallView | undefined {
    return this.live.get(id);
  }

  readonly recorded = new Set<string>();

  record(id: string, action: "start" | "stop"): boolean | undefined {
    if (!this.live.has(id)) return undefined;
    if (action === "stop") return this.recorded.delete(id);
    const isNew = !this.recorded.has(id);
    this.recorded.add(id);
    return isNew;
  }

  hangUp(id: string): boolean {
    return this.live.delete(id);
  }

  registrations(): Iterable<Binding> {
    return this.bindings;
  }

  trunks(): Iterable<TrunkView> {
    return this.trunkViews;
  }

  bans(): Iterable<BanView> {
    return this.banned.values();
  }

  liftBan(address: string): boolean {
    return this.banned.delete(address);
  }

  readonly nodes: MediaNodeView[] = [];

  mediaNodes(): Iterable<MediaNodeView> {
    return this.nodes;
  }

  drainMediaNode(
    name: string,
    options: { readonly drain: boolean; readonly move: boolean },
  ): MediaNodeView | undefined {
    const index = this.nodes.findIndex((node) => node.name === name);
    const node = this.nodes[index];
    if (node === undefined) return undefined;
    const calls = options.drain && options.move ? 0 : node.calls;
    const drained = { ...node, isDraining: options.drain, calls };
    this.nodes[index] = drained;
    return drained;
  }

  records(): RecordLog {
    return {
      page: ({ before = this.ended.length, limit }) => {
        const first = Math.max(0, before - limit);
        const items = this.ended.slice(first, before).toReversed();
        return { items, next: first === 0 ? undefined : first };
      },
    };
  }

  /** Numbers that nobody may forward to. */
  readonly forbidden = new Set<string>();
  readonly settings = new Map<string, UserSettings>();

  settable: ReturnType<UserControl["settable"]> = [
    "do-not-disturb",
    "forward-always",
    "forward-busy",
    "forward-no-answer",
  ];

  readonly users: UserControl = {
    settable: () => this.settable,
    all: () => [...USERS.keys()].flatMap((id) => this.users.find(id) ?? []),
    find: (id) => {
      const user = USERS.get(id);
      return user && { id, name: user.name, settings: this.settings.get(id) };
    },
    mayForward: (_id, number) => !this.forbidden.has(number),
    change: (id, change) => {
      this.settings.set(id, change(this.settings.get(id) ?? NOTHING_SET));
      return Promise.resolve(true);
    },
  };

  simulate(query: SimulationQuery): SimulationOutcome {
    this.simulated.push(query);
    return query.to === "nonsense"
      ? { ok: false, message: "to: no number" }
      : { ok: true, result: DECISION };
  }
}

/** Remembers what it was handed, and refuses it in a way of its own. */
export class NotedUpgrades implements SipUpgrade {
  readonly requests: IncomingMessage[] = [];

  handleUpgrade(request: IncomingMessage, socket: Duplex): void {
    this.requests.push(request);
    socket.end("HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\n\r\n");
  }
}

export const USERS: ReadonlyMap<string, WebUser> = new Map([
  ["1001", { id: "1001", name: "Ann Lee", password: "correct horse" }],
  ["1002", { id: "1002", name: "Bob Ray", password: "battery staple" }],
]);

export interface TestServer {
  readonly server: HttpServer;
  readonly gateway: TableGateway;
  readonly upgrades: NotedUpgrades;
  readonly credentials: SessionCredentials;
  readonly port: number;
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly settings: HttpSettings;
}

export type TestServerOptions = Partial<
  Pick<HttpServerOptions, "webRoot" | "tls" | "limits" | "listen" | "logger">
> & {
  readonly settings?: Partial<HttpSettings>;
  readonly clock?: Clock;
  readonly renderMetrics?: () => string;
  readonly sip?: SipUpgrade;
  readonly clientAddress?: ClientAddress;
  readonly passwords?: PasswordCheck;
};

/** A real server on a free port of the loopback address, stopped when the test is over. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const clock = options.clock ?? new SystemClock();
  const gateway = new TableGateway();
  const upgrades = new NotedUpgrades();
  const credentials = new SessionCredentials({ clock });
  const settings: HttpSettings = {
    domain: "voice.example.com",
    isOriginAllowed: createOriginPolicy({}),
    tokens: TOKENS,
    ...options.settings,
  };
  const server = createHttpServer({
    listen: options.listen ?? { host: "127.0.0.1", port: 0 },
    tls: options.tls,
    webRoot: options.webRoot ?? join(tmpdir(), "offhook-no-such-directory"),
    services: {
      gateway,
      users: { find: (id) => USERS.get(id) },
      credentials,
      signInLimit: new AttemptLimit({ clock, maxFailures: 5 }),
      ...(options.passwords === undefined ? {} : { passwords: options.passwords }),
      metrics: { render: options.renderMetrics ?? (() => "offhook_up 1\n") },
    },
    settings,
    sip: options.sip ?? upgrades,
    ...(options.clientAddress === undefined ? {} : { clientAddress: options.clientAddress }),
    clock,
    logger: options.logger ?? silentLogger,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const { port } = await server.start();
  onTestFinished(() => server.stop());
  const scheme = options.tls === undefined ? "http" : "https";
  const url = `${scheme}://127.0.0.1:${port}`;
  return { server, gateway, upgrades, credentials, port, url, settings };
}

/** A directory with these files, removed when the test is over. */
export async function directoryOf(
  files: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "offhook-http-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
  return root;
}

/** Sends octets as they are, and reads until the server closes. */
export function rawRequest(port: number, octets: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => {
      resolve(Buffer.concat(chunks).toString("latin1"));
    });
    socket.write(Buffer.from(octets, "latin1"));
  });
}

/** The status code of a raw answer. */
export function statusOf(answer: string): number {
  return Number(answer.split(" ", 2)[1]);
}

export function bearer(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}

/** The fields of a JSON object; fails on anything else. */
export async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json();
  if (typeof body !== "object" || body === null) throw new Error("the body is no object");
  return Object.fromEntries(Object.entries(body));
}

/** The stable code of an error answer. */
export async function codeOf(response: Response): Promise<unknown> {
  const { error } = await jsonOf(response);
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

export function postJson(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export function liveCall(id: string, startedAt = "2026-11-21T10:00:00.000Z"): CallView {
  return {
    id,
    state: "connected",
    from: { kind: "user", id: "1001", number: "1001" },
    to: "*43",
    route: "echo test",
    startedAt,
    legs: [],
    timeline: [],
  };
}
