import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Config } from "../../src/config/config.ts";
import { loadConfig, tryLoadConfig, tryLoadConfigText } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";

const contract = readFileSync(new URL("../fixtures/config/contract.yaml", import.meta.url), "utf8");
const environment = {
  TURN_SECRET: "turn-secret",
  OFFHOOK_ADMIN_TOKEN: "admin-token-of-32-characters-long",
};

/** A text that holds this one. */
function containing(text: string): unknown {
  return expect.stringContaining(text);
}

const interfaces = {
  eth0: [
    {
      address: "192.0.2.2",
      netmask: "255.255.255.0",
      family: "IPv4" as const,
      mac: "02:00:00:00:00:01",
      internal: false,
      cidr: "192.0.2.2/24",
    },
  ],
};

function load(text: string, variables: Readonly<Record<string, string>> = {}): Config {
  const result = tryLoadConfigText(text, "/etc/offhook/offhook.yaml", variables, { interfaces });
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.config;
}

function mistakes(
  text: string,
  variables: Readonly<Record<string, string>> = {},
): readonly string[] {
  const result = tryLoadConfigText(text, "f.yaml", variables, { interfaces });
  return result.ok ? [] : result.problems.map(formatProblem);
}

describe("the example of the contract", () => {
  const config = load(contract, environment);

  it("loads whole", () => {
    expect(config).toMatchObject({
      domain: "voice.example.com",
      http: {
        listen: { host: "127.0.0.1", port: 8080 },
        tls: { certificatePath: "/etc/offhook/fullchain.pem", keyPath: "/etc/offhook/privkey.pem" },
        origins: ["https://voice.example.com"],
      },
      sip: {
        engine: { kind: "embedded" },
        listen: [
          { transport: "udp", host: "192.0.2.10", port: 5060 },
          { transport: "tcp", host: "192.0.2.10", port: 5060 },
          { transport: "tls", host: "192.0.2.10", port: 5061 },
        ],
        tls: { certificatePath: "/etc/offhook/sip.pem", caPath: "/etc/offhook/ca.pem" },
      },
      media: {
        rtpengine: { kind: "managed" },
        address: "192.0.2.10",
        ports: { min: 30_000, max: 39_999 },
        codecs: "auto",
        turn: { urls: ["turn:192.0.2.10:3478"], secret: "turn-secret" },
      },
      api: { tokens: [{ name: "ops", token: environment.OFFHOOK_ADMIN_TOKEN, role: "admin" }] },
      limits: { maxCalls: 1000, maxCallsPerUser: 10 },
    });
    expect(config.users.get("1001")).toEqual({
      id: "1001",
      name: "Ann Lee",
      password: "…",
      numbers: ["+493012345601"],
      groups: ["staff"],
    });
    expect(config.trunks.get("office")).toEqual({
      id: "office",
      peer: "sip:pbx.example.com:5060;transport=udp",
      register: { username: "gw", password: "…", expiresSeconds: 300 },
      auth: { username: "gw", password: "…" },
      accept: ["198.51.100.0/24"],
      codecs: ["PCMA", "PCMU", "G722"],
      dtmf: "rfc4733",
      srtp: "off",
      maxCalls: 30,
      pingMs: 30_000,
      registrar: false,
    });
    expect(config.dialplan.routes).toHaveLength(5);
    expect(config.demo).toBeUndefined();
  });

  it("warns once of each key that this version does not act on", () => {
    expect(config.warnings).toEqual([
      "sip.listen.1: not built yet in this version; nothing listens on tcp",
      "sip.listen.2: not built yet in this version; nothing listens on tls",
      "sip.tls: not built yet in this version; the certificate is not read",
      "trunks.office.register: not built yet in this version; the trunk is used without registering",
      'dialplan.routes.2.do.dial.1: no trunk "backup"; it is passed over',
    ]);
  });

  it("is refused when one of its tests is red", () => {
    const red = contract.replace('number: "+4930123456" }', 'number: "+4930" }');
    expect(mistakes(red, environment)).toEqual([
      expect.stringMatching(
        /^f\.yaml:63:\d+: dialplan\.tests\.0\.expect\.number: a call from 1001 to 030123456: expected number \+4930, but it is dial \+4930123456 over office/,
      ),
    ]);
  });
});

describe("defaults", () => {
  it("make a whole gateway of an empty file", () => {
    const config = load("");
    expect(config).toMatchObject({
      domain: "localhost",
      http: { listen: { host: "127.0.0.1", port: 8080 } },
      sip: {
        engine: { kind: "embedded" },
        listen: [{ transport: "udp", host: "127.0.0.1", port: 5060 }],
      },
      media: { rtpengine: { kind: "managed" }, address: "127.0.0.1", codecs: "auto" },
      warnings: [],
    });
    expect([...config.users.keys()]).toEqual(["1001", "1002"]);
    expect(config.api.tokens).toEqual([
      { name: "demo", token: config.demo?.adminToken, role: "admin" },
    ]);
  });

  it("make a trunk of three lines enough", () => {
    const config = load("trunks:\n  office:\n    peer: sip:192.0.2.20:5060\n");
    expect(config.sip.listen).toEqual([{ transport: "udp", host: "192.0.2.2", port: 5060 }]);
    expect(config.media.address).toBe("192.0.2.2");
    expect(config.trunks.get("office")).toEqual({
      id: "office",
      peer: "sip:192.0.2.20:5060",
      dtmf: "rfc4733",
      srtp: "off",
      registrar: false,
    });
    expect(config.demo?.users.map(({ id }) => id)).toEqual(["1001", "1002"]);
    expect(config.dialplan.routes.at(-1)).toMatchObject({
      from: { user: ["1001", "1002"] },
      do: { kind: "dial", trunks: ["office"] },
    });
  });

  it.each([
    ["trunks: { a: { peer: 'sip:127.0.0.1:5080' } }", "127.0.0.1", "127.0.0.1"],
    ["trunks: { a: { peer: 'sip:localhost' } }", "127.0.0.1", "127.0.0.1"],
    ["trunks: { a: { peer: 'sip:pbx.example.com' } }", "192.0.2.2", "192.0.2.2"],
    ["http: { listen: '0.0.0.0:8080' }", "127.0.0.1", "192.0.2.2"],
    ["sip: { listen: 'udp:10.0.0.1:5060' }", "10.0.0.1", "10.0.0.1"],
    ["sip: { listen: ['udp:0.0.0.0:5060'] }", "0.0.0.0", "192.0.2.2"],
    ["media: { address: '10.0.0.4!192.0.2.9' }", "127.0.0.1", "10.0.0.4!192.0.2.9"],
  ])("%s listens on %s with media on %s", (text, sipHost, mediaAddress) => {
    const config = load(text);
    expect([config.sip.listen[0]?.host, config.media.address]).toEqual([sipHost, mediaAddress]);
  });

  it("keep no token of the demo beside those of the file, and no user beside them", () => {
    const config = load("api: { tokens: [] }");
    expect([config.api.tokens, config.demo?.adminToken]).toEqual([[], undefined]);
    const own = load("users: { ann: { password: x } }");
    expect([own.demo, own.api.tokens]).toEqual([undefined, []]);
    expect(own.users.get("ann")).toEqual({
      id: "ann",
      name: "ann",
      password: "x",
      numbers: [],
      groups: [],
    });
  });

  it("let country and time-zone stand beside the built-in plan", () => {
    const { dialplan } = load("dialplan: { country: de, time-zone: Europe/Berlin }");
    expect([dialplan.country, dialplan.timeZone, dialplan.routes[0]?.name]).toEqual([
      "DE",
      "Europe/Berlin",
      "echo test",
    ]);
    expect(load("dialplan: { routes: [] }").dialplan.routes).toEqual([]);
  });
});

describe("values", () => {
  it("are what they look like: ids, leading zeros, off, quotes or none", () => {
    const config = load(`
users:
  1001: { password: 0301 }
  1e3: { password: 0x10, name: true }
  007: { password: "off" }
trunks:
  1: { peer: sip:192.0.2.1, srtp: off, max-calls: 030, registrar: true }
dialplan:
  routes:
    - { to: 0301, do: { ring: 007 } }
    - { to: 1_000, do: { reject: "486" } }
`);
    expect([...config.users.values()].map(({ id, password }) => [id, password])).toEqual([
      ["1001", "0301"],
      ["1e3", "0x10"],
      ["007", "off"],
    ]);
    expect(config.users.get("1e3")?.name).toBe("true");
    expect(config.trunks.get("1")).toMatchObject({ srtp: "off", maxCalls: 30, registrar: true });
    expect(config.dialplan.routes.map(({ to }) => to)).toEqual([["0301"], ["1_000"]]);
    expect(config.dialplan.routes[0]?.do).toMatchObject({ targets: ["007"] });
  });

  it("may be left empty", () => {
    const config = load(
      "domain:\nhttp: ~\ntrunks: null\ndialplan:\n  routes:\nlimits:\n  max-calls:\n",
    );
    expect(config.limits.maxCalls).toBe(1000);
    expect(load("# nothing but a comment\n").domain).toBe("localhost");
  });

  it("may come from anchors, aliases and merged maps", () => {
    const config = load(`
users:
  a: &base { password: x, groups: &g [staff] }
  b: { <<: *base, password: y }
  c: { password: z, groups: *g }
`);
    expect([...config.users.values()].map(({ password, groups }) => [password, ...groups])).toEqual(
      [
        ["x", "staff"],
        ["y", "staff"],
        ["z", "staff"],
      ],
    );
  });

  it("may come from the environment, in keys that take numbers too", () => {
    const config = load('domain: "${HOST:-a.example}"\nlimits: { max-calls: "${MAX}" }\n', {
      MAX: "7",
    });
    expect([config.domain, config.limits.maxCalls]).toEqual(["a.example", 7]);
  });

  it.each([
    ["auto", "auto"],
    ["narrow", "narrow"],
    ["pass-narrow", "narrow"],
    ["opus", "opus"],
  ])("media.codecs: %s is %s", (written, policy) => {
    expect(load(`media: { codecs: ${written} }`).media.codecs).toBe(policy);
  });

  it("name rtpengines of others, and drachtio", () => {
    const config = load(`
media: { rtpengine: ["udp:10.0.0.5:22222", "udp:10.0.0.6:22222"], ports: 30000-30100 }
sip: { engine: { drachtio: { secret: cymru } } }
`);
    expect(config.media.rtpengine).toEqual({
      kind: "external",
      sockets: [
        { host: "10.0.0.5", port: 22222 },
        { host: "10.0.0.6", port: 22222 },
      ],
    });
    expect(config.media.address).toBeUndefined();
    expect(config.sip.engine).toEqual({
      kind: "drachtio",
      host: "127.0.0.1",
      port: 9022,
      secret: "cymru",
    });
    expect(config.warnings).toEqual([
      "media.ports: not used, because media.rtpengine names sockets of others",
      "sip.engine.drachtio: not built yet in this version; the embedded engine is used",
    ]);
  });

  it("make paths of files relative to the file", () => {
    const { dialplan } = load(
      "dialplan: { routes: [{ do: { ring: '@to', then: { play: a.wav } } }, { do: { play: /b.wav } }], tests: [{ from: 1001, to: 9, expect: { play: a.wav } }] }",
    );
    expect(dialplan.routes.map((route) => route.do)).toMatchObject([
      { then: [{ file: "/etc/offhook/a.wav" }] },
      { file: "/b.wav" },
    ]);
  });
});

describe("keys that are not built yet", () => {
  it.each([
    [
      "registrar: true",
      "trunks.t.registrar: not built yet in this version; users register at this gateway",
    ],
    [
      "srtp: sdes",
      "trunks.t.srtp: not built yet in this version; media toward the trunk is plain RTP",
    ],
    [
      "srtp: dtls",
      "trunks.t.srtp: not built yet in this version; media toward the trunk is plain RTP",
    ],
    [
      "dtmf: info",
      "trunks.t.dtmf: not built yet in this version; digits are sent as RFC 4733 events",
    ],
    [
      "dtmf: inband",
      "trunks.t.dtmf: not built yet in this version; digits are sent as RFC 4733 events",
    ],
  ])("%s", (key, warning) => {
    expect(load(`trunks: { t: { peer: sip:192.0.2.1, ${key} } }`).warnings).toEqual([warning]);
  });

  it.each(["sip:192.0.2.1;transport=tcp", "sips:192.0.2.1"])("peer %s", (peer) => {
    expect(load(`trunks: { t: { peer: "${peer}" } }`).warnings).toEqual([
      "trunks.t.peer: not built yet in this version; the trunk is called over UDP",
    ]);
  });
});

describe("other warnings", () => {
  it.each([
    [
      "api: { tokens: [{ name: a, token: short, role: viewer }] }",
      "api.tokens.0.token: shorter than 16",
    ],
    [
      "trunks: { a: { peer: sip:192.0.2.1 }, b: { peer: sip:192.0.2.2 } }",
      "dialplan.routes: missing with 2 trunks",
    ],
    [
      "media: { address: '::1' }\ntrunks: { a: { peer: sip:192.0.2.1 } }",
      "media.address: of another address family",
    ],
  ])("%s", (text, warning) => {
    expect(load(text).warnings).toEqual([expect.stringContaining(warning)]);
  });
});

describe("mistakes", () => {
  it.each<[text: string, ...mistakes: string[]]>([
    ["htp: {}", 'f.yaml:1:1: htp: unknown key; did you mean "http"?'],
    ["http:\n  lisen: x", 'f.yaml:2:3: http.lisen: unknown key; did you mean "listen"?'],
    [
      "http:\n  port: 80",
      "f.yaml:2:3: http.port: unknown key; expected one of listen, tls, origins",
    ],
    [
      "http:\n  listen: 80",
      'f.yaml:2:11: http.listen: found "80"; expected an address and port such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080',
    ],
    [
      "http: 8080",
      "f.yaml:1:7: http: found text; expected a map with the keys listen, tls, origins",
    ],
    [
      "http:\n  tls: { certificate: a }",
      "f.yaml:2:3: http.tls.key: missing; expected the path of a file",
    ],
    [
      "- a",
      "f.yaml:1:1: found a list; expected a map with the keys domain, http, sip, media, users, trunks, dialplan, api, limits",
    ],
    [
      "users:\n  1001: secret",
      "f.yaml:2:9: users.1001: found text; expected a map with the keys name, password, numbers, groups",
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
      "trunks: { a: { peer: sip:b, codecs: [PCMB] } }",
      'f.yaml:1:38: trunks.a.codecs.0: found "PCMB"; expected a codec (opus, G722, PCMA, PCMU, G729, GSM, iLBC, AMR, AMR-WB)',
    ],
    [
      "trunks: { a: { peer: sip:b, ping: 30 } }",
      'f.yaml:1:35: trunks.a.ping: found "30"; expected a duration from 1s to 1h, such as 500ms, 20s, 5m or 1h',
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
      "f.yaml:1:8: sip.engine.drachtio: missing; expected a map with the keys host, port, secret",
      'f.yaml:1:18: sip.engine.dractio: unknown key; did you mean "drachtio"?',
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
      'f.yaml:1:28: dialplan.routes.0.do: found "ehco"; expected one of echo, play, read-digits, or a map such as { ring: "@to" }, { dial: office } or { reject: 404 }',
    ],
    [
      "dialplan: { routes: [{ do: { rign: a } }] }",
      'f.yaml:1:30: dialplan.routes.0.do.rign: unknown key; did you mean "ring"?',
    ],
    [
      "dialplan: { routes: [{ do: {} }] }",
      "f.yaml:1:28: dialplan.routes.0.do: names no action; expected one of ring, dial, reject, play",
    ],
    [
      "dialplan: { routes: [{ do: { ring: a, dial: b } }] }",
      "f.yaml:1:28: dialplan.routes.0.do: names both ring and dial; expected one of ring, dial, reject, play",
    ],
    [
      "dialplan: { routes: [{ do: { reject: 404, strip: 1 } }] }",
      "f.yaml:1:50: dialplan.routes.0.do.strip: does not go with reject; expected it only beside dial",
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
      "f.yaml:1:53: dialplan.tests.0.expect: names nothing to compare; expected one of ring, dial, reject, play, route",
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

  it("stop a file that unfolds without end", () => {
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

describe("a file on disk", () => {
  it("that is missing is one problem, and an error with its code where errors are wanted", () => {
    const file = join(tmpdir(), "no-such-offhook.yaml");
    expect(tryLoadConfig(file)).toMatchObject({
      ok: false,
      problems: [{ file, message: containing("cannot be read: ENOENT") }],
    });
    expect(() => loadConfig(file)).toThrow(
      expect.objectContaining({
        code: "ERR_OFFHOOK_CONFIG",
        message: containing(file),
      }),
    );
  });
});
