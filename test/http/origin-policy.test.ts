import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { createOriginPolicy } from "../../src/http/origin-policy.ts";

function requestTo(host: string | undefined): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  if (host !== undefined) request.headers.host = host;
  return request;
}

describe("createOriginPolicy", () => {
  const own = createOriginPolicy({});

  it.each([
    ["http://gw.example", "gw.example"],
    ["http://gw.example", "gw.example:80"],
    ["http://gw.example:8080", "gw.example:8080"],
    ["http://GW.example:8080", "gw.EXAMPLE:8080"],
    ["https://gw.example", "gw.example"],
    ["https://gw.example", "gw.example:443"],
    ["http://[::1]:8080", "[::1]:8080"],
  ])("without a list takes %s for requests to %s", (origin, host) => {
    expect(own(origin, requestTo(host))).toBe(true);
  });

  it.each([
    ["http://evil.example", "gw.example"],
    ["http://gw.example:81", "gw.example"],
    ["http://gw.example", "gw.example:8080"],
    ["https://gw.example", "gw.example:80"],
    ["http://gw.example.evil.example", "gw.example"],
    ["http://evil-gw.example", "gw.example"],
    ["http://gw.example@evil.example", "gw.example"],
    ["http://user@gw.example", "gw.example"],
    ["http://gw.example/path", "gw.example"],
    ["http://gw.example?x", "gw.example"],
    ["ftp://gw.example", "gw.example"],
    ["null", "null"],
    ["", "gw.example"],
    ["gw.example", "gw.example"],
    ["http://gw.example", undefined],
    ["http://gw.example", ""],
    ["http://a".padEnd(400, "a"), "a".repeat(393)],
  ])("without a list refuses %s for requests to %s", (origin, host) => {
    expect(own(origin, requestTo(host))).toBe(false);
  });

  it("takes what comes from no page", () => {
    expect(own(undefined, requestTo("gw.example"))).toBe(true);
    expect(createOriginPolicy({ origins: [] })(undefined, requestTo("gw.example"))).toBe(true);
  });

  it("with a list takes its origins alone, whatever the Host says", () => {
    const listed = createOriginPolicy({
      origins: ["https://a.example", "http://b.example:8080/", "HTTPS://C.example:443"],
    });
    const request = requestTo("gw.example");
    expect(listed("https://a.example", request)).toBe(true);
    expect(listed("http://b.example:8080", request)).toBe(true);
    expect(listed("https://c.example", request)).toBe(true);
    expect(listed("http://a.example", request)).toBe(false);
    expect(listed("https://a.example:444", request)).toBe(false);
    expect(listed("http://gw.example", request)).toBe(false);
    expect(listed("null", request)).toBe(false);
  });

  it("takes nothing when the list is empty or has no origin in it", () => {
    for (const origins of [[], ["*", "a.example", "null", "https://a.example/path"]]) {
      const listed = createOriginPolicy({ origins });
      for (const origin of ["https://a.example", "http://gw.example", "null", "*"]) {
        expect(listed(origin, requestTo("gw.example")), origin).toBe(false);
      }
    }
  });
});
