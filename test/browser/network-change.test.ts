import type { Page } from "playwright-core";
import { afterEach, beforeAll, describe, expect, it } from "vitest";

import { Baresip } from "../harness/baresip.ts";
import { PhonePage, TestBrowser } from "../harness/chromium.ts";
import { bundleClient } from "../harness/client-bundle.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { expectNothingLeft, lastRecord, trunkTo } from "../harness/gateway-state.ts";
import { freePort } from "../harness/ports.ts";
import { Sipp } from "../harness/sipp.ts";
import {
  openMovingPhone,
  openPage,
  PHONE_STREAM,
  timeToReturn,
  useMovingStage,
  waitForSoundAfter,
} from "./moving-stage.ts";
import { measureTone } from "../harness/tone.ts";
import { CLEAN, TONE_1001, TONE_1002, TONE_PEER } from "./support.ts";

/** Moves in one call. OFFHOOK_TEST_MOVES=10 for a measurement. */
const MOVES = Number(process.env["OFFHOOK_TEST_MOVES"] ?? 2);
/** Restarts of ICE where nothing has changed. OFFHOOK_TEST_RESTARTS=20 for a measurement. */
const RESTARTS = Number(process.env["OFFHOOK_TEST_RESTARTS"] ?? 1);
const LASTING_MS = 6_000;
const HEARD_WITHIN = { timeout: 20_000 };
/** A busy machine leaves holes in what a telephone hears; one that hears nothing has no tone at all. */
const HEARD = 0.6;
/**
 * Sound both ways again: an echo comes back through both. Chromium itself knows of a new network
 * after 1 to 2 s; on an idle machine all of it takes less than 3 s.
 */
const IN_TIME_MS = 3_000;
/** The same on a machine that does other things as well. */
const BACK_WITHIN_MS = 8_000;
const TIMEOUT_MS = 30_000 + MOVES * 15_000;

/** Where the telephone is whose trunk encrypts. */
const SDES_HOST = "127.0.0.11";

let sippPort = 0;
let sdesPort = 0;
const stage = useMovingStage(async () => {
  sippPort = await freePort();
  sdesPort = await freePort(SDES_HOST);
  return {
    trunks: {
      ...trunkTo({ host: "127.0.0.1", port: sippPort }),
      // baresip sends its RTP from another address of the loopback than it names.
      sdes: { peer: `sip:${SDES_HOST}:${sdesPort}`, srtp: "sdes", nat: "yes" },
    },
    dialplan: {
      routes: [
        { name: "echo", to: "*43", do: "echo" },
        { name: "colleagues", from: { user: "1002" }, to: "@users", do: { ring: "@to" } },
        { name: "in", from: { trunk: "office" }, to: "@users", do: { ring: "@to" } },
        { name: "office", to: "600", do: { dial: "office" } },
        { name: "encrypted", to: "700", do: { dial: "sdes" } },
      ],
    },
  };
});

afterEach(async () => {
  await expectNothingLeft(stage().gateway);
});

/** Moves the browser from network to network, and expects the sound to come with it. */
async function expectSoundToFollow(
  page: Page,
  stream: string,
  options: { readonly moves?: number; readonly after?: () => Promise<void> } = {},
): Promise<void> {
  const { network } = stage();
  const times: number[] = [];
  const { after, moves = MOVES } = options;
  for (let move = 0; move < moves; move += 1) {
    times.push(
      await timeToReturn(page, stream, TONE_1001, async () => {
        // Every other time it is in no network for a while.
        await network.move(move % 2 === 0 ? 0 : 300);
        await after?.();
      }),
    );
  }
  console.info(
    `sound back after ${times.map((time) => Math.round(time)).join(", ")} ms, ` +
      `${times.filter((time) => time <= IN_TIME_MS).length} of ${moves} within 3 s`,
  );
  for (const time of times) expect(time).toBeLessThanOrEqual(BACK_WITHIN_MS);
}

describe("the web phone in another network", () => {
  it(
    "goes on with a new peer connection in a call that it made",
    async () => {
      await using sipp = await Sipp.start({ scenario: "uas-echo", port: sippPort });
      const phone = await openMovingPhone(stage());
      await phone.call("600");
      await phone.waitForCall("connected");
      expect((await phone.remoteTone(TONE_1001, 1000)).share).toBeGreaterThan(CLEAN);
      await expectSoundToFollow(phone.page, PHONE_STREAM);
      await phone.end();
      await phone.waitForCall("ended");
      expect((await sipp.finished()).failedCalls).toBe(0);
      // The far end was asked for nothing.
      const invites = (await sipp.messages()).filter(({ what }) => what === "INVITE");
      expect(invites).toHaveLength(1);
      await phone.page.close();
    },
    TIMEOUT_MS,
  );

  it(
    "does so in a call that it answered",
    async () => {
      const phone = await openMovingPhone(stage());
      await using sipp = await Sipp.start({
        scenario: "uac-call",
        port: sippPort,
        remote: stage().gateway.sip,
        service: "1001",
        values: { talk_ms: 600_000 },
      });
      await phone.waitForCall("incoming");
      await phone.answer();
      await phone.waitForCall("connected");
      expect((await phone.remoteTone(TONE_1001, 1000)).share).toBeGreaterThan(CLEAN);
      await expectSoundToFollow(phone.page, PHONE_STREAM, { moves: MOVES / 2 });
      await phone.end();
      await phone.waitForCall("ended");
      await phone.page.close();
      await sipp.stop();
    },
    TIMEOUT_MS,
  );
});

describe("stock SIP.js in another network", () => {
  let sipJs = "";
  beforeAll(async () => {
    sipJs = await bundleClient("sip.js", "SIP");
  });

  /** A page with stock SIP.js, registered as 1001, that answers every call. */
  async function openSipJs(): Promise<Page> {
    const page = await openPage(stage(), "/healthz");
    await page.addScriptTag({ content: sipJs });
    await page.evaluate(`(async () => {
      const media = {
        constraints: { audio: {
          echoCancellation: false, noiseSuppression: false, autoGainControl: false } },
      };
      const agent = new SIP.UserAgent({
        uri: SIP.UserAgent.makeURI("sip:1001@localhost"),
        authorizationUsername: "1001", authorizationPassword: ${JSON.stringify(PASSWORDS["1001"])},
        transportOptions: { server: ${JSON.stringify(stage().gateway.wsUrl)} },
        sessionDescriptionHandlerFactoryOptions: {
          peerConnectionConfiguration: { iceServers: [] } },
        logBuiltinEnabled: false,
      });
      window.remote = () => session.sessionDescriptionHandler?.remoteMediaStream;
      let session;
      const options = { sessionDescriptionHandlerOptions: media };
      agent.delegate = { onInvite: (invitation) => {
        session = invitation;
        void invitation.accept(options);
      } };
      await agent.start();
      const registerer = new SIP.Registerer(agent, { regId: 1 });
      const register = () => new Promise((onAccept, reject) => {
        registerer.register({ requestDelegate: { onAccept, onReject: reject } }).catch(reject);
      });
      await register();
      window.call = async (number) => {
        session = new SIP.Inviter(agent, SIP.UserAgent.makeURI("sip:" + number + "@localhost"),
          options);
        await new Promise((resolve, reject) => {
          session.stateChange.addListener((state) => {
            if (state === "Established") resolve();
            if (state === "Terminated") reject(new Error("refused"));
          });
          void session.invite();
        });
      };
      window.isTalking = () => session?.state === "Established";
      window.hangUp = () => session.bye();
      const restart = () => new Promise((onAccept, reject) => {
        session.invite({
          sessionDescriptionHandlerOptions: { ...media, offerOptions: { iceRestart: true } },
          requestDelegate: { onAccept, onReject: ({ message }) => reject(new Error(message.statusCode)) },
        }).catch(reject);
      });
      window.restartIceHere = restart;
      // What an application with SIP.js does when its network has changed.
      window.restartIce = async () => {
        if (!navigator.onLine) {
          await new Promise((resolve) => addEventListener("online", resolve, { once: true }));
        }
        agent.transport.disconnect().catch(() => {});
        await agent.reconnect();
        await register();
        await restart();
      };
    })()`);
    return page;
  }

  /** Once the browser has noticed: until then it believes to be where it was. */
  async function restartIce(page: Page): Promise<void> {
    await page.evaluate("window.restartIce()");
  }

  it(
    "keeps its sound with an ICE restart in a call that it made",
    async () => {
      const page = await openSipJs();
      await page.evaluate("window.call('*43')");
      await expectSoundToFollow(page, "window.remote()", { after: () => restartIce(page) });
      await page.evaluate("window.hangUp()");
      await expectNothingLeft(stage().gateway);
      await page.close();
    },
    TIMEOUT_MS,
  );

  it(
    "keeps it in a call that it answered, in the same network and in another",
    async () => {
      const page = await openSipJs();
      await using sipp = await Sipp.start({
        scenario: "uac-call",
        port: sippPort,
        remote: stage().gateway.sip,
        service: "1001",
        values: { talk_ms: 600_000 },
      });
      await expect.poll(() => page.evaluate("window.isTalking()"), { timeout: 10_000 }).toBe(true);
      await waitForSoundAfter(page, "window.remote()", TONE_1001, 0);
      let kept = 0;
      for (let restart = 0; restart < RESTARTS; restart += 1) {
        await page.evaluate("window.restartIceHere()");
        // A call that Chromium loses by it falls mute some seconds later.
        await waitForSoundAfter(page, "window.remote()", TONE_1001, LASTING_MS);
        kept += 1;
        console.info(`sound kept in ${kept} of ${RESTARTS} restarts`);
      }
      await expectSoundToFollow(page, "window.remote()", {
        moves: MOVES / 2,
        after: () => restartIce(page),
      });
      await page.evaluate("window.hangUp()");
      await sipp.stop();
      await expectNothingLeft(stage().gateway);
      await page.close();
    },
    TIMEOUT_MS + RESTARTS * 10_000,
  );

  it(
    "keeps it through a restart of ICE beside a trunk that encrypts, which goes on hearing it",
    async () => {
      const { gateway } = stage();
      await using baresip = await Baresip.start({
        user: "700",
        encryption: "sdes",
        localHost: SDES_HOST,
        port: sdesPort,
      });
      const page = await openSipJs();
      await page.evaluate("window.call('700')");
      await waitForSoundAfter(page, "window.remote()", TONE_PEER, 0);
      for (let restart = 0; restart < RESTARTS; restart += 1) {
        await page.evaluate("window.restartIceHere()");
        await waitForSoundAfter(page, "window.remote()", TONE_PEER, LASTING_MS);
        await expect
          .poll(async () => {
            const sound = await baresip.heard();
            const endMs = (sound.samples.length / sound.sampleRate) * 1000;
            return measureTone(sound, TONE_1001, Math.max(0, endMs - 800), endMs).share;
          }, HEARD_WITHIN)
          .toBeGreaterThan(HEARD);
        console.info(`sound kept beside SDES in ${restart + 1} of ${RESTARTS} restarts`);
      }
      await page.evaluate("window.hangUp()");
      await expectNothingLeft(gateway);
      expect((await lastRecord(gateway))["media"]).toMatchObject({
        srtp: { "callee-1": "sdes" },
      });
      await page.close();
    },
    TIMEOUT_MS + RESTARTS * 10_000,
  );

  it(
    "keeps it through restarts of ICE in a call with another browser, which goes on hearing it",
    async () => {
      const { gateway } = stage();
      await using elsewhere = await TestBrowser.launch({
        toneHz: TONE_1002,
        args: [`--unsafely-treat-insecure-origin-as-secure=${gateway.httpUrl}`],
      });
      const other = new PhonePage(
        await openPage({ ...stage(), browser: elsewhere }, "/?raw-audio=1"),
      );
      await other.signIn("1002", PASSWORDS["1002"]);
      const page = await openSipJs();
      await other.call("1001");
      await other.waitForCall("connected");
      const expectBoth = async (afterMs: number): Promise<void> => {
        await waitForSoundAfter(page, "window.remote()", TONE_1002, afterMs);
        await waitForSoundAfter(other.page, PHONE_STREAM, TONE_1001, 0);
      };
      await expectBoth(0);
      // Without the new place about every second one left the other browser in silence.
      const restarts = RESTARTS + 1;
      for (let restart = 0; restart < restarts; restart += 1) {
        await page.evaluate("window.restartIceHere()");
        await expectBoth(LASTING_MS);
        console.info(`sound kept both ways in ${restart + 1} of ${restarts} restarts`);
      }
      expect(other.errors).toEqual([]);
      await other.end();
      await expectNothingLeft(gateway);
      await page.close();
    },
    TIMEOUT_MS + RESTARTS * 10_000,
  );
});
