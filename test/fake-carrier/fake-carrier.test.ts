import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { SocketAddress } from "../../src/core/address.ts";
import { formatSocketAddress } from "../../src/core/address.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { randomToken } from "../../src/core/ids.ts";
import { main } from "../../src/cli/main.ts";
import { FakeCarrier } from "../../src/fake-carrier/carrier.ts";
import { SCRIPTS, scriptOf } from "../../src/fake-carrier/scripts.ts";
import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../src/signaling/message/message.ts";
import { freePort } from "../harness/ports.ts";
import { PeerDialog, SipPeer } from "../harness/sip-peer.ts";

let carrier: FakeCarrier;
let address: SocketAddress;
const lines: string[] = [];

beforeAll(async () => {
  carrier = new FakeCarrier({
    listen: { host: "127.0.0.1", port: await freePort() },
    print: (line) => lines.push(line),
  });
  address = await carrier.start();
});

afterAll(async () => {
  await carrier.stop();
});

function sdp(port: number, direction = "sendrecv"): string {
  return [
    "v=0",
    "o=peer 1 1 IN IP4 127.0.0.1",
    "s=-",
    "c=IN IP4 127.0.0.1",
    "t=0 0",
    `m=audio ${port} RTP/AVP 0 101`,
    "a=rtpmap:101 telephone-event/8000",
    `a=${direction}`,
    "",
  ].join("\r\n");
}

/** A caller that writes every message itself. */
class Caller implements AsyncDisposable {
  readonly peer: SipPeer;
  invite: SipRequest;
  dialog: PeerDialog | undefined;

  static async dial(
    number: string,
    options: { readonly body?: string; readonly headers?: readonly HeaderField[] } = {},
  ): Promise<Caller> {
    return new Caller(await SipPeer.udp(address), number, options.body ?? sdp(40_000));
  }

  private constructor(peer: SipPeer, number: string, body: string) {
    this.peer = peer;
    this.invite = this.send(number, body);
  }

  send(number: string, body: string, cseq = 1, headers: readonly HeaderField[] = []): SipRequest {
    const uri = `sip:${number}@${formatSocketAddress(address)}`;
    return this.peer.request("INVITE", {
      uri,
      from: `<sip:peer@${this.peer.sentBy}>;tag=${randomToken(6)}`,
      to: `<${uri}>`,
      callId: randomToken(12),
      cseq,
      headers: [["Contact", this.peer.contact], ...headers],
      ...(body === "" ? {} : { body }),
    });
  }

  async final(): Promise<SipResponse> {
    const isFinal = (message: SipMessage): message is SipResponse =>
      message.kind === "response" && message.statusCode >= 200 && message.cseq.method === "INVITE";
    return await this.peer.receive(isFinal, "a final response", 8000);
  }

  /** Takes the 200 and acknowledges it. */
  async answered(body?: string): Promise<SipResponse> {
    const ok = await this.final();
    expect(ok.statusCode).toBe(200);
    this.dialog = PeerDialog.asCaller(this.peer, this.invite, ok);
    this.dialog.request("ACK", { cseq: this.invite.cseq.number, ...(body && { body }) });
    return ok;
  }

  async refused(): Promise<SipResponse> {
    const response = await this.final();
    this.peer.request("ACK", {
      uri: this.invite.requestUri,
      from: this.invite.headers.get("From") ?? "",
      to: response.headers.get("To") ?? "",
      callId: this.invite.callId,
      branch: this.invite.topmostVia.branch ?? "",
    });
    return response;
  }

  /** A request of the carrier's inside the call, with its SDP. */
  async asked(method: string): Promise<SipRequest> {
    const fits = (message: SipMessage): message is SipRequest =>
      message.kind === "request" && message.method === method;
    return await this.peer.receive(fits, method, 8000);
  }

  async hangUp(): Promise<void> {
    this.dialog?.request("BYE");
    await this.peer.expectResponse(200, "BYE");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer.close();
  }
}

describe("before the answer", () => {
  it.each([
    ["486", 486],
    ["+49301488", 488],
    ["404", 404],
    ["603", 603],
  ])("%s is refused with %i", async (number, status) => {
    await using caller = await Caller.dial(number);
    expect((await caller.refused()).statusCode).toBe(status);
  });

  it("503 says when to come again, 302 where to go", async () => {
    await using busy = await Caller.dial("503");
    expect((await busy.refused()).headers.get("Retry-After")).toBe("5");
    await using moved = await Caller.dial("302");
    expect((await moved.refused()).contact?.sipUri.user).toBe("200");
  });

  it("000 says nothing, 100 says 100, 180 rings until CANCEL", async () => {
    await using silent = await Caller.dial("000");
    await using trying = await Caller.dial("100");
    await using ringing = await Caller.dial("180");
    await trying.peer.expectResponse(100);
    await ringing.peer.expectResponse(180);
    for (const caller of [trying, ringing]) {
      const { invite } = caller;
      caller.peer.request("CANCEL", {
        uri: invite.requestUri,
        from: invite.headers.get("From") ?? "",
        to: invite.headers.get("To") ?? "",
        callId: invite.callId,
        branch: invite.topmostVia.branch ?? "",
      });
      expect((await caller.refused()).statusCode).toBe(487);
    }
    expect(silent.peer.unread).toEqual([]);
  });

  it("182 forks, 183 has a tone before the answer", async () => {
    await using forked = await Caller.dial("182");
    await using early = await Caller.dial("183");
    const first = await forked.peer.expectResponse(183);
    const second = await forked.peer.expectResponse(183);
    expect(first.toTag).not.toBe(second.toTag);
    const sound = await early.peer.expectResponse(183);
    expect(sound.body.toString()).toContain("m=audio");
    expect((await forked.answered()).toTag).toBe(second.toTag);
    await early.answered();
    await Promise.all([forked.hangUp(), early.hangUp()]);
  });

  it("407 wants its own password", async () => {
    await using caller = await Caller.dial("407");
    const challenge = await caller.refused();
    expect(challenge.statusCode).toBe(407);
    expect(challenge.headers.get("Proxy-Authenticate")).toContain('realm="fake-carrier"');
    caller.invite = caller.send("407", sdp(40_000), 2, [
      [
        "Proxy-Authorization",
        'Digest username="carrier", realm="fake-carrier", nonce="x", uri="sip:x", response="y", cnonce="z", nc=00000001, qop=auth',
      ],
    ]);
    expect((await caller.refused()).statusCode).toBe(407);
  });
});

describe("in the call", () => {
  it("makes the turn that the number says", async () => {
    await using late = await Caller.dial("210");
    await using timed = await Caller.dial("211");
    await using held = await Caller.dial("212");
    await using referred = await Caller.dial("213");
    await using changed = await Caller.dial("214");
    await using short = await Caller.dial("221");
    const all = [late, timed, held, referred, changed, short];
    const [, ok] = await Promise.all(all.map((caller) => caller.answered()));
    expect(ok?.headers.get("Session-Expires")).toBe("90;refresher=uas");

    const offerless = await late.asked("INVITE");
    expect(offerless.body).toHaveLength(0);
    late.peer.respond(offerless, 200, { body: sdp(40_010) });
    expect((await late.asked("ACK")).body.toString()).toContain("m=audio");

    const hold = await held.asked("INVITE");
    expect(hold.body.toString()).toContain("a=sendonly");
    held.peer.respond(hold, 200, { body: sdp(40_000, "recvonly") });
    const resume = await held.asked("INVITE");
    expect(resume.body.toString()).toContain("a=sendrecv");
    held.peer.respond(resume, 200, { body: sdp(40_000) });

    const refer = await referred.asked("REFER");
    expect(refer.headers.get("Refer-To")).toContain("sip:200@");
    referred.peer.respond(refer, 202);

    const other = await changed.asked("INVITE");
    expect(other.body.toString()).toMatch(/m=audio \d+ RTP\/AVP 8 127/);
    changed.peer.respond(other, 488);

    const refresh = await timed.asked("INVITE");
    expect(refresh.headers.get("Session-Expires")).toContain("refresher=uac");
    timed.peer.respond(refresh, 200, { body: sdp(40_000) });

    const bye = await short.asked("BYE");
    short.peer.respond(bye, 200);
    for (const caller of [late, timed, held, referred, changed]) await caller.hangUp();
    expect(lines.join("\n")).toContain("213: REFER answered with 202");
  });

  it("answers a hold, and an INVITE without an offer", async () => {
    await using caller = await Caller.dial("200", { body: "" });
    const ok = await caller.answered(sdp(40_000));
    expect(ok.body.toString()).toContain("m=audio");
    caller.dialog?.request("INVITE", { body: sdp(40_000, "sendonly") });
    expect((await caller.final()).body.toString()).toContain("a=recvonly");
    caller.dialog?.request("ACK");
    await caller.hangUp();
  });

  it("sends back what it hears, all of it or four of five packets, or a tone", async () => {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const { port } = socket.address();
    let heard = 0;
    socket.on("message", () => (heard += 1));
    const packet = Buffer.alloc(172, 0x80);
    for (const [number, back] of [
      ["200", 20],
      ["203", 16],
    ] as const) {
      heard = 0;
      await using caller = await Caller.dial(number, { body: sdp(port) });
      const ok = await caller.answered();
      const to = Number(/m=audio (\d+)/.exec(ok.body.toString())?.[1]);
      for (let index = 0; index < 20; index += 1) socket.send(packet, to, "127.0.0.1");
      await expect.poll(() => heard).toBe(back);
      await caller.hangUp();
    }
    heard = 0;
    await using caller = await Caller.dial("201", { body: sdp(port) });
    await caller.answered();
    await expect.poll(() => heard).toBeGreaterThan(10);
    await caller.hangUp();
    socket.close();
  });
});

describe("the numbers", () => {
  it("count by their last three digits", () => {
    expect(scriptOf("+4930123486").final).toBe(486);
    expect(scriptOf("0049").final).toBe(200);
    expect(scriptOf("alice").final).toBe(200);
    expect(scriptOf("9227")).toMatchObject({ turn: "hang-up", turnMs: 7000 });
  });

  it("stand in the help and on the page, each with what it does", async () => {
    const printed: string[] = [];
    const context = {
      directory: "/",
      environment: {},
      print: (line: string) => printed.push(line),
      complain: () => undefined,
    };
    expect(await main(["fake-carrier", "--help"], context)).toBe(0);
    const page = readFileSync(new URL("../../docs/fake-carrier.md", import.meta.url), "utf8");
    for (const [number, { title }] of SCRIPTS) {
      expect(printed.join("\n")).toContain(`${number}  ${title}`);
      expect(page).toContain(`| ${number} | ${title} |`);
    }
  });

  it("leave nothing when the carrier stops in the midst of a call", async () => {
    await expect.poll(() => carrier.size).toBe(0);
    const clock = new SystemClock();
    const listen = { host: "127.0.0.1", port: await freePort() };
    const other = new FakeCarrier({ listen, print: () => undefined, clock });
    await other.start();
    const peer = await SipPeer.udp(listen);
    const uri = `sip:180@${formatSocketAddress(listen)}`;
    peer.request("INVITE", {
      uri,
      from: "<sip:peer@127.0.0.1>;tag=a",
      to: `<${uri}>`,
      body: sdp(40_000),
    });
    await peer.expectResponse(180);
    await other.stop();
    await peer.expectResponse(503);
    expect([other.size, clock.pendingTimers]).toEqual([0, 0]);
    await peer.close();
  });
});
