import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PeerDialog, SipPeer } from "../../harness/sip-peer.ts";
import { TestEngine, sdpOf } from "../../harness/signaling-engine.ts";
import type { DialogLog } from "../../harness/signaling-engine.ts";

let engine: TestEngine;
let pbx: SipPeer;

beforeEach(async () => {
  pbx = await SipPeer.udp();
  engine = await TestEngine.start({
    trunks: [{ id: "office", peer: `sip:127.0.0.1:${pbx.local.port}` }],
  });
  engine.adopt(pbx);
});

afterEach(async () => {
  expect(await engine.stop()).toEqual({ transactions: 0, dialogs: 0 });
});

interface Call {
  readonly log: DialogLog;
  readonly far: PeerDialog;
}

async function answered(recvInfo?: string): Promise<Call> {
  const invite = pbx.request("INVITE", {
    uri: "sip:1001@gateway.test",
    from: "<sip:5@pbx.test>;tag=caller",
    to: "<sip:1001@gateway.test>",
    headers: [
      ["Contact", pbx.contact],
      ...(recvInfo === undefined ? [] : [["Recv-Info", recvInfo] as const]),
    ],
    body: sdpOf("offer"),
  });
  const log = (await engine.invites.next()).accept(sdpOf("answer"));
  const far = PeerDialog.asCaller(pbx, invite, await pbx.expectResponse(200));
  far.request("ACK", { cseq: 1 });
  await log.expect("confirmed");
  return { log, far };
}

async function end({ log, far }: Call): Promise<void> {
  far.request("BYE");
  await pbx.expectResponse(200, "BYE");
  await log.expect("bye");
}

describe("RFC 6086 INFO", () => {
  it("of a package that was not negotiated gets 469, with the ones that we take: none", async () => {
    const call = await answered();
    call.far.request("INFO", { headers: [["Info-Package", "foo"]] });
    const refusal = await pbx.expectResponse(469, "INFO");
    expect(refusal.reasonPhrase).toBe("Bad Info Package");
    expect(refusal.headers.get("Recv-Info")).toBe("");
    expect(call.log.events.unread).toHaveLength(0);
    await end(call);
  });

  it("without a package, such as digits, goes to whoever handles the dialog", async () => {
    const call = await answered();
    call.far.request("INFO", { contentType: "application/dtmf-relay", body: "Signal=5\r\n" });
    const { request } = await call.log.expect("request");
    expect(request.request.contentType).toBe("application/dtmf-relay");
    request.respond(200);
    await pbx.expectResponse(200, "INFO");
    await end(call);
  });

  it.each([
    [undefined, 469],
    ["", 469],
    ["bar", 469],
    ["bar, Foo;x=1", 200],
  ])("of package foo to a far end with Recv-Info %j comes to %i", async (recvInfo, status) => {
    const call = await answered(recvInfo);
    const result = call.log.dialog.request("INFO", { headers: [["Info-Package", "foo"]] });
    if (status === 200) pbx.respond(await pbx.expectRequest("INFO"), 200);
    expect(await result).toBe(status);
    expect(pbx.unread).toHaveLength(0);
    await end(call);
  });
});
