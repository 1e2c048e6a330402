import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, type TestContext } from "vitest";

import { formatSocketAddress, type SocketAddress } from "../../src/core/address.ts";
import { findChroot } from "../../scripts/setup/chroots.mjs";
import { run } from "../../scripts/setup/progress.mjs";
import type { Gateway } from "./gateway.ts";
import { freePort, freePorts } from "./ports.ts";
import { Child } from "./process.ts";
import { makeTemporaryDirectory, removeDirectory } from "./temporary.ts";
import { generateTone, readWav, type Sound, writeWav } from "./tone.ts";
import { waitFor } from "./wait.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/asterisk");
const SUITE = "forky";

/** What the trunks of one Asterisk differ in: settings of a pjsip endpoint. */
const TRUNKS = {
  /** G.711, digits by RFC 4733. */
  plain: "allow=ulaw,alaw",
  /** G.722 alone. */
  g722: "allow=g722",
  /** Opus first. */
  opus: "allow=opus,ulaw",
  /** Digits as tones in the sound. */
  inband: "allow=ulaw,alaw\ndtmf_mode=inband",
  /** Digits as SIP INFO. */
  info: "allow=ulaw,alaw\ndtmf_mode=info",
  /** SRTP with the keys in the SDP. */
  sdes: "allow=ulaw,alaw\nmedia_encryption=sdes",
  /** Two calls of it that are joined send their media past Asterisk, by re-INVITE. */
  direct: "allow=ulaw,alaw\ndirect_media=yes",
  /** A hold of one side goes on to the other one by re-INVITE instead of as music. */
  hold: "allow=ulaw,alaw\nmoh_passthrough=yes",
  /** Wants session timers, as short as RFC 4028 has them. */
  timed: "allow=ulaw,alaw\ntimers=always\ntimers_sess_expires=90\ntimers_min_se=90",
  /** Passes video on. */
  video: "allow=ulaw,alaw,vp8,h264",
  /** As `direct`; with a media address of its own, Asterisk names that even then. */
  past: "allow=ulaw,alaw\ndirect_media=yes\nmedia_address=\nbind_rtp_to_media_address=no",
} as const;

export type AsteriskTrunk = keyof typeof TRUNKS;

/** Tones that it plays: to who has called, while it holds and before it answers. */
export const ASTERISK_TONE = 600;
export const ASTERISK_MUSIC = 450;

/** Whether there is an Asterisk on this machine. */
export function hasAsterisk(): boolean {
  return findChroot(SUITE) !== undefined;
}

/** Skips a test, or every test from a `beforeEach`, with its reason where there is no Asterisk. */
export function skipWithoutAsterisk(context: TestContext): void {
  context.skip(
    !hasAsterisk(),
    `Asterisk 22 comes out of a chroot of Debian ${SUITE}, which npm test builds as root`,
  );
}

/**
 * One Asterisk for the tests of a `describe`; where there is none they are skipped with the reason.
 *
 * @param more as `Asterisk.start` takes it
 * @returns a function that gives it, and throws before it is there
 */
export function useAsterisk(more?: Readonly<Record<string, string>>): () => Asterisk {
  let asterisk: Asterisk | undefined;
  beforeEach(skipWithoutAsterisk);
  beforeAll(async () => {
    if (hasAsterisk()) asterisk = await Asterisk.start(more);
  });
  afterAll(async () => {
    await asterisk?.stop();
  });
  return () => {
    if (asterisk === undefined) throw new Error("Asterisk is not there yet");
    return asterisk;
  };
}

/**
 * Asterisk 22 as the PBX behind the gateway: the trunks above, each at an address of its own, and
 * the extensions in test/fixtures/asterisk/extensions.conf.
 */
export class Asterisk implements AsyncDisposable {
  readonly child: Child;
  readonly port: number;
  readonly #chroot: string;
  /** Its own directory, as it is named inside the chroot. */
  readonly #inner: string;

  /**
   * Starts it; it takes calls when this returns.
   *
   * @param more text that goes behind the fixture of that name, such as `pjsip.conf`
   * @throws without its chroot
   */
  static async start(more: Readonly<Record<string, string>> = {}): Promise<Asterisk> {
    const chroot = findChroot(SUITE);
    if (chroot === undefined) throw new Error(`no chroot of Debian ${SUITE}`);
    const outer = await makeTemporaryDirectory("asterisk", join(chroot, "tmp"));
    const inner = outer.slice(chroot.length);
    const port = await freePort();
    const rtp = await freePorts(200);
    for (const name of ["etc", "lib", "spool", "run", "log", "data/moh"]) {
      await mkdir(join(outer, name), { recursive: true });
    }
    const tone = { seconds: 30, sampleRate: 8000, amplitude: 0.4 };
    await writeWav(
      join(outer, "data/tone600.wav"),
      generateTone({ ...tone, frequencyHz: ASTERISK_TONE }),
    );
    await writeWav(
      join(outer, "data/moh/tone450.wav"),
      generateTone({ ...tone, seconds: 2, frequencyHz: ASTERISK_MUSIC }),
    );
    await writeConfiguration(
      outer,
      {
        directory: inner,
        modules: await modulesOf(chroot),
        rtp_first: String(rtp),
        rtp_last: String(rtp + 199),
        port: String(port),
      },
      more,
    );
    const child = await Child.start(
      "chroot",
      [chroot, "/usr/sbin/asterisk", "-f", "-C", `${inner}/etc/asterisk.conf`],
      { name: "asterisk" },
    );
    const asterisk = new Asterisk(child, port, chroot, inner);
    await waitFor(async () => (await asterisk.tryCommand("core waitfullybooted")) !== undefined, {
      what: "Asterisk to be up",
      timeoutMs: 30_000,
      intervalMs: 100,
      detail: () => child.tail(),
    });
    return asterisk;
  }

  private constructor(child: Child, port: number, chroot: string, inner: string) {
    this.child = child;
    this.port = port;
    this.#chroot = chroot;
    this.#inner = inner;
  }

  /** Where one of its trunks takes calls. */
  address(trunk: AsteriskTrunk): SocketAddress {
    return { host: hostOf(trunk), port: this.port };
  }

  /** `sip:HOST:PORT` of a trunk, for `trunks.X.peer`. */
  peer(trunk: AsteriskTrunk): string {
    return `sip:${formatSocketAddress(this.address(trunk))}`;
  }

  /** Tells it where the gateway is that 609 and 61x call. */
  async useGateway(gateway: Gateway): Promise<void> {
    await this.command(`dialplan set global GATEWAY ${formatSocketAddress(gateway.sip)}`);
  }

  /**
   * Calls a number through the gateway over one of its trunks, and joins the call, once answered,
   * with an extension of its own.
   */
  async call(
    gateway: Gateway,
    number: string,
    options: { readonly trunk?: AsteriskTrunk; readonly extension?: string } = {},
  ): Promise<void> {
    const uri = `sip:${number}@${formatSocketAddress(gateway.sip)}`;
    await this.command(
      `channel originate PJSIP/${options.trunk ?? "plain"}/${uri} ` +
        `extension ${options.extension ?? "601"}@from-gateway`,
    );
  }

  /** Leaves a message in a mailbox, as its voicemail does; it needs `app_voicemail.so`. */
  async leaveMessage(mailbox: string): Promise<void> {
    const inbox = join(this.#outer, "spool/voicemail/default", mailbox, "INBOX");
    await mkdir(inbox, { recursive: true });
    const tone = generateTone({ seconds: 1, sampleRate: 8000, amplitude: 0.4, frequencyHz: 440 });
    await writeWav(join(inbox, "msg0000.wav"), tone);
    // This is what it counts.
    await writeFile(join(inbox, "msg0000.txt"), "[message]\norigmailbox=2001\nduration=1\n");
  }

  /** Ends every call. */
  async hangUp(): Promise<void> {
    await this.command("channel request hangup all");
  }

  /** A command of its CLI. @returns what it prints @throws when Asterisk does not take it */
  async command(text: string): Promise<string> {
    const output = await this.tryCommand(text);
    if (output === undefined) throw new Error(`asterisk did not take ${text}`);
    return output;
  }

  /** As `command`, but undefined when Asterisk does not answer. */
  async tryCommand(text: string): Promise<string | undefined> {
    const { code, output } = await run("chroot", [
      this.#chroot,
      "/usr/sbin/asterisk",
      "-C",
      `${this.#inner}/etc/asterisk.conf`,
      "-rx",
      text,
    ]);
    return code === 0 ? output : undefined;
  }

  /** Its log so far. */
  async log(): Promise<readonly string[]> {
    return (await readFile(join(this.#outer, "log/full"), "utf8")).split("\n");
  }

  /** The digits that each call to 601 or 602 has read. */
  async allDigits(): Promise<readonly string[]> {
    return (await this.log()).flatMap((line) => /DIGITS (\S*) [A-Z]+$/.exec(line)?.[1] ?? []);
  }

  /** The `nth` (from 0) of `allDigits`, as soon as it is there. */
  async digits(nth: number, timeoutMs = 15_000): Promise<string> {
    return await waitFor(async () => (await this.allDigits())[nth], {
      what: `the digits of call ${nth}`,
      timeoutMs,
      detail: () => this.child.tail(),
    });
  }

  /** What the latest call to 601 has heard: whole once it is over, late while it lasts. */
  async heard(): Promise<Sound> {
    const spool = join(this.#outer, "spool");
    const names = (await readdir(spool)).filter((file) => file.endsWith("-heard.wav"));
    // Names begin with `EPOCH.COUNT` of the channel.
    const [latest] = names.toSorted((one, other) => countOf(other) - countOf(one));
    if (latest === undefined) throw new Error("Asterisk has recorded nothing");
    return await readWav(join(spool, latest));
  }

  async stop(): Promise<void> {
    await this.child.stop("SIGTERM", 2000);
    await removeDirectory(this.#outer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #outer(): string {
    return join(this.#chroot, this.#inner);
  }
}

function countOf(name: string): number {
  return Number(/\.(\d+)-/.exec(name)?.[1]);
}

function hostOf(trunk: AsteriskTrunk): string {
  return `127.0.1.${Object.keys(TRUNKS).indexOf(trunk) + 1}`;
}

async function modulesOf(chroot: string): Promise<string> {
  // Debian names the machine's architecture in it.
  const [triplet] = (await readdir(join(chroot, "usr/lib"))).filter((name) =>
    name.endsWith("-linux-gnu"),
  );
  return `/usr/lib/${triplet}/asterisk/modules`;
}

async function writeConfiguration(
  directory: string,
  values: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>>,
): Promise<void> {
  for (const name of await readdir(FIXTURES)) {
    if (name === "trunk.conf") continue;
    let text = fill(await readFile(join(FIXTURES, name), "utf8"), values);
    if (name === "pjsip.conf") {
      const template = await readFile(join(FIXTURES, "trunk.conf"), "utf8");
      for (const [trunk, settings] of Object.entries(TRUNKS)) {
        const host = hostOf(trunk as AsteriskTrunk);
        const own = { name: trunk, host, host_pattern: host.replaceAll(".", "\\."), settings };
        text += fill(template, { ...values, ...own });
      }
    }
    await writeFile(join(directory, "etc", name), text + (more[name] ?? ""));
  }
  // What Asterisk complains of when it is missing.
  for (const name of ["ccss", "cdr", "cel", "features", "manager", "stasis", "udptl"]) {
    await writeFile(join(directory, "etc", `${name}.conf`), "[general]\n");
  }
  for (const name of ["acl", "codecs", "http", "pjproject"]) {
    await writeFile(join(directory, "etc", `${name}.conf`), "");
  }
}

function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{\{([a-z0-9_]+)\}\}/g, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for {{${name}}} of an Asterisk fixture`);
    return value;
  });
}
