import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HeaderField } from "../../../src/signaling/message/headers.ts";
import type { SipResponse } from "../../../src/signaling/message/message.ts";
import { SipUri } from "../../../src/signaling/message/uri.ts";
import { Gruus } from "../../../src/signaling/registrar/gruu.ts";
import { SipPeer } from "../../harness/sip-peer.ts";
import { DOMAIN, OutgoingLog, TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import { waitFor } from "../../harness/wait.ts";

const ANN = "urn:uuid:ann";

let engine: TestEngine;
let pbx: SipPeer;
let browser: SipPeer;
let cseq: number;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
  });
  engine.adopt(pbx);
  browser = await engine.browser("1001", "urn:uuid:first");
  cseq = 10;
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
  expect(engine.clock.pendingTimers).toBe(0);
});

async function register(
  headers: readonly HeaderField[],
  options: { readonly peer?: SipPeer; readonly callId?: string } = {},
): Promise<SipResponse> {
  const peer = options.peer ?? browser;
  cseq += 1;
  peer.request("REGISTER", {
    uri: `sip:${DOMAIN}`,
    from: `<sip:1001@${DOMAIN}>;tag=f`,
    to: `<sip:1001@${DOMAIN}>`,
    callId: options.callId ?? "one-call-id",
    cseq,
    headers,
  });
  return await peer.receive(
    (message): message is SipResponse => message.kind === "response",
    "a response to REGISTER",
  );
}

function contact(instance = ANN, params = ""): HeaderField {
  return ["Contact", `<sip:c@x.invalid;transport=ws>;+sip.instance="<${instance}>"${params}`];
}

const GRUU: HeaderField = ["Supported", "gruu, outbound, path"];

/** The parameters of the Contact of this instance in a 200. */
function paramsOf(response: SipResponse, instance = ANN): ReadonlyMap<string, string | undefined> {
  const { contacts } = response;
  if (contacts === "*") throw new Error("no contacts");
  const found = contacts.find(({ params }) => params.get("+sip.instance") === `<${instance}>`);
  if (found === undefined) throw new Error(`no contact of ${instance}`);
  return found.params;
}

function call(uri: string): void {
  pbx.request("INVITE", {
    uri,
    from: "<sip:5@pbx.test>;tag=a",
    to: `<sip:1001@${DOMAIN}>`,
    body: sdpOf("offer"),
  });
}

describe("RFC 5627 §5.2 GRUUs in the 200 to REGISTER", () => {
  it("are given to whoever understands them, each temporary one once", async () => {
    const first = paramsOf(await register([contact(), GRUU]));
    expect(first.get("pub-gruu")).toBe(`sip:1001@${DOMAIN};gr=${ANN}`);
    const temporary = first.get("temp-gruu") ?? "";
    expect(temporary).toMatch(/^sip:tgruu\.[\w-]+@gateway\.test;gr$/);
    expect(temporary).not.toContain("1001");
    expect(Buffer.from(temporary.slice(10), "base64url").toString("latin1")).not.toContain("ann");
    expect(paramsOf(await register([contact(), GRUU])).get("temp-gruu")).not.toBe(temporary);
  });

  it("are not given to whoever does not, nor without an instance", async () => {
    const without = paramsOf(await register([contact()]));
    expect(without.has("pub-gruu") || without.has("temp-gruu")).toBe(false);
    const plain = await register([["Contact", "<sip:plain@x.invalid>"], GRUU]);
    const values = plain.headers.list("Contact").filter((value) => value.includes("sip:plain"));
    expect(values).toHaveLength(1);
    expect(values[0]).not.toContain("gruu");
  });

  it("a GRUU as the Contact is refused: it would lead to itself", async () => {
    const answer = await register([["Contact", `<sip:1001@${DOMAIN};gr=${ANN}>`], GRUU]);
    expect(answer.statusCode).toBe(403);
  });
});

describe("RFC 5627 §5.5 a request to a GRUU", () => {
  it("names the instance, by the public and by every temporary one", async () => {
    const first = paramsOf(await register([contact(), GRUU]));
    const second = paramsOf(await register([contact(), GRUU]));
    for (const uri of [first.get("pub-gruu"), first.get("temp-gruu"), second.get("temp-gruu")]) {
      call(uri ?? "");
      const { invite } = await engine.invites.next();
      expect(invite.calledInstance).toEqual({ userId: "1001", instanceId: ANN });
      expect(invite.calledNumber).toBe("1001");
      invite.reject(486);
      await pbx.expectResponse(486);
    }
  });

  it("gets 480 while the instance is away, and 404 when it never was a GRUU", async () => {
    const params = paramsOf(await register([contact(), GRUU]));
    await register([contact(ANN, ";expires=0"), GRUU]);
    call(params.get("pub-gruu") ?? "");
    await pbx.expectResponse(480);
    for (const uri of [
      params.get("temp-gruu") ?? "",
      `sip:tgruu.AAAA@${DOMAIN};gr`,
      `sip:tgruu.${"A".repeat(100)}@${DOMAIN};gr`,
      `sip:1001@${DOMAIN};gr`,
    ]) {
      call(uri);
      await pbx.expectResponse(404);
    }
    expect(engine.invites.unread).toHaveLength(0);
  });

  it("a temporary one ends with the Call-ID of its registration (§5.3)", async () => {
    const params = paramsOf(await register([contact(), GRUU]));
    await register([contact(), GRUU], { callId: "another" });
    call(params.get("temp-gruu") ?? "");
    await pbx.expectResponse(404);
  });

  it("of another domain is a number like any other", async () => {
    call("sip:1001@127.0.0.1;gr=urn:uuid:x");
    const { invite } = await engine.invites.next();
    expect(invite.calledInstance).toBeUndefined();
    invite.reject(486);
    await pbx.expectResponse(486);
  });

  it("as the Contact of a call says which instance calls (§4.4)", async () => {
    await register([contact(), GRUU]);
    browser.request("INVITE", {
      uri: `sip:5@${DOMAIN}`,
      from: `<sip:1001@${DOMAIN}>;tag=b`,
      to: `<sip:5@${DOMAIN}>`,
      headers: [["Contact", `<sip:1001@${DOMAIN};gr=${ANN}>`]],
      body: sdpOf("offer"),
    });
    const { invite } = await engine.invites.next();
    expect(invite.party).toEqual({ kind: "user", userId: "1001", instanceId: ANN });
    invite.reject(486);
    await browser.expectResponse(486);
  });

  it("another key opens nothing", () => {
    const uri = new Gruus(DOMAIN).temporaryOf({ userId: "1001", instanceId: ANN }, "c");
    expect(new Gruus(DOMAIN).resolve(SipUri.parse(uri))).toBeUndefined();
  });
});

describe("RFC 3327 Path", () => {
  const PATH: HeaderField = ["Path", "<sip:edge.test;lr;ob>"];

  async function ring(): Promise<OutgoingLog> {
    const binding = engine.engine.locations
      .bindings("1001")
      .find(({ instanceId }) => instanceId === ANN);
    if (binding === undefined) throw new Error("not registered");
    const log = new OutgoingLog();
    engine.engine.invite(
      {
        target: { kind: "binding", binding },
        from: { user: "5" },
        to: { user: "1001" },
        sdp: sdpOf("offer"),
      },
      log,
    );
    return log;
  }

  it("is kept, given back, and becomes the Route of calls", async () => {
    const second: HeaderField = ["Path", "<sip:core.test;lr>, <sip:edge.test;lr;ob>"];
    const answer = await register([contact(), GRUU, second]);
    expect(answer.headers.list("Path")).toEqual(["<sip:core.test;lr>", "<sip:edge.test;lr;ob>"]);
    const [binding] = engine.engine.locations.bindings("1001");
    expect(binding?.path).toEqual(["<sip:core.test;lr>", "<sip:edge.test;lr;ob>"]);
    const log = await ring();
    const invite = await browser.expectRequest("INVITE");
    expect(invite.headers.list("Route")).toEqual(["<sip:core.test;lr>", "<sip:edge.test;lr;ob>"]);
    expect(invite.requestUri).toBe("sip:c@x.invalid;transport=ws");
    browser.respond(invite, 200, {
      toTag: "b",
      headers: [
        ["Contact", browser.contact],
        ["Record-Route", "<sip:edge.test;lr>"],
      ],
      body: sdpOf("answer"),
    });
    // Behind a Path the routes of the dialog count, and never lead to another connection.
    const ack = await browser.expectRequest("ACK");
    expect(ack.headers.list("Route")).toEqual(["<sip:edge.test;lr>"]);
    (await log.expect("accepted")).log.dialog.bye();
    browser.respond(await browser.expectRequest("BYE"), 200);
  });

  it("without one nothing is routed", async () => {
    await register([contact(), GRUU]);
    const log = await ring();
    const invite = await browser.expectRequest("INVITE");
    expect(invite.headers.has("Route")).toBe(false);
    browser.respond(invite, 486, { toTag: "b" });
    await log.expect("failed");
  });

  it.each<[string, HeaderField[]]>([
    ["a malformed one", [["Path", "<sip:edge"]]],
    ["too many", Array.from({ length: 9 }, () => PATH)],
  ])("%s is refused", async (_title, headers) => {
    expect((await register([contact(), GRUU, ...headers])).statusCode).toBe(400);
  });
});

describe("RFC 5626 §6 flows", () => {
  /** A REGISTER that has come through a proxy. */
  async function through(headers: readonly HeaderField[]): Promise<SipResponse> {
    cseq += 1;
    const request = browser.build("REGISTER", {
      uri: `sip:${DOMAIN}`,
      from: `<sip:1001@${DOMAIN}>;tag=f`,
      to: `<sip:1001@${DOMAIN}>`,
      callId: "through",
      cseq,
      headers,
    });
    const via = "SIP/2.0/UDP phone.test;branch=z9hG4bK1";
    Object.assign(request, { headers: request.headers.append("Via", via) });
    browser.send(request);
    return await browser.receive(
      (message): message is SipResponse => message.kind === "response",
      "a response to REGISTER",
    );
  }

  it.each<[string, HeaderField[], string, number]>([
    ["no Path", [], ";reg-id=1", 439],
    ["a first hop without ob", [["Path", "<sip:a.test;lr;ob>, <sip:b.test;lr>"]], ";reg-id=1", 439],
    ["a first hop with ob", [["Path", "<sip:a.test;lr>, <sip:b.test;lr;ob>"]], ";reg-id=1", 200],
    ["no reg-id", [["Path", "<sip:b.test;lr>"]], "", 200],
  ])("through a proxy, %s: %s", async (_title, headers, params, status) => {
    const answer = await through([contact(ANN, params), GRUU, ...headers]);
    expect(answer.statusCode).toBe(status);
    if (status === 439) expect(answer.reasonPhrase).toBe("First Hop Lacks Outbound Support");
  });

  it("the same reg-id on a new connection replaces, another one adds", async () => {
    const regIds = () =>
      engine.engine.locations
        .bindings("1001")
        .filter(({ instanceId }) => instanceId === ANN)
        .map(({ regId }) => regId);
    await register([contact(ANN, ";reg-id=1"), GRUU]);
    await register([contact(ANN, ";reg-id=2"), GRUU]);
    expect(regIds()).toEqual([2, 1]);
    const other = await engine.browser("1001", "urn:uuid:other");
    await register([contact(ANN, ";reg-id=1"), GRUU], { peer: other });
    expect(regIds()).toEqual([1, 2]);
    await other.close();
    await waitFor(() => regIds().length === 1, { what: "the end of reg-id 1" });
    expect(regIds()).toEqual([2]);
  });

  describe("§5.3 flow tokens", () => {
    const token = () =>
      engine.engine.locations.bindings("1001").find(({ instanceId }) => instanceId === ANN)
        ?.flowToken ?? "";

    function route(user: string, params = ";lr;ob", uri = `sip:1001@${DOMAIN}`): void {
      pbx.request("INVITE", {
        uri,
        from: "<sip:5@pbx.test>;tag=a",
        to: `<sip:1001@${DOMAIN}>`,
        headers: [
          ["Route", `<sip:${user}@127.0.0.1${params}>`],
          ["Contact", pbx.contact],
        ],
        body: sdpOf("offer"),
      });
    }

    async function calledInstance(): Promise<unknown> {
      const { invite } = await engine.invites.next();
      invite.reject(486);
      await pbx.expectResponse(486);
      return invite.calledInstance;
    }

    it("lead back to the instance of their connection", async () => {
      const other = await engine.browser("1001", ANN);
      expect(token()).toMatch(/^ft\.[\w-]+$/);
      route(token());
      expect(await calledInstance()).toEqual({ userId: "1001", instanceId: ANN });
      const before = token();
      await other.close();
      await waitFor(() => token() === "", { what: "the end of the binding" });
      route(before);
      expect((await pbx.expectResponse(430)).reasonPhrase).toBe("Flow Failed");
    });

    it("of a connection with two instances follow the Contact", async () => {
      await register([contact(), GRUU]);
      route(token(), ";lr;ob", "sip:c@x.invalid;transport=ws");
      expect(await calledInstance()).toEqual({ userId: "1001", instanceId: ANN });
    });

    it("cannot be made or changed by others", async () => {
      await register([contact(), GRUU]);
      const good = token();
      const changed = `${good.slice(0, 5)}${good[5] === "A" ? "B" : "A"}${good.slice(6)}`;
      for (const forged of [changed, "ft.", "ft.AAAA", `ft.${"A".repeat(40)}`, `${good}AAAA`]) {
        route(forged);
        await pbx.expectResponse(403);
      }
      // Any other Route of ours is left alone.
      route(good, ";lr");
      expect(await calledInstance()).toBeUndefined();
      expect(engine.invites.unread).toHaveLength(0);
    });
  });

  it("a call goes on over the other flow when one goes before an answer", async () => {
    const second = await engine.browser("1001", ANN);
    await register([contact(ANN, ";reg-id=2"), GRUU], { peer: browser });
    const [binding] = engine.engine.locations.bindings("1001");
    if (binding === undefined) throw new Error("not registered");
    const log = new OutgoingLog();
    engine.engine.invite(
      {
        target: { kind: "binding", binding },
        from: { user: "5" },
        to: { user: "1001" },
        sdp: sdpOf("offer"),
      },
      log,
    );
    const first = await browser.expectRequest("INVITE");
    await browser.close();
    const again = await second.expectRequest("INVITE");
    expect(again.callId).toBe(first.callId);
    expect(again.cseq.number).toBe(first.cseq.number + 1);
    second.respond(again, 486, { toTag: "b" });
    expect((await log.expect("failed")).failure.reason.sipStatus).toBe(486);
  });
});
