import { describe, expect, it } from "vitest";
import { tryParseLamp, tryParseVoicemail } from "../../web-phone/src/agent/notify-bodies.ts";
import { tryParseStatusFragment } from "../../web-phone/src/agent/transfer-request.ts";
import {
  mosOf,
  type QualityReading,
  type QualityWarning,
  warningsOf,
  wordOfMos,
} from "../../web-phone/src/quality.ts";

function reading(change: Partial<QualityReading> = {}): QualityReading {
  const figures = { roundTripMs: 20, jitterMs: 2, loss: 0, ...change };
  return {
    at: 0,
    octetsReceived: 8_000,
    packetsReceived: 50,
    packetsSent: 50,
    levelSent: 0.2,
    levelReceived: 0.2,
    mos: mosOf(figures),
    ...figures,
    ...change,
  };
}

/** The warnings after each reading. */
function run(readings: readonly QualityReading[], isQuiet = false): readonly QualityWarning[][] {
  let warnings: readonly QualityWarning[] = [];
  return readings.map((_, index) => {
    const quiet = { received: isQuiet, sent: isQuiet };
    warnings = warningsOf(readings.slice(0, index + 1), warnings, quiet);
    return [...warnings];
  });
}

describe("the score of a call's sound", () => {
  it.each([
    [{ roundTripMs: 20, jitterMs: 2, loss: 0 }, 4.4, 4.5, "good"],
    [{ roundTripMs: 100, jitterMs: 10, loss: 0.03 }, 4, 4.3, "good"],
    [{ roundTripMs: 300, jitterMs: 20, loss: 0.05 }, 3, 3.5, "poor"],
    [{ roundTripMs: 600, jitterMs: 30, loss: 0.08 }, 1, 2.6, "poor"],
    [{ roundTripMs: undefined, jitterMs: undefined, loss: 1 }, 1, 1, "poor"],
  ] as const)("%o", (figures, least, most, word) => {
    const mos = mosOf(figures);
    expect(mos).toBeGreaterThanOrEqual(least);
    expect(mos).toBeLessThanOrEqual(most);
    expect(wordOfMos(mos)).toBe(word);
  });
});

describe("warnings", () => {
  const good = reading();
  const bad = reading({ roundTripMs: 600, loss: 0.08 });

  it("begin with three bad ones of the last five and end after five good ones", () => {
    const story = run([good, bad, good, bad, bad, good, good, good, good, good, good]);
    expect(story[3]).toEqual([]);
    expect(story[4]).toEqual(["round-trip", "loss", "mos"]);
    expect(story[8]).toEqual(["round-trip", "loss", "mos"]);
    expect(story[9]).toEqual([]);
  });

  it("say that nothing is heard after three seconds, unless the call is held", () => {
    const silence = [1, 2, 3].map(() => reading({ packetsReceived: 0 }));
    expect(run(silence).map((list) => list.includes("nothing-received"))).toEqual([
      false,
      false,
      true,
    ]);
    expect(run(silence, true).at(-1)).toEqual([]);
  });

  it("say that nothing is said after ten seconds of a dead microphone", () => {
    const flat = Array.from({ length: 10 }, () => reading({ levelSent: 0 }));
    expect(run(flat)[8]).toEqual([]);
    expect(run(flat)[9]).toEqual(["nothing-said"]);
    expect(run(flat, true)[9]).toEqual([]);
  });
});

describe("what NOTIFYs carry", () => {
  it.each([
    ["SIP/2.0 180 Ringing\r\n", { status: 180, reasonPhrase: "Ringing" }],
    ["SIP/2.0 486 Busy Here", { status: 486, reasonPhrase: "Busy Here" }],
    ["SIP/2.0 200\r\nX: y", { status: 200, reasonPhrase: "" }],
    ["HTTP/1.1 200 OK", undefined],
    ["", undefined],
  ])("a status line in a fragment, %j", (body, expected) => {
    expect(tryParseStatusFragment(body)).toEqual(expected);
  });

  it.each([
    ["Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/2)\r\n", { waiting: 2, old: 8 }],
    ["Messages-Waiting: no\r\n", { waiting: 0, old: 0 }],
    ["messages-waiting: YES\n", { waiting: 1, old: 0 }],
    ["hello", undefined],
  ])("a message summary, %j", (body, expected) => {
    expect(tryParseVoicemail(body)).toEqual(expected);
  });

  const info = (dialogs: string): string =>
    `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" state="full">${dialogs}</dialog-info>`;
  it.each([
    [info(""), "idle"],
    [info(`<dialog id="1"><state>terminated</state></dialog>`), "idle"],
    [info(`<dialog id="1"><state event="x">early</state></dialog>`), "ringing"],
    [info(`<dialog id="1"><state>early</state></dialog><d:state>confirmed</d:state>`), "busy"],
    ["<presence/>", undefined],
  ])("the state of dialogs, %j", (body, expected) => {
    expect(tryParseLamp(body)).toBe(expected);
  });
});
