import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stringify } from "yaml";
import { SystemClock } from "../src/core/clock.ts";
import { silentLogger } from "../src/core/logger.ts";
import { NgClient } from "../src/media/ng-client.ts";
import { Child } from "../test/harness/process.ts";
import { PINNED_NODE_FLAGS } from "../scripts/setup/node-flags.mjs";
import type { LoadCommand, LoadReply } from "./load/generator.ts";
import { cpuMs, pssKilobytes } from "./process-figures.ts";

/** Fixed ports: everything runs in a network namespace of its own. */
const PORTS = {
  trunk: 5080,
  ng: 22222,
  offhook: [8080, 5060],
  kamailio: [8081, 5061],
  "kamailio-same": [8083, 5063],
  floor: [8082, 5062],
} as const;
const START_MS = 20_000;
/** What calls that wait for an answer get to end by themselves. */
const SETTLE_MS = 5000;
/** Sessions that are listed and ended at a time. */
const PAGE = 200;
const MAX_PAGES = 200;
/** Users that both gateways know; not all sign in. */
export const MAX_USERS = 5000;

export type GatewayName = "offhook" | "kamailio" | "kamailio-same" | "floor";

/** A gateway under test. */
export interface GatewayUnderTest {
  /** `floor`: Node alone, with as many packets and nothing else; see floor.ts. */
  readonly name: GatewayName;
  readonly port: number;
  /** Where it takes SIP over UDP. */
  readonly sipPort: number;
  /** Its first process; the others are children of it. */
  readonly pid: number;
  /** CPU time of all its processes so far, in milliseconds. */
  cpuMs(): number;
  /** PSS of all its processes, in kB. */
  pssKilobytes(): number;
  /** A number that it tells about itself, if it does. */
  metric(name: string): Promise<number | undefined>;
}

/** Everything that a measurement needs, up and running. Ends all of it by pid. */
export class Bench implements AsyncDisposable {
  readonly #children: Child[];
  readonly #directory: string;
  /** The callers of each port; one process could not hold the sockets of all. */
  readonly #generators = new Map<number, ChildProcess>();
  readonly #rtpengines: readonly Child[];
  readonly gateways: readonly GatewayUnderTest[];
  readonly trunkPort = PORTS.trunk;

  /** @param options.rtpengines one is enough for 2,000 calls; both gateways use the same ones */
  static async start(options: {
    readonly rtpengines: number;
    readonly gatewayArguments?: readonly string[];
    /** Whether the calls go through Node alone, and through the Kamailio that does it all, too. */
    readonly withAll?: boolean;
  }): Promise<Bench> {
    const directory = await mkdtemp(join(tmpdir(), "offhook-bench-"));
    const children: Child[] = [];
    const start = async (
      name: string,
      command: string,
      args: readonly string[],
    ): Promise<Child> => {
      const child = await Child.start(command, args, { name, cwd: directory });
      children.push(child);
      return child;
    };
    const rtpengines: Child[] = [];
    for (let index = 0; index < options.rtpengines; index += 1) {
      rtpengines.push(await start("rtpengine", "rtpengine", rtpengineArguments(index)));
    }
    await start("sipp", "sipp", sippArguments());
    const nodes = rtpengines.map((_, index) => `udp:127.0.0.1:${PORTS.ng + index}`);
    const kamailio = await start("kamailio", "kamailio", kamailioArguments(nodes, "kamailio"));
    const file = join(directory, "offhook.yaml");
    await writeFile(file, offhookConfiguration(nodes));
    const offhook = await start("offhook", process.execPath, [
      ...PINNED_NODE_FLAGS,
      ...(options.gatewayArguments ?? []),
      join(import.meta.dirname, "../src/main.ts"),
      "run",
      "--config",
      file,
    ]);
    const gateways = [underTest("kamailio", kamailio), underTest("offhook", offhook)];
    if (options.withAll === true) {
      const args = kamailioArguments(nodes, "kamailio-same");
      gateways.push(underTest("kamailio-same", await start("kamailio-same", "kamailio", args)));
      const ports = [...PORTS.floor, PORTS.trunk, PORTS.ng].map(String);
      const script = join(import.meta.dirname, "floor.ts");
      const floor = await start("floor", process.execPath, [
        ...PINNED_NODE_FLAGS,
        script,
        ...ports,
      ]);
      gateways.push(underTest("floor", floor));
    }
    await Promise.all(gateways.map(({ port, name }) => listening(port, name, children)));
    return new Bench({ children, directory, rtpengines, gateways });
  }

  private constructor(parts: {
    readonly children: Child[];
    readonly directory: string;
    readonly rtpengines: readonly Child[];
    readonly gateways: readonly GatewayUnderTest[];
  }) {
    this.#children = parts.children;
    this.#directory = parts.directory;
    this.#rtpengines = parts.rtpengines;
    this.gateways = parts.gateways;
  }

  /** Gives the load generator a command and waits for its end. @throws when it failed */
  async load(command: LoadCommand): Promise<LoadReply> {
    const port = command.do === "options" ? command.port : command.subject.port;
    let generator = this.#generators.get(port);
    if (generator === undefined) {
      generator = fork(join(import.meta.dirname, "load/generator.ts"));
      this.#generators.set(port, generator);
    }
    generator.send(command);
    const [reply] = (await once(generator, "message")) as [LoadReply];
    if (reply.error !== undefined) throw new Error(`The load generator failed: ${reply.error}`);
    return reply;
  }

  /**
   * Ends at rtpengine what calls that came to nothing have left there. A machine that is too busy
   * loses calls by the hundred, and their sessions would slow down whatever is measured next.
   */
  async clear(): Promise<void> {
    await delay(SETTLE_MS);
    for (const index of this.#rtpengines.keys()) {
      const client = new NgClient({
        address: { host: "127.0.0.1", port: PORTS.ng + index },
        clock: new SystemClock(),
        logger: silentLogger,
      });
      try {
        for (let page = 0; page < MAX_PAGES; page += 1) {
          const { calls } = await client.request("list", { limit: PAGE });
          if (!Array.isArray(calls) || calls.length === 0) break;
          await Promise.allSettled(
            calls.map((id) => client.request("delete", { "call-id": String(id) })),
          );
        }
      } finally {
        client.close();
      }
    }
  }

  /** CPU time of everything that this bench runs, itself included, in milliseconds. */
  ownCpuMs(): number {
    return cpuMs(process.pid);
  }

  /** CPU time of rtpengine so far, in milliseconds. */
  rtpengineCpuMs(): number {
    return this.#rtpengines.reduce((sum, child) => sum + cpuMs(child.pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const generator of this.#generators.values()) generator.disconnect();
    await Promise.all(this.#children.toReversed().map((child) => child.stop("SIGTERM", 3000)));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function underTest(name: GatewayName, child: Child): GatewayUnderTest {
  const [port, sipPort] = PORTS[name];
  return {
    name,
    port,
    sipPort,
    pid: child.pid,
    cpuMs: () => cpuMs(child.pid),
    pssKilobytes: () => pssKilobytes(child.pid),
    metric: async (metric) => {
      if (name !== "offhook") return undefined;
      const page = await (
        await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: "close" } })
      ).text();
      const line = page.split("\n").find((text) => text.startsWith(`${metric} `));
      return line === undefined ? undefined : Number(line.slice(metric.length + 1));
    },
  };
}

function rtpengineArguments(index: number): readonly string[] {
  return [
    "--config-file=none",
    "--foreground",
    "--log-stderr",
    "--log-level=4",
    "--table=-1",
    `--interface=127.0.0.${1 + index}`,
    `--listen-ng=127.0.0.1:${PORTS.ng + index}`,
    "--port-min=10000",
    "--port-max=59999",
    // No sound flows: calls must not end for that.
    "--timeout=3600",
    "--silent-timeout=3600",
    "--delete-delay=0",
  ];
}

function sippArguments(): readonly string[] {
  return [
    "-sf",
    join(import.meta.dirname, "sipp/uas.xml"),
    "-i",
    "127.0.0.1",
    "-p",
    String(PORTS.trunk),
    "-nostdin",
    "-l",
    "100000",
    "-buff_size",
    "8000000",
    "-f",
    "60",
  ];
}

function kamailioArguments(
  nodes: readonly string[],
  name: "kamailio" | "kamailio-same",
): readonly string[] {
  const [webSocketPort, sipPort] = PORTS[name];
  return [
    "-DD",
    "-f",
    join(import.meta.dirname, "kamailio/kamailio.cfg"),
    "-Y",
    ".",
    "-m",
    "512",
    "-A",
    `WS_PORT=${webSocketPort}`,
    "-A",
    `SIP_PORT=${sipPort}`,
    "-A",
    `PEER="sip:127.0.0.1:${PORTS.trunk}"`,
    "-A",
    `NG="${nodes.join(" ")}"`,
    "-A",
    `USERS=${MAX_USERS}`,
    ...(name === "kamailio-same" ? ["-A", "SAME_WORK"] : []),
  ];
}

function offhookConfiguration(nodes: readonly string[]): string {
  const [webPort, sipPort] = PORTS.offhook;
  const users = Array.from({ length: MAX_USERS }, (_, index): [string, object] => [
    `u${index}`,
    { name: `User ${index}`, password: `secret-${index}` },
  ]);
  return stringify({
    domain: "bench.example.com",
    http: { listen: `127.0.0.1:${webPort}` },
    sip: { listen: [`udp:127.0.0.1:${sipPort}`] },
    media: { rtpengine: [...nodes] },
    users: Object.fromEntries(users),
    trunks: { trunk: { peer: `sip:127.0.0.1:${PORTS.trunk};transport=udp`, ping: "1h" } },
    dialplan: { country: "DE", routes: [{ name: "out", to: "_+X.", do: { dial: "trunk" } }] },
    limits: {
      "max-calls": 100_000,
      "max-calls-per-user": 1000,
      "max-calls-per-second": 10_000,
      "max-connections-per-second": 10_000,
      // Other programs on the machine must not make it refuse what is to be measured.
      overload: "off",
    },
  });
}

async function listening(port: number, name: string, children: readonly Child[]): Promise<void> {
  const child = children.find((candidate) => candidate.name === name);
  const deadline = performance.now() + START_MS;
  while (!(await canConnect(port))) {
    if (performance.now() > deadline || child?.isRunning !== true) {
      throw new Error(`${name} does not listen on ${port}:\n${child?.tail() ?? ""}`);
    }
    await delay(50);
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
