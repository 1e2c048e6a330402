import { execFileSync } from "node:child_process";
import { type FileHandle, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "vitest";

import { findProgram } from "../../scripts/setup/debian-packages.mjs";
import { freePorts } from "./ports.ts";
import { Child } from "./process.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { generateTone, readWav, type Sound, writeWav } from "./tone.ts";
import { waitFor } from "./wait.ts";

const HOST = "127.0.0.1";

/** Skips a test with its reason where there is no linphone. */
export function skipWithoutLinphone(context: TestContext): void {
  context.skip(
    findProgram("linphonec") === undefined,
    "linphonec is not installed: apt-get install linphone-cli",
  );
}

/**
 * linphone's telephone for a terminal: takes every call, sends a tone and records what it hears. It
 * is told what to do by lines; it has no screen and no sound card.
 */
export class Linphone implements AsyncDisposable {
  readonly child: Child;
  readonly #directory: string;
  readonly #input: FileHandle;
  #calls = 0;

  /** Starts it; it takes calls when this returns. */
  static async start(options: {
    readonly user: string;
    /** Where it listens; on 127.0.0.1. */
    readonly port: number;
    readonly toneHz: number;
  }): Promise<Linphone> {
    const { user, port, toneHz } = options;
    const directory = await makeTemporaryDirectory("linphone");
    const rtp = await freePorts(10, HOST);
    // Where it keeps its databases; it makes no directory itself, and goes no further without.
    await mkdir(join(directory, ".local/share/linphone"), { recursive: true });
    const settings = [
      "[sip]",
      // Without a network beside the loopback interface it would not even listen.
      "auto_net_state_mon=0",
      "use_ipv6=0",
      `sip_port=${port}`,
      "sip_tcp_port=0",
      "sip_tls_port=0",
      `contact="Lin" <sip:${user}@${HOST}:${port}>`,
      "[rtp]",
      `audio_rtp_port=${rtp}-${rtp + 9}`,
      "[video]",
      "enabled=0",
      "capture=0",
      "display=0",
      "automatically_initiate=0",
      "automatically_accept=0",
    ];
    await writeFile(join(directory, "rc"), `${settings.join("\n")}\n`);
    const tone = generateTone({ frequencyHz: toneHz, seconds: 60, sampleRate: 8000 });
    await writeWav(join(directory, "tone.wav"), tone);
    const input = join(directory, "input");
    execFileSync("mkfifo", [input]);
    const child = await Child.start(
      "sh",
      ["-c", 'exec stdbuf -oL linphonec -a -c "$1" <"$2"', "sh", join(directory, "rc"), input],
      { name: "linphone", env: { HOME: directory, XDG_CONFIG_HOME: undefined } },
    );
    const phone = new Linphone(child, directory, await open(input, "w"));
    await phone.#command("soundcard use files");
    await child.waitForLine(
      (line) => line.includes("Using wav files") || undefined,
      "linphone to take its sound from a file",
    );
    await waitFor(async () => (await boundPorts()).includes(port), { what: "linphone to listen" });
    await phone.prepare();
    return phone;
  }

  private constructor(child: Child, directory: string, input: FileHandle) {
    this.child = child;
    this.#directory = directory;
    this.#input = input;
  }

  /** For the next call: its tone from the begin, and a recording of its own. */
  async prepare(): Promise<void> {
    this.#calls += 1;
    await this.#command(`play ${join(this.#directory, "tone.wav")}`);
    await this.#command(`record ${this.#recording}`);
    // What it prints tells that it has come so far.
    const known = this.child.lines.length;
    await this.#command("ports");
    await waitFor(
      () => this.child.lines.slice(known).some((line) => line.includes("audio rtp port")),
      { what: "linphone to be ready", detail: () => this.child.tail() },
    );
  }

  async dial(uri: string): Promise<void> {
    await this.#command(`call ${uri}`);
  }

  /** @param nth of all its calls, from 1; it takes no next one before one has ended */
  async untilCall(nth: number, state: "connected" | "ended"): Promise<void> {
    await this.child.waitForLine(
      (line) => (line.includes(`Call ${nth} with `) && line.includes(` ${state}`)) || undefined,
      `call ${nth} of linphone to have ${state}`,
    );
  }

  async hangUp(): Promise<void> {
    await this.#command("terminate");
  }

  /** What it has heard in its call, which is over. */
  async heard(): Promise<Sound> {
    return await waitFor(() => readWav(this.#recording).catch(() => undefined), {
      what: "linphone's recording",
      detail: () => this.child.tail(),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.child.stop("SIGTERM", 1000);
    await removeDirectory(this.#directory);
  }

  get #recording(): string {
    return join(this.#directory, `heard-${this.#calls}.wav`);
  }

  async #command(text: string): Promise<void> {
    await this.#input.write(`${text}\n`);
  }
}

/** UDP ports that something listens at in this network. */
async function boundPorts(): Promise<readonly number[]> {
  const files = ["/proc/net/udp", "/proc/net/udp6"].map((path) => readFile(path, "utf8"));
  const rows = (await Promise.all(files)).flatMap((text) => text.trim().split("\n").slice(1));
  return rows.map((row) => Number.parseInt(row.trim().split(/\s+/)[1]?.split(":")[1] ?? "", 16));
}
