import { describe, expect, it } from "vitest";

import { BROWSER, browserSdp } from "../harness/browser-sdp.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall, telephoneSdp } from "./desk-call.ts";
import { DESK_HOST, useOffice } from "./support.ts";

// A telephone that takes no video should reject the one section (RFC 3264 §6). Some refuse the call,
// or the change of the call, with 488: it is offered once more, without.

const office = useOffice({ desk: { video: true } });

const VIDEO = [
  "m=video 9 UDP/TLS/RTP/SAVPF 96",
  "c=IN IP4 0.0.0.0",
  "a=rtcp:9 IN IP4 0.0.0.0",
  `a=ice-ufrag:${BROWSER.ufrag}`,
  `a=ice-pwd:${BROWSER.icePassword}`,
  `a=fingerprint:sha-256 ${BROWSER.fingerprint}`,
  "a=setup:actpass",
  "a=mid:1",
  "a=sendrecv",
  "a=rtcp-mux",
  "a=rtpmap:96 VP8/90000",
  "a=rtcp-fb:96 nack pli",
  "",
].join("\r\n");

/** What a browser with a camera sends. */
const withVideo = (version: number): string =>
  browserSdp({ version }).replace("BUNDLE 0", "BUNDLE 0 1") + VIDEO;

const telephoneVideo = [
  "m=video 40002 RTP/AVP 96",
  "a=rtpmap:96 VP8/90000",
  "a=rtcp-fb:96 nack pli",
  "a=sendrecv",
  "",
].join("\r\n");

const sectionsOf = (sdp: string): readonly string[] =>
  [...sdp.matchAll(/^m=(\w+) (\d+)/gm)].map(
    ([, type, port]) => `${type} ${port === "0" ? "rejected" : "in use"}`,
  );

describe("video that a telephone refuses with 488", () => {
  it("is left out of a second INVITE, and the call goes on with its sound", async () => {
    const { gateway, desk } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    const call = ann.invite("700", { sdp: withVideo(2) });
    const first = await DeskCall.incoming(desk, "700");
    expect(sectionsOf(first.invite.body.toString())).toEqual(["audio in use", "video in use"]);
    await first.refuse(488);
    const second = await DeskCall.incoming(desk, "700");
    expect(sectionsOf(second.invite.body.toString())).toEqual(["audio in use"]);
    await second.answer();
    const accepted = await call.answered();
    expect(sectionsOf(accepted.sdp ?? "")).toEqual(["audio in use", "video rejected"]);
    await call.bye();
    await second.hungUp();
  });

  it("is refused for good where the sound alone is refused too", async () => {
    const { gateway, desk } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    const call = ann.invite("700", { sdp: withVideo(2) });
    await (await DeskCall.incoming(desk, "700")).refuse(488);
    await (await DeskCall.incoming(desk, "700")).refuse(488);
    expect((await call.refused()).statusCode).toBe(488);
  });

  it("is added to a call when the telephone takes it, and taken away again", async () => {
    const { gateway, desk } = office();
    await using ann = await WsCaller.signIn(gateway, "1001");
    const call = ann.invite("700");
    const telephone = await DeskCall.incoming(desk, "700");
    await telephone.answer();
    await call.answered();

    // The browser adds video: refused at first, and the call keeps its sound.
    const refused = call.reinvite(withVideo(3));
    const offer = await telephone.expectRequest("INVITE");
    expect(sectionsOf(offer.body.toString())).toEqual(["audio in use", "video in use"]);
    desk.respond(offer, 488, { headers: [] });
    await telephone.expectRequest("ACK");
    const again = await telephone.expectRequest("INVITE");
    expect(sectionsOf(again.body.toString())[0]).toBe("audio in use");
    expect(again.body.toString()).not.toMatch(/^m=video [1-9]/m);
    const sound = telephoneSdp(DESK_HOST, { version: 2 });
    const hasRejected = again.body.toString().includes("m=video 0");
    desk.respond(again, 200, { body: hasRejected ? `${sound}m=video 0 RTP/AVP 96\r\n` : sound });
    await telephone.expectRequest("ACK");
    expect(sectionsOf((await refused).sdp ?? "")).toEqual(["audio in use", "video rejected"]);

    // Then taken.
    const added = call.reinvite(withVideo(4));
    const second = await telephone.expectRequest("INVITE");
    expect(sectionsOf(second.body.toString())).toEqual(["audio in use", "video in use"]);
    desk.respond(second, 200, { body: telephoneSdp(DESK_HOST, { version: 3 }) + telephoneVideo });
    await telephone.expectRequest("ACK");
    expect(sectionsOf((await added).sdp ?? "")).toEqual(["audio in use", "video in use"]);

    // And taken away by the browser.
    const removed = call.reinvite(withVideo(5).replace("m=video 9", "m=video 0"));
    const third = await telephone.expectRequest("INVITE");
    expect(sectionsOf(third.body.toString())).toEqual(["audio in use", "video rejected"]);
    desk.respond(third, 200, {
      body: `${telephoneSdp(DESK_HOST, { version: 4 })}m=video 0 RTP/AVP 96\r\n`,
    });
    await telephone.expectRequest("ACK");
    expect(sectionsOf((await removed).sdp ?? "")).toEqual(["audio in use", "video rejected"]);
    await call.bye();
    await telephone.hungUp();
  });
});
