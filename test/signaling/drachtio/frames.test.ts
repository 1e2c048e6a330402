import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader, readFrame, transactionIdOf } from "../../../src/signaling/drachtio/frames.ts";

/** What came out of these octets, cut into chunks of so many. */
function framesOf(octets: Buffer, chunk: number): { readonly frames: string[]; isGood: boolean } {
  const frames: string[] = [];
  const reader = new FrameReader((frame) => frames.push(frame.toString("utf8")));
  let isGood = true;
  for (let at = 0; at < octets.length; at += chunk) {
    isGood = reader.push(octets.subarray(at, at + chunk)) && isGood;
  }
  return { frames, isGood };
}

function framed(texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${Buffer.byteLength(text)}#${text}`).join(""));
}

describe("frames of drachtio-server", () => {
  it("are cut by octets, however they arrive", () => {
    const text = fc.string({ minLength: 1, maxLength: 300, unit: "grapheme" });
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        (all, chunk) => {
          expect(framesOf(framed(all), chunk)).toEqual({ frames: all, isGood: true });
        },
      ),
    );
  });

  it.each(["x#abc", "#abc", "0#", "1234567#", "-1#a", "12", "9999999"])(
    "%j: what can be none is said to be none, now and later",
    (text) => {
      const reader = new FrameReader(() => {});
      const isGood = reader.push(Buffer.from(text));
      // `12` may become one.
      expect(isGood).toBe(text === "12");
      if (!isGood) expect(reader.push(Buffer.from("1#a"))).toBe(false);
    },
  );

  it("of any octets are frames or none, never exceptions", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 500 }),
        fc.integer({ min: 1, max: 20 }),
        (octets, n) => {
          framesOf(Buffer.from(octets), n);
          readFrame(Buffer.from(octets));
        },
      ),
    );
  });
});

describe("what a frame says", () => {
  it("a request from the network, with where it came from", () => {
    const lead = "u1|sip|network|512|udp|192.0.2.7|5066|10:00:00.000001|t1|c1;from-tag=a|";
    expect(readFrame(Buffer.from(`${lead}\r\nBYE sip:a@b SIP/2.0\r\n\r\n`))).toEqual({
      kind: "sip",
      source: "network",
      octets: 512,
      protocol: "udp",
      remote: { host: "192.0.2.7", port: 5066 },
      transactionId: "t1",
      dialogId: "c1;from-tag=a",
      message: Buffer.from("BYE sip:a@b SIP/2.0\r\n\r\n"),
    });
  });

  it("what became of a command, with the server's id of its transaction", () => {
    const text = "u2|response|id7|OK|application|400|udp|192.0.2.7|5066|10:00|t9|d||Msg sent:|";
    const reply = readFrame(Buffer.from(`${text}\r\nINVITE sip:a@b SIP/2.0\r\n\r\n`));
    if (reply?.kind !== "reply") throw new Error("no reply");
    expect(reply).toMatchObject({ id: "id7", isOk: true });
    expect(transactionIdOf(reply)).toBe("t9");
  });

  it("a refused command", () => {
    const refused = readFrame(Buffer.from("u3|response|id8|NOK|unable to find dialog"));
    expect(refused).toMatchObject({ id: "id8", isOk: false, fields: ["unable to find dialog"] });
  });

  it("what need not be known", () => {
    expect(readFrame(Buffer.from("u4|cdr:attempt|x"))).toBeUndefined();
  });
});
