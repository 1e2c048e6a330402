import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { SipResponse } from "../../src/signaling/message/message.ts";
import { BROWSER, browserSdp } from "../harness/browser-sdp.ts";
import { waitFor } from "../harness/wait.ts";
import type { IncomingCall, OutgoingCall } from "../harness/ws-call.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { useOffice } from "./support.ts";

// RFC 8840 against the real rtpengine: a browser without a candidate in its SDP, which is checked by
// rtpengine at the address that an INFO has brought, and nowhere before.

const FRAGMENT = "application/trickle-ice-sdpfrag";
/** RFC 8489 §6: type, length, magic cookie. */
const BINDING_REQUEST = 0x0001;
const MAGIC_COOKIE = 0x2112_a442;

const office = useOffice();
let browser: Socket;
let checks: string[] = [];

beforeEach(async () => {
  browser = createSocket("udp4");
  browser.bind(0, "127.0.0.1");
  await once(browser, "listening");
  checks = [];
  browser.on("message", (packet) => {
    const isRequest =
      packet.length >= 20 &&
      packet.readUInt16BE(0) === BINDING_REQUEST &&
      packet.readUInt32BE(4) === MAGIC_COOKIE;
    if (isRequest) checks.push(packet.toString("latin1"));
  });
});

afterEach(() => {
  browser.close();
});

/** The SDP of a browser that has gathered nothing yet (RFC 8840 §4.1). */
function sdpWithoutCandidates(setup: "actpass" | "active"): string {
  return browserSdp({ setup })
    .split("\r\n")
    .filter((line) => !line.startsWith("a=candidate:"))
    .join("\r\n")
    .replace("m=audio 54321", "m=audio 9")
    .replace(`c=IN IP4 ${BROWSER.address}`, "c=IN IP4 0.0.0.0");
}

function fragment(options: { readonly ufrag?: string; readonly mid?: string } = {}): string {
  return [
    `a=ice-ufrag:${options.ufrag ?? BROWSER.ufrag}`,
    `a=ice-pwd:${BROWSER.icePassword}`,
    "m=audio 9 RTP/AVP 0",
    `a=mid:${options.mid ?? "0"}`,
    `a=candidate:1 1 udp 2122260223 127.0.0.1 ${browser.address().port} typ host generation 0`,
    "a=end-of-candidates",
    "",
  ].join("\r\n");
}

async function info(
  call: OutgoingCall | IncomingCall,
  body: string,
  contentType = FRAGMENT,
  infoPackage = "trickle-ice",
): Promise<SipResponse> {
  call.request("INFO", {
    headers: [
      ["Info-Package", infoPackage],
      ["Content-Disposition", "Info-Package"],
    ],
    body,
    contentType,
  });
  return await call.expectResponse((status) => status >= 200, "INFO");
}

/** Waits for rtpengine's check: USERNAME is `browser:rtpengine` (RFC 8445 §7.2.2). */
async function expectCheck(): Promise<void> {
  await waitFor(() => checks.length > 0, { what: "a check of ICE", timeoutMs: 10_000 });
  expect(checks[0]).toContain(`${BROWSER.ufrag}:`);
}

describe("RFC 8840 trickle ICE in a call that a browser makes", () => {
  it("takes the candidates of an INFO, and no others", async () => {
    await using ann = await WsCaller.signIn(office().gateway, "1001");
    const call = ann.invite("*43", { sdp: sdpWithoutCandidates("actpass") });
    const accepted = await call.answered();
    expect(accepted.headers.list("Recv-Info")).toEqual(["trickle-ice"]);
    expect(accepted.headers.list("Supported")).toContain("trickle-ice");
    // RFC 8838 §16, half trickle: ours are all there.
    expect(accepted.sdp).toMatch(/^a=candidate:.* typ host/m);
    expect(accepted.sdp).toContain("a=end-of-candidates");

    // Another generation: dropped, and nothing is wrong with it.
    expect((await info(call, fragment({ ufrag: "old1" }))).statusCode).toBe(200);
    expect((await info(call, fragment({ mid: "7" }))).statusCode).toBe(400);
    expect((await info(call, "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n")).statusCode).toBe(400);
    expect((await info(call, `${fragment()}${"a=x\r\n".repeat(4000)}`)).statusCode).toBe(400);
    const asSdp = await info(call, fragment(), "application/sdp");
    expect([asSdp.statusCode, asSdp.headers.get("Accept")]).toEqual([415, FRAGMENT]);
    const other = await info(call, fragment(), FRAGMENT, "foo");
    expect([other.statusCode, other.headers.get("Recv-Info")]).toEqual([469, "trickle-ice"]);
    expect(checks).toEqual([]);

    expect((await info(call, fragment())).statusCode).toBe(200);
    await expectCheck();
    await call.bye();
  });
});

describe("RFC 8840 trickle ICE in a call that a browser answers", () => {
  it("takes the candidates of an INFO after the answer", async () => {
    await using ann = await WsCaller.signIn(office().gateway, "1001");
    await using ben = await WsCaller.signIn(office().gateway, "1002");
    const call = ann.invite("1002");
    const incoming = await ben.incoming();
    expect(incoming.invite.headers.list("Recv-Info")).toEqual(["trickle-ice"]);
    expect(incoming.invite.headers.list("Supported")).toContain("trickle-ice");
    incoming.accept(sdpWithoutCandidates("active"));
    await incoming.expectRequest("ACK");
    await call.answered();
    expect(checks).toEqual([]);
    expect((await info(incoming, fragment())).statusCode).toBe(200);
    await expectCheck();
    await call.bye();
    await incoming.hungUp();
  });
});
