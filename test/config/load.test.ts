import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import type { Config } from "../../src/config/config.ts";
import { loadConfig, tryLoadConfig, tryLoadConfigText } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { contract, contractEnvironment as environment, interfaces, mistakes } from "./fixture.ts";

/** A text that holds this one. */
function containing(text: string): unknown {
  return expect.stringContaining(text);
}

function load(text: string, variables: Readonly<Record<string, string>> = {}): Config {
  const result = tryLoadConfigText(text, "/etc/offhook/offhook.yaml", variables, { interfaces });
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.config;
}

/** What a trunk is that says no more than its peer. */
const TRUNK_DEFAULTS = {
  dtmf: "rfc4733",
  dtmfFallback: "inband",
  nat: "auto",
  video: false,
  srtp: "off",
  pingMisses: 3,
  pingHits: 2,
  failoverAfterMs: 4000,
  registrar: false,
  identity: {
    isTrusted: false,
    header: "from",
    numbers: "as-is",
    isPhone: false,
    diversion: "diversion",
  },
  headers: { toTrunk: [], fromTrunk: [] },
  terms: { reliable: "supported", session: { expiresSeconds: 1800, minimumSeconds: 90 } },
} as const;

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
      ...TRUNK_DEFAULTS,
      id: "office",
      peer: "sip:pbx.example.com:5060;transport=udp",
      register: { username: "gw", password: "…", expiresSeconds: 300 },
      auth: { username: "gw", password: "…" },
      accept: ["198.51.100.0/24"],
      codecs: ["PCMA", "PCMU", "G722"],
      maxCalls: 30,
      pingMs: 30_000,
      mayReplaceAny: false,
      transfer: { isPassedOn: false, isReferredByTold: false, peerHost: "pbx.example.com" },
    });
    expect(config.dialplan.routes).toHaveLength(5);
    expect(config.demo).toBeUndefined();
  });

  it("warns once of each key that this version does not act on", () => {
    expect(config.warnings).toEqual([
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
        listen: [
          { transport: "udp", host: "127.0.0.1", port: 5060 },
          { transport: "tcp", host: "127.0.0.1", port: 5060 },
        ],
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
    expect(config.sip.listen).toEqual([
      { transport: "udp", host: "192.0.2.2", port: 5060 },
      { transport: "tcp", host: "192.0.2.2", port: 5060 },
    ]);
    expect(config.media.address).toBe("192.0.2.2");
    expect(config.trunks.get("office")).toEqual({
      ...TRUNK_DEFAULTS,
      id: "office",
      peer: "sip:192.0.2.20:5060",
      mayReplaceAny: false,
      transfer: { isPassedOn: false, isReferredByTold: false, peerHost: "192.0.2.20" },
    });
    expect(config.demo?.users.map(({ id }) => id)).toEqual(["1001", "1002"]);
    expect(config.dialplan.routes.at(-1)).toMatchObject({
      from: { user: ["1001", "1002"] },
      do: { kind: "dial", trunks: [{ id: "office", weight: 1 }] },
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
    expect(config.dialplan.routes[0]?.do).toMatchObject({
      targets: [{ kind: "user", name: "007" }],
    });
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

  it("weigh rtpengines, and give silence its time", () => {
    const { media } = load(`
media:
  rtpengine: ["udp:10.0.0.5:22222", { socket: "udp:[fd00::6]:22222", weight: 3 }]
  timeout: 30s
`);
    expect(media.rtpengine).toEqual({
      kind: "external",
      sockets: [
        { host: "10.0.0.5", port: 22222, weight: 1 },
        { host: "fd00::6", port: 22222, weight: 3 },
      ],
    });
    expect(media.timeoutMs).toBe(30_000);
  });

  it("take an ng socket at a public address only by an explicit yes", () => {
    const { media } = load(
      "media: { rtpengine: ['udp:198.51.100.7:22222'], allow-public-ng: true }",
    );
    expect(media.rtpengine).toMatchObject({ sockets: [{ host: "198.51.100.7" }] });
  });

  it("name rtpengines of others, and drachtio", () => {
    const config = load(`
media: { rtpengine: ["udp:10.0.0.5:22222", "udp:10.0.0.6:22222"], ports: 30000-30100 }
sip: { engine: { drachtio: { secret: cymru } } }
`);
    expect(config.media.rtpengine).toEqual({
      kind: "external",
      sockets: [
        { host: "10.0.0.5", port: 22222, weight: 1 },
        { host: "10.0.0.6", port: 22222, weight: 1 },
      ],
    });
    expect(config.media.address).toBeUndefined();
    expect(config.sip.engine).toEqual({
      kind: "drachtio",
      servers: [{ host: "127.0.0.1", port: 9022, secret: "cymru" }],
    });
    expect(config.warnings).toEqual([
      "media.ports: not used, because media.rtpengine names sockets of others",
    ]);
  });

  it("name several drachtio-servers, and what they answer for", () => {
    const config = load(`
sip:
  engine:
    drachtio: [{ secret: a }, { host: 203.0.113.9, port: 9000, secret: b }]
  listen: tls:192.0.2.10:5061
  session-timer: { expires: 15m }
trunks: { t: { peer: "sips:192.0.2.1", session-timer: "off" } }
`);
    expect(config.sip.engine).toEqual({
      kind: "drachtio",
      servers: [
        { host: "127.0.0.1", port: 9022, secret: "a" },
        { host: "203.0.113.9", port: 9000, secret: "b" },
      ],
    });
    expect(config.warnings).toEqual([
      "sip.listen: not used, because drachtio-server listens",
      "sip.session-timer: not used, because drachtio-server has the timers",
      "sip.engine.drachtio: 203.0.113.9 is a public address, and whoever reaches a drachtio-server there can make calls",
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

describe("TLS", () => {
  const LISTEN = "listen: ['tls:192.0.2.10:5061'], tls: { certificate: a.pem, key: a.key }";

  it("makes the files of a trunk whole from sip.tls", () => {
    const config = load(
      `sip: { ${LISTEN.replace("a.key", "a.key, ca: ca.pem, verify-client: required")} }\n` +
        "trunks: { t: { peer: 'sips:carrier.test', tls: { ca: own.pem, name: sip.carrier.test } } }",
    );
    expect(config.sip.tls).toEqual({
      certificatePath: "/etc/offhook/a.pem",
      keyPath: "/etc/offhook/a.key",
      caPath: "/etc/offhook/ca.pem",
      verifyClient: "required",
    });
    expect(config.trunks.get("t")?.tls).toEqual({
      name: "sip.carrier.test",
      verify: true,
      files: {
        caPath: "/etc/offhook/own.pem",
        certificatePath: "/etc/offhook/a.pem",
        keyPath: "/etc/offhook/a.key",
      },
    });
    expect(config.warnings).toEqual([]);
  });

  it("warns of a peer whose certificate nobody checks", () => {
    const text = `sip: { ${LISTEN} }\ntrunks: { t: { peer: 'sips:[2001:db8::1]', tls: { verify: false } } }`;
    const config = load(text);
    expect(config.trunks.get("t")?.tls).toEqual({ verify: false });
    expect(config.warnings.filter((line) => line.includes("tls"))).toEqual([
      "trunks.t.tls.verify: false, so anybody in between can take the peer's place",
    ]);
  });

  it.each([
    ["sip:192.0.2.1;transport=tcp", "tcp"],
    ["sip:192.0.2.1;transport=tls", "tls"],
    ["sips:192.0.2.1", "tls"],
  ])("warns when %s cannot call back over %s", (peer, transport) => {
    const text = `sip: { listen: 'udp:192.0.2.2:5060' }\ntrunks: { t: { peer: '${peer}' } }`;
    expect(load(text).warnings).toEqual([
      `trunks.t.peer: calls go out over ${transport}, but no ${transport}: listener under sip.listen takes what the peer sends by itself`,
    ]);
  });
});

describe("a trunk that owns the users", () => {
  it("leaves no users of the demo, and its users' calls go there", () => {
    const result = tryLoadConfigText(
      "trunks: { pbx: { peer: sip:192.0.2.1, registrar: true, register-rate: 5 } }",
      "/etc/offhook/offhook.yaml",
      {},
      { interfaces },
    );
    if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
    const { config, dialplan } = result;
    expect(config.warnings).toEqual([]);
    expect(config.users.size).toBe(0);
    expect(config.trunks.get("pbx")).toMatchObject({
      registrar: true,
      passThrough: { registersPerSecond: 5, contact: "gateway", maxExpiresSeconds: 600 },
    });
    const from = { kind: "user", id: "2001", groups: ["pbx"], numbers: [] } as const;
    const query = { to: "600", at: new Date() };
    expect(dialplan.decide({ ...query, from }).action).toMatchObject({
      kind: "dial",
      trunks: ["pbx"],
      number: "600",
    });
    expect(dialplan.findCaller("2001")).toEqual(from);
    const outside = { kind: "trunk", id: "pbx", number: "1" } as const;
    expect(dialplan.decide({ ...query, from: outside }).action).toMatchObject({ kind: "reject" });
  });
});

describe("transfers of a trunk", () => {
  it.each([
    ["", { isPassedOn: false, isReferredByTold: false }],
    ["referred-by: true", { isPassedOn: false, isReferredByTold: true }],
    ["referred-by: false", { isPassedOn: false, isReferredByTold: false }],
    ["transfer: pass-through", { isPassedOn: true, isReferredByTold: false }],
  ])("%s", (keys, transfer) => {
    const { trunks } = load(`trunks: { a: { peer: "sip:pbx.example.com", ${keys} } }`);
    expect(trunks.get("a")?.transfer).toEqual({ ...transfer, peerHost: "pbx.example.com" });
  });
});

describe("session timers and 100rel of a trunk", () => {
  const usual = { expiresSeconds: 1800, minimumSeconds: 90 };

  it.each([
    ["", "", { reliable: "supported", session: usual }],
    ["", ", 100rel: required", { reliable: "required", session: usual }],
    ["", ", 100rel: off", { reliable: "off", session: usual }],
    ["sip: { session-timer: off }", "", { session: undefined }],
    [
      "sip: { session-timer: off }",
      ", session-timer: { expires: 1h }",
      { session: { ...usual, expiresSeconds: 3600 } },
    ],
    [
      "sip: { session-timer: { expires: 10m, minimum: 2m } }",
      ", session-timer: { expires: 1h }",
      { session: { expiresSeconds: 3600, minimumSeconds: 120 } },
    ],
    [
      "sip: { session-timer: { minimum: 1h } }",
      "",
      { session: { expiresSeconds: 3600, minimumSeconds: 3600 } },
    ],
    ["", ", session-timer: off", { session: undefined }],
  ])("%s with %s", (sip, keys, terms) => {
    const config = load(`${sip}\ntrunks: { t: { peer: sip:192.0.2.1${keys} } }`);
    expect(config.trunks.get("t")?.terms).toMatchObject(terms);
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
    [
      "sip: { session-timer: { minimum: 30s } }",
      "sip.session-timer.minimum: below 90s, which RFC 4028 forbids",
    ],
    [
      "trunks: { a: { peer: sip:192.0.2.1, session-timer: { minimum: 30s } } }",
      "trunks.a.session-timer.minimum: below 90s",
    ],
  ])("%s", (text, warning) => {
    expect(load(text).warnings).toEqual([expect.stringContaining(warning)]);
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
