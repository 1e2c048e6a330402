import { describe, expect, it } from "vitest";
import {
  formatDigestChallenge,
  formatDigestCredentials,
  parseAuthHeader,
  tryParseAuthHeader,
  tryParseDigestChallenge,
  tryParseDigestCredentials,
} from "../../../src/signaling/message/auth-header.ts";
import { SipParseError } from "../../../src/signaling/message/errors.ts";

describe("RFC 3261 §20.7 and §20.44: authentication headers", () => {
  it("reads scheme and parameters", () => {
    const header = parseAuthHeader(
      'DIGEST  Realm="a, \\"b\\"" ,nonce = "x",stale=FALSE , qop="auth,auth-int",,nc=00000001',
    );
    expect(header.scheme).toBe("digest");
    expect([...header.params]).toEqual([
      ["realm", 'a, "b"'],
      ["nonce", "x"],
      ["stale", "FALSE"],
      ["qop", "auth,auth-int"],
      ["nc", "00000001"],
    ]);
  });

  it("reads UTF-8 names (RFC 7616 §4)", () => {
    expect(parseAuthHeader('Digest username="J\u00C3\u00A4son"').params.get("username")).toBe(
      "Jäson",
    );
  });

  it.each([
    "",
    " ",
    '"Digest" a=b',
    "Digest a",
    "Digest a=b c=d",
    "Digest =b",
    'Digest a="b',
    'Digest a=b"c"',
    'Digest a="b"c',
    "Digest a=1, a=2",
    "Digest a=1, A=1",
    "Digest/ a=b",
    "Digest ,a=b",
    `Digest ${Array.from({ length: 33 }, (_, index) => `a${index}=b`).join(",")}`,
  ])("refuses %j", (value) => {
    expect(() => parseAuthHeader(value)).toThrow(SipParseError);
    expect(tryParseAuthHeader(value)).toBeUndefined();
    expect(tryParseDigestCredentials(value)).toBeUndefined();
    expect(tryParseDigestChallenge(value)).toBeUndefined();
  });

  it("knows names that are special to JavaScript", () => {
    expect(parseAuthHeader("Digest __proto__=x").params.get("__proto__")).toBe("x");
  });
});

describe("RFC 7616: digest", () => {
  const credentials = {
    username: 'al"ice',
    realm: "example.com",
    nonce: "n==",
    uri: "sip:b@example.com",
    response: "6629fae49393a05397450978507c4ef1",
    algorithm: "SHA-256",
    cnonce: "0a4f113b",
    opaque: "o",
    qop: "auth",
    nc: "00000001",
  };

  it("writes and reads credentials", () => {
    const text = formatDigestCredentials(credentials);
    expect(text).toBe(
      'Digest username="al\\"ice", realm="example.com", nonce="n==", uri="sip:b@example.com", ' +
        'response="6629fae49393a05397450978507c4ef1", algorithm=SHA-256, cnonce="0a4f113b", opaque="o", qop=auth, nc=00000001',
    );
    expect(tryParseDigestCredentials(text)).toEqual(credentials);
  });

  it("writes and reads challenges", () => {
    const challenge = {
      realm: "r",
      nonce: "n",
      opaque: "o",
      isStale: true,
      algorithm: "MD5",
      qop: ["auth", "auth-int"],
    };
    const text = formatDigestChallenge(challenge);
    expect(text).toBe(
      'Digest realm="r", nonce="n", opaque="o", stale=true, algorithm=MD5, qop="auth,auth-int"',
    );
    expect(tryParseDigestChallenge(text)).toEqual(challenge);
    expect(tryParseDigestChallenge('Digest realm="r", nonce="n"')).toMatchObject({
      isStale: false,
      qop: undefined,
    });
  });

  it.each([
    'Digest username="1000",realm="gw.test",nonce=',
    'Digest realm="r",nonce="n",uri="u",response="x"',
    'Digest username="u",realm="r",nonce="n",uri="u"',
    'Digest username="u",realm="r",nonce="n",uri="u",response="x",nc=1',
    'Digest username="u",realm="r",nonce="n",uri="u",response="x",nc=0000000g',
    'Basic username="u",realm="r",nonce="n",uri="u",response="x"',
  ])("takes no incomplete credentials: %s", (value) => {
    expect(tryParseDigestCredentials(value)).toBeUndefined();
  });

  it.each([
    'Digest nonce="n"',
    'Digest realm="r"',
    'Digest realm="r",nonce=""',
    'NTLM realm="r",nonce="n"',
  ])("takes no incomplete challenge: %s", (value) => {
    expect(tryParseDigestChallenge(value)).toBeUndefined();
  });

  it("lets no line break through", () => {
    expect(
      formatDigestCredentials({ ...credentials, username: "a\r\nX: y", qop: "a\r\nb" }),
    ).not.toMatch(/[\r\n]/);
  });
});
