import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipResponse } from "../../../src/signaling/message/message.ts";
import { boundFacts, unboundFacts } from "../../../src/signaling/registrar/channels.ts";
import type { SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, TestEngine } from "../../harness/signaling-engine.ts";
import { waitFor } from "../../harness/wait.ts";

let engine: TestEngine;
let browser: SipPeer;
let facts: string[];
let unsubscribe: (() => void)[];
let cseq: number;

const SUPPORTED: HeaderField = ["Supported", "outbound, path"];

beforeEach(async () => {
  engine = await TestEngine.start();
  // Signed in with a query: whatever follows is not challenged.
  browser = await engine.connect();
  await browser.register({ user: "1001", password: "secret-1001", domain: DOMAIN, expires: 0 });
  facts = [];
  unsubscribe = [
    boundFacts.subscribe(({ binding, kind }) => facts.push(`${kind} ${binding.instanceId}`)),
    unboundFacts.subscribe(({ binding, reason }) => {
      facts.push(`${reason} ${binding.instanceId}`);
    }),
  ];
  cseq = 10;
});

afterEach(async () => {
  for (const end of unsubscribe) end();
  await engine.stop();
  expect(engine.clock.pendingTimers).toBe(0);
});

async function register(
  headers: readonly HeaderField[],
  options: {
    readonly to?: string;
    readonly callId?: string;
    readonly cseq?: number;
    readonly peer?: SipPeer;
  } = {},
): Promise<SipResponse> {
  const peer = options.peer ?? browser;
  cseq += 1;
  peer.request("REGISTER", {
    uri: `sip:${DOMAIN}`,
    from: `<sip:1001@${DOMAIN}>;tag=f`,
    to: options.to ?? `<sip:1001@${DOMAIN}>`,
    callId: options.callId ?? "one-call-id",
    cseq: options.cseq ?? cseq,
    headers,
  });
  return await peer.receive(
    (message): message is SipResponse => message.kind === "response",
    "a response to REGISTER",
  );
}

function contact(instance: string, params = ""): HeaderField {
  return [
    "Contact",
    `<sip:c-${instance}@x.invalid;transport=ws>;+sip.instance="<${instance}>"${params}`,
  ];
}

const bindings = (): readonly string[] =>
  engine.engine.locations.bindings("1001").map(({ instanceId }) => instanceId);

describe("RFC 3261 §10.3 REGISTER", () => {
  it("binds, lists all contacts of the user, and tells the date", async () => {
    const first = await register([contact("urn:a", ";reg-id=1"), SUPPORTED]);
    expect(first.statusCode).toBe(200);
    expect(first.headers.list("Contact")).toEqual([
      '<sip:c-urn:a@x.invalid;transport=ws>;+sip.instance="<urn:a>";reg-id=1;expires=300',
    ]);
    expect(first.headers.get("Date")).toBe("Fri, 20 Nov 2026 10:00:00 GMT");
    expect(first.headers.get("Require")).toBe("outbound");
    const second = await register([contact("urn:b"), ["Expires", "120"]]);
    expect(second.headers.list("Contact")).toHaveLength(2);
    expect(second.headers.has("Require")).toBe(false);
    expect(bindings()).toEqual(["urn:b", "urn:a"]);
    expect(engine.engine.locations.bindings("1001")[1]).toMatchObject({
      userId: "1001",
      instanceId: "urn:a",
      regId: 1,
      contactUri: "sip:c-urn:a@x.invalid;transport=ws",
      registeredAtMs: engine.clock.wallMs(),
      expiresAtMs: engine.clock.wallMs() + 300_000,
    });
    expect([...engine.engine.locations.all()]).toHaveLength(2);
    expect(facts).toEqual(["new urn:a", "new urn:b"]);
  });

  it("without Contact only asks", async () => {
    await register([contact("urn:a")]);
    const answer = await register([]);
    expect(answer.headers.list("Contact")).toHaveLength(1);
    expect(facts).toEqual(["new urn:a"]);
  });

  it.each<[string, HeaderField[], number, number | undefined]>([
    ["the Contact's parameter", [contact("urn:a", ";expires=90"), ["Expires", "400"]], 200, 90],
    ["the header field", [contact("urn:a"), ["Expires", "400"]], 200, 400],
    ["our default", [contact("urn:a")], 200, 300],
    ["our default when malformed", [contact("urn:a", ";expires=soon"), ["Expires", "x"]], 200, 300],
    ["our maximum", [contact("urn:a", ";expires=4000000000")], 200, 600],
    ["423 below our minimum", [contact("urn:a", ";expires=59")], 423, undefined],
  ])("expires by %s", async (_title, headers, status, seconds) => {
    const answer = await register(headers);
    expect(answer.statusCode).toBe(status);
    if (seconds === undefined) {
      expect(answer.headers.get("Min-Expires")).toBe("60");
      expect(bindings()).toEqual([]);
    } else {
      expect(answer.headers.get("Contact")).toContain(`expires=${seconds}`);
      engine.clock.advance(1000 * seconds - 1);
      expect(bindings()).toEqual(["urn:a"]);
      engine.clock.advance(1);
      expect(bindings()).toEqual([]);
      expect(facts).toEqual(["new urn:a", "expired urn:a"]);
    }
  });

  it("removes one with expires=0 and all with *", async () => {
    await register([contact("urn:a")]);
    await register([contact("urn:b")]);
    await register([contact("urn:c")]);
    const one = await register([contact("urn:a", ";expires=0")]);
    expect(one.headers.list("Contact")).toHaveLength(2);
    expect((await register([["Contact", "*"]])).statusCode).toBe(400);
    expect(
      (
        await register([
          ["Contact", "*"],
          ["Expires", "60"],
        ])
      ).statusCode,
    ).toBe(400);
    const none = await register([
      ["Contact", "*"],
      ["Expires", "0"],
    ]);
    expect(none.statusCode).toBe(200);
    expect(none.headers.has("Contact")).toBe(false);
    expect(facts.slice(3)).toEqual([
      "unregistered urn:a",
      "unregistered urn:c",
      "unregistered urn:b",
    ]);
  });

  it("refreshes what it knows and keeps its id", async () => {
    await register([contact("urn:a", ";reg-id=1"), SUPPORTED]);
    const [before] = engine.engine.locations.bindings("1001");
    engine.clock.advance(200_000);
    await register([contact("urn:a", ";reg-id=1"), SUPPORTED]);
    const [after] = engine.engine.locations.bindings("1001");
    expect(after?.id).toBe(before?.id);
    expect(after?.registeredAtMs).toBe(before?.registeredAtMs);
    engine.clock.advance(299_999);
    expect(bindings()).toEqual(["urn:a"]);
    expect(facts).toEqual(["new urn:a", "refreshed urn:a"]);
  });

  it.each([
    ["the same CSeq", 50, "one-call-id", 500],
    ["a lower CSeq", 49, "one-call-id", 500],
    ["a higher CSeq", 51, "one-call-id", 200],
    ["another Call-ID", 1, "another", 200],
  ])("after CSeq 50: %s gets %s", async (_title, number, callId, status) => {
    await register([contact("urn:a")], { cseq: 50 });
    expect((await register([contact("urn:a")], { cseq: number, callId })).statusCode).toBe(status);
    expect((await register([contact("urn:a", ";expires=0")], { cseq: 50 })).statusCode).toBe(
      status === 200 && callId === "another" ? 200 : 500,
    );
  });

  it("changes all of its contacts or none", async () => {
    await register([contact("urn:a")]);
    const answer = await register([contact("urn:b"), contact("urn:c", ";expires=5")]);
    expect(answer.statusCode).toBe(423);
    expect(bindings()).toEqual(["urn:a"]);
  });

  it.each<[string, string, number]>([
    ["another user", `<sip:1002@${DOMAIN}>`, 403],
    ["another domain", "<sip:1001@elsewhere.test>", 404],
    ["no SIP URI", "<tel:1001>", 400],
  ])("refuses a To of %s", async (_title, to, status) => {
    expect((await register([contact("urn:a")], { to })).statusCode).toBe(status);
    expect(facts).toEqual([]);
  });

  it.each<[string, HeaderField[], number]>([
    ["a contact that is no SIP URI", [["Contact", "<mailto:a@b.test>"]], 403],
    ["reg-id 0", [contact("urn:a", ";reg-id=0"), SUPPORTED], 400],
    ["reg-id that is no number", [contact("urn:a", ";reg-id=x"), SUPPORTED], 400],
    ["reg-id with two contacts", [contact("urn:a", ";reg-id=1"), contact("urn:b"), SUPPORTED], 400],
    ["an instance of 200 characters", [contact("u".repeat(200))], 400],
    ["Require: gruu", [contact("urn:a"), ["Require", "gruu"]], 200],
    ["Require: x-other", [contact("urn:a"), ["Require", "x-other"]], 420],
    ["Require: outbound, path", [contact("urn:a"), ["Require", "outbound, path"]], 200],
  ])("%s", async (_title, headers, status) => {
    expect((await register(headers)).statusCode).toBe(status);
  });

  it("holds at most ten bindings of a user", async () => {
    for (let index = 0; index < 10; index += 1) {
      expect((await register([contact(`urn:${index}`)])).statusCode).toBe(200);
    }
    expect((await register([contact("urn:more")])).statusCode).toBe(403);
    expect((await register([contact("urn:3")])).statusCode).toBe(200);
    const many = Array.from({ length: 100 }, (_, index) => contact(`urn:x${index}`));
    expect((await register(many)).statusCode).toBe(403);
    expect(bindings()).toHaveLength(10);
  });
});

describe("RFC 5626 instances and flows", () => {
  it("a binding goes with its connection at once", async () => {
    await register([contact("urn:a")]);
    await browser.close();
    await waitFor(() => bindings().length === 0, { what: "the end of the binding" });
    expect(facts).toEqual(["new urn:a", "flow-closed urn:a"]);
  });

  it("the same instance on a new connection takes over", async () => {
    await register([contact("urn:a", ";reg-id=1"), SUPPORTED]);
    const [before] = engine.engine.locations.bindings("1001");
    const again = await engine.browser("1001", "urn:a");
    expect(bindings()).toEqual(["urn:a"]);
    expect(engine.engine.locations.bindings("1001")[0]?.id).not.toBe(before?.id);
    expect(facts).toEqual(["new urn:a", "replaced urn:a", "new urn:a"]);
    await browser.close();
    const answer = await register([], { peer: again });
    expect(answer.headers.list("Contact")).toHaveLength(1);
  });

  it("an instance without outbound is known by its instance alone (§6)", async () => {
    await register([contact("urn:a", ";reg-id=1"), SUPPORTED]);
    await register([contact("urn:a", ";reg-id=2")]);
    expect(bindings()).toEqual(["urn:a"]);
  });

  it("an instance with two reg-ids has two bindings", async () => {
    await register([contact("urn:a", ";reg-id=1"), SUPPORTED]);
    await register([contact("urn:a", ";reg-id=2"), SUPPORTED]);
    expect(bindings()).toEqual(["urn:a", "urn:a"]);
  });

  it("a contact without instance is known by its URI on its connection", async () => {
    const plain: HeaderField = ["Contact", "<sip:x@y.invalid;transport=ws>"];
    await register([plain]);
    await register([plain]);
    expect(bindings()).toHaveLength(1);
    const answer = await register([["Contact", "<sip:other@y.invalid;transport=ws>"]]);
    expect(answer.headers.list("Contact")[0]).not.toContain("instance");
    expect(bindings()).toHaveLength(2);
  });
});
