import { describe, expect, it } from "vitest";
import { retryDelayMs } from "../../web-phone/src/agent/backoff.ts";
import { keepBundleGroup } from "../../web-phone/src/agent/bundle-group.ts";
import { audioDirectionOf, isHolding } from "../../web-phone/src/agent/sdp-direction.ts";
import { tryParseSession } from "../../web-phone/src/session-client.ts";

describe("the pause before a new attempt", () => {
  it.each([
    [1, 500],
    [2, 1_000],
    [3, 2_000],
    [6, 16_000],
    [7, 30_000],
    [1_000, 30_000],
  ])("number %i lasts at most %i ms", (attempt, ceiling) => {
    expect(retryDelayMs(attempt, 0)).toBe(250);
    expect(retryDelayMs(attempt, 0.999999)).toBeGreaterThan(ceiling * 0.99);
    expect(retryDelayMs(attempt, 0.999999)).toBeLessThanOrEqual(ceiling);
  });
});

describe("RFC 8866 §6.7 direction of the sound", () => {
  const audio = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n";
  it.each([
    [audio, "sendrecv"],
    [`${audio}a=sendonly\r\n`, "sendonly"],
    [`${audio}a=inactive\n`, "inactive"],
    [`v=0\r\na=recvonly\r\nm=audio 9 RTP/AVP 0\r\n`, "recvonly"],
    [`v=0\r\na=sendonly\r\nm=audio 9 RTP/AVP 0\r\na=sendrecv\r\n`, "sendrecv"],
    [`v=0\r\nm=video 9 RTP/AVP 96\r\na=inactive\r\nm=audio 9 RTP/AVP 0\r\n`, "sendrecv"],
    [`${audio}m=video 9 RTP/AVP 96\r\na=inactive\r\n`, "sendrecv"],
    [`${audio}a=sendonlyish\r\n`, "sendrecv"],
  ])("%j is %s", (sdp, direction) => {
    expect(audioDirectionOf(sdp)).toBe(direction);
  });

  it("holds with sendonly and inactive", () => {
    expect(isHolding("sendonly") && isHolding("inactive")).toBe(true);
    expect(isHolding("sendrecv") || isHolding("recvonly")).toBe(false);
  });
});

describe("the BUNDLE group of a connection", () => {
  const answer = "v=0\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 X 0\r\n";
  it("stays when the far end leaves it out, and is the far end's otherwise", () => {
    const bare = "v=0\r\nt=0 0\r\nm=audio 9 X 0\r\nm=video 9 X 96\r\n";
    expect(keepBundleGroup(bare, answer)).toBe(
      "v=0\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 X 0\r\nm=video 9 X 96\r\n",
    );
    expect(keepBundleGroup(answer, "a=group:BUNDLE 0 1\r\n")).toBe(answer);
    expect(keepBundleGroup(bare, bare)).toBe(bare);
    expect(keepBundleGroup(bare, undefined)).toBe(bare);
  });
});

describe("the answer of a sign-in", () => {
  const answer = {
    user: { id: "1001", name: "Ann Lee" },
    sip: {
      uri: "sip:1001@localhost",
      webSocketUrl: "ws://127.0.0.1:8080/ws",
      username: "1764000000:1001",
      password: "secret",
    },
    iceServers: [{ urls: "turn:192.0.2.1:3478", username: "u", credential: "c" }],
    expiresAt: "2026-11-21T00:00:00Z",
  };

  it("is a session", () => {
    expect(tryParseSession(answer)).toEqual({
      ...answer,
      iceServers: [{ urls: ["turn:192.0.2.1:3478"], username: "u", credential: "c" }],
    });
  });

  it("says when the gateway lets no pictures through, also when it was kept", () => {
    const session = tryParseSession({ ...answer, video: false });
    expect(session?.hasVideo).toBe(false);
    expect(tryParseSession(session)?.hasVideo).toBe(false);
    expect(tryParseSession(answer)).not.toHaveProperty("hasVideo");
  });

  it("takes what the user has typed where a PBX owns the user, and marks it", () => {
    const { password: _password, ...sip } = answer.sip;
    expect(tryParseSession({ ...answer, sip }, "typed")).toMatchObject({
      sip: { ...sip, password: "typed" },
      hasTypedPassword: true,
    });
    // What a reload of the page finds, if anything: no password, and so no session.
    expect(tryParseSession({ ...answer, sip })).toBeUndefined();
    expect(tryParseSession(answer, "typed")?.sip.password).toBe("secret");
  });

  it("may lack a name and ICE servers", () => {
    const { iceServers: _iceServers, ...rest } = answer;
    const session = tryParseSession({ ...rest, user: { id: "1001" } });
    expect(session).toMatchObject({ user: { id: "1001", name: "1001" }, iceServers: [] });
  });

  it.each([
    ["nothing", undefined],
    ["a text", "hello"],
    ["an empty object", {}],
    ["no user", { ...answer, user: {} }],
    ["no WebSocket", { ...answer, sip: { ...answer.sip, webSocketUrl: undefined } }],
    ["no password", { ...answer, sip: { ...answer.sip, password: "" } }],
    ["no time", { ...answer, expiresAt: "soon" }],
  ])("is none with %s", (_what, value) => {
    expect(tryParseSession(value)).toBeUndefined();
  });
});
