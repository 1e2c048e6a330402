import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { findProgram } from "../../scripts/setup/debian-packages.mjs";
import type { SocketAddress } from "../../src/core/address.ts";
import { freePort } from "./ports.ts";
import { Child } from "./process.ts";
import { SipPeer } from "./sip-peer.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

const SNIPPET = join(import.meta.dirname, "../../docs/connect/kamailio/pass-through.cfg");
/** An address of its own: neither the gateway's nor a browser's. */
const HOST = "127.0.3.1";

/** Whether there is a Kamailio on this machine. */
export function hasKamailio(): boolean {
  return findProgram("kamailio") !== undefined;
}

/**
 * Kamailio with the configuration of docs/connect/kamailio.md, at an address of the loopback
 * interface. It keeps contacts in memory: after a restart it knows none.
 */
export class Kamailio implements AsyncDisposable {
  readonly address: SocketAddress;
  readonly #directory: string;
  #child: Child;

  /** @param users more users, each with this password */
  static async start(users: readonly string[] = [], password = ""): Promise<Kamailio> {
    const directory = await makeTemporaryDirectory("kamailio");
    const address = { host: HOST, port: await freePort() };
    const rows = users.map((user) => `\t$sht(password=>${user}) = "${password}";\n`).join("");
    const text = (await readFile(SNIPPET, "utf8"))
      .replaceAll("192.0.2.20:5060", `${address.host}:${address.port}`)
      .replace("voice.example.com", "localhost")
      // Tests have no patience for its 60 seconds.
      .replace(/^modparam\("registrar", "max_expires".*$/m, (line) => {
        return `${line}\nmodparam("registrar", "min_expires", 10)`;
      })
      .replace("event_route[htable:mod-init] {\n", (line) => line + rows);
    await writeFile(join(directory, "kamailio.cfg"), text);
    return new Kamailio(await launch(directory, address), address, directory);
  }

  private constructor(child: Child, address: SocketAddress, directory: string) {
    this.#child = child;
    this.address = address;
    this.#directory = directory;
  }

  get child(): Child {
    return this.#child;
  }

  /** Ends, with all that it knows, and starts again. */
  async restart(): Promise<void> {
    await this.#child.stop("SIGTERM", 3000);
    this.#child = await launch(this.#directory, this.address);
  }

  async stop(): Promise<void> {
    await this.#child.stop("SIGTERM", 3000);
    await removeDirectory(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function launch(directory: string, address: SocketAddress): Promise<Child> {
  const file = join(directory, "kamailio.cfg");
  const args = ["-f", file, "-DD", "-E", "-m", "64", "-Y", directory, "-w", directory];
  const child = await Child.start("kamailio", args, { name: "kamailio" });
  const peer = await SipPeer.udp(address);
  try {
    await waitFor(
      () => {
        if (peer.unread.length > 0) return true;
        const { host } = address;
        const parties = { from: "<sip:test@localhost>;tag=t", to: `<sip:${host}>` };
        peer.request("OPTIONS", { uri: `sip:${host}:${address.port}`, ...parties });
        return undefined;
      },
      {
        what: "Kamailio to answer",
        timeoutMs: 15_000,
        intervalMs: 100,
        detail: () => child.tail(),
      },
    );
  } finally {
    await peer.close();
  }
  return child;
}
