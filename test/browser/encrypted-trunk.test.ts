import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Baresip } from "../harness/baresip.ts";
import type { PhonePage } from "../harness/chromium.ts";
import { expectNothingLeft, gatewayUri, lastRecord } from "../harness/gateway-state.ts";
import { measureTone } from "../harness/tone.ts";
import { CLEAN, openPhone, TONE_1001, TONE_PEER, useStage } from "./support.ts";

/** What each trunk is configured as, what its baresip knows, and what becomes of it. */
const ROWS = [
  { name: "sdes", host: "127.0.0.11", srtp: "sdes", phone: "sdes", security: "sdes" },
  { name: "dtls", host: "127.0.0.12", srtp: "dtls", phone: "dtls", security: "dtls" },
  { name: "osrtp", host: "127.0.0.13", srtp: "optional", phone: "optional", security: "sdes" },
  { name: "plain", host: "127.0.0.14", srtp: "optional", phone: undefined, security: "none" },
] as const;

describe("encrypted trunks, with baresip and Chromium", () => {
  const phones = new Map<string, Baresip>();
  let page: PhonePage;
  const stage = useStage(async () => {
    for (const { name, host, phone } of ROWS) {
      const encryption = phone === undefined ? {} : { encryption: phone };
      phones.set(name, await Baresip.start({ user: name, localHost: host, ...encryption }));
    }
    return {
      config: {
        trunks: Object.fromEntries(
          ROWS.map(({ name, host, srtp }) => [
            name,
            // baresip sends its RTP from another address of the loopback than it names.
            { peer: `sip:${host}:${phones.get(name)?.address.port ?? 0}`, srtp, nat: "yes" },
          ]),
        ),
        dialplan: {
          routes: [
            { name: "in", to: "@users", do: { ring: "@to" } },
            ...ROWS.map(({ name }) => ({ name, to: name, do: { dial: name } })),
          ],
        },
      },
    };
  });

  beforeAll(async () => {
    const { gateway, ann } = stage();
    page = await openPhone(ann, gateway, "1001");
  });
  afterEach(async () => {
    const { gateway } = stage();
    await expectNothingLeft(gateway);
    // None of them is ours. A baresip of SDES that calls sends one packet as it gets the answer, before
    // it has keys, that is too short for SRTP; its last report of a call can come in the clear; and
    // around a DTLS handshake come a packet or two under no key that is agreed. rtpengine says so, and
    // drops them.
    const complaints = gateway.logs().filter(({ msg }) => msg.startsWith("rtpengine: "));
    const isStray = (msg: string): boolean =>
      msg.endsWith("(short packet)") || /Discarded (?:invalid )?SRTC?P packet: /.test(msg);
    expect(complaints.filter(({ msg }) => !isStray(msg)).map(({ text }) => text)).toEqual([]);
    expect(complaints.length, "stray packets in all calls so far").toBeLessThanOrEqual(16);
    expect(gateway.child.lines.join("\n"), "no key in a log").not.toContain("inline:");
  });
  afterAll(async () => {
    for (const phone of phones.values()) await phone.stop();
  });

  it.each(ROWS.flatMap((row) => (["browser", "baresip"] as const).map((by) => ({ ...row, by }))))(
    "srtp: $srtp with a baresip of $phone is $security, called by $by",
    async ({ name, security, by }) => {
      const { gateway } = stage();
      const baresip = phones.get(name);
      if (baresip === undefined) throw new Error(`no baresip ${name}`);
      if (by === "browser") {
        await page.call(name);
      } else {
        await baresip.startDialling(gatewayUri(gateway, "1001"));
        await page.waitForCall("incoming");
        await page.answer();
      }
      await page.waitForCall("connected");
      // A DTLS handshake that loses a packet takes a second more.
      let inBrowser = 0;
      let inBaresip = 0;
      for (let look = 0; look < 5 && Math.min(inBrowser, inBaresip) < CLEAN; look += 1) {
        inBrowser = (await page.remoteTone(TONE_PEER, 1000)).share;
        const heard = await baresip.heard();
        const lastMs = (heard.samples.length / heard.sampleRate) * 1000;
        inBaresip = measureTone(heard, TONE_1001, Math.max(0, lastMs - 800), lastMs).share;
      }
      console.info(
        `${name}, by ${by}: in the browser ${inBrowser.toFixed(3)}, in baresip ${inBaresip.toFixed(3)}`,
      );
      await page.end();
      await page.waitForCall("ended");
      expect(inBrowser).toBeGreaterThanOrEqual(CLEAN);
      expect(inBaresip).toBeGreaterThanOrEqual(CLEAN);
      const leg = by === "browser" ? "callee-1" : "caller";
      expect(await lastRecord(gateway)).toMatchObject({ media: { srtp: { [leg]: security } } });
      await page.page.reload();
      await page.waitForLink("ready");
    },
  );
});
