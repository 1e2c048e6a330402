import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import { formatSocketAddress } from "../../src/core/address.ts";
import { PhonePage } from "../harness/chromium.ts";
import { PASSWORDS } from "../harness/gateway.ts";
import { expectNothingLeft, metric } from "../harness/gateway-state.ts";
import { TcpRelay } from "../harness/tcp-relay.ts";
import { waitFor } from "../harness/wait.ts";
import { expectTone, openPhone, TONE_1001, TONE_1002, useStage } from "./support.ts";

const WITHIN = { timeout: 10_000 };
const stage = useStage();

afterEach(async () => {
  await stage().ann.closePages();
  await stage().bob.closePages();
  await expectNothingLeft(stage().gateway);
});

async function registrations(): Promise<number> {
  const { body } = await stage().gateway.api("/api/v1/registrations");
  const { items } = body as { readonly items: readonly unknown[] };
  return items.length;
}

/** Another tab of the same browser. */
async function newTab(phone: PhonePage, url: string): Promise<PhonePage> {
  const tab = new PhonePage(await phone.page.context().newPage());
  await tab.page.goto(url);
  return tab;
}

/** Whether this tab has the phone and is registered. */
async function leads(phone: PhonePage): Promise<boolean> {
  return await phone.page.evaluate<boolean>(
    "window.offhookPhone.state().tab === 'leader' && window.offhookPhone.state().link.kind === 'ready'",
  );
}

/** Messages that the page has sent over its WebSocket. */
function framesOf(phone: PhonePage): string[] {
  const sent: string[] = [];
  phone.page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => sent.push(String(payload)));
  });
  return sent;
}

/** A phone of 1001 in a page that runs a script of ours first. */
async function openWith(
  script: string,
): Promise<{ readonly page: Page; readonly phone: PhonePage; readonly sent: readonly string[] }> {
  const { gateway, ann } = stage();
  const page = await ann.newPage();
  await page.addInitScript(script);
  const phone = new PhonePage(page);
  const sent = framesOf(phone);
  await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
  await phone.signIn("1001", PASSWORDS["1001"]);
  return { page, phone, sent };
}

describe("two tabs of one user", () => {
  it("are one phone: the second answers, mutes, and takes over within two seconds", async () => {
    const { gateway, ann, bob } = stage();
    const url = `${gateway.httpUrl}/?raw-audio=1`;
    const first = await openPhone(ann, gateway, "1001");
    const second = await newTab(first, url);
    await second.enterCredentials("1001", PASSWORDS["1001"]);
    await second.part("elsewhere").waitFor();
    await second.waitForLink("ready");
    expect(await registrations()).toBe(1);

    const caller = await openPhone(bob, gateway, "1002");
    await caller.call("1001");
    await second.waitForCall("incoming");
    await second.answer();
    await caller.waitForCall("connected");
    await first.waitForCall("connected");
    await second.waitForCall("connected");
    await expectTone(first, TONE_1002);
    await expectTone(caller, TONE_1001);
    await second.mute();
    await expect.poll(() => first.part("mute").getAttribute("aria-pressed")).toBe("true");
    await expect
      .poll(async () => (await caller.remoteTone(TONE_1001, 500)).audible, WITHIN)
      .toBeLessThan(0.1);
    await caller.end();
    await second.waitForCall("ended");

    await second.part("use-here").click();
    await first.part("elsewhere").waitFor();
    await expect.poll(async () => await leads(second), WITHIN).toBe(true);
    await expect.poll(registrations, WITHIN).toBe(2);
    await first.part("use-here").click();
    await second.part("elsewhere").waitFor();
    await expect.poll(async () => await leads(first), WITHIN).toBe(true);
    await expect.poll(registrations, WITHIN).toBe(2);

    const closedAt = performance.now();
    await first.page.close();
    await second.page
      .locator("[data-testid=elsewhere]")
      .waitFor({ state: "detached", timeout: 5_000 });
    await waitFor(async () => await leads(second), { what: "the second tab to have the phone" });
    const tookMs = performance.now() - closedAt;
    console.info(`hand-over to the other tab: ${tookMs.toFixed(0)} ms`);
    expect(tookMs).toBeLessThan(2_000);
    expect(await registrations()).toBe(2);
    await second.call("*43");
    await second.waitForCall("connected");
    await second.end();
  });
});

describe("a telephone link", () => {
  it("fills the field of a tab that goes on with the session, and calls nobody", async () => {
    const { gateway, ann } = stage();
    const first = await openPhone(ann, gateway, "1001");
    const sent = framesOf(first);
    const link = encodeURIComponent("tel:+44 20 7946 0018;ext=1");
    const second = await newTab(first, `${gateway.httpUrl}/?dial=${link}`);
    await expect
      .poll(
        async () => (await second.part("number-field").inputValue()).replaceAll(/\s/g, ""),
        WITHIN,
      )
      .toBe("+442079460018");
    expect(new URL(second.page.url()).search).toBe("");
    expect(sent.filter((message) => message.startsWith("INVITE"))).toEqual([]);
    expect(await metric(gateway, "offhook_calls_active")).toBe(0);
  });
});

describe("what the browser lends to a call", () => {
  it("keeps the screen on, and gives the headset's keys, only while the call is up", async () => {
    const { page, phone } = await openWith(`(() => {
      const seen = (window.seen = { locks: 0, handlers: {} });
      // A headless browser has no screen to keep on.
      navigator.wakeLock.request = async () => {
        seen.locks += 1;
        const lock = { released: false };
        lock.release = async () => {
          if (!lock.released) seen.locks -= 1;
          lock.released = true;
        };
        return lock;
      };
      const set = navigator.mediaSession.setActionHandler.bind(navigator.mediaSession);
      navigator.mediaSession.setActionHandler = (action, handler) => {
        seen.handlers[action] = handler ?? undefined;
        set(action, handler);
      };
    })()`);
    const seen = async () =>
      await page.evaluate<{ locks: number; keys: string[] }>(
        "({ locks: seen.locks, keys: Object.keys(seen.handlers).filter((key) => seen.handlers[key]).sort() })",
      );
    expect(await seen()).toEqual({ locks: 0, keys: [] });
    await phone.call("*43");
    await phone.waitForCall("connected");
    await expect.poll(seen).toEqual({ locks: 1, keys: ["hangup", "togglemicrophone"] });
    await page.evaluate("seen.handlers.togglemicrophone()");
    await expect.poll(() => phone.part("mute").getAttribute("aria-pressed")).toBe("true");
    await page.evaluate("seen.handlers.hangup()");
    await phone.waitForCall("ended");
    await expect.poll(seen).toEqual({ locks: 0, keys: [] });
  });
});

describe("a page that goes away in a call", () => {
  it.each(["closed", "loaded anew"])(
    "%s: ends the call and the registration within a second",
    async (how) => {
      const { gateway, ann } = stage();
      const phone = await openPhone(ann, gateway, "1001");
      await phone.call("*43");
      await phone.waitForCall("connected");
      const before = performance.now();
      if (how === "closed") await phone.page.close({ runBeforeUnload: false });
      else await phone.page.evaluate("setTimeout(() => location.replace('about:blank'))");
      await waitFor(
        async () =>
          (await metric(gateway, "offhook_calls_active")) === 0 && (await registrations()) === 0,
        { what: "the gateway to know", timeoutMs: 5_000 },
      );
      const tookMs = performance.now() - before;
      console.info(`${how}: call and registration gone after ${tookMs.toFixed(0)} ms`);
      expect(tookMs).toBeLessThan(1_500);
      // To close a page that is under way to another can hang in Chromium.
      if (how === "loaded anew") await phone.page.waitForURL("about:blank");
    },
  );
});

describe("a gateway that cannot be reached for a while", () => {
  it("is tried again for ever, and at once when the network is back", async () => {
    const { gateway, ann, bob } = stage();
    const target = { host: "127.0.0.1", port: gateway.ports.http };
    const relay = await TcpRelay.start(target);
    const phone = new PhonePage(await ann.newPage());
    const sent = framesOf(phone);
    const registers = (): number => sent.filter((message) => message.startsWith("REGISTER")).length;
    const fragments = (): Set<string | undefined> =>
      new Set(sent.map((message) => /^INVITE[^]*a=ice-ufrag:(\S+)/.exec(message)?.[1]));
    await phone.page.goto(`http://${formatSocketAddress(relay.address)}/?raw-audio=1`);
    await phone.signIn("1001", PASSWORDS["1001"]);
    const other = await openPhone(bob, gateway, "1002");
    await phone.call("1002");
    await other.waitForCall("incoming");
    await other.answer();
    await phone.waitForCall("connected");
    await relay.stop();
    await phone.waitForLink(/reconnecting/i);
    expect(await phone.part("link-help").textContent()).toMatch(/still up/i);
    const attempt = async (): Promise<number> =>
      await phone.page.evaluate<number>("window.offhookPhone.state().link.attempt ?? 0");
    await expect.poll(attempt, { timeout: 30_000 }).toBeGreaterThan(4);
    await expectTone(phone, TONE_1002);
    const before = { registers: registers(), fragments: fragments().size };
    await using back = await TcpRelay.start(target, relay.address.port);
    expect(back.address.port).toBe(relay.address.port);
    const onlineAt = performance.now();
    await phone.page.evaluate("dispatchEvent(new Event('online'))");
    await phone.waitForLink("ready");
    const tookMs = performance.now() - onlineAt;
    console.info(`ready again ${tookMs.toFixed(0)} ms after the browser was online`);
    expect(tookMs).toBeLessThan(2_000);
    expect(registers()).toBeGreaterThan(before.registers);
    // It may be another network: the sound gets a new way, with ICE of its own.
    await expect.poll(() => fragments().size, WITHIN).toBeGreaterThan(before.fragments);
    await phone.waitForCall("connected");
    await expectTone(phone, TONE_1002);
    // The far end's BYE finds its way over the new connection.
    await other.end();
    await phone.waitForCall("ended");
  });
});

describe("a STUN server that does not answer", () => {
  it("holds up no call: the INVITE leaves within 1.2 s", async () => {
    const { gateway, ann } = stage();
    const page = await ann.newPage();
    await page.route("**/api/v1/session", async (route) => {
      const response = await route.fetch();
      const session = (await response.json()) as Readonly<Record<string, unknown>>;
      await route.fulfill({
        response,
        json: { ...session, iceServers: [{ urls: ["stun:192.0.2.1:3478"] }] },
      });
    });
    const phone = new PhonePage(page);
    let sentAt = 0;
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => {
        if (sentAt === 0 && String(payload).startsWith("INVITE")) sentAt = performance.now();
      });
    });
    await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
    await phone.signIn("1001", PASSWORDS["1001"]);
    await phone.part("number-field").fill("*43");
    const before = performance.now();
    await phone.part("call-button").click();
    await phone.waitForCall("connected");
    console.info(`INVITE ${(sentAt - before).toFixed(0)} ms after the click`);
    expect(sentAt - before).toBeLessThan(1_200);
    await phone.end();
  });
});

describe("a gateway that does not want the account", () => {
  it("is asked once, and the phone says so", async () => {
    const { gateway, ann } = stage();
    const page = await ann.newPage();
    await page.clock.install();
    let asked = 0;
    await page.routeWebSocket(/\/ws$/, (near) => {
      near.onMessage((message) => {
        const text = String(message);
        if (!text.startsWith("REGISTER")) return;
        asked += 1;
        const fields = text
          .split("\r\n")
          .filter((line) => /^(?:Via|From|To|Call-ID|CSeq):/i.test(line));
        near.send(["SIP/2.0 403 Forbidden", ...fields, "Content-Length: 0", "", ""].join("\r\n"));
      });
    });
    const phone = new PhonePage(page);
    await page.goto(`${gateway.httpUrl}/?raw-audio=1`);
    await phone.enterCredentials("1001", PASSWORDS["1001"]);
    await phone.waitForLink("refused");
    expect(await phone.part("link-state").textContent()).toMatch(/sign-in refused/i);
    expect(await phone.part("link-help").textContent()).toContain("403");
    await page.evaluate("dispatchEvent(new Event('online'))");
    // All that the page wants to do within the next half minute, done at once.
    await page.clock.runFor(30_000);
    await phone.waitForLink("refused");
    expect(asked).toBe(1);
  });
});

describe("a microphone that is not there", () => {
  it("is missed before anybody is called, and the screen clears when one is plugged in", async () => {
    const { page, phone, sent } = await openWith(`(() => {
      const media = navigator.mediaDevices;
      const ask = media.getUserMedia.bind(media);
      const list = media.enumerateDevices.bind(media);
      window.plug = () => { window.plugged = true; media.dispatchEvent(new Event("devicechange")); };
      media.getUserMedia = (wish) => window.plugged
        ? ask(wish)
        : Promise.reject(new DOMException("none", "NotFoundError"));
      media.enumerateDevices = async () =>
        (await list()).filter(({ kind }) => window.plugged || kind !== "audioinput");
    })()`);
    await phone.call("*43");
    await expect.poll(() => phone.part("error-title").textContent()).toMatch(/no microphone/i);
    expect(sent.filter((message) => message.startsWith("INVITE"))).toEqual([]);
    await page.evaluate("plug()");
    await phone.part("number-field").waitFor();
    await phone.part("call-button").click();
    await phone.waitForCall("connected");
    await phone.end();
  });
});

describe("the devices of a call", () => {
  it("change without a word to the far end, and fall back when one is unplugged", async () => {
    const { page, phone, sent } = await openWith(`(() => {
      const media = navigator.mediaDevices;
      const list = media.enumerateDevices.bind(media);
      window.unplug = (label) => { window.gone = label; media.dispatchEvent(new Event("devicechange")); };
      media.enumerateDevices = async () => (await list()).filter(({ label }) => label !== window.gone);
    })()`);
    await phone.call("*43");
    await phone.waitForCall("connected");
    const invites = (): number => sent.filter((message) => message.startsWith("INVITE")).length;
    const before = invites();
    const microphone = async (): Promise<string> =>
      await page.evaluate<string>(
        "window.offhookPhone.media(window.offhookPhone.state().call.id).localStream.getAudioTracks()[0].label",
      );
    const sink = async (): Promise<string> =>
      await page.evaluate<string>("document.querySelector('audio[data-call]').sinkId");

    await phone.part("settings").click();
    const choices = await page.evaluate<{
      microphones: { id: string; label: string }[];
      speakers: { id: string }[];
    }>("window.offhookPhone.state().devices");
    const wanted = choices.microphones.at(-1);
    const speaker = choices.speakers.at(-1);
    if (wanted === undefined || speaker === undefined) throw new Error("no devices");
    await phone.part("device-microphone").selectOption(wanted.id);
    await expect.poll(microphone).toBe(wanted.label);
    expect(await sink()).toBe("");
    await phone.part("device-speaker").selectOption(speaker.id);
    await expect.poll(sink).toBe(speaker.id);
    await page.keyboard.press("Escape");
    await expectTone(phone, TONE_1001);

    await page.evaluate(`unplug(${JSON.stringify(wanted.label)})`);
    expect(await phone.part("device-loss").textContent()).toContain(wanted.label);
    await expect.poll(microphone).not.toBe(wanted.label);
    await expectTone(phone, TONE_1001);
    expect(invites()).toBe(before);
    await phone.waitForCall("connected");
    await phone.end();
  });
});

describe("how a call sounds", () => {
  it("is warned of within five seconds, and clears when it is good again", async () => {
    // Chromium's own emulation does not reach WebRTC on the loopback.
    const { page, phone } = await openWith(`(() => {
      const get = RTCPeerConnection.prototype.getStats;
      let lost = 0;
      RTCPeerConnection.prototype.getStats = async function (...parameters) {
        const report = await get.apply(this, parameters);
        const values = [...report.values()].map((stats) => ({ ...stats }));
        if (window.isBad) {
          lost += 5;
          for (const stats of values) {
            if (stats.type === "inbound-rtp") stats.packetsLost = (stats.packetsLost ?? 0) + lost;
            if (stats.type === "candidate-pair") stats.currentRoundTripTime = 0.6;
            if (stats.type === "remote-inbound-rtp") stats.roundTripTime = 0.6;
          }
        }
        return new Map(values.map((stats) => [stats.id, stats]));
      };
    })()`);
    await phone.call("*43");
    await phone.waitForCall("connected");
    const warnings = async (): Promise<string[]> =>
      await page.evaluate<string[]>("window.offhookPhone.state().call.warnings");
    await expect
      .poll(
        async () => await page.evaluate<number>("window.offhookPhone.state().call.quality.length"),
        WITHIN,
      )
      .toBeGreaterThan(3);
    expect(await warnings()).toEqual([]);
    await page.evaluate("window.isBad = true");
    const before = performance.now();
    await expect.poll(warnings, WITHIN).toEqual(expect.arrayContaining(["round-trip", "loss"]));
    const tookMs = performance.now() - before;
    console.info(`warned ${tookMs.toFixed(0)} ms after it got bad`);
    expect(tookMs).toBeLessThan(5_000);
    await page.getByText("Parts of the sound get lost").first().waitFor();
    await page.evaluate("window.isBad = false");
    await expect.poll(warnings, { timeout: 15_000 }).toEqual([]);

    await phone.part("settings").click();
    const saving = page.waitForEvent("download");
    await phone.part("download-report").click();
    const report = await readFile(await (await saving).path(), "utf8");
    expect(JSON.parse(report)).toMatchObject({ calls: [{ phase: "connected" }] });
    const session = await page.evaluate<{ sip: { password: string; username: string } }>(
      "JSON.parse(sessionStorage.getItem('offhook.session'))",
    );
    expect(report).not.toContain(session.sip.password);
    expect(report).not.toMatch(/authorization|nonce|ice-?pwd|fingerprint|a=crypto/i);
    await page.keyboard.press("Escape");
    await phone.end();
  });
});
