import { describe, expect, it } from "vitest";
import {
  buildRequest,
  buildResponse,
  reasonPhraseOf,
} from "../../../src/signaling/message/build.ts";
import { SipFormatError } from "../../../src/signaling/message/errors.ts";
import { serializeMessage } from "../../../src/signaling/message/serializer.ts";

const invite = buildRequest({
  method: "INVITE",
  requestUri: "sip:2000@example.com",
  headers: [
    ["v", "SIP/2.0/UDP a;branch=z9hG4bK1"],
    ["Via", "SIP/2.0/UDP b;branch=z9hG4bK2"],
    ["Record-Route", "<sip:p1;lr>"],
    ["Record-Route", "<sip:p2;lr>, <sip:p3;lr>"],
    ["f", '"A" <sip:a@b>;tag=1'],
    ["t", "<sip:c@d>"],
    ["i", "id"],
    ["CSeq", "7 INVITE"],
    ["Timestamp", "54"],
    ["Subject", "secret"],
  ],
  body: "é",
  contentType: "text/plain",
});

const lines = (status: number, parts?: Parameters<typeof buildResponse>[2]): string[] =>
  serializeMessage(buildResponse(invite, status, parts))
    .toString("utf8")
    .split("\r\n");

describe("buildRequest", () => {
  it("encodes the body and names its type", () => {
    expect(invite.body.toString("hex")).toBe("c3a9");
    expect(invite.contentType).toBe("text/plain");
  });

  it("names no type for no body", () => {
    const headers = [["X", "y"]] as const;
    const built = buildRequest({ method: "BYE", requestUri: "sip:a", headers, contentType: "a/b" });
    expect(built.contentType).toBeUndefined();
  });

  it("refuses a header that would begin a line", () => {
    const headers = [["X", "y\r\nZ: 1"]] as const;
    expect(() => buildRequest({ method: "BYE", requestUri: "sip:a", headers })).toThrow(
      SipFormatError,
    );
  });
});

describe("RFC 3261 §8.2.6.2: buildResponse", () => {
  it("copies what identifies the request, and a tag for To", () => {
    expect(lines(486, { toTag: "t2", headers: [["Retry-After", "5"]] })).toEqual([
      "SIP/2.0 486 Busy Here",
      "Via: SIP/2.0/UDP a;branch=z9hG4bK1",
      "Via: SIP/2.0/UDP b;branch=z9hG4bK2",
      'From: "A" <sip:a@b>;tag=1',
      "To: <sip:c@d>;tag=t2",
      "Call-ID: id",
      "CSeq: 7 INVITE",
      "Retry-After: 5",
      "Content-Length: 0",
      "",
      "",
    ]);
  });

  it("has no tag but the Timestamp in a 100 (§8.2.6.1)", () => {
    const trying = lines(100, { toTag: "t2" });
    expect(trying).toContain("To: <sip:c@d>");
    expect(trying).toContain("Timestamp: 54");
    expect(trying.some((line) => line.startsWith("Record-Route"))).toBe(false);
  });

  it.each([180, 200])("copies Record-Route into a %i (§12.1.1)", (status) => {
    expect(lines(status, { toTag: "t2" })).toEqual(
      expect.arrayContaining([
        "Record-Route: <sip:p1;lr>",
        "Record-Route: <sip:p2;lr>, <sip:p3;lr>",
      ]),
    );
  });

  it("keeps a tag that To has", () => {
    const inDialog = buildRequest({
      method: "BYE",
      requestUri: "sip:a",
      headers: [["To", "<sip:c@d>;tag=theirs"]],
    });
    expect(buildResponse(inDialog, 200, { toTag: "ours" }).toTag).toBe("theirs");
  });

  it("sends a malformed To back as it came", () => {
    const broken = buildRequest({ method: "BYE", requestUri: "sip:a", headers: [["To", '"']] });
    expect(buildResponse(broken, 400, { toTag: "ours" }).headers.get("To")).toBe('"');
  });

  it("takes a body and a reason phrase", () => {
    const response = buildResponse(invite, 200, {
      reasonPhrase: "Gut",
      body: "v=0\r\n",
      contentType: "application/sdp",
    });
    expect(response.reasonPhrase).toBe("Gut");
    expect(response.sdp).toBe("v=0\r\n");
  });
});

describe("reasonPhraseOf", () => {
  it.each([
    [200, "OK"],
    [487, "Request Terminated"],
    [299, "OK"],
    [499, "Request Failure"],
    [699, "Global Failure"],
  ])("%i is %s", (status, phrase) => {
    expect(reasonPhraseOf(status)).toBe(phrase);
  });
});
