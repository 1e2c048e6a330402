import { accessSync, constants } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "vitest";

import { findProgram } from "../../scripts/setup/debian-packages.mjs";
import type { SocketAddress } from "../../src/core/address.ts";
import { freePort } from "./ports.ts";
import { Child } from "./process.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

/** Its secret in the tests. */
export const DRACHTIO_SECRET = "harness-drachtio-secret";

/**
 * Where it listens. Tests start it themselves, in a network of their own: `DRACHTIO_HOST` is an
 * address of this machine, and says that these tests must run.
 */
const HOST = process.env["DRACHTIO_HOST"] ?? "127.0.0.1";

/** drachtio-server is in no Debian: `DRACHTIO` names its program, or it is in the PATH. */
const program = findDrachtio();
if (program === undefined && process.env["DRACHTIO_HOST"] !== undefined) {
  throw new Error("DRACHTIO_HOST is set, but there is no drachtio: name its program in DRACHTIO");
}

/** Whether tests with drachtio-server can run; see `skipWithoutDrachtio`. */
export const hasDrachtio = program !== undefined;

/** Skips a test where there is no drachtio-server, with the reason. */
export function skipWithoutDrachtio(context: TestContext): void {
  context.skip(
    program === undefined,
    "no drachtio-server: Debian has none; build it and name the program in DRACHTIO",
  );
}

export interface DrachtioOptions {
  /** Where applications connect; default: a free port. */
  readonly adminPort?: number;
  /** Where it speaks SIP over UDP and TCP; default: a free port. */
  readonly sipPort?: number;
}

/** A running drachtio-server. */
export class Drachtio implements AsyncDisposable {
  readonly admin: SocketAddress;
  readonly sip: SocketAddress;
  readonly child: Child;
  readonly #directory: string;

  /** Starts it; applications can connect when this returns. */
  static async start(options: DrachtioOptions = {}): Promise<Drachtio> {
    const directory = await makeTemporaryDirectory("drachtio");
    const { adminPort = await freePort(), sipPort = await freePort() } = options;
    const file = join(directory, "drachtio.conf.xml");
    await writeFile(
      file,
      `<drachtio>
  <admin port="${adminPort}" secret="${DRACHTIO_SECRET}">${HOST}</admin>
  <sip>
    <contacts>
      <contact>sip:${HOST}:${sipPort};transport=udp,tcp</contact>
    </contacts>
  </sip>
  <logging>
    <file><name>${join(directory, "drachtio.log")}</name></file>
    <sofia-loglevel>0</sofia-loglevel>
    <loglevel>notice</loglevel>
  </logging>
</drachtio>
`,
    );
    const child = await Child.start(program ?? "drachtio", ["-f", file], {
      name: "drachtio",
      cwd: directory,
    });
    await waitFor(() => canConnect(child, adminPort), {
      what: "drachtio-server to take applications",
      detail: () => child.tail(),
    });
    return new Drachtio(child, directory, adminPort, sipPort);
  }

  private constructor(child: Child, directory: string, adminPort: number, sipPort: number) {
    this.child = child;
    this.#directory = directory;
    this.admin = { host: HOST, port: adminPort };
    this.sip = { host: HOST, port: sipPort };
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    await this.child.kill();
    await removeDirectory(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

function findDrachtio(): string | undefined {
  const named = process.env["DRACHTIO"];
  if (named === undefined) return findProgram("drachtio");
  try {
    accessSync(named, constants.X_OK);
    return named;
  } catch {
    return undefined;
  }
}

function canConnect(child: Child, port: number): Promise<boolean> {
  if (!child.isRunning) throw new Error(`drachtio-server ended\n${child.tail()}`);
  return new Promise((resolve) => {
    const socket = connect(port, HOST);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
