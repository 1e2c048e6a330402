import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { expectNothingLeft, gatewayUri } from "../harness/gateway-state.ts";
import { Linphone, skipWithoutLinphone } from "../harness/linphone.ts";
import { freePort } from "../harness/ports.ts";
import { Telephone } from "../harness/telephone.ts";
import { measureTone, type Sound } from "../harness/tone.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "./desk-call.ts";
import { type Office, startOffice } from "./support.ts";

const LINPHONE_HZ = 500;
const DESK_HZ = 1000;
/** Of what is heard while both talk. */
const CLEAN = 0.85;

const port = await freePort();
let office: Office;

beforeEach(skipWithoutLinphone);

beforeAll(async () => {
  office = await startOffice({ office: { peer: `sip:127.0.0.1:${port}` } });
});

afterAll(async () => {
  await office.desk.close();
  await office.gateway.stop();
});

async function hears(phone: Telephone): Promise<void> {
  const isClean = async (): Promise<boolean> =>
    measureTone(await phone.listen(300), LINPHONE_HZ).share > CLEAN;
  await waitFor(isClean, { what: "linphone's tone", timeoutMs: 15_000 });
}

/** A tone in it, wherever: linphone begins and ends with what it does. */
function hasTone(sound: Sound): boolean {
  const seconds = Math.floor(sound.samples.length / sound.sampleRate);
  return Array.from({ length: seconds }, (_, at) => at * 1000).some(
    (atMs) => measureTone(sound, DESK_HZ, atMs, atMs + 900).share > CLEAN,
  );
}

describe("linphone as a telephone behind a trunk", () => {
  it("is called and calls, with sound both ways", async () => {
    const { desk, gateway } = office;
    await using linphone = await Linphone.start({ user: "600", port, toneHz: LINPHONE_HZ });
    await using phone = await Telephone.open(DESK_HZ);

    const call = DeskCall.dial(desk, gateway, "600", { sdp: phone.sdp() });
    phone.talk((await call.answered()).body.toString());
    await hears(phone);
    // More than the second that is measured in its recording.
    await phone.listen(2500);
    await call.bye();
    await expectNothingLeft(gateway);
    expect(hasTone(await linphone.heard())).toBe(true);

    await linphone.untilCall(1, "ended");
    await linphone.prepare();
    await linphone.dial(gatewayUri(gateway, "700"));
    const leg = await DeskCall.incoming(desk, "700");
    expect(leg.invite.headers.get("User-Agent")).not.toContain("inphone");
    phone.talk(leg.invite.body.toString());
    await leg.answer(phone.sdp());
    await hears(phone);
    await linphone.hangUp();
    await leg.hungUp();
    await expectNothingLeft(gateway);
  });
});
