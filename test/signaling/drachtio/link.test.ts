import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { FrameReader } from "../../../src/signaling/drachtio/frames.ts";
import type { SipEvent } from "../../../src/signaling/drachtio/frames.ts";
import { Link } from "../../../src/signaling/drachtio/link.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { Inbox } from "../../harness/signaling-engine.ts";

interface Command {
  readonly id: string;
  readonly text: string;
  /** Commands without a reply when it came, itself among them. */
  readonly open: number;
  /** One of those before it was a long one. */
  readonly isBehindLong: boolean;
}

const LISTENS = "udp/192.0.2.10:5060,tcp/192.0.2.10:5060";
const LONG = 3500;

/** Speaks the server's side of the connection as a test wants it. */
class ScriptedServer {
  readonly commands = new Inbox<Command>();
  readonly sockets = new Inbox<Socket>();
  /** Replies by itself to everything but what the test keeps. */
  isReplying = true;
  answerToSecret = `OK|${LISTENS}|v0.9.10|${LISTENS}`;
  readonly #server: Server;
  readonly #open = new Map<string, number>();
  #socket: Socket | undefined;

  static async start(): Promise<ScriptedServer> {
    const own = new ScriptedServer();
    await new Promise<void>((resolve) => {
      own.#server.listen(0, "127.0.0.1", resolve);
    });
    return own;
  }

  private constructor() {
    this.#server = createServer((socket) => {
      this.#socket = socket;
      this.#open.clear();
      const reader = new FrameReader((frame) => this.#take(frame.toString("utf8")));
      socket.on("data", (chunk: Buffer) => reader.push(chunk));
      socket.on("error", () => {});
      this.sockets.push(socket);
    });
  }

  get port(): number {
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? bound.port : 0;
  }

  send(text: string): void {
    this.#socket?.write(`${Buffer.byteLength(text)}#${text}`);
  }

  sendOctets(text: string): void {
    this.#socket?.write(text);
  }

  reply(id: string, outcome = "OK"): void {
    this.#open.delete(id);
    this.send(`u|response|${id}|${outcome}`);
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #take(frame: string): void {
    const bar = frame.indexOf("|");
    const [id, text] = [frame.slice(0, bar), frame.slice(bar + 1)];
    const isBehindLong = [...this.#open.values()].some((length) => length > LONG);
    this.#open.set(id, text.length);
    this.commands.push({ id, text, open: this.#open.size, isBehindLong });
    if (text.startsWith("authenticate")) this.reply(id, this.answerToSecret);
    else if (this.isReplying) setImmediate(() => this.reply(id));
  }
}

let server: ScriptedServer;
let clock: ManualClock;
let link: Link;
let events: Inbox<string>;
let sip: Inbox<SipEvent>;

beforeEach(async () => {
  server = await ScriptedServer.start();
  clock = new ManualClock();
  events = new Inbox();
  sip = new Inbox();
  link = new Link({
    clock,
    logger: silentLogger,
    server: { host: "127.0.0.1", port: server.port, secret: "hush" },
    random: () => 0.5,
    handler: {
      onUp: () => events.push("up"),
      onTried: () => events.push("tried"),
      onDown: (_link, reason) => events.push(`down: ${reason}`),
      onSip: (_link, event) => sip.push(event),
    },
  });
  link.start();
});

afterEach(async () => {
  link.stop();
  await server.stop();
  expect(clock.pendingTimers).toBe(0);
});

/** The next commands, up to and with the one that begins so. */
async function until(begin: string): Promise<readonly Command[]> {
  const all: Command[] = [];
  for (;;) {
    const command = await server.commands.next(begin);
    all.push(command);
    if (command.text.startsWith(begin)) return all;
  }
}

describe("the connection to drachtio-server", () => {
  it("shows its secret, asks for requests, and knows where the server listens", async () => {
    expect(await events.next()).toBe("up");
    const [first, ...routes] = await until("route|register");
    expect(first?.text).toBe("authenticate|hush|");
    expect(routes.map(({ text }) => text)).toContain("route|invite");
    expect(link.listens.get("UDP")).toEqual({ host: "192.0.2.10", port: 5060 });
    expect(link.listens.has("TLS")).toBe(false);
    expect(link.version).toBe("v0.9.10");
    server.send("u|sip|network|9|udp|192.0.2.7|5066|10:00|t1||\r\nOPTIONS sip:a SIP/2.0\r\n\r\n");
    expect((await sip.next()).transactionId).toBe("t1");
  });

  it("has a long command on the way alone, whatever waits", async () => {
    await events.next();
    await until("route|register");
    const replies = new Inbox<boolean>();
    const texts = Array.from({ length: 30 }, (_, index) =>
      `sip||| ${index}`.padEnd(index % 3 === 0 ? 6000 : 100, "x"),
    );
    for (const text of texts) link.send(text, (reply) => replies.push(reply?.isOk ?? false));
    const seen: Command[] = [];
    for (const _ of texts) {
      expect(await replies.next()).toBe(true);
      seen.push(await server.commands.next());
    }
    expect(seen.map(({ text }) => text)).toEqual(texts);
    for (const { text, open, isBehindLong } of seen) {
      expect(isBehindLong).toBe(false);
      if (text.length > LONG) expect(open).toBe(1);
    }
  });

  it("comes again when the server lost its place in the frames, and fails what was open", async () => {
    await events.next();
    await until("route|register");
    server.isReplying = false;
    const outcome = new Promise<boolean>((resolve) => {
      link.send("sip||| open", (reply) => resolve(reply !== undefined));
    });
    await until("sip");
    server.sendOctets("this is no frame#");
    expect(await outcome).toBe(false);
    expect(await events.next()).toMatch(/^down/);
    expect(link.isUp).toBe(false);
    expect(link.send("sip||| later")).toBe(false);
    server.isReplying = true;
    clock.advance(250);
    expect(await events.next()).toBe("up");
  });

  it("gives a server up that leaves a command unanswered for 8 s", async () => {
    await events.next();
    await until("route|register");
    server.isReplying = false;
    link.send("sip||| open");
    await until("sip");
    clock.advance(12_000);
    expect(await events.next()).toBe("down: drachtio-server does not answer");
    expect(link.isUp).toBe(false);
  });

  it("asks a quiet server whether it lives", async () => {
    await events.next();
    // Once this one has its reply, so have all before it.
    await new Promise<void>((resolve) => {
      link.send("sip||| x", () => resolve());
    });
    clock.advance(20_000);
    await until("ping");
  });
});

describe("a drachtio-server that is not ready", () => {
  it.each([
    ["refuses the secret", "NOK|incorrect secret"],
    ["listens nowhere yet", "OK||v0.9.10|"],
  ])("%s: it is tried again, less and less often", async (_what, answer) => {
    await events.next();
    server.answerToSecret = answer;
    (await server.sockets.next()).destroy();
    expect(await events.next()).toMatch(/^down/);
    // Half of the back-off for sure, half of it by chance.
    for (const waitMs of [188, 375, 750]) {
      expect(clock.nextTimerMs).toBeCloseTo(waitMs, -1);
      clock.advance(waitMs + 1);
      expect(await events.next()).toBe("tried");
    }
    server.answerToSecret = `OK|${LISTENS}|v0.9.10|${LISTENS}`;
    clock.advance(2000);
    expect(await events.next()).toBe("up");
  });
});
