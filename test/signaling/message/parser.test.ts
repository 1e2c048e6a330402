import { describe, expect, it } from "vitest";
import type { SipMessage } from "../../../src/signaling/message/message.ts";
import {
  SipMessageError,
  parseMessage,
  scanMessage,
  tryParseMessage,
} from "../../../src/signaling/message/parser.ts";

const BASE: readonly (readonly [string, string])[] = [
  ["Via", "SIP/2.0/UDP 192.0.2.10:5070;rport;branch=z9hG4bKabc"],
  ["Max-Forwards", "70"],
  ["From", "<sip:1000@example.com>;tag=f1"],
  ["To", "<sip:2000@example.com>"],
  ["Call-ID", "call@192.0.2.10"],
  ["CSeq", "1 OPTIONS"],
];

interface Parts {
  readonly start?: string;
  /** Replaces a field of the base; undefined leaves it out. */
  readonly set?: Readonly<Record<string, string | undefined>>;
  /** Whole lines put after the base. */
  readonly lines?: readonly string[];
  readonly body?: string;
}

function octetsOf({ start, set = {}, lines = [], body = "" }: Parts): Buffer {
  const fields = BASE.flatMap(([name, value]) => {
    const given = Object.hasOwn(set, name) ? set[name] : value;
    return given === undefined ? [] : [`${name}: ${given}`];
  });
  const head = [start ?? "OPTIONS sip:2000@example.com SIP/2.0", ...fields, ...lines];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`, "latin1");
}

function accepted(parts: Parts): SipMessage {
  return parseMessage(octetsOf(parts));
}

function refused(parts: Parts, stream = false): SipMessageError {
  const result = tryParseMessage(octetsOf(parts), { stream });
  if (!(result instanceof SipMessageError)) throw new Error("the message was accepted");
  return result;
}

describe("RFC 3261 §7.1 and §7.2: the first line", () => {
  it.each([
    "OPTIONS sip:2000@example.com  SIP/2.0",
    "OPTIONS  sip:2000@example.com SIP/2.0",
    " OPTIONS sip:2000@example.com SIP/2.0",
    "OPTIONS sip:2000@example.com SIP/2.0 ",
    "OPTIONS\tsip:2000@example.com SIP/2.0",
    "OPTIONS sip:2000@example.com",
    "OPTIONS <sip:2000@example.com> SIP/2.0",
    "OPTIONS sip:20\x0100@example.com SIP/2.0",
    "OPTIONS sip:2000@example.com HTTP/1.1",
    "OPTIONS sip:2000@example.com SIP/x",
    "OPT(IONS sip:2000@example.com SIP/2.0",
    "OPTIONS 2000 SIP/2.0",
    "OPTIONS sip:20%zz@example.com SIP/2.0",
    "OPTIONS sip: SIP/2.0",
    "",
  ])("refuses %j with 400", (start) => {
    expect(refused({ start })).toMatchObject({ status: 400, code: "ERR_OFFHOOK_SIP_SYNTAX" });
  });

  it.each(["SIP/1.0", "SIP/3.0", "SIP/2.01", "sip/7.0"])(
    "refuses version %s with 505",
    (version) => {
      const error = refused({ start: `OPTIONS sip:2000@example.com ${version}` });
      expect(error).toMatchObject({ status: 505, code: "ERR_OFFHOOK_SIP_VERSION" });
      expect(error.partial?.requestUri).toBe("sip:2000@example.com");
    },
  );

  it("reads the version without case", () => {
    expect(accepted({ start: "OPTIONS sip:2000@example.com sip/2.0" }).kind).toBe("request");
    expect(accepted({ start: "sip/2.0 200 OK" }).kind).toBe("response");
  });

  it.each([
    "SIP/2.0 200OK",
    "SIP/2.0 20 OK",
    "SIP/2.0 2000 OK",
    "SIP/2.0 099 OK",
    "SIP/2.0 700 OK",
    "SIP/2.0  200 OK",
    "SIP/2.0 -12 OK",
    "SIP/2.0 2x0 OK",
    "SIP/3.0 200 OK",
    "SIP/2.0 200",
  ])("refuses the status line %j without an answer", (start) => {
    expect(refused({ start }).partial).toBeUndefined();
  });

  it("keeps the case of the method, and refuses one that CSeq does not name (§8.1.1.5)", () => {
    const lower = accepted({ start: "options sip:x@y SIP/2.0", set: { CSeq: "1 options" } });
    expect(lower.cseq.method).toBe("options");
    expect(refused({ start: "options sip:x@y SIP/2.0" }).status).toBe(400);
  });

  it("ignores CRLF before the first line (§7.5)", () => {
    const octets = Buffer.concat([Buffer.from("\r\n\r\n"), octetsOf({})]);
    expect(parseMessage(octets).callId).toBe("call@192.0.2.10");
  });

  it("refuses header fields in the Request-URI (§19.1.1)", () => {
    expect(refused({ start: "OPTIONS sip:x@y?Route=%3Csip:z%3E SIP/2.0" }).status).toBe(400);
  });
});

describe("RFC 3261 §7.3: header fields", () => {
  it("takes blanks before the colon, and knows the name none the less", () => {
    const message = accepted({ lines: ["X-Trusted \t : 1", "Subject :\r\n\tfolded"] });
    expect(message.headers.get("x-trusted")).toBe("1");
    expect([...message.headers].map(([name]) => name)).toContain("X-Trusted");
    expect(message.headers.get("Subject")).toBe("folded");
  });

  it.each([
    "X\x0b: 1",
    "X\x00: 1",
    "X Y: 1",
    "X(Y): 1",
    ": 1",
    "no colon at all",
    "X-Folded-Name\r\n : 1",
    "X-Ünïcode: 1",
    "X: a\rb",
    "X: a\nInjected: 1",
    "X: a\x00b",
    "X: a\x7fb",
    'X: "a\x01b"',
    "X: a\\\x01b",
  ])("refuses the line %j with 400", (line) => {
    const error = refused({ lines: [line] });
    expect(error).toMatchObject({ status: 400, code: "ERR_OFFHOOK_SIP_SYNTAX" });
    expect(error.partial?.headers.get("Injected")).toBeUndefined();
  });

  it("takes a control character in a quoted pair, where the grammar has it (§25.1)", () => {
    const message = accepted({ set: { To: '"a\\\x07b" <sip:2000@example.com>' } });
    expect(message.to.displayName).toBe("a\u0007b");
  });

  it("refuses an escaped line break in a quoted string", () => {
    expect(refused({ set: { To: '"a\\\nb" <sip:2000@example.com>' } }).status).toBe(400);
    expect(refused({ set: { To: '"a\\\r\nX: y" <sip:2000@example.com>' } }).status).toBe(400);
  });

  it("makes a fold a single space", () => {
    const message = accepted({ lines: ["Subject: I know  \r\n \t you're \r\n  there"] });
    expect(message.headers.get("Subject")).toBe("I know you're there");
  });

  it("refuses a message whose first header line is a fold", () => {
    const octets = Buffer.from("OPTIONS sip:a@b SIP/2.0\r\n Via: x\r\n\r\n");
    expect(tryParseMessage(octets)).toBeInstanceOf(SipMessageError);
  });

  it("knows compact names (§7.3.3)", () => {
    const set = { From: undefined, To: undefined, "Call-ID": undefined, Via: undefined };
    const lines = [
      "v: SIP/2.0/TCP host;branch=z9hG4bK1",
      "F: <sip:a@b>;tag=1",
      "t: <sip:c@d>",
      "i: id",
      "m: <sip:a@host>",
      "k: path, gruu",
    ];
    const message = accepted({ set, lines });
    expect(message.fromTag).toBe("1");
    expect(message.callId).toBe("id");
    expect(message.contact?.uri).toBe("sip:a@host");
    expect(message.headers.list("Supported")).toEqual(["path", "gruu"]);
  });

  it.each([
    ["From", "f: <sip:x@y>;tag=2"],
    ["To", "t: <sip:x@y>"],
    ["Call-ID", "i: other"],
    ["CSeq", "CSEQ: 2 OPTIONS"],
    ["Max-Forwards", "max-forwards: 3"],
  ])("refuses a second %s, however it is spelt", (_, line) => {
    expect(refused({ lines: [line] }).status).toBe(400);
  });

  it.each(["Via", "From", "To", "Call-ID", "CSeq"])("refuses a message without %s", (name) => {
    const error = refused({ set: { [name]: undefined } });
    expect(error.message).toContain(name);
    expect(error.partial === undefined).toBe(name === "Via");
  });

  it.each([
    ["Via", "SIP/2.0/UDP host;;branch=z9hG4bK1"],
    ["Via", "SIP/2.0/UDP host,"],
    ["Via", "SIP/2.0/UDP"],
    ["Via", "SIP/2.0/UDPhost"],
    ["Via", "SIP/2.0/UDP host:99999"],
    ["Via", "SIP/2.0/UDP host;branch="],
    ["Via", "SIP/2.0/UDP host;branch=a;branch=b"],
    ["Via", "HTTP/1.1/TCP host"],
    ["From", "<sip:a@b>;tag=1;tag=2"],
    ["From", "<sip:a@b>;tag="],
    ["From", "<sip:a@b"],
    ["From", "<sip:a@b>, <sip:c@d>"],
    ["From", "a, b <sip:a@b>"],
    ["From", '"open <sip:a@b>'],
    ["From", "< sip:a@b>"],
    ["From", "<sip:%zz@b>"],
    ["From", "<sip:a@b:x>"],
    ["From", "<>"],
    ["To", "*"],
    ["To", "2000"],
    ["To", `<sip:${"9".repeat(1025)}@b>`],
    ["To", `<sip:a@b>;tag=${"t".repeat(513)}`],
    ["Call-ID", ""],
    ["Call-ID", "a b"],
    ["Call-ID", "é"],
    ["Call-ID", "c".repeat(513)],
    ["CSeq", "1"],
    ["CSeq", "OPTIONS"],
    ["CSeq", "-1 OPTIONS"],
    ["CSeq", "1OPTIONS"],
    ["CSeq", "2147483648 OPTIONS"],
    ["CSeq", "1 OPTIONS x"],
    ["CSeq", "\u00EF\u00BC\u0091 OPTIONS"],
    ["Max-Forwards", "256"],
    ["Max-Forwards", "-1"],
    ["Max-Forwards", "7e1"],
    ["Max-Forwards", ""],
  ])("refuses %s: %s", (name, value) => {
    expect(refused({ set: { [name]: value } }).status).toBe(400);
  });

  it.each([
    "Contact: ",
    "Contact: *",
    "Contact: <sip:a@b>, *",
    "Contact: <sip:a@b>;;",
    "Contact: None",
    "Route: <sip:a@b",
    "Record-Route: x",
  ])("refuses %s", (line) => {
    expect(refused({ lines: [line] }).status).toBe(400);
  });

  it("takes an empty element in Route, which RFC 7118 §8.2 prints", () => {
    const message = accepted({ lines: ["Route: <sip:a;lr>,", "Route:"] });
    expect(message.routes.map(({ uri }) => uri)).toEqual(["sip:a;lr"]);
  });

  it("takes a Contact of '*' in a REGISTER that removes all bindings (§10.2.2)", () => {
    const register = { start: "REGISTER sip:example.com SIP/2.0", set: { CSeq: "1 REGISTER" } };
    const message = accepted({ ...register, lines: ["Contact: *", "Expires: 0"] });
    expect(message.contacts).toBe("*");
    expect(message.contact).toBeUndefined();
    expect(refused({ ...register, lines: ["Contact: *", "Expires: 60"] }).status).toBe(400);
  });

  it("keeps names that are special to JavaScript apart from objects", () => {
    const message = accepted({
      set: { From: "<sip:a@b;__proto__=1;constructor=2>;tag=1;__proto__=x;toString=y" },
      lines: ["__proto__: 1", "constructor: 2"],
    });
    expect(message.headers.get("__proto__")).toBe("1");
    expect(message.from.params.get("__proto__")).toBe("x");
    expect(message.from.sipUri.params.get("constructor")).toBe("2");
    expect(Object.hasOwn(Object.prototype, "1")).toBe(false);
    expect(message.headers.get("hasOwnProperty")).toBeUndefined();
  });
});

describe("RFC 3261 §18.3 and §20.14: Content-Length", () => {
  const body = "v=0\r\n";

  it("takes the whole rest without it, and nothing behind it", () => {
    expect(accepted({ body }).body.toString()).toBe(body);
    expect(accepted({ body, lines: ["Content-Length: 3"] }).body.toString()).toBe("v=0");
    expect(accepted({ body, lines: ["l: 5"] }).body.toString()).toBe(body);
    expect(accepted({ body, lines: ["Content-Length: 00005"] }).body.toString()).toBe(body);
  });

  it.each([
    "6",
    "-1",
    "+5",
    "5.0",
    "1e1",
    "0x5",
    "5, 5",
    "5 5",
    "",
    "five",
    "\u00EF\u00BC\u0091",
    "9".repeat(40),
  ])("refuses %j with 400", (length) => {
    expect(refused({ body, lines: [`Content-Length: ${length}`] })).toMatchObject({
      status: 400,
      code: "ERR_OFFHOOK_SIP_CONTENT_LENGTH",
    });
  });

  it.each([["Content-Length: 5"], ["l: 5"], ["content-length: 4"]])(
    "refuses a second one: %s",
    (line) => {
      expect(refused({ body, lines: ["Content-Length: 5", line] }).status).toBe(400);
    },
  );

  it("must be there and exact in a stream", () => {
    expect(refused({ body }, true).code).toBe("ERR_OFFHOOK_SIP_CONTENT_LENGTH");
    expect(refused({ body, lines: ["l: 3"] }, true).code).toBe("ERR_OFFHOOK_SIP_CONTENT_LENGTH");
    const octets = octetsOf({ body, lines: ["l: 5"] });
    expect(parseMessage(octets, { stream: true }).body.toString()).toBe(body);
  });
});

describe("limits", () => {
  const filler = (count: number, name = "X"): string[] => Array<string>(count).fill(`${name}: y`);

  it("takes 65536 octets and answers one more with 513 (RFC 3261 §21.5.7)", () => {
    const size = 65_536 - octetsOf({}).length;
    expect(accepted({ body: "b".repeat(size) }).body).toHaveLength(size);
    const error = refused({ body: "b".repeat(size + 1) });
    expect(error).toMatchObject({ status: 513, code: "ERR_OFFHOOK_SIP_TOO_LARGE" });
    expect(error.partial?.callId).toBe("call@192.0.2.10");
  });

  it("takes 128 header lines and answers one more with 513", () => {
    expect(accepted({ lines: filler(122) }).headers.size).toBe(128);
    expect(refused({ lines: filler(123) })).toMatchObject({ status: 513 });
  });

  it("takes a header line of 8192 octets and answers a longer one with 513", () => {
    expect(accepted({ lines: [`X: ${"y".repeat(8189)}`] }).headers.get("X")).toHaveLength(8189);
    expect(refused({ lines: [`X: ${"y".repeat(8190)}`] })).toMatchObject({ status: 513 });
    expect(refused({ lines: [`X: y${"\r\n ".repeat(4000)}`] })).toMatchObject({ status: 513 });
  });

  it("takes 70 Via values and answers one more with 400, in lines or in a list", () => {
    const via = "SIP/2.0/UDP h;branch=z9hG4bK1";
    const list = (count: number): string => Array<string>(count).fill(via).join(",");
    expect(accepted({ set: { Via: list(70) } }).vias).toHaveLength(70);
    expect(refused({ set: { Via: list(71) } })).toMatchObject({ status: 400 });
    const error = refused({ lines: filler(70).map(() => `Via: ${via}`) });
    expect(error).toMatchObject({ status: 400 });
    expect(error.partial?.vias.length).toBeLessThanOrEqual(70);
  });

  it("takes a Request-URI of 1024 octets and answers a longer one with 414 (§8.2.2.1)", () => {
    const uri = (length: number): string => `sip:${"9".repeat(length - 8)}@abc`;
    expect(accepted({ start: `OPTIONS ${uri(1024)} SIP/2.0` }).kind).toBe("request");
    expect(refused({ start: `OPTIONS ${uri(1025)} SIP/2.0` })).toMatchObject({
      status: 414,
      code: "ERR_OFFHOOK_SIP_URI_TOO_LONG",
    });
  });
});

describe("what is left of a request that is refused", () => {
  it("is nothing for an ACK (RFC 3261 §17.1.1.3) and for a response", () => {
    const ack = { start: "ACK sip:x@y SIP/2.0", set: { CSeq: "1 ACK", To: undefined } };
    expect(refused(ack).partial).toBeUndefined();
    expect(refused({ start: "SIP/2.0 200 OK", set: { To: undefined } }).partial).toBeUndefined();
  });

  it("is nothing when a Via line cannot be kept: the answer would go to another hop", () => {
    const set = { Via: "SIP/2.0/UDP a\x01b;branch=z9hG4bK1" };
    const error = refused({ set, lines: ["Via: SIP/2.0/UDP victim;branch=z9hG4bK2"] });
    expect(error.partial).toBeUndefined();
    const other = { Via: "SIP/2.0/UDP ;branch=z9hG4bK1" };
    const lines = ["Via: SIP/2.0/UDP victim;branch=z9hG4bK2"];
    expect(refused({ set: other, lines }).partial).toBeUndefined();
  });

  it("keeps the good parameters of a topmost Via and drops lower ones that are malformed", () => {
    const set = { Via: "SIP/2.0/UDP a;branch=z9hG4bK1;rport;;x" };
    const { partial } = refused({ set, lines: ["Via: bad", "Via: SIP/2.0/TCP b"] });
    expect(partial?.vias.map(String)).toEqual([
      "SIP/2.0/UDP a;branch=z9hG4bK1;rport",
      "SIP/2.0/TCP b",
    ]);
  });

  it("has a harmless Request-URI when its own cannot be written", () => {
    const { partial } = refused({ start: "OPTIONS <sip:x> SIP/2.0" });
    expect(partial?.requestUri).toBe("sip:invalid.invalid");
  });

  it.each(["", "\r\n\r\n", "\u0000", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "INVITE\r\n\r\n", "X"])(
    "is nothing of %j",
    (text) => {
      const error = tryParseMessage(Buffer.from(text, "latin1"));
      expect(error).toBeInstanceOf(SipMessageError);
      if (error instanceof SipMessageError) expect(error.partial).toBeUndefined();
    },
  );
});

describe("scanMessage", () => {
  it.each(Array.from({ length: 9 }, (_, length) => length))(
    "finds the first empty line wherever it begins: after %d more octets",
    (length) => {
      const head = `OPTIONS sip:a SIP/2.0\r\nX: ${"p".repeat(length)}`;
      const body = "one\r\n\r\ntwo\n\r\n\r";
      expect(scanMessage(Buffer.from(`${head}\r\n\r\n${body}`)).body.toString()).toBe(body);
      for (const cut of ["", "\r", "\r\n", "\r\n\r", "\n\n", "\r\r\n\n"]) {
        expect(() => scanMessage(Buffer.from(head + cut))).toThrow("empty line");
      }
    },
  );

  it("looks into no header value", () => {
    const message = scanMessage(octetsOf({ set: { Via: "bad", To: undefined } }));
    expect(message.headers.get("Via")).toBe("bad");
    expect(() => message.vias).toThrow("Via");
    expect(() => message.to).toThrow("To header field is missing");
  });
});
