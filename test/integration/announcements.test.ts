import { describe, expect, it } from "vitest";

import { Telephone } from "../harness/telephone.ts";
import { measureTone, type Sound } from "../harness/tone.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "./desk-call.ts";
import { reasonOf, useOffice, useRecords } from "./support.ts";

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
