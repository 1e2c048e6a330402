import { createSocket, type Socket } from "node:dgram";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { NgClient, type NgClientOptions } from "../../src/media/ng-client.ts";
import { RtpengineNode } from "../../src/media/rtpengine-node.ts";
import { ManualClock } from "../harness/manual-clock.ts";
import { waitFor } from "../harness/wait.ts";
import { rejectionOf } from "./rejection.ts";

/** The far end of the ng protocol: what arrives, and a way to reply. */
class NgServer {
  readonly received: { readonly cookie: string; readonly body: string; readonly port: number }[] =
    [];
  readonly #socket: Socket;
  reply: ((cookie: string, body: string) => string | undefined) | undefined;

  static async open(): Promise<NgServer> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => {
      socket.bind(0, "127.0.0.1", resolve);
    });
    return new NgServer(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (octets, from) => {
      const text = octets.toString("utf8");
      const cookie = text.slice(0, text.indexOf(" "));
      const body = text.slice(cookie.length + 1);
      this.received.push({ cookie, body, port: from.port });
      const reply = this.reply?.(cookie, body);
      if (reply !== undefined) this.send(reply, from.port);
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(text: string, port: number): void {
    this.#socket.send(text, port, "127.0.0.1");
  }

  close(): void {
    this.#socket.close();
  }
}

const PONG = "d6:result4:ponge";

describe("NgClient", () => {
  let server: NgServer;
  let client: NgClient;

  function open(options: Partial<NgClientOptions> = {}): NgClient {
    client = new NgClient({
      address: { host: "127.0.0.1", port: server.port },
      clock: new SystemClock(),
      logger: silentLogger,
      ...options,
    });
    return client;
  }

  beforeEach(async () => {
    server = await NgServer.open();
  });
  afterEach(() => {
    client.close();
    server.close();
  });

  it("sends a dictionary under a cookie of 36 characters, without undefined values", async () => {
    server.reply = (cookie) => `${cookie} ${PONG}`;
    const reply = await open().request("offer", {
      "call-id": "x",
      "to-tag": undefined,
      "from-tag": "c",
      flags: ["a", "b"],
      limit: 7,
      sdp: "v=0",
    });
    expect(reply).toEqual({ result: "pong" });
    expect(server.received[0]?.cookie).toHaveLength(36);
    expect(server.received[0]?.body).toBe(
      "d7:call-id1:x7:command5:offer5:flagsl1:a1:be8:from-tag1:c5:limiti7e3:sdp3:v=0e",
    );
  });

  it("repeats a command under the same cookie at 100, 250, 400, … ms, and gives up at 4 s", async () => {
    const clock = new ManualClock();
    const lost = open({ clock }).request("ping", {});
    lost.catch(() => undefined);
    const arrived = (count: number): Promise<true> =>
      waitFor(() => server.received.length === count && true, { what: `${count} datagrams` });
    await arrived(1);
    clock.advance(99);
    expect(client.counters.resent).toBe(0);
    clock.advance(1);
    await arrived(2);
    clock.advance(150);
    await arrived(3);
    for (let step = 0; step < 25; step += 1) clock.advance(150);
    expect(client.inFlight).toBe(0);
    await expect(lost).rejects.toMatchObject({ code: "ERR_OFFHOOK_MEDIA_UNAVAILABLE" });
    await arrived(27);
    expect(new Set(server.received.map(({ cookie }) => cookie)).size).toBe(1);
    expect(client.counters).toMatchObject({ sent: 1, resent: 26, lost: 1 });
    expect(clock.pendingTimers).toBe(0);
  });

  it("repeats later what a busy rtpengine is about to answer", async () => {
    const clock = new ManualClock();
    open({ clock });
    const arrived = (count: number): Promise<true> =>
      waitFor(() => server.received.length === count && true, { what: `${count} datagrams` });
    // Each is answered after 60 ms.
    for (let round = 0; round < 3; round += 1) {
      const replies = Array.from({ length: 20 }, () => client.request("ping", {}));
      await arrived(20 * (round + 1));
      clock.advance(60);
      for (const { cookie, port } of server.received.slice(-20)) {
        server.send(`${cookie} ${PONG}`, port);
      }
      await Promise.all(replies);
    }
    expect(client.takeDelayMs()).toBe(60);
    expect(client.takeDelayMs()).toBe(0);
    const late = client.request("ping", {});
    await arrived(61);
    clock.advance(219);
    expect(client.counters.resent).toBe(0);
    clock.advance(1);
    expect(client.counters.resent).toBe(1);
    await arrived(62);
    // But it is given up as early as ever.
    clock.advance(3779);
    expect(client.inFlight).toBe(1);
    clock.advance(1);
    expect(client.inFlight).toBe(0);
    await expect(late).rejects.toMatchObject({ code: "ERR_OFFHOOK_MEDIA_UNAVAILABLE" });
    expect(clock.pendingTimers).toBe(0);
  });

  it("tells how long its commands wait, also before any is answered, and not of one that was lost", async () => {
    const clock = new ManualClock();
    open({ clock });
    const lost = client.request("ping", {});
    lost.catch(() => undefined);
    await waitFor(() => server.received.length === 1 && true, { what: "the first command" });
    clock.advance(900);
    expect(client.takeDelayMs()).toBe(0);
    const others = Array.from({ length: 15 }, () => client.request("ping", {}));
    for (const other of others) other.catch(() => undefined);
    await waitFor(() => client.inFlight === 16 && true, { what: "16 commands" });
    clock.advance(250);
    expect(client.takeDelayMs()).toBe(250);
    client.abandon("the test is over");
  });

  it("uses a new cookie for every command", async () => {
    server.reply = (cookie) => `${cookie} ${PONG}`;
    open();
    await Promise.all(Array.from({ length: 50 }, () => client.request("ping", {})));
    expect(new Set(server.received.map(({ cookie }) => cookie)).size).toBe(50);
  });

  it.each([
    ["Failed to parse SDP", "ERR_OFFHOOK_MEDIA_SDP"],
    ["No SDP body in message", "ERR_OFFHOOK_MEDIA_SDP"],
    ["Unknown call-id", "ERR_OFFHOOK_MEDIA_UNKNOWN_CALL"],
    ["Ran out of ports", "ERR_OFFHOOK_MEDIA_REFUSED"],
  ])("turns the error %s into %s", async (reason, code) => {
    server.reply = (cookie) =>
      `${cookie} d12:error-reason${reason.length}:${reason}6:result5:errore`;
    const error = await rejectionOf(
      open().request("offer", { "call-id": "x", "from-tag": "a", sdp: "v=0" }),
    );
    expect(error.code).toBe(code);
    expect(error.message).toContain(reason);
  });

  it("ignores and counts replies that nobody waits for, and broken ones", async () => {
    server.reply = (cookie) => `${cookie} ${PONG}`;
    open();
    await client.request("ping", {});
    const { cookie = "", port = 0 } = server.received[0] ?? {};
    server.send(`${cookie} ${PONG}`, port);
    server.send("garbage", port);
    server.send(`${cookie} d6:result`, port);
    await waitFor(() => client.counters.strayReplies === 1 && client.counters.brokenReplies === 2, {
      what: "the counters",
      detail: () => JSON.stringify(client.counters),
    });
    await expect(client.request("ping", {})).resolves.toEqual({ result: "pong" });
  });

  it("takes no reply from another address", async () => {
    const forger = await NgServer.open();
    const pending = open({ timing: { resendAtMs: [], deadlineMs: 300 } }).request("ping", {});
    await waitFor(() => server.received.length === 1, { what: "the ping" });
    const { cookie = "", port = 0 } = server.received[0] ?? {};
    forger.send(`${cookie} ${PONG}`, port);
    await expect(pending).rejects.toMatchObject({ code: "ERR_OFFHOOK_MEDIA_UNAVAILABLE" });
    forger.close();
  });

  it("bounds the commands in flight, and fails them all when closed", async () => {
    const clock = new ManualClock();
    open({ clock, maxInFlight: 2 });
    const waiting = [client.request("ping", {}), client.request("ping", {})];
    await waitFor(() => client.inFlight === 2, { what: "two commands in flight" });
    await expect(client.request("ping", {})).rejects.toThrow(/2 commands are waiting/);
    client.close();
    for (const command of waiting) await expect(command).rejects.toThrow(/closed/);
    await expect(client.request("ping", {})).rejects.toThrow(/closed/);
    expect(clock.pendingTimers).toBe(0);
  });

  it("refuses an SDP that fits into no datagram", async () => {
    await expect(
      open().request("offer", { "call-id": "x", "from-tag": "a", sdp: "x".repeat(66_000) }),
    ).rejects.toMatchObject({
      code: "ERR_OFFHOOK_MEDIA_SDP",
    });
  });

  it("knows the local address toward its rtpengine", async () => {
    await expect(open().localAddress()).resolves.toBe("127.0.0.1");
  });
});

/** A reply to `statistics` of a process that has lived for so many seconds. */
function statistics(uptime: number): string {
  const text = String(uptime);
  return `d6:result2:ok10:statisticsd15:totalstatisticsd6:uptime${text.length}:${text}eee`;
}

describe("RtpengineNode", () => {
  let server: NgServer;
  let clock: ManualClock;
  let node: RtpengineNode;
  let events: string[];
  const heard = (count: number): Promise<true> =>
    waitFor(() => server.received.length >= count && true, { what: `datagram ${count}` });
  const answerAs = (uptime: number) => (cookie: string, body: string) =>
    `${cookie} ${body.includes("statistics") ? statistics(uptime) : PONG}`;

  beforeEach(async () => {
    server = await NgServer.open();
    clock = new ManualClock();
    events = [];
    node = new RtpengineNode({
      address: { host: "127.0.0.1", port: server.port },
      clock,
      logger: silentLogger,
      handler: {
        onChange: (_node, isUp) => events.push(isUp ? "up" : "down"),
        onRestarted: () => events.push("restarted"),
      },
    });
  });
  afterEach(() => {
    node.close();
    expect(clock.pendingTimers).toBe(0);
    server.close();
  });

  it("is up from the first pong, down within a second of silence, and up again", async () => {
    server.reply = answerAs(7);
    await expect(node.start()).resolves.toBe(true);

    server.reply = undefined;
    const before = server.received.length;
    clock.advance(200);
    await heard(before + 1);
    clock.advance(749);
    expect(node.isUp).toBe(true);
    clock.advance(1);
    await waitFor(() => !node.isUp, { what: "down" });

    server.reply = answerAs(8);
    clock.advance(200);
    await waitFor(() => node.isUp, { what: "up" });
    expect(events).toEqual(["up", "down", "up"]);
  });

  it("notices between two pings that its process is another one", async () => {
    server.reply = answerAs(100);
    await node.start();
    server.reply = answerAs(0);
    for (let ping = 0; ping < 8 && events.length < 2; ping += 1) {
      const before = server.received.length;
      clock.advance(200);
      await heard(before + 1);
      await waitFor(() => clock.pendingTimers > 0, { what: "the next ping's timer" });
    }
    expect(events).toEqual(["up", "restarted"]);
  });

  it("is down at once when its port is closed", async () => {
    server.reply = answerAs(100);
    await node.start();
    const { port } = server;
    server.close();
    clock.advance(200);
    await waitFor(() => !node.isUp, { what: "down" });
    expect(events).toEqual(["up", "down"]);
    server = await NgServer.open();
    expect(server.port).not.toBe(port);
  });

  it("deletes calls that were moved away while it was silent", async () => {
    server.reply = answerAs(7);
    await node.start();
    server.reply = undefined;
    const before = server.received.length;
    clock.advance(200);
    await heard(before + 1);
    clock.advance(750);
    await waitFor(() => !node.isUp, { what: "down" });
    node.bury("left-behind");
    server.reply = answerAs(8);
    clock.advance(200);
    await waitFor(
      () =>
        server.received.some(({ body }) => body.includes("delete") && body.includes("left-behind")),
      { what: "the delete" },
    );
  });
});
