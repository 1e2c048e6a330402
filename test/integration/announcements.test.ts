import { describe, expect, it } from "vitest";

import type { SipResponse } from "../../src/signaling/message/message.ts";
import { audioPortOf } from "../harness/rtpengine.ts";
import { PeerDialog } from "../harness/sip-peer.ts";
import { Sipp } from "../harness/sipp.ts";
import { Telephone } from "../harness/telephone.ts";
import { measureTone, type Sound } from "../harness/tone.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "./desk-call.ts";
import { DESK_HOST, reasonOf, useOffice, useRecords } from "./support.ts";

const office = useOffice({
  plan: { country: "FR" },
  routes: [
    { name: "nobody", to: "500", do: { reject: 404, announce: "number-unknown" } },
    { name: "busy", to: "501", do: { reject: 486, announce: "auto" } },
    { name: "no file", to: "502", do: { reject: 503, announce: "missing.wav" } },
    { name: "absent", to: "503", do: { ring: "1002", announce: "auto" } },
  ],
});
const onlyRecord = useRecords(office);

/** The longest run of a tone in what was heard, in milliseconds. */
const run = (sound: Sound, hz: number): number => measureTone(sound, hz).longestMs;

/** Each of them hears its tone from now on. */
async function expectToneBothWays(
  ...ends: readonly (readonly [telephone: Telephone, hz: number])[]
): Promise<void> {
  for (const [telephone, hz] of ends) {
    const share = async (): Promise<number> => measureTone(await telephone.listen(300), hz).share;
    await expect.poll(share, { timeout: 20_000 }).toBeGreaterThan(0.8);
  }
}

describe("announcements before a failure", () => {
  it("the special information tone and words, in early media, then 404 with its cause", async () => {
    const { desk, gateway } = office();
    await using phone = await Telephone.open(600);
    const call = DeskCall.dial(desk, gateway, "500", { sdp: phone.sdp() });
    const progress = await call.expectResponse(183, "INVITE");
    expect(progress.body.toString()).toContain("m=audio");
    phone.talk(progress.body.toString());
    const refusal = await call.refused(15_000);
    expect(refusal.statusCode).toBe(404);
    expect(reasonOf(refusal)).toContain("Q.850;cause=1");
    const heard = phone.heard();
    // ITU-T E.180 §6: 330 ms each, in this order.
    for (const hz of [950, 1400, 1800]) {
      expect(run(heard, hz), `${hz} Hz`).toBeGreaterThanOrEqual(280);
      expect(run(heard, hz), `${hz} Hz`).toBeLessThanOrEqual(380);
    }
    expect(measureTone(heard, 950).audible, "words after the tones").toBeGreaterThan(0.5);
    const record = await onlyRecord();
    expect(record).toMatchObject({ route: "nobody", end: { sipStatus: 404, q850: 1 } });
    expect(JSON.stringify(record["timeline"])).toContain('"announcement"');
  });

  it("auto: a busy number ends in the country's busy tone, and with 486", async () => {
    const { desk, gateway } = office();
    await using phone = await Telephone.open(600);
    const call = DeskCall.dial(desk, gateway, "501", { sdp: phone.sdp() });
    const progress = await call.expectResponse(183, "INVITE");
    phone.talk(progress.body.toString());
    const refusal = await call.refused(15_000);
    expect(refusal.statusCode).toBe(486);
    expect(reasonOf(refusal)).toContain("Q.850;cause=17");
    // France: half a second on and off at 440 Hz.
    const tone = measureTone(phone.heard(), 440);
    expect(tone.longestMs).toBeGreaterThanOrEqual(400);
    expect(tone.longestMs).toBeLessThanOrEqual(520);
    expect(tone.share * tone.frames * 20, "milliseconds of it").toBeGreaterThan(900);
    await onlyRecord();
  });

  it("a file that is not there: the refusal comes at once", async () => {
    const { desk, gateway } = office();
    const call = DeskCall.dial(desk, gateway, "502");
    const refusal = await call.refused();
    expect(refusal.statusCode).toBe(503);
    await onlyRecord();
    expect(gateway.logs().some(({ msg }) => msg === "an announcement could not be played")).toBe(
      true,
    );
  });

  it("a caller that hangs up while it is told", async () => {
    const { desk, gateway } = office();
    const call = DeskCall.dial(desk, gateway, "503");
    await call.expectResponse(183, "INVITE");
    await call.cancel();
    const refusal = await call.refused();
    expect(refusal.statusCode).toBe(487);
    expect(await onlyRecord()).toMatchObject({ end: { sipStatus: 487, by: "caller" } });
  });
});

describe("RFC 3311 and RFC 3262 §5 a caller that changes its media before it is answered", () => {
  it("in PRACK, then in UPDATE: it is heard, and hears, where it said last", async () => {
    const { gateway, desk } = office();
    await using first = await Telephone.open(600);
    await using second = await Telephone.open(800, "PCMA");
    await using callee = await Telephone.open(1400);
    await using sipp = await Sipp.start({
      scenario: "uac-early-offers",
      remote: gateway.sip,
      service: "700",
      localHost: DESK_HOST,
      values: { prack_port: first.rtp.port, update_port: second.rtp.port },
    });
    const leg = await DeskCall.incoming(desk, "700");
    callee.talk(leg.invite.body.toString());
    leg.respond(183, { sdp: callee.sdp() });
    const answer = await waitFor(
      async () =>
        (await sipp.messages()).find(
          ({ direction, what, text }) =>
            direction === "received" && what === "200" && /^CSeq: *3 UPDATE/im.test(text),
        ),
      { what: "the answer to the UPDATE", timeoutMs: 20_000, intervalMs: 50 },
    );
    expect(answer.text).toMatch(/^m=audio [1-9]\d* RTP\/AVP 8\b/m);
    second.talk(answer.text);
    await expectToneBothWays([second, 1400], [callee, 800]);
    expect(leg.unread).toEqual([]);
    await leg.answer(callee.sdp());
    await sipp.waitForMessage("sent", "ACK");
    await expectToneBothWays([second, 1400], [callee, 800]);
    // RFC 3261 §13.2.1: what was agreed on holds, so nobody is asked again.
    expect(await sipp.received()).not.toContain("INVITE");
    expect(leg.unread).toEqual([]);
    await leg.bye();
    expect(await sipp.finished()).toMatchObject({ successfulCalls: 1, failedCalls: 0 });
    expect(await onlyRecord()).toMatchObject({ result: "success" });
  });
});

describe("RFC 3262 §5 a late offer of a caller that requires 100rel", () => {
  it("ours comes first; it hears the ringing, moves, and talks where it said last", async () => {
    const { gateway, desk } = office();
    await using first = await Telephone.open(600);
    await using second = await Telephone.open(800, "PCMA");
    await using callee = await Telephone.open(1400);
    const call = DeskCall.dial(desk, gateway, "700", {
      sdp: "late",
      headers: [["Require", "100rel"]],
    });
    const offer = await call.expectResponse(183, "INVITE");
    const far = PeerDialog.asCaller(desk, call.invite, offer);
    const acknowledge = async (response: SipResponse, body?: string): Promise<void> => {
      far.request("PRACK", {
        headers: [["RAck", `${response.headers.get("RSeq")} 1 INVITE`]],
        ...(body !== undefined && { body }),
      });
      await call.expectResponse(200, "PRACK");
    };
    await acknowledge(offer, first.sdp());
    const leg = await DeskCall.incoming(desk, "700");
    leg.respond(180);
    await acknowledge(await call.expectResponse(180, "INVITE"));
    far.request("UPDATE", { body: second.sdp() });
    const answer = (await call.expectResponse(200, "UPDATE")).body.toString();
    expect(audioPortOf(answer)).toBe(audioPortOf(offer.body.toString()));
    await leg.answer(callee.sdp());
    expect((await call.answered()).body.toString()).toBe("");
    second.talk(answer);
    callee.talk(leg.invite.body.toString());
    await expectToneBothWays([second, 1400], [callee, 800]);
    // A busy gateway says 100 first, or says something provisional again.
    expect(call.unread.filter((name) => !name.startsWith("1"))).toEqual([]);
    far.request("BYE");
    await call.expectResponse(200, "BYE");
    await leg.hungUp();
    expect(await onlyRecord()).toMatchObject({ result: "success" });
  });
});

describe("a late offer to a service", () => {
  it("the 200 brings the offer, the ACK the answer, and the echo comes back", async () => {
    const { desk, gateway } = office();
    await using phone = await Telephone.open(600);
    const call = DeskCall.dial(desk, gateway, "*43", { sdp: "late" });
    const response = await call.answered(phone.sdp());
    phone.talk(response.body.toString());
    await waitFor(() => phone.rtp.received.length > 50, { what: "the echo" });
    expect(measureTone(await phone.listen(500), 600).share).toBeGreaterThan(0.9);
    await call.bye();
    expect(await onlyRecord()).toMatchObject({ result: "success" });
  });
});
