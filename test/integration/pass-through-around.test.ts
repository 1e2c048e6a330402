import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipRequest } from "../../src/signaling/message/message.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { answerChallenge, SipPeer } from "../harness/sip-peer.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { expectNoFault } from "./support.ts";

const [USER, PASSWORD] = ["2001", "the-pbx-knows-it"];
const TEXT = { body: "Grüße", contentType: "text/plain;charset=utf-8" };
const SUMMARY = "application/simple-message-summary";
const LAMP = "Messages-Waiting: yes\r\nVoice-Message: 2/1\r\n";

let gateway: Gateway;
/** The PBX that owns the users, whose every message the test writes. */
let pbx: SipPeer;
let ann: WsCaller;
/** Where the PBX reaches the browser. */
let contact: string;

beforeAll(async () => {
  pbx = await SipPeer.udp(undefined, "127.0.0.2");
  gateway = await startGateway({
    config: {
      users: { "1001": { password: "another" } },
      trunks: { pbx: { peer: `sip:127.0.0.2:${pbx.local.port}`, registrar: true } },
    },
  });
  pbx.sendTo(gateway.sip);
  ann = await WsCaller.connect(gateway, USER, { password: PASSWORD });
  const registered = ann.register();
  const register = await pbx.expectRequest("REGISTER");
  contact = register.contact?.uri ?? "";
  pbx.respond(register, 200, {
    toTag: "r",
    headers: [["Contact", `<${contact}>;expires=300`]],
  });
  expect((await registered).statusCode).toBe(200);
});

afterAll(async () => {
  await ann.cut();
  await pbx.close();
  expectNoFault(gateway);
  await gateway.stop();
});

const challengeOf = (realm: string): HeaderField => [
  "WWW-Authenticate",
  `Digest realm="${realm}", nonce="n-1", algorithm=MD5`,
];

/** From and To of a request of the PBX's own. */
const fromPbx = { from: "<sip:690@pbx.test>;tag=a", to: "<sip:2001@pbx.test>" };

describe("a user of the PBX, beside calls", () => {
  it.each([
    ["MESSAGE", "600", TEXT],
    ["SUBSCRIBE", "2001", { headers: [["Event", "message-summary"]] as const }],
  ] as const)("%s: the PBX's challenge crosses, and the browser's answer", async (...row) => {
    const [method, number, parts] = row;
    const first = ann.ask(method, number, parts);
    const asked = await pbx.expectRequest(method);
    expect(asked.from.uri).toBe("sip:2001@localhost");
    pbx.respond(asked, 401, { toTag: "c", headers: [challengeOf("localhost")] });
    const challenge = await ann.told(first);
    expect(challenge.statusCode).toBe(401);
    expect(challenge.headers.get("WWW-Authenticate")).toBe(challengeOf("localhost")[1]);

    const authorization = answerChallenge(first, challenge, USER, PASSWORD);
    const headers: readonly HeaderField[] = [
      ...("headers" in parts ? parts.headers : []),
      ["Authorization", authorization],
    ];
    const second = ann.ask(method, number, { ...parts, headers });
    const answered = await pbx.expectRequest(method);
    expect(answered.requestUri).toBe(second.requestUri);
    expect(answered.headers.get("Authorization")).toBe(authorization);
    pbx.respond(answered, 404, { toTag: "d", headers: [] });
    expect((await ann.told(second)).statusCode).toBe(404);
  });

  it("a challenge of another realm is nobody's to answer", async () => {
    const sent = ann.ask("MESSAGE", "600", TEXT);
    const asked = await pbx.expectRequest("MESSAGE");
    pbx.respond(asked, 401, { toTag: "c", headers: [challengeOf("elsewhere.test")] });
    const told = await ann.told(sent);
    expect(told.statusCode).toBe(502);
    expect(told.headers.has("WWW-Authenticate")).toBe(false);
  });

  it("a text to its contact arrives, and the PBX has the browser's answer", async () => {
    pbx.request("MESSAGE", { uri: contact, ...fromPbx, ...TEXT });
    const text = await ann.text();
    expect(text.body.toString()).toBe(TEXT.body);
    expect(text.headers.get("From")).toContain("sip:690@");
    await pbx.expectResponse(200, "MESSAGE");
  });

  it("RFC 3842: a voicemail lamp arrives unasked, and nothing of the PBX but its body", async () => {
    const tell = (uri: string, event: string, body = LAMP, contentType = SUMMARY): SipRequest =>
      pbx.request("NOTIFY", {
        uri,
        ...fromPbx,
        headers: [
          ["Contact", pbx.contact],
          ["Event", event],
          ["Subscription-State", "terminated"],
          ["X-Secret", "1"],
        ],
        body,
        contentType,
      });
    tell(contact, "message-summary");
    const told = await ann.toldUnasked();
    expect(told.body.toString()).toBe(LAMP);
    expect(told.contentType).toBe(SUMMARY);
    expect(told.headers.get("Event")).toBe("message-summary");
    expect(told.headers.has("Subscription-State")).toBe(true);
    expect(told.headers.has("X-Secret")).toBe(false);
    expect(told.headers.get("From")).toContain("sip:2001@localhost");
    await pbx.expectResponse(200, "NOTIFY");

    tell(contact, "message-summary");
    await ann.toldUnasked(405);
    await pbx.expectResponse(405, "NOTIFY");
    tell(contact, "presence");
    await pbx.expectResponse(489, "NOTIFY");
    tell(contact, "message-summary", LAMP, "text/html");
    await pbx.expectResponse(415, "NOTIFY");
    tell(contact, "message-summary", "x".repeat(5000));
    await pbx.expectResponse(413, "NOTIFY");
    tell("sip:2001@localhost", "message-summary");
    await pbx.expectResponse(481, "NOTIFY");
  });
});
