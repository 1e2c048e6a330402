import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { SocketAddress } from "../../src/core/address.ts";
import { type Authority, type Certificate } from "./certificates.ts";
import { freePort } from "./ports.ts";
import { Child } from "./process.ts";
import { SipPeer } from "./sip-peer.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

const CONFIGURATION = join(import.meta.dirname, "../fixtures/kamailio/registrar.cfg");

/**
 * Kamailio of the distribution as a registrar that forks: trunks reach it over TLS with certificates
 * on both sides, telephones over UDP.
 */
export class Kamailio implements AsyncDisposable {
  readonly child: Child;
  readonly host: string;
  /** For trunks. */
  readonly tls: SocketAddress;
  /** For telephones. */
  readonly udp: SocketAddress;
  readonly #directory: string;

  /** @param certificate its own, for the name that trunks check */
  static async start(
    authority: Authority,
    certificate: Certificate,
    host = "127.0.0.6",
  ): Promise<Kamailio> {
    const directory = await makeTemporaryDirectory("kamailio");
    const [udp, tls] = [await freePort(host), await freePort(host)];
    const values: Readonly<Record<string, string | number>> = {
      host,
      udp,
      tls,
      key: certificate.keyPath,
      certificate: certificate.certificatePath,
      ca: authority.caPath,
    };
    const text = await readFile(CONFIGURATION, "utf8");
    const file = join(directory, "kamailio.cfg");
    await writeFile(
      file,
      text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => String(values[name])),
    );
    const child = await Child.start(
      "/usr/sbin/kamailio",
      ["-f", file, "-DD", "-E", "-m", "32", "-M", "8", "-w", directory, "-Y", directory],
      { name: "kamailio", cwd: directory },
    );
    const kamailio = new Kamailio(child, directory, host, udp, tls);
    try {
      await kamailio.#answering();
    } catch (error) {
      await kamailio.stop();
      throw error;
    }
    return kamailio;
  }

  private constructor(child: Child, directory: string, host: string, udp: number, tls: number) {
    this.child = child;
    this.#directory = directory;
    this.host = host;
    this.udp = { host, port: udp };
    this.tls = { host, port: tls };
  }

  /** A telephone that has registered as this user. */
  async telephone(user: string, host: string): Promise<SipPeer> {
    const peer = await SipPeer.udp(this.udp, host);
    const aor = `<sip:${user}@${this.host}>`;
    peer.request("REGISTER", {
      uri: `sip:${this.host}`,
      from: `${aor};tag=telephone`,
      to: aor,
      headers: [
        ["Contact", `<sip:${user}@${peer.sentBy}>`],
        ["Expires", "300"],
      ],
    });
    await peer.expectResponse(200, "REGISTER");
    return peer;
  }

  async stop(): Promise<void> {
    await this.child.stop("SIGTERM");
    await removeDirectory(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Until it answers OPTIONS. */
  async #answering(): Promise<void> {
    const peer = await SipPeer.udp(this.udp, this.host);
    try {
      await waitFor(
        () => {
          if (!this.child.isRunning) throw new Error(`kamailio ended\n${this.child.tail()}`);
          peer.request("OPTIONS", {
            uri: `sip:${this.host}:${this.udp.port}`,
            from: "<sip:test@test>;tag=1",
            to: `<sip:${this.host}>`,
            headers: [],
          });
          return peer.unread.some((message) => message.kind === "response") || undefined;
        },
        { what: "kamailio to answer", intervalMs: 100, detail: () => this.child.tail() },
      );
    } finally {
      await peer.close();
    }
  }
}
