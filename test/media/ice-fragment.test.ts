import { describe, expect, it } from "vitest";
import { MediaError } from "../../src/media/errors.ts";
import {
  followFragment,
  followIce,
  MAX_FRAGMENT_OCTETS,
  parseFragment,
  withCandidates,
} from "../../src/media/ice-fragment.ts";
import { readDescription } from "../../src/media/sdp-filter.ts";
import { SDP_LIMITS } from "../../src/media/sdp.ts";
import { chromiumSdp } from "./samples.ts";

const description = readDescription(chromiumSdp(), "webrtc");
const { layout } = description;
const CREDENTIALS = "a=ice-ufrag:4vih\r\na=ice-pwd:4afKBKa81TwoEmxF3219QbCE\r\n";
const SECTION = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n";
const UDP = "a=candidate:1 1 udp 2122260223 192.0.2.77 5 typ host generation 0\r\n";

const parse = (text: string): ReturnType<typeof parseFragment> =>
  parseFragment(text, layout, SDP_LIMITS);

describe("RFC 8840 §9 application/trickle-ice-sdpfrag", () => {
  it("is read: credentials, candidates that are of use", () => {
    const others =
      "a=candidate:2 1 udp 1 f3b0c442.local 6 typ host\r\n" +
      "a=candidate:3 1 tcp 1 192.0.2.77 9 typ host tcptype active\r\n";
    expect(parse(`${CREDENTIALS}${SECTION}${UDP}${others}a=end-of-candidates\r\n`)).toEqual([
      {
        type: "audio",
        credentials: { ufrag: "4vih", password: "4afKBKa81TwoEmxF3219QbCE" },
        candidates: [{ name: "candidate", value: "1 1 udp 2122260223 192.0.2.77 5 typ host" }],
      },
    ]);
  });

  it("may have its credentials in the section", () => {
    const [audio] = parse(`a=end-of-candidates\r\n${SECTION}${CREDENTIALS}`);
    expect(audio).toMatchObject({ credentials: { ufrag: "4vih" } });
  });

  it.each([
    ["nothing", ""],
    ["no credentials", `${SECTION}${UDP}`],
    ["half of the credentials", `a=ice-ufrag:4vih\r\n${SECTION}${UDP}`],
    ["a section without a=mid", `${CREDENTIALS}m=audio 9 RTP/AVP 0\r\n${UDP}`],
    ["a section that the SDP has not", `${CREDENTIALS}${SECTION.replace("mid:0", "mid:1")}${UDP}`],
    ["a line that is none", `${CREDENTIALS}${SECTION}candidate\r\n`],
    ["a control character", `${CREDENTIALS}${SECTION}a=x\u0000\r\n`],
    ["too much", `${CREDENTIALS}${SECTION}${UDP.repeat(MAX_FRAGMENT_OCTETS / UDP.length + 1)}`],
  ])("is refused with %s", (_what, text) => {
    expect(() => parse(text)).toThrow(MediaError);
  });

  it("has no more candidates than a browser's SDP", () => {
    const limits = { ...SDP_LIMITS, candidates: 3 };
    const text = `${CREDENTIALS}${SECTION}${UDP.repeat(5)}`;
    expect(parseFragment(text, layout, limits)[0]?.candidates).toHaveLength(3);
  });

  it("comes to rtpengine in the section of the SDP that it belongs to", () => {
    const news = parse(`${CREDENTIALS}${SECTION}${UDP}`);
    const sdp = "v=0\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\nm=video 9 RTP/AVP 96\r\na=mid:1\r\n";
    expect(withCandidates(sdp, news)).toBe(
      sdp.replace("mid:0\r\n", `mid:0\r\n${UDP.replace(" generation 0", "")}`),
    );
  });
});

describe("RFC 8838 candidates after the SDP", () => {
  const fresh = followIce(undefined, description);
  if (fresh === undefined) throw new Error("no ICE");
  const candidate = (port: number): string =>
    `a=candidate:1 1 udp 2122260223 203.0.113.5 ${port} typ host\r\n`;
  const fragment = (...ports: readonly number[]): ReturnType<typeof parse> =>
    parse(`${CREDENTIALS}${SECTION}${ports.map(candidate).join("")}`);
  const portsOf = (next: ReturnType<typeof followFragment>): readonly (string | undefined)[] =>
    (next?.news[0]?.candidates ?? []).map(({ value }) => value?.split(" ")[5]);

  it("are news once", () => {
    const one = followFragment(fresh, fragment(5), 100);
    expect(portsOf(one)).toEqual(["5"]);
    // RFC 8840 §4.4: the next one repeats them.
    expect(portsOf(one && followFragment(one.ice, fragment(5, 6), 100))).toEqual(["6"]);
  });

  it("are at most so many in one generation", () => {
    const one = followFragment(fresh, fragment(1, 2, 3), 2);
    expect(portsOf(one)).toEqual(["1", "2"]);
    expect(portsOf(one && followFragment(one.ice, fragment(4), 2))).toEqual([]);
  });

  it("are counted on after an SDP of the same generation, anew after a restart", () => {
    const one = followFragment(fresh, fragment(5), 100);
    expect(followIce(one?.ice, description)).toBe(one?.ice);
    const restarted = readDescription(chromiumSdp({ ufrag: "bbbb" }), "webrtc");
    expect(followIce(one?.ice, restarted)?.later.size).toBe(0);
  });

  it("are dropped when they belong to another generation", () => {
    const restarted = followIce(fresh, readDescription(chromiumSdp({ ufrag: "bbbb" }), "webrtc"));
    expect(restarted && followFragment(restarted, fragment(5), 100)).toBeUndefined();
  });
});
