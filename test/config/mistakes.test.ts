import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { tryLoadConfigText } from "../../src/config/load.ts";
import { interfaces, mistakes } from "./fixture.ts";

describe("mistakes", () => {
  it.each<[text: string, ...mistakes: string[]]>([
    ["htp: {}", 'f.yaml:1:1: htp: unknown key; did you mean "http"?'],
    ["http:\n  lisen: x", 'f.yaml:2:3: http.lisen: unknown key; did you mean "listen"?'],
    [
      "http:\n  port: 80",
      "f.yaml:2:3: http.port: unknown key; expected one of listen, tls, origins, trusted-proxies, client-address",
    ],
    [
      "http:\n  listen: 80",
      'f.yaml:2:11: http.listen: found "80"; expected an address and port such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080',
    ],
    [
      "http: 8080",
      "f.yaml:1:7: http: found text; expected a map with the keys listen, tls, origins, trusted-proxies, client-address",
    ],
    [
      "http:\n  tls: { certificate: a }",
      "f.yaml:2:3: http.tls.key: missing; expected the path of a file",
    ],
    [
      "- a",
      "f.yaml:1:1: found a list; expected a map with the keys domain, http, sip, media, recording, users, trunks, dialplan, api, limits, reload",
    ],
    [
      "users:\n  1001: secret",
      "f.yaml:2:9: users.1001: found text; expected a map with the keys name, password, numbers, groups, country, area-code",
    ],
    [
      "users:\n  1001: {}",
      "f.yaml:2:3: users.1001.password: missing; expected a password that is not empty",
    ],
    [
      'users:\n  1001: { password: "" }',
      "f.yaml:2:21: users.1001.password: not usable; expected a password that is not empty",
    ],
    [
      "users:\n  a b: { password: x }",
      "f.yaml:2:3: users.a b: not usable as the id of a user; expected a letter, a digit or +, then letters, digits, . _ + - (at most 64 in all)",
    ],
    [
      "users:\n  a: { password: x, numbers: [0301] }",
      'f.yaml:2:31: users.a.numbers.0: found "0301"; expected an E.164 number such as +493012345601',
    ],
    [
      "users:\n  a: { password: [x] }",
      "f.yaml:2:18: users.a.password: found a list; expected a password that is not empty",
    ],
    [
      "trunks:\n  a: {}",
      "f.yaml:2:3: trunks.a.peer: missing; expected a SIP URI such as sip:pbx.example.com:5060",
    ],
    [
      "trunks: { a: { peer: pbx } }",
      'f.yaml:1:22: trunks.a.peer: found "pbx"; expected a SIP URI such as sip:pbx.example.com:5060',
    ],
    [
      "sip:\n  listen: tls:192.0.2.1:5061",
      "f.yaml:1:1: sip.tls: missing; expected a map with the certificate and key of the tls: listener",
    ],
    [
      "trunks: { a: { peer: sip:b, tls: { certificate: a.pem } } }",
      "f.yaml:1:29: trunks.a.tls.key: missing; expected a certificate and its key together",
    ],
    [
      "trunks: { a: { peer: sip:b, codecs: [PCMB] } }",
      'f.yaml:1:38: trunks.a.codecs.0: found "PCMB"; expected a codec (opus, G722, PCMA, PCMU, G729, GSM, iLBC, AMR, AMR-WB)',
    ],
    [
      "trunks: { a: { peer: sip:b, ping: 30 } }",
      'f.yaml:1:35: trunks.a.ping: found "30"; expected a duration from 1s to 1h, such as 500ms, 20s, 5m or 1h',
    ],
    [
      "trunks: { a: { peer: sip:b, registrar: true }, c: { peer: sip:d, registrar: true } }",
      "f.yaml:1:77: trunks.c.registrar: Invalid input; expected registrar: true at one trunk only",
    ],
    [
      "trunks: { a: { peer: sip:b, registrar: yes } }",
      'f.yaml:1:40: trunks.a.registrar: found "yes"; expected true or false',
    ],
    [
      "trunks: { a: { peer: sip:b, max-calls: 0 } }",
      'f.yaml:1:40: trunks.a.max-calls: found "0"; expected a whole number from 1 to 1000000',
    ],
    ["sip: { engine: kamailio }", 'f.yaml:1:16: sip.engine: found "kamailio"; expected embedded'],
    [
      "sip: { engine: { drachtio: { port: 1 } } }",
      "f.yaml:1:18: sip.engine.drachtio.secret: missing; expected a password that is not empty",
    ],
    [
      "sip: { engine: { dractio: {} } }",
      "f.yaml:1:8: sip.engine.drachtio: missing; expected a map with the keys host, port, secret, or a list",
      'f.yaml:1:18: sip.engine.dractio: unknown key; did you mean "drachtio"?',
    ],
    [
      "sip: { engine: { drachtio: { secret: x } }, tls: { certificate: a.pem, key: a.key } }",
      "f.yaml:1:50: sip.tls: would not be used, because TLS toward trunks is drachtio-server's; expected no such key; the certificates belong into drachtio-server's own file",
    ],
    [
      "{ sip: { engine: { drachtio: [{ secret: x }] } }, trunks: { a: { peer: sips:b, tls: { verify: false } } } }",
      "f.yaml:1:85: trunks.a.tls: would not be used, because TLS toward trunks is drachtio-server's; expected no such key; the certificates belong into drachtio-server's own file",
    ],
    [
      "sip: { engine: [embedded] }",
      "f.yaml:1:16: sip.engine: found a list; expected embedded, or a map with the keys drachtio",
    ],
    [
      "sip: { listen: [] }",
      "f.yaml:1:16: sip.listen: has the wrong length; expected at least 1 item",
    ],
    [
      "media: { rtpengine: udp:10.0.0.5:22222 }",
      'f.yaml:1:21: media.rtpengine: found "udp:10.0.0.5:22222"; expected managed',
    ],
    [
      "media: { rtpengine: ['udp:127.0.0.1:22222', 'udp:198.51.100.7:22222'] }",
      "f.yaml:1:45: media.rtpengine.1: 198.51.100.7 is a public address, and whoever reaches an ng socket can redirect every call; expected a private address, or allow-public-ng: true beside it",
    ],
    [
      "media: { rtpengine: [{ socket: udp:127.0.0.1:22222, wieght: 2 }] }",
      'f.yaml:1:53: media.rtpengine.0.wieght: unknown key; did you mean "weight"?',
    ],
    [
      "media: { codecs: opsu }",
      'f.yaml:1:18: media.codecs: found "opsu"; expected one of auto, narrow, opus',
    ],
    ["api: { tokens: hunter2 }", "f.yaml:1:16: api.tokens: found text; expected a list"],
    [
      "domain: ${HOST}",
      "f.yaml:1:9: domain: the environment variable HOST is not set; set it, or write ${HOST:-default}",
    ],
    [
      "dialplan: { routes: [{ do: ehco }] }",
      'f.yaml:1:28: dialplan.routes.0.do: found "ehco"; expected one of echo, play, read-digits, hang-up, or a map such as { ring: "@to" }, { dial: office } or { reject: 404 }',
    ],
    [
      "dialplan: { routes: [{ do: { rign: a } }] }",
      'f.yaml:1:30: dialplan.routes.0.do.rign: unknown key; did you mean "ring"?',
    ],
    [
      "dialplan: { routes: [{ do: {} }] }",
      "f.yaml:1:28: dialplan.routes.0.do: names no action; expected one of ring, dial, voicemail, forward, go, ask, reject, play",
    ],
    [
      "dialplan: { routes: [{ do: { ring: a, dial: b } }] }",
      "f.yaml:1:28: dialplan.routes.0.do: names both ring and dial; expected one of ring, dial, voicemail, forward, go, ask, reject, play",
    ],
    [
      "dialplan: { routes: [{ do: { reject: 404, strip: 1 } }] }",
      "f.yaml:1:50: dialplan.routes.0.do.strip: does not go with reject; expected it only beside dial and go",
    ],
    [
      "dialplan: { routes: [{ do: { reject: { status: 99 } } }] }",
      'f.yaml:1:48: dialplan.routes.0.do.reject.status: found "99"; expected a whole number from 400 to 699',
    ],
    [
      "dialplan: { routes: [{ at: { days: monday }, do: echo }] }",
      'f.yaml:1:36: dialplan.routes.0.at.days: found "monday"; expected days such as mon-fri or sat,sun (sun, mon, tue, wed, thu, fri, sat)',
    ],
    [
      "dialplan: { time-zone: Berlin }",
      'f.yaml:1:24: dialplan.time-zone: found "Berlin"; expected an IANA time zone such as Europe/Berlin or UTC',
    ],
    [
      "dialplan:\n  routes:\n    - to: _[1\n      do: echo",
      'f.yaml:3:11: dialplan.routes.0.to: a "[" without its "]"',
    ],
    [
      "dialplan: { routes: [{ do: { ring: '@to', then: { dial: x } } }] }",
      'f.yaml:1:57: dialplan.routes.0.do.then.dial: no trunk "x"; expected the id of a trunk',
    ],
    [
      "dialplan: { tests: [{ from: 1001, to: 1002, expect: {} }] }",
      "f.yaml:1:53: dialplan.tests.0.expect: names nothing to compare; expected one of ring, dial, voicemail, ask, reject, play, route",
    ],
    [
      "dialplan: { tests: [{ from: 1001, to: 1002, expect: echo }] }",
      "f.yaml:1:53: dialplan.tests.0.expect: a call from 1001 to 1002: expected echo, but it is ring 1002 for 30 s (decided by users)",
    ],
  ])("%s", (text, ...expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  it("are told all at once, in the order of the file, those of the dialplan too", () => {
    expect(
      mistakes(`
http: { listen: 1 }
trunks:
  office: { peer: pbx }
dialplan:
  routes:
    - { do: { dial: offcie } }
    - { do: { reject: 1 } }
    - { to: "_[", do: echo }
limits: { max-call: 1 }
`).map((line) => line.split(": ").slice(0, 2).join(" ")),
    ).toEqual([
      "f.yaml:2:17 http.listen",
      "f.yaml:4:19 trunks.office.peer",
      "f.yaml:7:21 dialplan.routes.0.do.dial",
      "f.yaml:8:23 dialplan.routes.1.do.reject",
      "f.yaml:9:13 dialplan.routes.2.to",
      "f.yaml:10:11 limits.max-call",
    ]);
  });

  it("never show a secret", () => {
    const lines = mistakes(`
users:
  a: hunter2
  b: { password: [hunter2] }
api: { tokens: hunter2 }
media: { turn: { urls: [], secret: "hunter2\\u0007" } }
`);
    expect(lines).toHaveLength(5);
    expect(lines.join("\n")).not.toContain("hunter2");
  });

  it.each([
    ["a: [", "f.yaml:1:5: not YAML: "],
    ["a: 1\na: 2", "f.yaml:2:1: not YAML: Map keys must be unique"],
    [
      'users:\n  1001: { password: x }\n  "1001": { password: y }',
      "f.yaml:3:3: not YAML: Map keys must be unique",
    ],
    ["a: 1\n---\nb: 2", "not YAML: Source contains multiple documents"],
    ["\tdomain: a", "not YAML: "],
    ["domain: *a", 'f.yaml:1:9: domain: the alias "*a" has no anchor before it'],
  ])("of YAML: %j", (text, start) => {
    expect(mistakes(text)[0]).toContain(start);
  });

  it("stop a file that unfolds without end", { timeout: 30_000 }, () => {
    const laughs = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (const [previous, name] of "abcdefghi"
      .split("")
      .map((name, index, all) => [all[index - 1], name])) {
      if (previous !== undefined) laughs.push(`${name}: &${name} [${`*${previous}, `.repeat(9)}]`);
    }
    const start = performance.now();
    expect(mistakes(laughs.join("\n")).join()).toContain("unfolds to more than 200000 values");
    expect(performance.now() - start).toBeLessThan(5000);
    expect(mistakes("a: &a [*a]").join()).toContain("alias");
    expect(mistakes(`a: ${"[".repeat(100)}${"]".repeat(100)}`).join()).toContain(
      "more than 50 levels",
    );
    // What is written out is bounded by the size of the file alone: 100,000 routes have room.
    expect(mistakes(`x: [${"a, ".repeat(200_001)}a]`).join()).not.toContain("unfolds");
  });

  it("are found in keys of JavaScript's own", () => {
    expect(mistakes("__proto__: { domain: a }")[0]).toContain("not usable as a key");
    expect(mistakes("constructor: 1\ntoString: 2")).toHaveLength(2);
  });

  it("of any text are mistakes, never exceptions", () => {
    const word = fc.constantFrom(
      "users",
      "trunks",
      "dialplan",
      "routes",
      "do",
      ": ",
      "\n  ",
      "- ",
      "{",
      "}",
      "[",
      "]",
      "&a ",
      "*a",
      "${",
      "1001",
      "|",
      '"',
      "<<",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 20 }).map((words) => words.join("")),
        ),
        (text) => {
          tryLoadConfigText(text, "f.yaml", {}, { interfaces });
        },
      ),
      { numRuns: 1000 },
    );
  });
});
