import { describe, expect, it } from "vitest";
import rtpengineClient from "rtpengine-client";

import { encodeBencode } from "../../src/media/bencode.ts";

describe("bencode", () => {
  it("sorts keys, counts octets, leaves out what has no value", () => {
    const octets = encodeBencode({ z: "ü", a: [1, "x", { k: -3 }], none: undefined });
    expect(octets.toString()).toBe("d1:ali1e1:xd1:ki-3eee1:z2:üe");
  });

  it("keeps the octets of a sound that are no UTF-8", () => {
    const blob = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet));
    const octets = encodeBencode({ blob });
    expect(octets.subarray(0, 11).toString("latin1")).toBe("d4:blob256:");
    expect(octets.subarray(11, -1).equals(blob)).toBe(true);
  });

  it("is what the decoder of the replies reads", () => {
    const cookie = "0".repeat(36);
    const datagram = Buffer.concat([
      Buffer.from(`${cookie} `),
      encodeBencode({ sdp: "v=0", n: 7 }),
    ]);
    expect(rtpengineClient.Client.decodeMessage(datagram)).toEqual({
      id: cookie,
      data: { sdp: "v=0", n: 7 },
    });
  });
});
