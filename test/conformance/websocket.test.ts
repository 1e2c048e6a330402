import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { parseMessage } from "../../src/signaling/message/parser.ts";
import { serializeMessage } from "../../src/signaling/message/serializer.ts";
import { within } from "../harness/wait.ts";
import { corpus } from "../signaling/message/corpus.ts";
import { buildOptions, exchange } from "./exchange.ts";
import { webSocketLine } from "./line.ts";
import type { Line } from "./line.ts";
import { STANDS, startEngine } from "./stands.ts";
import type { ConformanceEngine } from "./stands.ts";

const FIXTURES = new URL("../fixtures/sip/", import.meta.url);
const HANDSHAKE = readFileSync(new URL("rfc7118/s8.1-f1-http-get-ws-handshake.http", FIXTURES));
const SWITCHING = readFileSync(new URL("rfc7118/s8.1-f2-101-switching-protocols.http", FIXTURES));
const ASKER = { user: "1000", domain: "example.com" };

let subject: ConformanceEngine;

beforeAll(async () => {
  subject = await startEngine(ASKER.domain);
});

afterAll(async () => {
  expect(await subject.stop()).toEqual({ transactions: 0, dialogs: 0 });
});

/** The value of a header line of HTTP. */
function field(text: string, name: string): string | undefined {
  const lines = text.split("\r\n");
  const found = lines.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return found?.slice(found.indexOf(":") + 1).trim();
}

describe("RFC 7118 §8.1 the handshake", () => {
  it("F1 is answered as F2 is", async () => {
    const { port, hostname } = new URL(subject.engine.webSocketUrl);
    const socket = connect({ host: hostname, port: Number(port) });
    const answer = new Promise<string>((resolve, reject) => {
      socket.once("data", (octets) => resolve(octets.toString("latin1")));
      socket.once("error", reject);
    });
    socket.write(HANDSHAKE);
    const text = await within(answer, { what: "the answer to the handshake" });
    const expected = SWITCHING.toString("latin1");
    expect(text.split("\r\n", 1)).toEqual(expected.split("\r\n", 1));
    for (const name of [
      "Upgrade",
      "Connection",
      "Sec-WebSocket-Accept",
      "Sec-WebSocket-Protocol",
    ]) {
      expect(field(text, name)?.toLowerCase()).toBe(field(expected, name)?.toLowerCase());
    }
    socket.destroy();
  });

  it.each(STANDS.filter(({ transport }) => transport !== "TCP"))(
    "F2 is no SIP, and gets no answer over $name",
    async (stand) => {
      const file = {
        file: "rfc7118/s8.1-f2-101-switching-protocols.http",
        octets: SWITCHING,
        outcome: "refuse" as const,
        answers: { trunk: null, browser: null, stranger: null },
      };
      const open = (): Promise<Line> => stand.open(subject, file);
      const line = await open();
      const outcome = await exchange({
        line,
        octets: SWITCHING,
        asker: ASKER,
        isAnswered: false,
        reopen: open,
      });
      await line.close();
      expect(outcome).toMatchObject({ statuses: [], strays: [], isClosed: false });
      expect(outcome.probeStatus).toBe(stand.probeStatus);
    },
  );
});

describe("RFC 7118 §5 one SIP message in one WebSocket message", () => {
  it.each([
    [2, true],
    [2, false],
    [100, true],
    [100, false],
  ])("%i fragments, binary: %s, with pings between them", async (count, binary) => {
    const socket = new WebSocket(subject.engine.webSocketUrl, "sip");
    await new Promise((resolve) => {
      socket.once("open", resolve);
    });
    const answers: string[] = [];
    const answered = new Promise<void>((resolve) => {
      socket.on("message", (data) => {
        if (!Buffer.isBuffer(data)) throw new Error("no buffer");
        answers.push(parseMessage(data).callId);
        if (answers.length === 2) resolve();
      });
    });
    const line = await webSocketLine(subject.engine.webSocketUrl);
    const [first, second] = [buildOptions(line, ASKER), buildOptions(line, ASKER)];
    await line.close();
    const octets = serializeMessage(first);
    const size = Math.ceil(octets.length / count);
    for (let start = 0; start < octets.length; start += size) {
      const fin = start + size >= octets.length;
      socket.send(octets.subarray(start, start + size), { fin, binary });
      // RFC 6455 §5.4: control frames may stand between fragments.
      if (start % (10 * size) === 0) socket.ping("between");
    }
    socket.send(serializeMessage(second), { binary });
    await within(answered, { what: "both answers" });
    expect(answers).toEqual([first.callId, second.callId]);
    socket.terminate();
  });
});

describe("names of JavaScript's own in a message", () => {
  it("change nothing outside it", async () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    for (const stand of STANDS) {
      for (const file of corpus("gateway-attacks/inject-1")) {
        const open = (): Promise<Line> => stand.open(subject, file);
        const line = await open();
        const { octets } = file;
        await exchange({ line, octets, asker: ASKER, isAnswered: true, reopen: open });
        await line.close();
        // Else the same branch on another transport would be a retransmission (RFC 3261 §17.2.3).
        subject.engine.clock.advance(40_000);
      }
    }
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });
});
