import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Headers } from "../../../src/signaling/message/headers.ts";
import { formatReferTo, tryReadReferTo } from "../../../src/signaling/message/refer-to.ts";
import { formatReplaces, tryParseReplaces } from "../../../src/signaling/message/replaces.ts";
import {
  formatStatusFragment,
  tryParseStatusFragment,
} from "../../../src/signaling/message/sip-fragment.ts";
import {
  tryParseEvent,
  tryParseSubscriptionState,
} from "../../../src/signaling/message/subscription-state.ts";
import { SipUri } from "../../../src/signaling/message/uri.ts";

const referTo = (value: string) => tryReadReferTo(Headers.of([["Refer-To", value]]));

describe("RFC 3891 §6.1 Replaces", () => {
  it.each([
    ["a@b;to-tag=t;from-tag=f", { callId: "a@b", toTag: "t", fromTag: "f", isEarlyOnly: false }],
    [
      "98732@x ; from-tag = r33th4x0r ;to-tag=ff87ff ; early-only",
      { callId: "98732@x", toTag: "ff87ff", fromTag: "r33th4x0r", isEarlyOnly: true },
    ],
    ["a;to-tag=t;from-tag=0", { callId: "a", toTag: "t", fromTag: "", isEarlyOnly: false }],
  ])("reads %s", (text, value) => {
    expect(tryParseReplaces(text)).toEqual(value);
  });

  it.each([
    "",
    "a@b",
    ";to-tag=t;from-tag=f",
    "a;to-tag=t",
    "a;from-tag=f",
    "a;to-tag;from-tag=f",
    "a;to-tag=t;to-tag=u;from-tag=f",
    'a;to-tag="t;from-tag=f',
  ])("refuses %s", (text) => {
    expect(tryParseReplaces(text)).toBeUndefined();
  });

  it("is the same after a round trip", () => {
    const value = { callId: "a@b", toTag: "t-1", fromTag: "", isEarlyOnly: true };
    expect(formatReplaces(value)).toBe("a@b;to-tag=t-1;from-tag=0;early-only");
    expect(tryParseReplaces(formatReplaces(value))).toEqual(value);
  });

  it.each(["a b", "a;b", "a\r\nX: y", ""])("never writes the Call-ID %j", (callId) => {
    expect(() => formatReplaces({ callId, toTag: "t", fromTag: "f", isEarlyOnly: false })).toThrow(
      "one word",
    );
  });
});

describe("RFC 3515 §2.1 Refer-To", () => {
  it.each([
    ["<sip:alice@atlanta.test>", "sip:alice@atlanta.test", "alice", "INVITE"],
    ["sip:alice@atlanta.test", "sip:alice@atlanta.test", "alice", "INVITE"],
    ['"A, B" <sip:a%20b@c.test;user=phone>', "sip:a%20b@c.test;user=phone", "a b", "INVITE"],
    ["<sip:x@y.test;method=SUBSCRIBE;lr>", "sip:x@y.test;lr", "x", "SUBSCRIBE"],
    ["<tel:+4930123>", "tel:+4930123", "+4930123", "INVITE"],
    ["<sip:x@y.test?Subject=hi&Route=%3Csip:evil%3E>", "sip:x@y.test", "x", "INVITE"],
  ])("reads %s", (value, uri, user, method) => {
    expect(referTo(value)).toMatchObject({ uri, user, method, replaces: undefined });
  });

  it("reads the dialog of an attended transfer", () => {
    const value =
      "<sip:dave@denver.test?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>";
    expect(referTo(value)).toEqual({
      uri: "sip:dave@denver.test",
      user: "dave",
      scheme: "sip",
      host: "denver.test",
      method: "INVITE",
      replaces: {
        callId: "12345@192.168.118.3",
        toTag: "12345",
        fromTag: "5FFE-3994",
        isEarlyOnly: false,
      },
    });
  });

  it.each([
    "<sip:x@y.test?Replaces=a>",
    "<sip:x@y.test?Replaces=%zz>",
    "<sip:x@y.test?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=b%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    "<sip:a@b.test>, <sip:c@d.test>",
    "<>",
    "nonsense",
  ])("refuses %s", (value) => {
    expect(referTo(value)).toBeUndefined();
  });

  it("refuses none and two", () => {
    expect(tryReadReferTo(Headers.of([]))).toBeUndefined();
    const two = Headers.of([
      ["Refer-To", "<sip:a@b.test>"],
      ["r", "<sip:c@d.test>"],
    ]);
    expect(tryReadReferTo(two)).toBeUndefined();
  });

  it.each(["sip:a b@c", "sip:a@b>\r\nX: y", "", "sip:a@b,<sip:c@d>"])("never writes %j", (uri) => {
    expect(() => formatReferTo(uri)).toThrow("character");
  });

  it("is the same after a round trip", () => {
    const replaces = { callId: "a+b@[::1]", toTag: "t~1", fromTag: "f", isEarlyOnly: true };
    expect(referTo(formatReferTo("sip:x@y.test", replaces))).toMatchObject({
      uri: "sip:x@y.test",
      replaces,
    });
    expect(formatReferTo("sip:x@y.test")).toBe("<sip:x@y.test>");
  });
});

describe("RFC 6665 §8.2 Event and Subscription-State", () => {
  it.each([
    ["dialog", { name: "dialog", id: undefined }],
    ["Refer;id=93809824", { name: "refer", id: "93809824" }],
    ["presence.winfo ; id = x", { name: "presence.winfo", id: "x" }],
    ["", undefined],
    ["a b", undefined],
    ["refer;id=1;id=2", undefined],
  ])("Event: %s", (text, value) => {
    expect(tryParseEvent(text)).toEqual(value);
  });

  it.each([
    ["active;expires=60", "active", undefined, 60, undefined],
    ["Pending", "pending", undefined, undefined, undefined],
    ["terminated;reason=Probation;retry-after=30", "terminated", "probation", undefined, 30],
    ["extended;expires=9", "active", undefined, 9, undefined],
    ["active;expires=soon", "active", undefined, undefined, undefined],
  ])("Subscription-State: %s", (text, state, reason, expiresSeconds, retryAfterSeconds) => {
    const value = { state, reason, expiresSeconds, retryAfterSeconds };
    expect(tryParseSubscriptionState(text)).toEqual(value);
  });

  it.each([undefined, "", "active expires=1"])("refuses %s", (text) => {
    expect(tryParseSubscriptionState(text)).toBeUndefined();
  });
});

describe("header fields of strangers", () => {
  const piece = fc.constantFrom(
    "<sip:a@b.test",
    ">",
    "?Replaces=",
    "%3Bto-tag%3D1",
    "%3Bfrom-tag%3D2",
    ";to-tag=1",
    ";from-tag=2",
    ";method=",
    "&",
    "%",
    '"',
    ";id=",
    ";reason=",
    "terminated",
    "\\",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary-ascii" }),
    fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 12 }).map((parts) => {
      return parts.join("");
    }),
  );

  it("are read or refused, and never throw", () => {
    fc.assert(
      fc.property(text, (value) => {
        tryParseReplaces(value);
        tryParseEvent(value);
        tryParseSubscriptionState(value);
        tryParseStatusFragment(Buffer.from(value));
        const read = referTo(value.replaceAll(/[\0-\x1f\x7f]|[^\0-\xff]/gu, "_"));
        // Whatever is taken may stand in a Request-URI.
        if (read !== undefined) expect(SipUri.parse(read.uri).headers).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });
});

describe("RFC 3420 message/sipfrag", () => {
  it.each([
    ["SIP/2.0 200 OK\r\n", { status: 200, reasonPhrase: "OK" }],
    ["SIP/2.0 100 Trying", { status: 100, reasonPhrase: "Trying" }],
    ["sip/2.0 486 Busy Here\nContact: <sip:x@y>\n", { status: 486, reasonPhrase: "Busy Here" }],
    ["SIP/2.0 603 ", { status: 603, reasonPhrase: "" }],
    ["SIP/2.0 99 No\r\n", undefined],
    ["SIP/2.0 700 No\r\n", undefined],
    ["INVITE sip:x@y SIP/2.0\r\n", undefined],
    ["", undefined],
  ])("reads %j", (text, value) => {
    expect(tryParseStatusFragment(Buffer.from(text))).toEqual(value);
  });

  it("writes a status line, and no second one", () => {
    expect(formatStatusFragment(180)).toBe("SIP/2.0 180 Ringing\r\n");
    expect(formatStatusFragment(480, "a\r\nb")).toBe("SIP/2.0 480 a  b\r\n");
  });
});
