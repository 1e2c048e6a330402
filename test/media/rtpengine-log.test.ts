import { describe, expect, it } from "vitest";
import { parseLogLine } from "../../src/media/rtpengine-log.ts";

describe("rtpengine's log", () => {
  it.each([
    ["[17.1] NOTICE: [id]: [core] Creating new call", "debug", "[id]: [core] Creating new call"],
    [
      "[17.1] ERR: [id]: [core] Error allocating media ports",
      "error",
      "[id]: [core] Error allocating media ports",
    ],
    [
      "[17.1] ERR: [id port 2]: [core] SRTP output wanted, but no crypto suite was negotiated",
      "debug",
      "[id port 2]: [core] SRTP output wanted, but no crypto suite was negotiated",
    ],
    ["WARNING: [control] Received invalid data", "warn", "[control] Received invalid data"],
    [
      "[17.1] WARNING: [id]: [control] Protocol error in packet from 127.0.0.1:3: Failed to parse SDP [d7:command5:offer3:sdp200:v=0",
      "warn",
      "[id]: [control] Protocol error in packet from 127.0.0.1:3: Failed to parse SDP",
    ],
  ])("reads %s", (line, level, message) => {
    expect(parseLogLine(line)).toEqual({ level, message });
  });

  it.each(["a=ice-pwd:secret", "m=audio 4000 RTP/AVP 0", "xxe]", "", "a=crypto:1 X inline: key"])(
    "drops %j, which continues a quoted message",
    (line) => {
      expect(parseLogLine(line)).toBeUndefined();
    },
  );

  it("cuts a long line", () => {
    expect(parseLogLine(`[1.1] ERR: ${"x".repeat(5000)}`)?.message).toHaveLength(300);
  });
});
