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
      flags: ["a", "b"],
      limit: 7,
    });
    expect(reply).toEqual({ result: "pong" });
    expect(server.received[0]?.cookie).toHaveLength(36);
    expect(server.received[0]?.body).toBe(
      "d7:call-id1:x7:command5:offer5:flagsl1:a1:be5:limiti7ee",
    );
  });

  it("repeats a command under the same cookie at 250, 750 and 1750 ms, and gives up at 2 s", async () => {
    const clock = new ManualClock();
    const lost = open({ clock }).request("ping");
    lost.catch(() => undefined);
    const arrived = (count: number): Promise<true> =>
      waitFor(() => server.received.length === count && true, { what: `${count} datagrams` });
    await arrived(1);
    clock.advance(249);
    expect(client.counters.resent).toBe(0);
    clock.advance(1);
    await arrived(2);
    clock.advance(500);
    await arrived(3);
    clock.advance(1000);
    await arrived(4);
    clock.advance(249);
    expect(client.inFlight).toBe(1);
    clock.advance(1);
    await expect(lost).rejects.toMatchObject({ code: "ERR_OFFHOOK_MEDIA_UNAVAILABLE" });
    expect(new Set(server.received.map(({ cookie }) => cookie)).size).toBe(1);
    expect(client.counters).toMatchObject({ sent: 1, resent: 3, lost: 1 });
    expect(clock.pendingTimers).toBe(0);
  });

  it("uses a new cookie for every command", async () => {
    server.reply = (cookie) => `${cookie} ${PONG}`;
    open();
    await Promise.all(Array.from({ length: 50 }, () => client.request("ping")));
    expect(new Set(server.received.map(({ cookie }) => cookie)).size).toBe(50);
  });

  it.each([
    ["Failed to parse SDP", "ERR_OFFHOOK_MEDIA_SDP"],
    ["No SDP body in message", "ERR_OFFHOOK_MEDIA_SDP"],
    ["Unknown call-id", "ERR_OFFHOOK_MEDIA_REFUSED"],
    ["Ran out of ports", "ERR_OFFHOOK_MEDIA_REFUSED"],
  ])("turns the error %s into %s", async (reason, code) => {
    server.reply = (cookie) =>
      `${cookie} d12:error-reason${reason.length}:${reason}6:result5:errore`;
    const error = await rejectionOf(open().request("offer"));
    expect(error.code).toBe(code);
    expect(error.message).toContain(reason);
  });

  it("ignores and counts replies that nobody waits for, and broken ones", async () => {
    server.reply = (cookie) => `${cookie} ${PONG}`;
    open();
    await client.request("ping");
    const { cookie = "", port = 0 } = server.received[0] ?? {};
    server.send(`${cookie} ${PONG}`, port);
    server.send("garbage", port);
    server.send(`${cookie} d6:result`, port);
    await waitFor(() => client.counters.strayReplies === 1 && client.counters.brokenReplies === 2, {
      what: "the counters",
      detail: () => JSON.stringify(client.counters),
    });
    await expect(client.request("ping")).resolves.toEqual({ result: "pong" });
  });

  it("takes no reply from another address", async () => {
    const forger = await NgServer.open();
    const pending = open({ timing: { resendAtMs: [], deadlineMs: 300 } }).request("ping");
    await waitFor(() => server.received.length === 1, { what: "the ping" });
    const { cookie = "", port = 0 } = server.received[0] ?? {};
    forger.send(`${cookie} ${PONG}`, port);
    await expect(pending).rejects.toMatchObject({ code: "ERR_OFFHOOK_MEDIA_UNAVAILABLE" });
    forger.close();
  });

  it("bounds the commands in flight, and fails them all when closed", async () => {
    const clock = new ManualClock();
    open({ clock, maxInFlight: 2 });
    const waiting = [client.request("ping"), client.request("ping")];
    await waitFor(() => client.inFlight === 2, { what: "two commands in flight" });
    await expect(client.request("ping")).rejects.toThrow(/2 commands are waiting/);
    client.close();
    for (const command of waiting) await expect(command).rejects.toThrow(/closed/);
    await expect(client.request("ping")).rejects.toThrow(/closed/);
    expect(clock.pendingTimers).toBe(0);
  });

  it("refuses an SDP that fits into no datagram", async () => {
    await expect(open().request("offer", { sdp: "x".repeat(66_000) })).rejects.toMatchObject({
      code: "ERR_OFFHOOK_MEDIA_SDP",
    });
  });

  it("knows the local address toward its rtpengine", async () => {
    await expect(open().localAddress()).resolves.toBe("127.0.0.1");
  });
});

describe("RtpengineNode", () => {
  it("is up from the first pong, down after a ping with all its repeats, and up again", async () => {
    const server = await NgServer.open();
    const clock = new ManualClock();
    const changes: boolean[] = [];
    const node = new RtpengineNode({
      address: { host: "127.0.0.1", port: server.port },
      clock,
      logger: silentLogger,
      onChange: (isUp) => changes.push(isUp),
    });
    const heard = (count: number): Promise<true> =>
      waitFor(() => server.received.length >= count && true, { what: `ping ${count}` });
    server.reply = (cookie) => `${cookie} ${PONG}`;
    await expect(node.start()).resolves.toBe(true);

    server.reply = undefined;
    clock.advance(1000);
    await heard(2);
    clock.advance(1999);
    expect(node.isUp).toBe(true);
    clock.advance(1);
    await waitFor(() => !node.isUp, { what: "down" });

    server.reply = (cookie) => `${cookie} ${PONG}`;
    const before = server.received.length;
    clock.advance(1000);
    await heard(before + 1);
    await waitFor(() => node.isUp, { what: "up" });
    expect(changes).toEqual([true, false, true]);
    node.close();
    expect(clock.pendingTimers).toBe(0);
    server.close();
  });
});
