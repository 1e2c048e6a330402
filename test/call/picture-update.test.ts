import { describe, expect, it } from "vitest";

import { MEDIA_CONTROL, PictureUpdates } from "../../src/call/picture-update.ts";
import type { MediaLeg } from "../../src/media/session.ts";
import { Headers } from "../../src/signaling/message/headers.ts";
import { SipRequest } from "../../src/signaling/message/message.ts";
import { ManualClock } from "../harness/manual-clock.ts";

const BROWSER: MediaLeg = { tag: "callee", kind: "webrtc", video: true };
const ASK =
  "<media_control><vc_primitive><to_encoder><picture_fast_update></picture_fast_update>" +
  "</to_encoder><secret>of the trunk</secret></vc_primitive></media_control>";

describe("RFC 5168 key frames that are asked for by INFO", () => {
  const clock = new ManualClock();
  const updates = new PictureUpdates(clock);
  const sent: string[] = [];
  const send = ({ contentType, body }: { contentType: string; body: Buffer }): Promise<number> => {
    sent.push(`${contentType} ${body.toString()}`);
    return Promise.resolve(200);
  };

  function ask(body: string, to: Parameters<PictureUpdates["take"]>[2]): number {
    let status = 0;
    const request = new SipRequest(
      "INFO",
      "sip:gateway",
      Headers.of([["Content-Type", MEDIA_CONTROL]]),
      Buffer.from(body),
    );
    updates.take("caller", { request, respond: (given) => (status = given) }, to);
    return status;
  }

  it("go on to the other end in words of our own, no more than two a second", () => {
    expect(ask(ASK, { leg: BROWSER, send })).toBe(200);
    expect(ask(ASK, { leg: BROWSER, send })).toBe(200);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatch(
      /^application\/media_control\+xml <\?xml [^>]*\?>\r\n<media_control>.*<picture_fast_update\/>/,
    );
    expect(sent[0]).not.toContain("secret");
    clock.advance(500);
    expect(ask(ASK, { leg: BROWSER, send })).toBe(200);
    expect(sent).toHaveLength(2);
  });

  it("are refused where nobody sends pictures, or when they are something else", () => {
    clock.advance(500);
    expect(ask(ASK, { leg: { ...BROWSER, video: false }, send })).toBe(480);
    expect(ask(ASK, undefined)).toBe(480);
    expect(ask("<media_control/>", { leg: BROWSER, send })).toBe(400);
    expect(ask(`${ASK}${" ".repeat(1024)}`, { leg: BROWSER, send })).toBe(400);
    expect(sent).toHaveLength(2);
  });
});
