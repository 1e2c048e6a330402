import { describe, expect, it } from "vitest";
import { END_KINDS } from "../../web-phone/src/call-end.ts";
import { en } from "../../web-phone/src/i18n/en.ts";
import { fill, t } from "../../web-phone/src/i18n/text.ts";
import type { CallPhase, Link, SignInProblem } from "../../web-phone/src/state.ts";
import {
  callWordOf,
  detailsOf,
  explanationOf,
  isLoudEnd,
  linkWordOf,
  quietEndLineOf,
  signInProblemTextOf,
} from "../../web-phone/src/ui/wording.ts";
import { aCall } from "./calls.ts";

const OPEN_BRACE = "{";

describe("the catalogue", () => {
  it.each(Object.entries(en))("%s is a text without loose ends", (_key, text) => {
    expect(text.trim()).toBe(text);
    expect(text).not.toBe("");
    expect(text.split("{")).toHaveLength(text.split("}").length);
  });

  it("fills in values and leaves unknown names alone", () => {
    expect(fill("{a} and {b}", { a: 1, b: "two" })).toBe("1 and two");
    expect(fill("{a} {missing", { a: "x" })).toBe("x {missing");
    expect(fill("{unknown}", {})).toBe("{unknown}");
    expect(fill("{a}", { a: "{b}" })).toBe("{b}");
    expect(t("link.reconnecting", { attempt: 3 })).toBe("Reconnecting… (3)");
  });
});

describe("words for every state", () => {
  it.each(END_KINDS)("%s has a line, or a title and a text", (kind) => {
    const end = { kind, details: {} };
    const call = aCall({ phase: "ended", end, endedAt: 9_000, number: "555" });
    if (!isLoudEnd(end)) {
      expect(quietEndLineOf(call)).not.toContain(OPEN_BRACE);
      return;
    }
    expect(quietEndLineOf(call)).toBeUndefined();
    const { title, text } = explanationOf(end.kind, call);
    expect(title).not.toBe("");
    expect(`${title}${text}`).not.toContain(OPEN_BRACE);
    expect(text.length).toBeGreaterThan(20);
  });

  it.each<CallPhase>([
    "preparing",
    "calling",
    "ringing",
    "early-media",
    "incoming",
    "answering",
    "connected",
    "ended",
  ])("%s", (phase) => {
    expect(callWordOf(aCall({ phase }))).not.toBe("");
  });

  it.each<[Link, string]>([
    [{ kind: "connecting" }, "Connecting…"],
    [{ kind: "registering" }, "Connecting…"],
    [{ kind: "ready" }, "Ready"],
    [{ kind: "reconnecting", attempt: 3, retryAt: 0 }, "Reconnecting… (3)"],
    [{ kind: "unreachable", attempt: 1, retryAt: 0 }, "Cannot reach the phone server"],
    [{ kind: "refused", status: 403, reasonPhrase: "" }, "Sign-in refused"],
  ])("%o is %s", (link, word) => {
    expect(linkWordOf(link)).toBe(word);
  });

  it.each<SignInProblem>([
    "wrong-password",
    "too-many",
    "unreachable",
    "server-failed",
    "expired",
    "insecure-page",
  ])("a sign-in with %s is explained", (problem) => {
    expect(signInProblemTextOf(problem)).not.toBe("");
  });

  it("says how long a call lasted", () => {
    const end = { kind: "completed", details: {} } as const;
    const call = aCall({
      phase: "ended",
      end,
      answeredAt: 1_000,
      endedAt: 66_000,
      name: "Bob Ray",
    });
    expect(quietEndLineOf(call)).toBe("Call with Bob Ray ended · 01:05");
  });

  it("shows SIP's own words under Details, and nothing where SIP said none", () => {
    const end = {
      kind: "busy",
      details: { status: 486, reasonPhrase: "Busy Here", reason: "Q.850;cause=17", callId: "abc" },
    } as const;
    expect(detailsOf(aCall(), end)).toEqual([
      ["Dialled", "1002"],
      ["SIP", "486 Busy Here"],
      ["Reason", "Q.850 17"],
      ["Call-ID", "abc"],
    ]);
    expect(detailsOf(aCall({ direction: "incoming" }), end)).not.toContainEqual([
      "Dialled",
      "1002",
    ]);
    expect(detailsOf(aCall(), { kind: "microphone-blocked", details: {} })).toEqual([]);
  });
});
