import { expect, it } from "vitest";
import { lastRecord, expectNothingLeft } from "../harness/gateway-state.ts";
import { RtpPeer } from "../harness/rtpengine.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "../integration/desk-call.ts";
import { DESK_HOST, liveCalls } from "../integration/support.ts";
import { openPhone, TONE_1001, useStage } from "./support.ts";

const DIGITS = "0123456789*#ABCD";

const stage = useStage(async () => {
  desk = await SipPeer.udp(undefined, DESK_HOST);
  return {
    config: {
      trunks: { desk: { peer: `sip:${DESK_HOST}:${desk.local.port}`, codecs: ["PCMU"] } },
      dialplan: { routes: [{ name: "desk", to: "_7XX", do: { dial: "desk" } }] },
    },
  };
});
let desk: SipPeer;

it("a phone that loses packets gets Opus, and the trunk hears nothing of it", async () => {
  const { gateway, ann } = stage();
  desk.sendTo(gateway.sip);
  await using telephone = await RtpPeer.open();
  // One packet of eight: far more than 3 %.
  telephone.echo({ loseEvery: 8 });
  const phone = await openPhone(ann, gateway, "1001");
  await phone.call("700");
  const leg = await DeskCall.incoming(desk, "700");
  const event = /a=rtpmap:(\d+) telephone-event/.exec(leg.invite.sdp ?? "")?.[1] ?? "";
  leg.respond(200, { sdp: telephone.sdp(`0 ${event}`) });
  await leg.expectRequest("ACK");
  await phone.waitForCall("connected");
  const media = async (): Promise<unknown> => {
    const [id = ""] = await liveCalls(gateway);
    const { body } = await gateway.api(`/api/v1/calls/${id}`);
    return typeof body === "object" && body !== null && "media" in body ? body.media : undefined;
  };
  expect(await media()).toMatchObject({
    policy: "auto",
    policyBy: "default",
    codecs: { caller: "PCMU/8000", "callee-1": "PCMU/8000" },
    isTranscoded: false,
  });

  const after = await waitFor(
    async () => {
      const now = await media();
      return JSON.stringify(now).includes('"policyBy":"phone"') ? now : undefined;
    },
    { what: "Opus, asked for by the phone", timeoutMs: 30_000 },
  );
  expect(after).toMatchObject({
    policy: "opus",
    codecs: { caller: "opus/48000/2", "callee-1": "PCMU/8000" },
    isTranscoded: true,
  });
  // Sound both ways: the tone comes back from the telephone, with the gaps that it has.
  telephone.echo();
  const tone = await phone.remoteTone(TONE_1001, 3000);
  console.info(`Opus within the call: the tone in ${tone.share.toFixed(3)} of frames`);
  expect(tone.share).toBeGreaterThan(0.9);
  expect(telephone.received.at(-1)?.payloadType).toBe(0);

  // Digits still reach the telephone on its own clock.
  telephone.received.length = 0;
  await phone.part("keypad").click();
  for (const key of ["1", "star", "9"]) await phone.part(`key-${key}`).click();
  const digits = (): string => {
    const begun = new Map<number, number>();
    for (const { payloadType, timestamp, payload } of telephone.received) {
      if (payloadType === Number(event)) begun.set(timestamp, payload[0] ?? 99);
    }
    return [...begun.values()].map((code) => DIGITS[code] ?? "?").join("");
  };
  await waitFor(() => digits().length >= 3 || undefined, {
    what: "digits",
    detail: digits,
  });
  expect(digits()).toBe("1*9");

  expect(leg.unread, "what the trunk was sent beside the call").toEqual([]);
  await phone.end();
  await leg.hungUp();
  await phone.waitForCall("ended");
  await expectNothingLeft(gateway);
  expect(await lastRecord(gateway)).toMatchObject({
    media: { policy: "opus", policyBy: "phone", isTranscoded: true },
  });
  expect(phone.errors).toEqual([]);
  await desk.close();
});
