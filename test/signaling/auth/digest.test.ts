import { describe, expect, it } from "vitest";
import {
  digestResponse,
  equalInConstantTime,
  legacyDigestResponse,
  tryParseAlgorithm,
} from "../../../src/signaling/auth/digest.ts";

describe("RFC 7616 §3.9.1 the example with SHA-256 and MD5", () => {
  const input = {
    username: "Mufasa",
    realm: "http-auth@example.org",
    password: "Circle of Life",
    nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    nonceCount: "00000001",
    cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    method: "GET",
    uri: "/dir/index.html",
  } as const;

  it.each([
    ["MD5", "8ca523f5e9506fed4657c9700eebdbec"],
    ["SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"],
  ] as const)("%s", (algorithm, response) => {
    expect(digestResponse({ ...input, algorithm })).toBe(response);
  });
});

describe("RFC 2617 §3.5, RFC 2069 the older examples", () => {
  const common = {
    algorithm: "MD5",
    username: "Mufasa",
    realm: "testrealm@host.com",
    nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    method: "GET",
    uri: "/dir/index.html",
  } as const;

  it("with qop=auth", () => {
    const response = digestResponse({
      ...common,
      password: "Circle Of Life",
      nonceCount: "00000001",
      cnonce: "0a4f113b",
    });
    expect(response).toBe("6629fae49393a05397450978507c4ef1");
  });

  it("without qop", () => {
    const response = legacyDigestResponse({ ...common, password: "CircleOfLife" });
    // The value of RFC 2069's erratum 749.
    expect(response).toBe("1949323746fe6a43ef61f9606e7febea");
  });
});

describe("RFC 7616 §3.3 algorithm", () => {
  it.each([
    [undefined, "MD5"],
    ["MD5", "MD5"],
    ["md5", "MD5"],
    ["SHA-256", "SHA-256"],
    ["sha-256", "SHA-256"],
    ["SHA-512-256", undefined],
    ["MD5-sess", undefined],
    ["", undefined],
  ])("%s is %s", (text, algorithm) => {
    expect(tryParseAlgorithm(text)).toBe(algorithm);
  });
});

describe("comparison in constant time", () => {
  it.each([
    ["abc", "abc", true],
    ["abc", "abd", false],
    ["abc", "abcd", false],
    ["", "", true],
  ])("%s and %s: %s", (left, right, isEqual) => {
    expect(equalInConstantTime(left, right)).toBe(isEqual);
  });
});
