import { describe, expect, it } from "vitest";
import {
  certificateFault,
  certificateNames,
  serverNameOf,
} from "../../../src/signaling/transport/tls-identity.ts";

describe("RFC 5922 §7.1 the names of a certificate", () => {
  it.each([
    ["DNS:a.test, DNS:B.test", ["a.test", "b.test"]],
    ["URI:sip:example.com, DNS:pbx.example.com", ["example.com", "pbx.example.com"]],
    ["URI:sip:alice@example.com, URI:https://example.com, URI:sips:example.com", []],
    ["IP Address:192.0.2.1", ["192.0.2.1"]],
    ["email:a@b.test", []],
    ['DNS:"a.test, DNS:evil.test"', ["a.test, dns:evil.test"]],
    ['DNS:"a\\"b", DNS:c.test', ['a"b', "c.test"]],
  ])("%s", (subjectaltname, names) => {
    expect(certificateNames({ subjectaltname, subject: { CN: "cn.test" } })).toEqual(names);
  });

  it("are the CN only where there is no subjectAltName", () => {
    expect(certificateNames({ subject: { CN: "CN.test" } })).toEqual(["cn.test"]);
    expect(certificateNames({ subject: { CN: ["a.test", "b.test"] } })).toEqual([
      "a.test",
      "b.test",
    ]);
    expect(certificateNames({})).toEqual([]);
  });
});

describe("RFC 5922 §7.2 comparing", () => {
  const of = (subjectaltname: string) => ({ subjectaltname, subject: { CN: "cn.test" } });

  it.each([
    ["A.test", "DNS:a.TEST"],
    ["192.0.2.1", "IP Address:192.0.2.1"],
    ["2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1"],
    ["*.a.test", "DNS:*.a.test"],
  ])("%s is %s", (name, names) => {
    expect(certificateFault(name, of(names))).toBeUndefined();
  });

  it.each([
    ["sub.a.test", "DNS:*.a.test"],
    ["a.test", "DNS:b.test"],
    ["cn.test", "DNS:b.test"],
    ["a.test", "DNS:a.test.evil.test"],
    ["192.0.2.1", "DNS:a.test, IP Address:192.0.2.2"],
  ])("%s is not %s", (name, names) => {
    expect(certificateFault(name, of(names))?.message).toContain(`not for ${name}`);
  });

  it("says whom an empty certificate is for", () => {
    expect(certificateFault("a.test", {})?.message).toBe(
      "the certificate is for nobody, not for a.test",
    );
  });
});

describe("RFC 6066 §3 server names", () => {
  it.each([
    ["pbx.test", "pbx.test"],
    ["192.0.2.1", undefined],
    ["2001:db8::1", undefined],
    ["*.pbx.test", undefined],
  ])("%s", (name, expected) => {
    expect(serverNameOf(name)).toBe(expected);
  });
});
