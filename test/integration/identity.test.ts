import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../src/signaling/message/message.ts";
import { textToOctets } from "../../src/signaling/message/syntax.ts";
import { type Gateway, PASSWORDS, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { DeskCall } from "./desk-call.ts";

const [TRUSTED, PLAIN, ACCOUNT] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
const [FIRST, SECOND, FOREIGN] = ["+493012345601", "+493012345699", "+493099999999"];

let gateway: Gateway;
/** A PBX that we believe, and one that we do not. */
let trusted: SipPeer;
let plain: SipPeer;
/** A carrier that wants its account in From. */
let account: SipPeer;

beforeAll(async () => {
  trusted = await SipPeer.udp(undefined, TRUSTED);
  plain = await SipPeer.udp(undefined, PLAIN);
  account = await SipPeer.udp(undefined, ACCOUNT);
  gateway = await startGateway({
    config: {
      users: {
        "1001": { name: "Ann Lee", password: PASSWORDS["1001"], numbers: [FIRST, SECOND] },
        "1002": { name: "Bob Ray", password: PASSWORDS["1002"], numbers: ["+493012345602"] },
      },
      trunks: {
        trusted: {
          peer: `sip:${TRUSTED}:${trusted.local.port}`,
          trust: true,
          "number-format": "e164-without-plus",
          "from-domain": "voice.example.com",
          "user-phone": true,
          diversion: "both",
          headers: {
            "to-trunk": ["X-Customer", "X-Crm-*", "User-to-User"],
            "from-trunk": ["X-Queue", "User-to-User"],
          },
        },
        plain: { peer: `sip:${PLAIN}:${plain.local.port}` },
        proxied: {
          peer: "sip:carrier.invalid",
          "outbound-proxy": `sip:${PLAIN}:${plain.local.port}`,
        },
        account: {
          peer: `sip:${ACCOUNT}:${account.local.port}`,
          profile: "sipgate",
          auth: { username: "1234567t0", password: "secret" },
          "contact-host": "sbc.example.com",
        },
      },
      dialplan: {
        country: "DE",
        routes: [
          {
            name: "clir",
            to: "/^\\*31#(.+)$/",
            do: { dial: "trusted", number: "$1", caller: "anonymous" },
          },
          {
            name: "clir plain",
            to: "/^#31#(.+)$/",
            do: { dial: "plain", number: "$1", caller: "anonymous" },
          },
          { name: "withheld only", from: { number: FOREIGN }, to: "1001", do: { reject: 403 } },
          { name: "users", to: "@users", do: { ring: "@to", timeout: "20s" } },
          { name: "forward", to: "_88X", do: { forward: "730", as: "1002" } },
          {
            name: "on busy",
            to: "_89X",
            do: { ring: "1002", on: { busy: { forward: "731", as: "1002" } } },
          },
          { name: "plain", to: "_6XX", do: { dial: "plain" } },
          { name: "trusted", to: "_7XX", do: { dial: "trusted" } },
          { name: "national", to: "_0Z.", do: { dial: "trusted" } },
          { name: "by a proxy", to: "_4XX", do: { dial: "proxied" } },
          { name: "account", to: "_5XX", do: { dial: "account" } },
        ],
      },
    },
  });
  for (const peer of [trusted, plain, account]) peer.sendTo(gateway.sip);
});

afterEach(async () => {
  await expectNothingLeft(gateway);
});

afterAll(async () => {
  await trusted.close();
  await plain.close();
  await account.close();
  await gateway.stop();
});

/** What of an INVITE says who calls. */
function identityOf({ headers }: SipRequest): Record<string, string | undefined> {
  const from = headers.get("From") ?? "";
  return {
    from: from.replace(/;tag=.*$/, ""),
    asserted: headers.get("P-Asserted-Identity"),
    privacy: headers.get("Privacy"),
  };
}

/** 1001 calls with these headers; the PBX has the INVITE and refuses it. */
async function fromBrowser(
  peer: SipPeer,
  dialled: string,
  headers: readonly HeaderField[] = [],
  number = dialled,
): Promise<SipRequest> {
  await using caller = await WsCaller.signIn(gateway, "1001");
  const call = caller.invite(dialled, { headers });
  const leg = await DeskCall.incoming(peer, number);
  await leg.refuse(486);
  await call.refused();
  return leg.invite;
}

/** A PBX calls 1001 with these headers; the browser has the INVITE and refuses it. */
async function toBrowser(peer: SipPeer, headers: readonly HeaderField[]): Promise<SipRequest> {
  await using callee = await WsCaller.signIn(gateway, "1001");
  const call = DeskCall.dial(peer, gateway, "1001", { headers });
  const leg = await callee.incoming();
  await leg.refuse(486);
  await call.refused();
  return leg.invite;
}

/** A PBX calls a number that leads to another trunk, which refuses it. */
async function through(
  peer: SipPeer,
  next: SipPeer,
  dialled: string,
  headers: readonly HeaderField[],
): Promise<SipRequest> {
  const call = DeskCall.dial(peer, gateway, dialled, { headers });
  const leg = await DeskCall.incoming(next, dialled);
  await leg.refuse(486);
  await call.refused();
  return leg.invite;
}

describe("RFC 3325 what a trunk sees of a web user", () => {
  it("is the first number, in the trunk's way; asserted where it is trusted", async () => {
    expect(identityOf(await fromBrowser(trusted, "730"))).toEqual({
      from: '"Ann Lee" <sip:493012345601@voice.example.com;user=phone>',
      asserted: '"Ann Lee" <sip:493012345601@voice.example.com;user=phone>',
      privacy: undefined,
    });
    expect(identityOf(await fromBrowser(plain, "630"))).toEqual({
      from: expect.stringMatching(/^"Ann Lee" <sip:\+493012345601@127\.0\.0\.1>$/),
      asserted: undefined,
      privacy: undefined,
    });
  });

  it("is a number that the browser has chosen, and that is the user's; no other", async () => {
    const ask = (number: string): HeaderField[] => [
      ["P-Preferred-Identity", `<sip:${number}@x.invalid>`],
    ];
    expect(identityOf(await fromBrowser(plain, "630", ask("030-12345699"))).from).toContain(SECOND);
    expect(identityOf(await fromBrowser(plain, "630", ask(SECOND))).from).toContain(SECOND);
    expect(identityOf(await fromBrowser(plain, "630", ask(FOREIGN))).from).toContain(FIRST);
    expect(
      identityOf(
        await fromBrowser(plain, "630", [
          ["P-Asserted-Identity", `<sip:${FOREIGN}@x.invalid>`],
          ["Remote-Party-ID", `<sip:${FOREIGN}@x.invalid>;party=calling`],
          ["Diversion", `<sip:${FOREIGN}@x.invalid>;reason=no-answer`],
        ]),
      ).from,
    ).toContain(FIRST);
  });

  it.each([
    ["by Privacy of the browser", "730", "630", [["Privacy", "id"]]],
    ["by a prefix of the dialplan", "*31#730", "#31#630", []],
  ] as const)(
    "is nobody when withheld %s; a trusted one learns the number",
    async (_, a, b, headers) => {
      const anonymous = '"Anonymous" <sip:anonymous@anonymous.invalid>';
      expect(identityOf(await fromBrowser(trusted, a, headers, "730"))).toEqual({
        from: anonymous,
        asserted: '"Ann Lee" <sip:493012345601@voice.example.com;user=phone>',
        privacy: "id",
      });
      const invite = await fromBrowser(plain, b, headers, "630");
      expect(identityOf(invite)).toEqual({ from: anonymous, asserted: undefined, privacy: "id" });
      const text = [...invite.headers].map((field) => field.join(": ")).join("\n");
      expect(text).not.toMatch(/Ann|493012345601|1001/);
    },
  );

  it("gets the number that is dialled in its own way", async () => {
    const invite = await fromBrowser(trusted, "030123456", [], "4930123456");
    expect(invite.requestUri).toBe(`sip:4930123456@${TRUSTED}:${trusted.local.port};user=phone`);
  });
});

describe("a trunk with an outbound proxy", () => {
  it("is called by way of the proxy, under its own name", async () => {
    const invite = await fromBrowser(plain, "400");
    expect(invite.requestUri).toBe("sip:400@carrier.invalid");
    expect(invite.to.uri).toBe("sip:400@carrier.invalid");
  });
});

describe("a trunk with a profile", () => {
  it("gets its account in From, the number where the profile says, and our name in Contact", async () => {
    const { headers } = await fromBrowser(account, "530");
    expect(headers.get("From")).toMatch(/^"Ann Lee" <sip:1234567t0@127\.0\.0\.4>;tag=/);
    expect(headers.get("P-Preferred-Identity")).toBe('"Ann Lee" <sip:493012345601@127.0.0.4>');
    expect(headers.get("Contact")).toMatch(/^<sip:1234567t0@sbc\.example\.com:[0-9]+>$/);
    const hidden = (await fromBrowser(account, "530", [["Privacy", "id"]])).headers;
    expect(hidden.get("From")).toMatch(/^"Anonymous" <sip:1234567t0@127\.0\.0\.4>;tag=/);
    expect(hidden.get("P-Preferred-Identity")).toContain("493012345601");
    expect(hidden.get("Privacy")).toBe("id");
  });

  it("is proposed by what the peer calls itself, once, and never applied", async () => {
    for (let count = 0; count < 2; count += 1) {
      await toBrowser(plain, [["User-Agent", "Asterisk PBX 22.1.0"]]);
    }
    const { body } = await gateway.api("/api/v1/trunks");
    const trunks = JSON.stringify(body);
    expect(trunks.match(/"proposedProfile":"[^"]*"/g)).toEqual(['"proposedProfile":"asterisk"']);
    expect(trunks).toContain('"profile":"sipgate"');
    const proposed = (): unknown[] =>
      gateway
        .logs()
        .filter(({ fields }) => fields.get("proposedProfile") === "asterisk")
        .map(({ fields }) => fields.get("trunk"));
    await expect.poll(proposed).toEqual(["plain"]);
    // Still not trusted: From alone counts.
    const invite = await toBrowser(plain, [["P-Asserted-Identity", "<sip:+4930@x.example>"]]);
    expect(invite.from.uri).toBe("sip:5550100@localhost");
  });
});

describe("RFC 3325 what a browser sees of a trunk's caller", () => {
  const asserted: HeaderField = [
    "P-Asserted-Identity",
    '"Carla" <tel:+49-30-7654321;cpc=ordinary>',
  ];

  it("is who a trusted trunk asserts, and of another one From", async () => {
    const believed = await toBrowser(trusted, [asserted]);
    expect(believed.from).toMatchObject({ displayName: "Carla" });
    expect(believed.from.uri).toBe("sip:+49307654321@localhost");
    const other = await toBrowser(plain, [asserted]);
    expect(other.from).toMatchObject({ displayName: "Desk" });
    expect(other.from.uri).toBe("sip:5550100@localhost");
    const party = await toBrowser(trusted, [
      ["Remote-Party-ID", "<sip:+49301111111@x.example>;party=calling;privacy=off;screen=yes"],
    ]);
    expect(party.from.uri).toBe("sip:+49301111111@localhost");
  });

  it.each([
    ["Privacy", [["Privacy", "id"]]],
    ["Remote-Party-ID", [["Remote-Party-ID", "<sip:+49307654321@x>;party=calling;privacy=full"]]],
  ] as const)(
    "is nobody when %s withholds it, and the dialplan knows no number",
    async (_, extra) => {
      // The plan refuses FOREIGN: a number that is withheld is not told to it.
      const foreign: HeaderField = ["P-Asserted-Identity", `"Carla" <sip:${FOREIGN}@x.example>`];
      const invite = await toBrowser(trusted, [foreign, ...extra]);
      expect(invite.headers.get("From")).toContain('"Anonymous" <sip:anonymous@anonymous.invalid>');
      const text = [...invite.headers].map((field) => field.join(": ")).join("\n");
      expect(text).not.toMatch(/Carla|30999|Desk|5550100|30765/);
    },
  );

  it("goes on to another trunk as far as both are trusted", async () => {
    const hidden: HeaderField[] = [
      ["P-Asserted-Identity", `"Carla" <sip:${FOREIGN}@x.example>`],
      ["Privacy", "id"],
    ];
    const invite = await through(trusted, plain, "631", hidden);
    expect(identityOf(invite).from).toBe('"Anonymous" <sip:anonymous@anonymous.invalid>');
    const text = [...invite.headers].map((field) => field.join(": ")).join("\n");
    expect(text).toContain("Privacy: id");
    expect(text).not.toMatch(/Carla|30999|5550100/);
    const back = await through(plain, trusted, "731", hidden);
    // Of the plain one nothing but From counts, and it wants to be withheld.
    expect(identityOf(back)).toMatchObject({
      asserted: expect.stringContaining("5550100"),
      privacy: "id",
    });
  });
});

describe("RFC 5806, RFC 7044 a call that the dialplan forwards", () => {
  it("tells who forwarded it, and what a trusted trunk told before", async () => {
    const call = DeskCall.dial(trusted, gateway, "881", {
      headers: [["Diversion", "<sip:+493055555@x.example>;reason=no-answer;counter=1"]],
    });
    const leg = await DeskCall.incoming(trusted, "730");
    await leg.refuse(486);
    await call.refused();
    expect(leg.invite.headers.getAll("Diversion")).toEqual([
      "<sip:493012345602@voice.example.com;user=phone>;reason=unconditional",
      "<sip:+493055555@voice.example.com;user=phone>;reason=no-answer",
    ]);
    expect(leg.invite.headers.getAll("History-Info")).toEqual([
      "<sip:+493055555@voice.example.com;user=phone>;index=1",
      "<sip:493012345602@voice.example.com;user=phone;cause=408>;index=1.1;mp=1",
      "<sip:730@voice.example.com;user=phone;cause=302>;index=1.1.1;mp=1.1",
    ]);
  });

  it("tells why, and nothing of what a trunk says that is not trusted", async () => {
    await using callee = await WsCaller.signIn(gateway, "1002");
    const call = DeskCall.dial(plain, gateway, "891", {
      headers: [["Diversion", "<sip:+493055555@x.example>;reason=no-answer"]],
    });
    const first = await callee.incoming();
    await first.refuse(486);
    const leg = await DeskCall.incoming(trusted, "731");
    await leg.refuse(486);
    await call.refused();
    expect(leg.invite.headers.getAll("Diversion")).toEqual([
      "<sip:493012345602@voice.example.com;user=phone>;reason=user-busy",
    ]);
  });
});

describe("headers that cross", () => {
  const mine: readonly HeaderField[] = [
    ["X-Customer", "4711"],
    ["X-Crm-Case", textToOctets("Zürich")],
    ["X-Queue", "vip"],
    ["x-other", "smuggled"],
    ["User-to-User", "48656c6c6f;encoding=hex"],
    ["X-Crm-Long", "x".repeat(600)],
  ];
  const named = (invite: SipRequest): string[] =>
    [...invite.headers].map(([name]) => name).filter((name) => /^x-|^user-to-user$/i.test(name));

  it("are those that the trunk's lists name, and the record shows them", async () => {
    expect(named(await fromBrowser(trusted, "730", mine))).toEqual([
      "X-Customer",
      "X-Crm-Case",
      "User-to-User",
    ]);
    await expectNothingLeft(gateway);
    const [record] = await records(gateway);
    expect(record).toMatchObject({
      legs: [
        {},
        {
          headers: [
            { name: "X-Customer", value: "4711" },
            { name: "X-Crm-Case", value: "Zürich" },
            { name: "User-to-User", value: "48656c6c6f;encoding=hex" },
          ],
        },
      ],
    });
    expect(named(await toBrowser(trusted, mine))).toEqual(["X-Queue", "User-to-User"]);
  });

  // RFC 7433 §4
  it("of a BYE are User-to-User alone, by the same lists, both ways", async () => {
    await using browser = await WsCaller.signIn(gateway, "1001");
    for (const [peer, number, crossing] of [
      [trusted, "730", ["User-to-User"]],
      [plain, "630", []],
    ] as const) {
      const out = browser.invite(number);
      const called = await DeskCall.incoming(peer, number);
      await called.answer();
      await out.answered();
      await out.bye(mine);
      expect(named(await called.hungUp())).toEqual(crossing);
      const calling = DeskCall.dial(peer, gateway, "1001");
      const leg = await browser.incoming();
      await leg.answer();
      await calling.answered();
      await calling.bye(mine);
      expect(named(await leg.hungUp())).toEqual(crossing);
    }
  });

  it("are none where a trunk says nothing, nor between browsers", async () => {
    expect(named(await fromBrowser(plain, "630", mine))).toEqual([]);
    expect(named(await toBrowser(plain, mine))).toEqual([]);
    expect(named(await through(trusted, plain, "632", mine))).toEqual([]);
    await using caller = await WsCaller.signIn(gateway, "1001");
    await using callee = await WsCaller.signIn(gateway, "1002");
    const call = caller.invite("1002", { headers: mine });
    const leg = await callee.incoming();
    await leg.refuse(486);
    await call.refused();
    expect(named(leg.invite)).toEqual([]);
  });
});
