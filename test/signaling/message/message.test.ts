import { describe, expect, it } from "vitest";
import { SipFormatError, SipParseError } from "../../../src/signaling/message/errors.ts";
import { Headers } from "../../../src/signaling/message/headers.ts";
import { SipRequest, SipResponse } from "../../../src/signaling/message/message.ts";
import { serializeMessage } from "../../../src/signaling/message/serializer.ts";

const request = (fields: readonly (readonly [string, string])[], body = ""): SipRequest =>
  new SipRequest("INVITE", "sip:a@b", Headers.of(fields), Buffer.from(body));

describe("typed values of a message", () => {
  it("are read at the first access and kept", () => {
    const message = request([
      ["From", "<sip:x@y>;tag=1"],
      ["Via", "SIP/2.0/UDP h"],
    ]);
    expect(message.from).toBe(message.from);
    expect(message.vias).toBe(message.vias);
    expect(message.uri).toBe(message.uri);
    expect(message.contacts).toEqual([]);
    expect(message.contact).toBeUndefined();
  });

  it("throw SipParseError where they are malformed, and not before", () => {
    const message = request([
      ["From", "<"],
      ["CSeq", "x"],
      ["Max-Forwards", "x"],
      ["Contact", "<"],
    ]);
    expect(() => message.from).toThrow(SipParseError);
    expect(() => message.cseq).toThrow(SipParseError);
    expect(() => message.maxForwards).toThrow(SipParseError);
    expect(() => message.contacts).toThrow(SipParseError);
    expect(() => message.to).toThrow(SipParseError);
    expect(() => message.callId).toThrow(SipParseError);
    expect(() => message.topmostVia).toThrow(SipParseError);
  });

  it("read numbers", () => {
    const message = request([
      ["Max-Forwards", "0068"],
      ["Expires", "3600"],
    ]);
    expect(message.maxForwards).toBe(68);
    expect(message.expires).toBe(3600);
    expect(request([]).maxForwards).toBeUndefined();
    expect(request([["Expires", "1e100"]]).expires).toBeUndefined();
    expect(request([["Expires", "4294967296"]]).expires).toBeUndefined();
  });

  it("read all contacts and routes over lines and lists", () => {
    const message = request([
      ["Contact", "<sip:a@1>;q=0.5, <sip:a@2>"],
      ["m", "sip:a@3"],
      ["Route", "<sip:r1;lr>,<sip:r2;lr>"],
      ["Record-Route", "<sip:rr;lr>"],
    ]);
    expect(message.contacts).toHaveLength(3);
    expect(message.contact?.params.get("q")).toBe("0.5");
    expect(message.routes.map(({ uri }) => uri)).toEqual(["sip:r1;lr", "sip:r2;lr"]);
    expect(message.recordRoutes).toHaveLength(1);
  });

  it.each([
    ["INV ITE", "sip:a@b"],
    ["", "sip:a@b"],
    ["INVITE\r\n", "sip:a@b"],
    ["INVITE", "sip:a@b SIP/2.0\r\nX: y"],
    ["INVITE", ""],
  ])("refuse the first line %j %j", (method, uri) => {
    expect(() => new SipRequest(method, uri, Headers.of([]))).toThrow(SipFormatError);
  });

  it.each([99, 700, 200.5, Number.NaN])("refuse the status %d", (status) => {
    expect(() => new SipResponse(status, "", Headers.of([]))).toThrow(SipFormatError);
  });
});

describe("RFC 5621: the session description in a body", () => {
  const SDP = "v=0\r\ns=é\r\n";

  it.each(["application/sdp", "Application/SDP ; charset=utf-8"])("is a body of %s", (type) => {
    expect(request([["c", type]], SDP).sdp).toBe(SDP);
    expect(request([["c", type]], SDP).contentType).toBe("application/sdp");
  });

  it("is none without a body, a type, or of another type", () => {
    expect(request([["Content-Type", "application/sdp"]]).sdp).toBeUndefined();
    expect(request([], SDP).sdp).toBeUndefined();
    expect(request([["Content-Type", "text/plain"]], SDP).sdp).toBeUndefined();
  });

  const part = (type: string, content: string): string => `Content-Type: ${type}\r\n\r\n${content}`;
  const multipart = (boundary: string, ...parts: string[]): string =>
    `${parts.map((text) => `--${boundary}\r\n${text}\r\n`).join("")}--${boundary}--\r\n`;

  it("is the part of a multipart body", () => {
    const body = `preamble\r\n${multipart("b b", part("text/plain", "x\r\n--b"), `content-id: <1>\r\n${part("application/sdp", SDP)}`)}`;
    expect(request([["Content-Type", 'multipart/mixed;boundary="b b"']], body).sdp).toBe(SDP);
  });

  it("is found in a multipart of a multipart, but not ever deeper", () => {
    const nest = (depth: number): string =>
      depth === 0
        ? part("application/sdp", SDP)
        : part(`multipart/mixed;boundary=b${depth}`, multipart(`b${depth}`, nest(depth - 1)));
    const sdpAt = (depth: number): string | undefined =>
      request([["Content-Type", "multipart/mixed;boundary=top"]], multipart("top", nest(depth)))
        .sdp;
    expect(sdpAt(2)).toBe(SDP);
    expect(sdpAt(3)).toBeUndefined();
  });

  it.each([
    ["multipart/mixed", "--b\r\n"],
    ["multipart/mixed;boundary=", "--b\r\n"],
    ["multipart/mixed;boundary=b;;", "--b\r\n"],
    ["multipart/mixed;boundary=b", ""],
    ["multipart/mixed;boundary=b", "--b"],
    ["multipart/mixed;boundary=b", "--b\r\n"],
    ["multipart/mixed;boundary=b", "--b--\r\n"],
    ["multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n\r\nv=0"],
    ["multipart/mixed;boundary=b", "--b\r\n\r\n--b--"],
    [`multipart/mixed;boundary=${"b".repeat(71)}`, `--${"b".repeat(71)}\r\n`],
  ])("is none in a broken body: %s %j", (type, body) => {
    expect(request([["Content-Type", type]], body).sdp).toBeUndefined();
  });

  it("may be empty", () => {
    const body = "--b\r\nContent-Type: application/sdp\r\n\r\n\r\n--b--";
    expect(request([["Content-Type", "multipart/mixed;boundary=b"]], body).sdp).toBe("");
  });
});

describe("serializeMessage", () => {
  it("counts octets, not characters, whatever Content-Length said (RFC 3261 §20.14)", () => {
    const wire = serializeMessage(
      request(
        [
          ["X", "1"],
          ["l", "999"],
          ["Content-Length", "7"],
          ["Y", "2"],
        ],
        "é",
      ),
    );
    expect(wire.toString("utf8")).toBe("INVITE sip:a@b SIP/2.0\r\nX: 1\r\nl: 2\r\nY: 2\r\n\r\né");
  });

  it("adds Content-Length", () => {
    const wire = serializeMessage(new SipResponse(200, "OK", Headers.of([])));
    expect(wire.toString()).toBe("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
  });

  it("writes a reason phrase as UTF-8 without control characters", () => {
    const wire = serializeMessage(new SipResponse(486, "besetzt – später\r\nX: y", Headers.of([])));
    expect(wire.toString("utf8").split("\r\n", 1)[0]).toBe("SIP/2.0 486 besetzt – später  X: y");
  });
});
