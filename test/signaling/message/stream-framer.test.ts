import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamFramer } from "../../../src/signaling/message/stream-framer.ts";
import type { StreamPiece } from "../../../src/signaling/message/stream-framer.ts";
import { tryParseMessage } from "../../../src/signaling/message/parser.ts";
import { corpus } from "./corpus.ts";

/** What a framer makes of chunks, runs of line breaks joined: a chunk's border may part them. */
function cut(chunks: Iterable<Buffer>, maxOctets?: number): StreamPiece[] {
  const framer = new StreamFramer(maxOctets === undefined ? {} : { maxOctets });
  const pieces: StreamPiece[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let piece = framer.next(); piece !== undefined; piece = framer.next()) {
      const last = pieces.at(-1);
      if (piece.kind === "line-breaks" && last?.kind === "line-breaks") {
        pieces.pop();
        pieces.push({ kind: "line-breaks", count: last.count + piece.count });
      } else {
        pieces.push(piece);
      }
    }
  }
  return pieces;
}

/** The same with octets as text, for comparing. */
function shown(pieces: readonly StreamPiece[]) {
  return pieces.map((piece) =>
    piece.kind === "line-breaks" ? piece : { ...piece, octets: piece.octets.toString("latin1") },
  );
}

function* bytesOf(octets: Buffer): Iterable<Buffer> {
  for (let index = 0; index < octets.length; index += 1) yield octets.subarray(index, index + 1);
}

function chunksOf(octets: Buffer, cuts: readonly number[]): Buffer[] {
  const sorted = [0, ...cuts.map((at) => at % (octets.length + 1)), octets.length].toSorted(
    (a, b) => a - b,
  );
  return sorted.slice(1).map((end, index) => octets.subarray(sorted[index], end));
}

const HEAD = [
  "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1",
  "From: <sip:a@b>;tag=1",
  "To: <sip:c@d>",
  "Call-ID: x",
  "CSeq: 1 OPTIONS",
];

function message(lines: readonly string[], body = ""): Buffer {
  return Buffer.from(
    ["OPTIONS sip:c@d SIP/2.0", ...HEAD, ...lines, "", body].join("\r\n"),
    "latin1",
  );
}

function sized(body = ""): Buffer {
  return message([`Content-Length: ${Buffer.byteLength(body, "latin1")}`], body);
}

describe("RFC 3261 §18.3 framing on a stream", () => {
  it("cuts messages out, with and without body, one after another", () => {
    const first = sized("v=0\r\n\r\nno: head\r\n\r\n");
    const second = sized();
    const pieces = cut([Buffer.concat([first, second, first])]);
    expect(shown(pieces)).toEqual(
      [first, second, first].map((octets) => ({
        kind: "message",
        octets: octets.toString("latin1"),
      })),
    );
  });

  it.each([
    ["compact", "l: 4"],
    ["upper case", "CONTENT-LENGTH: 4"],
    ["blanks before the colon", "Content-Length \t : 4"],
    ["folded", "Content-Length:\r\n  4"],
    ["leading zeros", "Content-Length: 0004"],
  ])("reads the length: %s", (_what, line) => {
    const octets = Buffer.concat([message([line, "Subject: x"], "abcd"), sized()]);
    expect(cut([octets]).map(({ kind }) => kind)).toEqual(["message", "message"]);
    expect(cut(bytesOf(octets)).map(({ kind }) => kind)).toEqual(["message", "message"]);
  });

  it("does not look for the length in other fields, the body or folded lines", () => {
    const lines = ["Subject: a", " Content-Length: 99", "X-Content-Length: 7", "Content-Length: 3"];
    const pieces = cut([message(lines, "l:9")]);
    expect(pieces).toHaveLength(1);
    expect(pieces[0]?.kind).toBe("message");
  });

  const FAULTS: readonly (readonly [what: string, lines: readonly string[], status: number])[] = [
    ["missing", [], 400],
    ["negative", ["Content-Length: -1"], 400],
    ["signed", ["Content-Length: +4"], 400],
    ["hexadecimal", ["Content-Length: 0x4"], 400],
    ["a list", ["Content-Length: 4, 4"], 400],
    ["a fraction", ["Content-Length: 4.0"], 400],
    ["empty", ["Content-Length:"], 400],
    ["digits of another script", ["Content-Length: \u00b2"], 400],
    ["twice", ["Content-Length: 4", "Content-Length: 4"], 400],
    ["twice, once compact", ["l: 4", "Content-Length: 0"], 400],
    ["huge", [`Content-Length: ${"9".repeat(30)}`], 400],
    ["2^63", ["Content-Length: 9223372036854775808"], 400],
    ["more than we take", ["Content-Length: 100000"], 513],
    ["behind a bare LF", ["Subject: a\nContent-Length: 0", "Content-Length: 4"], 400],
    ["behind a bare CR", ["Subject: a\rContent-Length: 0", "Content-Length: 4"], 400],
    ["behind a broken name", ["Content Length: 0", "Content-Length: 4"], 400],
    ["behind a line without colon", ["Content-Length", "Content-Length: 4"], 400],
  ];

  it.each(FAULTS)("ends the stream: Content-Length %s", (_what, lines, status) => {
    const head = message(lines);
    const octets = Buffer.concat([head, sized(), sized()]);
    for (const pieces of [cut([octets]), cut(bytesOf(octets))]) {
      expect(pieces).toHaveLength(1);
      expect(pieces[0]).toMatchObject({ kind: "fault", status });
      expect(shown(pieces)[0]).toMatchObject({ octets: head.toString("latin1") });
    }
  });

  it.each([
    ["a TLS hello", Buffer.from("1603010200010001fc0303", "hex")],
    ["a space", Buffer.from(" OPTIONS sip:a SIP/2.0\r\n")],
    ["a bare LF", Buffer.from("\nOPTIONS sip:a SIP/2.0\r\n")],
    ["a CR alone", Buffer.from("\r\n\rOPTIONS")],
    ["a NUL", Buffer.alloc(4)],
  ])("ends the stream at once: %s", (_what, octets) => {
    expect(cut([octets]).at(-1)).toMatchObject({ kind: "fault", status: 400 });
    expect(cut(bytesOf(octets)).at(-1)).toMatchObject({ kind: "fault", status: 400 });
  });

  it("takes a head up to the limit and no further, however it comes", () => {
    const room = 4096;
    const padded = (length: number): Buffer => {
      const bare = message(["Content-Length: 0", "X: "]).length;
      return message(["Content-Length: 0", `X: ${"y".repeat(length - bare)}`]);
    };
    for (const feed of [(octets: Buffer) => [octets], bytesOf]) {
      expect(cut(feed(padded(room)), room)[0]?.kind).toBe("message");
      expect(cut(feed(padded(room + 1)), room)[0]).toMatchObject({ kind: "fault", status: 513 });
    }
    const endless = Buffer.alloc(3 * room, "x");
    const [fault] = cut([endless], room);
    expect(fault).toMatchObject({ kind: "fault", status: 513 });
    if (fault?.kind === "fault") expect(fault.octets.length).toBe(room);
  });

  it("takes no octet after a fault", () => {
    const framer = new StreamFramer();
    framer.push(message([]));
    expect(framer.next()?.kind).toBe("fault");
    framer.push(sized());
    expect(framer.next()).toBeUndefined();
    expect(framer.isMidMessage).toBe(false);
  });

  it("says when a message has begun, and gives it up on demand", () => {
    const framer = new StreamFramer();
    framer.push(Buffer.from("\r\n\r\n"));
    expect(framer.next()).toEqual({ kind: "line-breaks", count: 2 });
    expect([framer.begun, framer.isMidMessage]).toEqual([0, false]);
    framer.push(Buffer.concat([sized(), Buffer.from("OPT")]));
    expect(framer.next()?.kind).toBe("message");
    expect(framer.next()).toBeUndefined();
    expect([framer.begun, framer.isMidMessage]).toEqual([2, true]);
    expect(framer.expire("late")).toMatchObject({ kind: "fault", status: 400, reason: "late" });
    expect(framer.next()).toBeUndefined();
  });
});

describe("RFC 5626 §3.5.1 line breaks between messages", () => {
  it("counts them across chunks", () => {
    const octets = Buffer.concat([
      Buffer.from("\r\n"),
      sized(),
      Buffer.from("\r\n\r\n"),
      sized("x"),
      Buffer.from("\r\n"),
    ]);
    const counts = [1, "message", 2, "message", 1];
    for (const pieces of [cut([octets]), cut(bytesOf(octets))]) {
      expect(pieces.map((piece) => ("count" in piece ? piece.count : piece.kind))).toEqual(counts);
    }
  });
});

describe("every boundary", () => {
  const messages = corpus().filter(
    ({ file, octets }) =>
      !file.startsWith("gateway-attacks/") && octets.includes("\r\n\r\n", 0, "latin1"),
  );

  it("has the torture messages to cut", () => {
    expect(messages.filter(({ file }) => file.startsWith("rfc4475/")).length).toBeGreaterThan(45);
    expect(messages.length).toBeGreaterThan(200);
  });

  it.each(corpus("rfc4475/").map((entry) => [entry.file, entry] as const))(
    "does not matter: %s, octet by octet",
    (_file, { octets }) => {
      const stream = Buffer.concat([octets, sized()]);
      expect(shown(cut(bytesOf(stream)))).toEqual(shown(cut([stream])));
    },
  );

  it("does not matter: all messages of the corpus at random cuts", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...corpus()), { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(200_000), { maxLength: 12 }),
        (entries, cuts) => {
          const stream = Buffer.concat(entries.map(({ octets }) => octets));
          expect(shown(cut(chunksOf(stream, cuts)))).toEqual(shown(cut([stream])));
        },
      ),
      { numRuns: 400 },
    );
  });

  it("never takes the parser another message than the framer cut", () => {
    for (const { octets } of corpus()) {
      for (const piece of cut([octets])) {
        if (piece.kind !== "message") continue;
        const parsed = tryParseMessage(piece.octets, { stream: true });
        if (!("kind" in parsed)) expect(parsed.code).not.toBe("ERR_OFFHOOK_SIP_CONTENT_LENGTH");
      }
    }
  });

  it("survives random octets", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (chunks) => {
        cut(chunks.map((chunk) => Buffer.from(chunk)));
      }),
      { numRuns: 300 },
    );
  });
});

describe("cost", () => {
  it("grows with the octets, not with their square", () => {
    const timeOf = (octets: Buffer): number => {
      const start = performance.now();
      cut(bytesOf(octets));
      return performance.now() - start;
    };
    const small = message(["Content-Length: 0", `X: ${"y".repeat(6000)}`]);
    const large = message(["Content-Length: 0", `X: ${"y".repeat(60_000)}`]);
    timeOf(small);
    const best = (octets: Buffer): number => Math.min(...[1, 2, 3].map(() => timeOf(octets)));
    // Ten times the octets: a square would take a hundred times as long.
    expect(best(large)).toBeLessThan(Math.max(best(small), 0.5) * 40);
  });
});
