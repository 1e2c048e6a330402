import { describe, expect, it } from "vitest";
import {
  END_KINDS,
  type EndAction,
  endActionOf,
  type EndKind,
  endKindOfBye,
  endKindOfStatus,
  formatReason,
  isAnsweredElsewhere,
  isQuietEnd,
} from "../../web-phone/src/call-end.ts";

describe("RFC 3261 §21 final responses", () => {
  it.each<[number, EndKind]>([
    [302, "failed"],
    [400, "failed"],
    [401, "sign-in-refused"],
    [402, "not-allowed"],
    [403, "not-allowed"],
    [404, "number-not-found"],
    [405, "failed"],
    [407, "sign-in-refused"],
    [408, "no-answer"],
    [410, "number-not-found"],
    [414, "number-not-found"],
    [415, "audio-mismatch"],
    [416, "number-not-found"],
    [420, "failed"],
    [433, "not-allowed"],
    [480, "no-answer"],
    [481, "failed"],
    [482, "failed"],
    [483, "failed"],
    [484, "number-not-found"],
    [485, "number-not-found"],
    [486, "busy"],
    [487, "cancelled"],
    [488, "audio-mismatch"],
    [500, "provider-failed"],
    [501, "provider-failed"],
    [502, "provider-failed"],
    [503, "provider-failed"],
    [504, "provider-failed"],
    [580, "provider-failed"],
    [600, "busy"],
    [603, "declined"],
    [604, "number-not-found"],
    [606, "audio-mismatch"],
    [607, "declined"],
    [608, "not-allowed"],
    [699, "failed"],
  ])("%i means %s", (status, kind) => {
    expect(endKindOfStatus(status)).toBe(kind);
  });

  it("has a kind for every code there can be", () => {
    for (let status = 300; status <= 699; status += 1) {
      expect(END_KINDS).toContain(endKindOfStatus(status));
    }
  });
});

describe("the button after an end", () => {
  it.each<[EndKind, EndAction]>([
    ["microphone-blocked", "try-again"],
    ["microphone-missing", "try-again"],
    ["microphone-busy", "try-again"],
    ["number-not-found", "edit-number"],
    ["no-answer", "call-again"],
    ["busy", "call-again"],
    ["provider-failed", "call-again"],
    ["server-unreachable", "call-again"],
    ["audio-failed", "call-again"],
    ["connection-lost", "call-again"],
    ["failed", "call-again"],
    ["sign-in-refused", "sign-in"],
    ["declined", "close"],
    ["not-allowed", "close"],
    ["audio-mismatch", "close"],
  ])("by %s is %s", (kind, action) => {
    expect(endActionOf(kind)).toBe(action);
  });

  it("only closes what needs no explanation", () => {
    for (const kind of END_KINDS.filter(isQuietEnd)) expect(endActionOf(kind)).toBe("close");
  });
});

describe("RFC 3326 Reason", () => {
  it.each([
    ['Q.850;cause=17;text="User busy"', "Q.850 17 · User busy"],
    ["Q.850 ; cause = 34", "Q.850 34"],
    ['SIP;text="Call completed elsewhere";cause=200', "SIP 200 · Call completed elsewhere"],
    ["SIP", "SIP"],
    ["", ""],
    [";;=;", ""],
  ])("%s reads %s", (reason, text) => {
    expect(formatReason(reason)).toBe(text);
  });

  it.each<[string | undefined, EndKind]>([
    [undefined, "completed"],
    ["Q.850;cause=16", "completed"],
    ["Q.850;cause=31", "completed"],
    ["Q.850;cause=17", "completed"],
    ["Q.850;cause=38", "connection-lost"],
    ['q.850;cause=102;text="Recovery on timer expiry"', "connection-lost"],
    ["SIP;cause=200", "completed"],
    ["SIP;cause=503", "connection-lost"],
    ["nonsense", "completed"],
  ])("in a BYE %s means %s", (reason, kind) => {
    expect(endKindOfBye(reason)).toBe(kind);
  });

  it("tells a call that another phone took from one that nobody took", () => {
    expect(isAnsweredElsewhere('SIP;cause=200;text="Call completed elsewhere"')).toBe(true);
    expect(isAnsweredElsewhere("SIP;cause=487")).toBe(false);
    expect(isAnsweredElsewhere(undefined)).toBe(false);
  });
});
