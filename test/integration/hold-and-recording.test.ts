import { execFileSync } from "node:child_process";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { directionOf } from "../../src/media/direction.ts";
import { audioPortOf, RtpPeer } from "../harness/rtpengine.ts";
import { Telephone } from "../harness/telephone.ts";
import { makeTemporaryDirectory } from "../harness/temporary.ts";
import { generateTone, measureTone, readWav, type Sound, writeWav } from "../harness/tone.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "./desk-call.ts";
import { liveCalls, type Office, startOffice } from "./support.ts";
import {
  expectNothingLeft,
  killRtpengine,
  metric,
  movedRecords,
  records,
} from "../harness/gateway-state.ts";

const CALLER_HZ = 600;
const CALLEE_HZ = 1000;
const MUSIC_HZ = 400;
const CONSENT_HZ = 1400;
const TARGET_HZ = 800;
const STRANGER = "127.0.0.9";
/** A payload that nobody else sends. */
const INJECTED = Buffer.alloc(160, 0x33);
/** Share of clean frames: the machine that tests run on is busy. */
const CLEAN = 0.85;

let office: Office;
let directory: string;
let recordings: string;

beforeAll(async () => {
  directory = await makeTemporaryDirectory("sounds");
  recordings = join(directory, "recordings");
  const music = join(directory, "music.wav");
  // Longer than one datagram can carry: rtpengine reads the file.
  await writeWav(music, generateTone({ frequencyHz: MUSIC_HZ, seconds: 10, sampleRate: 8000 }));
  office = await startOffice({
    sections: {
      media: { music },
      recording: { directory: recordings },
      api: {
        tokens: [
          { name: "harness", token: "harness-admin-token-0123456789abcdef", role: "admin" },
          { name: "wall", token: "viewer-token-0123456789abcdef", role: "viewer" },
        ],
      },
    },
    routes: [{ name: "recorded", to: "777", do: { dial: "desk", record: true } }],
  });
});

afterAll(async () => {
  await office.desk.close();
  await office.gateway.stop();
});

interface Talk {
  readonly caller: DeskCall;
  readonly callee: DeskCall;
  readonly one: Telephone;
  readonly other: Telephone;
  /** The gateway's, toward both. */
  readonly ports: readonly number[];
}

/** Two telephones of the desk, connected through the gateway; both talk. */
async function talk(number = "700"): Promise<Talk> {
  const { desk, gateway } = office;
  const one = await Telephone.open(CALLER_HZ);
  const other = await Telephone.open(CALLEE_HZ);
  const caller = DeskCall.dial(desk, gateway, number, { sdp: one.sdp() });
  const callee = await DeskCall.incoming(desk, number);
  other.talk(callee.invite.body.toString());
  await callee.answer(other.sdp());
  const answer = (await caller.answered()).body.toString();
  one.talk(answer);
  const ports = [callee.invite.body.toString(), answer].map(audioPortOf);
  return { caller, callee, one, other, ports };
}

async function hangUp({ caller, callee, one, other }: Talk): Promise<void> {
  await Promise.all([caller.bye(), callee.hungUp()]);
  await one[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await expectNothingLeft(office.gateway);
}

/** A re-INVITE of one end, and the other end's answer to what the gateway makes of it. */
async function change(
  from: DeskCall,
  offer: string,
  to: DeskCall,
  answer: string,
): Promise<{ readonly told: string; readonly answered: string }> {
  const [response, told] = await Promise.all([
    from.reinvite(offer),
    to.expectRequest("INVITE").then(async (invite) => {
      to.peer.respond(invite, 200, { body: answer });
      await to.expectRequest("ACK");
      return invite.body.toString();
    }),
  ]);
  return { told, answered: response.body.toString() };
}

const share = (sound: Sound, hz: number): number => measureTone(sound, hz).share;

/** Waits until a telephone hears a tone, and measures it then. */
async function hears(phone: Telephone, hz: number, what: string): Promise<void> {
  await waitFor(async () => share(await phone.listen(200), hz) > CLEAN, { what, timeoutMs: 8000 });
}

/** The caller ends its hold, and both hear each other again. */
async function resume({ caller, callee, one, other }: Talk): Promise<void> {
  const resumed = await change(caller, one.sdp(), callee, other.sdp());
  one.talk(resumed.answered);
  other.talk(resumed.told);
  await hears(other, CALLER_HZ, "the caller after the hold");
  await hears(one, CALLEE_HZ, "the callee after the hold");
}

describe("hold in every spelling", () => {
  it.each([
    ["sendonly", (sdp: string) => sdp.replace("sendrecv", "sendonly"), "recvonly"],
    ["inactive", (sdp: string) => sdp.replace("sendrecv", "inactive"), "inactive"],
    [
      "c=0.0.0.0",
      (sdp: string) => sdp.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"),
      "inactive",
    ],
    [
      "c=0.0.0.0 without a direction",
      (sdp: string) =>
        sdp.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0").replace("a=sendrecv\r\n", ""),
      "inactive",
    ],
  ])("%s: music for the held one, silence for the holder, and back", async (_, held, answer) => {
    const call = await talk();
    const { caller, callee, one, other } = call;
    await hears(one, CALLEE_HZ, "the callee before the hold");
    one.silence();
    const hold = await change(
      caller,
      held(one.sdp()),
      callee,
      other.sdp().replace("sendrecv", "recvonly"),
    );
    other.silence();
    expect(hold.told).toContain("a=sendonly");
    expect(hold.told, "an address of ours").not.toContain("0.0.0.0");
    expect(directionOf(hold.answered)).toBe(answer);
    await hears(other, MUSIC_HZ, "music at the held one");
    expect(share(await one.listen(200), MUSIC_HZ), "music at the holder").toBeLessThan(0.1);
    await resume(call);
    await hangUp(call);
  });

  it("an offerless re-INVITE ends a hold, with sound both ways", async () => {
    const call = await talk();
    const { caller, callee, one, other } = call;
    one.silence();
    await change(caller, one.sdp("sendonly"), callee, other.sdp().replace("sendrecv", "recvonly"));
    await hears(other, MUSIC_HZ, "music at the held one");
    const [response] = await Promise.all([
      caller.reinvite(undefined, () => one.sdp()),
      callee.expectRequest("INVITE").then(async (invite) => {
        callee.peer.respond(invite, 200, { body: other.sdp() });
        await callee.expectRequest("ACK");
      }),
    ]);
    expect(directionOf(response.body.toString())).toBe("sendrecv");
    one.talk(response.body.toString());
    await hears(other, CALLER_HZ, "the caller after the hold");
    await hears(one, CALLEE_HZ, "the callee after the hold");
    await hangUp(call);
  });

  it("a holder with music of its own is left to it", async () => {
    const call = await talk();
    const { caller, callee, one, other } = call;
    await change(caller, one.sdp("sendonly"), callee, other.sdp().replace("sendrecv", "recvonly"));
    // It goes on sending, as a PBX with music of its own does.
    const heard = await other.listen(1200);
    expect(share(heard, CALLER_HZ)).toBeGreaterThan(CLEAN);
    expect(share(heard, MUSIC_HZ)).toBeLessThan(0.05);
    await hangUp(call);
  });
});

describe("recording", () => {
  it("by route: consent for both, then the two parties in the two channels, and nothing for a stranger", async ({
    onTestFinished,
  }) => {
    const call = await talk("777");
    const { one, other } = call;
    await using stranger = await RtpPeer.open(STRANGER);
    const { media } = office.gateway.ports;
    // At every port but those of the call itself: to those of the copies nobody else sends.
    const attack = setInterval(() => {
      for (let port = media.min; port <= media.max; port += 2) {
        if (!call.ports.includes(port)) stranger.send(port, 0, INJECTED);
      }
    }, 20);
    onTestFinished(() => clearInterval(attack));
    await hears(one, CONSENT_HZ, "the consent tone at the caller");
    await hears(one, CALLEE_HZ, "the callee after the consent");
    await hears(other, CALLER_HZ, "the caller after the consent");
    // More than the last second, which is measured in the file.
    await one.listen(1200);
    clearInterval(attack);
    await hangUp(call);
    expect(stranger.received).toHaveLength(0);
    const [record] = await records(office.gateway, 1);
    const [made] = (record?.["recordings"] ?? []) as readonly Record<string, unknown>[];
    expect(made).toMatchObject({ state: "done", file: `${String(record?.["id"])}.wav` });
    const path = join(recordings, String(made?.["file"]));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const [left, right] = await stereo(path);
    expect(left.samples.length / 8000).toBeGreaterThan(1.2);
    const end = (left.samples.length / 8000) * 1000;
    expect(measureTone(left, CALLER_HZ, end - 1000, end - 200).share, "left").toBeGreaterThan(
      CLEAN,
    );
    expect(measureTone(right, CALLEE_HZ, end - 1000, end - 200).share, "right").toBeGreaterThan(
      CLEAN,
    );
    expect(measureTone(left, CALLEE_HZ).share, "the callee in the left channel").toBeLessThan(0.05);
    expect(Math.abs(Number(made?.["durationMs"]) - end)).toBeLessThan(50);
    expect(await metric(office.gateway, 'offhook_recordings_total{result="done"}')).toBe(1);
  });

  it("by API: start and stop, twice, for operators only", async () => {
    const call = await talk();
    const { gateway } = office;
    const [id] = await liveCalls(gateway);
    const path = `/api/v1/calls/${id ?? ""}/recording`;
    const command = async (action: string, token?: string): Promise<number> => {
      const options = token === undefined ? {} : { token };
      return (await gateway.api(path, { method: "POST", body: { action }, ...options })).status;
    };
    expect(await command("start", "viewer-token-0123456789abcdef")).toBe(403);
    expect(await command("stop")).toBe(409);
    expect(await command("start")).toBe(202);
    expect(await command("start")).toBe(409);
    await waitFor(async () => (await states(id)).at(0)?.["durationMs"] !== 0, {
      what: "sound in the recording",
    });
    expect(await command("stop")).toBe(202);
    await waitFor(async () => (await states(id)).at(0)?.["state"] === "done", {
      what: "the recording to be done",
    });
    expect(await command("start")).toBe(202);
    await waitFor(async () => ((await states(id)).at(1)?.["durationMs"] ?? 0) !== 0, {
      what: "sound in the second recording",
    });
    await hangUp(call);
    const names = (await readdir(recordings)).filter((name) => name.startsWith(id ?? "?"));
    expect(names.toSorted()).toEqual([`${id ?? ""}-2.wav`, `${id ?? ""}.wav`]);
    expect(
      (
        await gateway.api("/api/v1/calls/nobody/recording", {
          method: "POST",
          body: { action: "stop" },
        })
      ).status,
    ).toBe(404);
  });

  it("goes on in the call that a transfer makes, in a file of its own", async () => {
    const call = await talk("777");
    const { caller, callee, one } = call;
    await using third = await Telephone.open(TARGET_HZ);
    await hears(one, CALLEE_HZ, "the callee after the consent");
    callee.dialog.request("REFER", { headers: [["Refer-To", "<sip:701@localhost>"]] });
    await callee.expectResponse(202, "REFER");
    const target = await DeskCall.incoming(office.desk, "701");
    third.talk(target.invite.body.toString());
    target.respond(200, { sdp: third.sdp() });
    const invite = await caller.expectRequest("INVITE");
    one.talk(invite.body.toString());
    caller.peer.respond(invite, 200, { body: one.sdp() });
    await caller.expectRequest("ACK");
    await target.expectRequest("ACK");
    for (let isOver = false; !isOver;) {
      const notify = await callee.expectRequest("NOTIFY");
      callee.peer.respond(notify, 200, { headers: [] });
      isOver = notify.headers.get("Subscription-State")?.startsWith("terminated") ?? false;
    }
    await callee.bye();
    await hears(one, TARGET_HZ, "the target after the consent");
    await hears(third, CALLER_HZ, "the caller after the consent");
    // More than the last second, which is measured in the file.
    await one.listen(1200);
    await hangUp({ ...call, callee: target });
    const [first, second] = await movedRecords(office.gateway);
    expect(second).toMatchObject({ transferredFrom: { call: first?.["id"] } });
    const made = [first, second].flatMap(
      (record) => (record?.["recordings"] ?? []) as readonly Record<string, unknown>[],
    );
    expect(made).toMatchObject([
      { state: "done", file: `${String(first?.["id"])}.wav` },
      { state: "done", file: `${String(second?.["id"])}.wav` },
    ]);
    const [left, right] = await stereo(join(recordings, String(made[1]?.["file"])));
    expect(tailOf(left, CALLER_HZ), "left").toBeGreaterThan(CLEAN);
    expect(tailOf(right, TARGET_HZ), "right").toBeGreaterThan(CLEAN);
  });

  it("a disk that is full ends the recording, with an alarm, and not the call", async (context) => {
    try {
      await mkdir(recordings, { recursive: true });
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", recordings]);
    } catch {
      context.skip("no small file system can be mounted here");
      return;
    }
    try {
      const call = await talk("777");
      await waitFor(() => office.gateway.logs().find(({ msg }) => msg === "recording failed"), {
        what: "the alarm",
        timeoutMs: 15_000,
      });
      await hears(call.one, CALLEE_HZ, "the callee after the fault");
      await hears(call.other, CALLER_HZ, "the caller after the fault");
      await hangUp(call);
      const [record] = await records(office.gateway, 1);
      expect(record).toMatchObject({
        result: "success",
        recordings: [{ state: "failed", detail: expect.stringContaining("ENOSPC") as string }],
      });
      expect(await metric(office.gateway, 'offhook_recordings_total{result="failed"}')).toBe(1);
    } finally {
      execFileSync("umount", [recordings]);
    }
  });
});

describe("when rtpengine is killed", () => {
  /** Kills it, and answers for both telephones what the gateway then asks of them. */
  async function moveAway(
    { caller, callee }: Talk,
    sdpOf: { readonly caller: string; readonly callee: string },
  ): Promise<{ readonly toCaller: string; readonly toCallee: string }> {
    killRtpengine(office.gateway);
    const agree = async (call: DeskCall, sdp: string): Promise<string> => {
      const invite = await call.expectRequest("INVITE");
      call.peer.respond(invite, 200, { body: sdp });
      await call.expectRequest("ACK");
      return invite.body.toString();
    };
    const [toCaller, toCallee] = await Promise.all([
      agree(caller, sdpOf.caller),
      agree(callee, sdpOf.callee),
    ]);
    return { toCaller, toCallee };
  }

  it("the music of a held call goes on, and its end brings both voices back", async () => {
    const call = await talk();
    const { caller, callee, one, other } = call;
    await hears(one, CALLEE_HZ, "the callee before the hold");
    one.silence();
    const listening = other.sdp().replace("sendrecv", "recvonly");
    await change(caller, one.sdp("sendonly"), callee, listening);
    other.silence();
    await hears(other, MUSIC_HZ, "music at the held one");
    await moveAway(call, { caller: one.sdp("sendonly"), callee: listening });
    const sinceMs = performance.now();
    await waitFor(() => share(other.heard(sinceMs), MUSIC_HZ) > CLEAN, {
      what: "music at the held one from the new rtpengine",
      timeoutMs: 8000,
    });
    expect(share(await one.listen(200), MUSIC_HZ), "music at the holder").toBeLessThan(0.1);
    await resume(call);
    await hangUp(call);
  });

  it("a recording goes on in the same file", async () => {
    const call = await talk("777");
    const { one, other } = call;
    await hears(one, CALLEE_HZ, "the callee after the consent");
    await hears(other, CALLER_HZ, "the caller after the consent");
    const told = await moveAway(call, { caller: one.sdp(), callee: other.sdp() });
    one.talk(told.toCaller);
    other.talk(told.toCallee);
    await hears(one, CALLEE_HZ, "the callee after the move");
    await hears(other, CALLER_HZ, "the caller after the move");
    // More than the last second, which is measured in the file.
    await one.listen(1200);
    await hangUp(call);
    const [record] = await records(office.gateway, 1);
    const made = (record?.["recordings"] ?? []) as readonly Record<string, unknown>[];
    expect(made).toMatchObject([{ state: "done" }]);
    const [left, right] = await stereo(join(recordings, String(made[0]?.["file"])));
    expect(tailOf(left, CALLER_HZ), "left").toBeGreaterThan(CLEAN);
    expect(tailOf(right, CALLEE_HZ), "right").toBeGreaterThan(CLEAN);
  });
});

async function states(id: string | undefined): Promise<readonly Record<string, unknown>[]> {
  const { body } = await office.gateway.api(`/api/v1/calls/${id ?? ""}`);
  const view = body as { readonly recordings?: readonly Record<string, unknown>[] };
  return view.recordings ?? [];
}

/** How clean a tone is in the last second of a recording. */
function tailOf(sound: Sound, hz: number): number {
  const endMs = (sound.samples.length / 8000) * 1000;
  return measureTone(sound, hz, endMs - 1000, endMs - 200).share;
}

/** Both channels of a recording. */
async function stereo(path: string): Promise<readonly [Sound, Sound]> {
  const left = await readWav(path);
  return [left, await readWav(path, 1)];
}
