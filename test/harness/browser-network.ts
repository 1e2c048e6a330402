import { execFile } from "node:child_process";
import { chmod, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { Child } from "./process.ts";
import { makeTemporaryDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

const run = promisify(execFile);

/** The address of the gateway's machine, on no network of the browser's. */
export const GATEWAY_ADDRESS = "10.77.0.1";

/** The two networks that the browser's machine may be in; it begins in the first. */
const NETWORKS = [
  { name: "wifi", router: "10.77.1.1", browser: "10.77.1.2" },
  { name: "lte", router: "10.77.2.1", browser: "10.77.2.2" },
] as const;

/**
 * A machine for the browser, one router away from the gateway's: a network namespace of its own
 * with two interfaces, of which one is up. Needs the privileges that `npm test` has in its own
 * network. All of it ends with the process that holds the namespace.
 */
export class BrowserNetwork implements AsyncDisposable {
  /** Starts Chromium in the browser's network. */
  readonly executable: string;
  readonly #holder: Child;
  readonly #undo: (() => Promise<unknown>)[] = [];
  #current = 0;

  static async start(): Promise<BrowserNetwork> {
    const holder = await Child.start("unshare", ["--net", "sleep", "infinity"]);
    const own = await readlink("/proc/self/ns/net");
    await waitFor(async () => (await readlink(`/proc/${holder.pid}/ns/net`)) !== own, {
      what: "a network namespace for the browser",
    });
    const executable = join(await makeTemporaryDirectory("browser-network"), "chromium");
    await writeFile(
      executable,
      `#!/bin/sh\nexec nsenter --target ${holder.pid} --net -- /usr/bin/chromium "$@"\n`,
    );
    await chmod(executable, 0o755);
    const network = new BrowserNetwork(holder, executable);
    await network.#setUp();
    return network;
  }

  private constructor(holder: Child, executable: string) {
    this.#holder = holder;
    this.executable = executable;
  }

  /** The browser's address now. */
  get address(): string {
    return (NETWORKS[this.#current] ?? NETWORKS[0]).browser;
  }

  /**
   * Leaves one network and joins the other.
   *
   * @param gapMs how long the browser is in none of them; default 0
   */
  async move(gapMs = 0): Promise<void> {
    const from = NETWORKS[this.#current] ?? NETWORKS[0];
    this.#current = 1 - this.#current;
    await this.#inside(["ip", "link", "set", from.name, "down"]);
    if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs));
    await this.#join();
  }

  /**
   * Drops packets that arrive at one of the two machines, until `heal`.
   *
   * @param match of iptables, such as `["-i", "wifi-gw", "-p", "udp"]`
   * @param probability 1 drops all
   */
  async lose(
    at: "gateway" | "browser",
    match: readonly string[],
    probability: number,
  ): Promise<void> {
    const rule = [
      "INPUT",
      ...match,
      ...(probability < 1
        ? ["-m", "statistic", "--mode", "random", "--probability", String(probability)]
        : []),
      "-j",
      "DROP",
    ];
    const iptables = (action: string): Promise<unknown> =>
      at === "gateway"
        ? run("iptables", ["-w", action, ...rule])
        : this.#inside(["iptables", "-w", action, ...rule]);
    await iptables("-A");
    this.#undo.push(() => iptables("-D"));
  }

  /** Takes every rule of `lose` back. */
  async heal(): Promise<void> {
    for (const undo of this.#undo.splice(0)) await undo();
  }

  async stop(): Promise<void> {
    await this.heal();
    await this.#holder.kill();
    await run("ip", ["address", "del", `${GATEWAY_ADDRESS}/32`, "dev", "lo"]).catch(() => {});
    for (const { name } of NETWORKS) {
      await run("ip", ["link", "del", `${name}-gw`]).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #setUp(): Promise<void> {
    await run("ip", ["address", "replace", `${GATEWAY_ADDRESS}/32`, "dev", "lo"]);
    for (const { name, router } of NETWORKS) {
      const peer = ["peer", "name", name, "netns", String(this.#holder.pid)];
      await run("ip", ["link", "add", `${name}-gw`, "type", "veth", ...peer]);
      await run("ip", ["address", "add", `${router}/24`, "dev", `${name}-gw`]);
      await run("ip", ["link", "set", `${name}-gw`, "up"]);
    }
    await this.#inside(["ip", "link", "set", "lo", "up"]);
    await this.#join();
  }

  async #join(): Promise<void> {
    const { name, browser, router } = NETWORKS[this.#current] ?? NETWORKS[0];
    await this.#inside(["ip", "address", "replace", `${browser}/24`, "dev", name]);
    await this.#inside(["ip", "link", "set", name, "up"]);
    await this.#inside(["ip", "route", "replace", "default", "via", router]);
  }

  async #inside(command: readonly string[]): Promise<void> {
    await run("nsenter", ["--target", String(this.#holder.pid), "--net", "--", ...command]);
  }
}
