import { describe, expect, it } from "vitest";
import { parseHost } from "../../src/http/host.ts";

describe("RFC 9110 §7.2 parseHost", () => {
  it.each([
    ["voice.example.com", "voice.example.com"],
    ["Voice.Example.COM:8443", "voice.example.com:8443"],
    ["192.0.2.1:80", "192.0.2.1:80"],
    ["[2001:DB8::1]:8080", "[2001:db8::1]:8080"],
    ["[::1]", "[::1]"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ])("reads %s", (value, expected) => {
    expect(parseHost(value)).toBe(expected);
  });

  it.each([
    undefined,
    "",
    ":80",
    "a:",
    "a:b",
    "a:80:80",
    "a:65536",
    "a:-1",
    "::1",
    "[::1",
    "[::1]x",
    "[]",
    "[127.0.0.1]",
    "a/b",
    "a b",
    "a;b",
    "a'b",
    "user@a",
    "a%41",
    "b\u00fccher.example",
    "a".repeat(254),
  ])("refuses %j", (value) => {
    expect(parseHost(value)).toBeUndefined();
  });
});
