import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { hasAsterisk, useAsterisk } from "../harness/asterisk.ts";
import { Baresip } from "../harness/baresip.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { Linphone, skipWithoutLinphone } from "../harness/linphone.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { expectNoFault } from "./support.ts";

/** Of the gateway toward Asterisk, which has to know it. */
const SIP_PORT = await freePort();
const BARESIP_PORT = await freePort();
const LINPHONE_PORT = await freePort();

const SNIPPETS = join(import.meta.dirname, "../../docs/connect/asterisk");
const snippet = (name: string): string =>
  readFileSync(join(SNIPPETS, name), "utf8")
    .replaceAll("192.0.2.10:5060", `127.0.0.1:${SIP_PORT}`)
    .replaceAll("192.0.2.10", "127.0.0.1");

/** The users of docs/connect/asterisk/pjsip-pass-through.conf. */
const ANN = { password: "a-long-secret-of-2001" };
const BOB = { password: "a-long-secret-of-2002" };

describe("Asterisk 22 as the registrar of browsers", () => {
  const asterisk = useAsterisk({
    "pjsip.conf": [
      snippet("pjsip-pass-through.conf"),
      snippet("pjsip-trunk.conf"),
      snippet("pjsip-account.conf"),
      // As the page says for users and a trunk at one address.
      "[global](+)\nendpoint_identifier_order=username,ip,request_uri",
      // Telephones of the PBX's: baresip and linphone.
      "[2003](web-user)\naors=2003",
      `[2003]\ntype=aor\ncontact=sip:2003@127.0.0.1:${BARESIP_PORT}`,
      "[2004](web-user)\naors=2004",
      `[2004]\ntype=aor\ncontact=sip:2004@127.0.0.1:${LINPHONE_PORT}`,
    ].join("\n"),
    "extensions.conf": snippet("extensions.conf").replaceAll("[from-gateway]", "[from-gateway](+)"),
  });
  let gateway: Gateway;

  beforeAll(async () => {
    if (!hasAsterisk()) return;
    gateway = await startGateway({
      config: {
        http: { "trusted-proxies": "127.0.0.1" },
        sip: { listen: [`udp:127.0.0.1:${SIP_PORT}`] },
        trunks: {
          // Asterisk calls from any of its transports, each of which has an address here.
          pbx: { peer: asterisk().peer("plain"), accept: "127.0.1.0/24", registrar: true },
          line: {
            peer: asterisk().peer("plain"),
            register: { username: "offhook-account", password: "a-long-secret-of-the-trunk" },
          },
        },
        dialplan: {
          routes: [
            { name: "web users", to: "@users", do: { ring: "@to" } },
            { name: "users of the PBX", from: { group: "pbx" }, do: { dial: "pbx" } },
            { name: "our own users", from: { user: "1001" }, do: { dial: "pbx" } },
          ],
        },
      },
    });
  });

  afterAll(async () => {
    if (!hasAsterisk()) return;
    expectNoFault(gateway);
    const secrets = /a-long-secret|response=/;
    expect(gateway.child.lines.filter((line) => secrets.test(line))).toEqual([]);
    await gateway.stop();
  });

  afterEach(async (context) => {
    if (context.task.result?.state !== "fail") return;
    const lines = [...(await asterisk().log()).slice(-40), ...gateway.child.lines.slice(-40)];
    process.stderr.write(`${lines.join("\n")}\n`);
  });

  async function contactOf(user: string): Promise<string | undefined> {
    const list = await asterisk().command("pjsip show contacts");
    return list.split("\n").find((line) => line.includes(` ${user}/sip:`));
  }

  async function untilContact(user: string, state: string): Promise<void> {
    await waitFor(
      async () => {
        const line = await contactOf(user);
        return line?.includes(state) === true || undefined;
      },
      { what: `the contact of ${user} to be ${state}`, detail: () => asterisk().child.tail() },
    );
  }

  async function signIn(user: string, options: { readonly password: string }): Promise<WsCaller> {
    const caller = await WsCaller.connect(gateway, user, options);
    const response = await caller.register();
    expect(response.statusCode).toBe(200);
    return caller;
  }

  /** Unregisters. */
  async function leave(caller: WsCaller): Promise<void> {
    expect((await caller.register({ expires: 0 })).statusCode).toBe(200);
  }

  it("takes a browser's registration, asks after it, and forgets it", async () => {
    await using ann = await signIn("2001", ANN);
    const line = await contactOf("2001");
    expect(line).toMatch(/ 2001\/sip:[\w-]{22}@127\.0\.0\.1:/);
    await untilContact("2001", "Avail");
    const { body } = await gateway.api("/api/v1/registrations");
    expect(JSON.stringify(body)).toContain('"2001"');
    await leave(ann);
    expect(await contactOf("2001")).toBeUndefined();
  });

  it("refuses a wrong password with a challenge of its own", async () => {
    await using ann = await WsCaller.connect(gateway, "2001", { password: "wrong" });
    const response = await ann.register();
    expect(response.statusCode).toBe(401);
    expect(response.headers.get("WWW-Authenticate")).toContain('realm="asterisk"');
    expect(await contactOf("2001")).toBeUndefined();
  });

  it("calls a browser, and is called by it", async () => {
    await using ann = await signIn("2001", ANN);
    await asterisk().command("channel originate PJSIP/2001 extension 600@internal");
    const incoming = await ann.incoming(15_000);
    expect(incoming.invite.to.sipUri.user).toBe("2001");
    await incoming.answer();
    await asterisk().hangUp();
    await incoming.hungUp();
    await expectNothingLeft(gateway);

    const before = (await records(gateway)).length;
    const call = await ann.inviteWithDigest("600");
    await call.answered();
    await call.bye();
    await expectNothingLeft(gateway);
    // The challenge is no call of its own.
    const all = await records(gateway);
    expect(all.length - before).toBe(1);
    expect(all[0]).toMatchObject({ result: "success", to: "600", from: { id: "2001" } });
    await leave(ann);
  });

  it("joins two browsers", async () => {
    await using ann = await signIn("2001", ANN);
    await using bob = await signIn("2002", BOB);
    const call = await ann.inviteWithDigest("2002");
    const incoming = await bob.incoming();
    expect(incoming.invite.from.sipUri.user).toBe("2001");
    await incoming.answer();
    await call.answered();
    await call.bye();
    await incoming.hungUp();
    await expectNothingLeft(gateway);
    await leave(ann);
    await leave(bob);
  });

  it("is told when the browser of a contact has gone, and finds it again when it is back", async () => {
    const ann = await signIn("2001", ANN);
    await untilContact("2001", "Avail");
    const contact = (await contactOf("2001"))?.split(" ").find((word) => word.includes("sip:"));
    await ann.cut();
    await asterisk().command("pjsip qualify 2001");
    await untilContact("2001", "Unavail");
    await using back = await WsCaller.connect(gateway, "2001", { ...ANN, sameAs: ann });
    expect((await back.register()).statusCode).toBe(200);
    // Asterisk asks again when its time has come; a test does not wait for that.
    await asterisk().command("pjsip qualify 2001");
    await untilContact("2001", "Avail");
    const list = await asterisk().command("pjsip show contacts");
    expect(list.split(" 2001/sip:")).toHaveLength(2);
    expect(await contactOf("2001")).toContain(contact);
    await leave(back);
  });

  it("is told of a browser behind a trusted proxy, which the gateway knows by its own address", async () => {
    const upgradeHeaders = { "X-Forwarded-For": "203.0.113.9, 192.0.2.77" };
    await using ann = await WsCaller.connect(gateway, "2001", { ...ANN, upgradeHeaders });
    expect((await ann.register()).statusCode).toBe(200);
    const { body } = await gateway.api("/api/v1/registrations");
    expect(JSON.stringify(body)).toContain('"192.0.2.77:');
    expect(JSON.stringify(body)).not.toContain("203.0.113.9");
    await leave(ann);
  });

  it("rings baresip, a telephone of its own, for a browser", async () => {
    await using phone = await Baresip.start({ user: "2003", port: BARESIP_PORT });
    await using ann = await signIn("2001", ANN);
    const call = await ann.inviteWithDigest("2003");
    await call.answered();
    await phone.waitForEvent("CALL_ESTABLISHED");
    await call.bye();
    await phone.waitForEvent("CALL_CLOSED");
    await expectNothingLeft(gateway);
    await leave(ann);
  });

  it("rings linphone, a telephone of its own, for a browser, and the browser for it", async (context) => {
    skipWithoutLinphone(context);
    await using phone = await Linphone.start({ user: "2004", port: LINPHONE_PORT, toneHz: 500 });
    await using ann = await signIn("2001", ANN);
    const call = await ann.inviteWithDigest("2004");
    await call.answered();
    await call.bye();
    await expectNothingLeft(gateway);
    await phone.untilCall(1, "ended");
    await phone.dial(asterisk().peer("plain").replace("sip:", "sip:2001@"));
    const incoming = await ann.incoming(15_000);
    await incoming.answer();
    await phone.untilCall(2, "connected");
    await phone.hangUp();
    await incoming.hungUp();
    await expectNothingLeft(gateway);
    await leave(ann);
  });

  it("is a trunk for the gateway's own users meanwhile, both ways, and has its account", async () => {
    await using ann = await WsCaller.signIn(gateway, "1001");
    const call = await ann.call("600");
    await call.bye();
    await asterisk().command("channel originate Local/1001@from-gateway extension 600@internal");
    const incoming = await ann.incoming(15_000);
    await incoming.answer();
    await incoming.bye();
    await expectNothingLeft(gateway);
    await untilContact("offhook-account", "Avail");
  });
});
