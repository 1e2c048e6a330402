import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { measureStreamTone, type PhonePage, type TestBrowser } from "../harness/chromium.ts";
import { bundleClient } from "../harness/client-bundle.ts";
import { PASSWORDS, type Gateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { CLEAN, openPhone, TONE_1001, TONE_1002, useStage } from "./support.ts";

const stage = useStage();
let jssip = "";

beforeAll(async () => {
  jssip = await bundleClient("jssip", "JsSIP");
});

afterEach(async () => {
  await expectNothingLeft(stage().gateway);
});

/** A page with stock JsSIP, registered with the user's own password, that answers every call. */
async function openJssip(
  browser: TestBrowser,
  gateway: Gateway,
  user: keyof typeof PASSWORDS,
): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(`${gateway.httpUrl}/healthz`);
  await page.addScriptTag({ content: jssip });
  await page.evaluate(
    `(async () => {
      const media = { mediaConstraints: { video: false, audio: {
        echoCancellation: false, noiseSuppression: false, autoGainControl: false } } };
      const ua = new JsSIP.UA({
        sockets: [new JsSIP.WebSocketInterface(${JSON.stringify(gateway.wsUrl)})],
        uri: "sip:${user}@localhost", password: ${JSON.stringify(PASSWORDS[user])},
      });
      window.remote = undefined;
      window.ended = undefined;
      const follow = (session) => {
        window.session = session;
        const tracks = (connection) => connection.addEventListener("track", (event) => {
          window.remote = event.streams[0] ?? new MediaStream([event.track]);
        });
        if (session.connection) tracks(session.connection);
        session.on("peerconnection", ({ peerconnection }) => tracks(peerconnection));
        if (isTrickling) trickle(session);
        session.on("ended", ({ cause }) => { window.ended = cause; });
        session.on("failed", ({ cause }) => { window.ended = cause; });
      };
      // RFC 8840: an SDP without a candidate, and each candidate in an INFO.
      let isTrickling = false;
      const trickle = (session) => {
        const found = [];
        let send = (candidate) => { found.push(candidate); };
        const gather = (connection) => {
          connection.addEventListener("icecandidate", ({ candidate }) => send(candidate));
          session.on("confirmed", () => {
            const lines = connection.localDescription.sdp.match(/^a=ice-(ufrag|pwd):.*/gm);
            send = (candidate) => {
              const line = candidate ? "a=" + candidate.candidate : "a=end-of-candidates";
              const text = [...lines.slice(0, 2), "m=audio 9 RTP/AVP 0", "a=mid:0", line, ""];
              session.sendInfo("application/trickle-ice-sdpfrag", text.join("\\r\\n"), {
                extraHeaders: ["Info-Package: trickle-ice", "Content-Disposition: Info-Package"],
              });
            };
            found.splice(0).forEach(send);
          });
        };
        if (session.connection) gather(session.connection);
        else session.on("peerconnection", ({ peerconnection }) => gather(peerconnection));
        session.on("newInfo", ({ originator, info }) => {
          if (originator !== "local") return;
          const line = info.body.split("\\r\\n").at(-2);
          info.on("succeeded", () => window.trickled.push("200 " + line));
          info.on("failed", ({ response }) => window.trickled.push(response.status_code + " " + line));
        });
        session.on("icecandidate", ({ ready }) => ready());
        session.on("sdp", (event) => {
          if (event.originator !== "local") return;
          event.sdp = event.sdp.replace(/^a=(candidate|end-of-candidates).*\\r\\n/gm, "")
            .replace(/^m=audio \\d+/m, "m=audio 9").replace(/^c=.*/m, "c=IN IP4 0.0.0.0");
          window.sent = event.sdp;
        });
      };
      window.trickle = () => {
        isTrickling = true;
        window.trickled = [];
        media.extraHeaders = ["Recv-Info: trickle-ice"];
      };
      ua.on("newRTCSession", ({ session, originator }) => {
        follow(session);
        if (originator === "remote") session.answer(media);
      });
      window.call = (number) => ua.call("sip:" + number + "@localhost", media);
      await new Promise((resolve, reject) => {
        ua.on("registered", resolve);
        ua.on("registrationFailed", ({ cause }) => reject(new Error(cause)));
        ua.start();
      });
    })()`,
  );
  return page;
}

/** Of a path that was found after the answer. */
async function expectSound(phone: PhonePage, page: Page): Promise<void> {
  await expect
    .poll(async () => (await measureStreamTone(page, "window.remote", TONE_1001, 500)).share, {
      message: "the web phone heard by JsSIP",
      timeout: 10_000,
    })
    .toBeGreaterThan(CLEAN);
  await expect
    .poll(async () => (await phone.remoteTone(TONE_1002, 500)).share, {
      message: "JsSIP heard by the web phone",
      timeout: 10_000,
    })
    .toBeGreaterThan(CLEAN);
}

/** What a page has sent to tell where it is: in its SDP nothing, in INFO all. */
async function expectTrickled(page: Page): Promise<void> {
  const sent = await page.evaluate<string>("window.sent");
  expect(sent).toContain("m=audio 9 ");
  expect(sent).not.toContain("a=candidate:");
  await expect
    .poll(() => page.evaluate<readonly string[]>("window.trickled"))
    .toContain("200 a=end-of-candidates");
  const trickled = await page.evaluate<readonly string[]>("window.trickled");
  expect(trickled.filter((line) => / udp .* typ host/.test(line)).length).toBeGreaterThan(0);
  expect(trickled.filter((line) => !line.startsWith("200 "))).toEqual([]);
}

describe("stock JsSIP", () => {
  it("registers with the user's password, and calls the web phone with sound both ways", async () => {
    const { gateway, ann, bob } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const page = await openJssip(bob, gateway, "1002");
    await page.evaluate("window.call('1001')");
    await phone.answer();
    await phone.waitForCall("connected");
    const atPhone = await phone.remoteTone(TONE_1002, 2000);
    const atJssip = await measureStreamTone(page, "window.remote", TONE_1001, 2000);
    expect(atPhone.share).toBeGreaterThan(CLEAN);
    expect(atJssip.share).toBeGreaterThan(CLEAN);
    await phone.end();
    await expect.poll(() => page.evaluate("window.ended")).toBe("Terminated");
    await phone.page.close();
    await page.close();
  });

  it("is called by the web phone, and hangs up", async () => {
    const { gateway, ann, bob } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const page = await openJssip(bob, gateway, "1002");
    await phone.call("1002");
    await phone.waitForCall("connected");
    const atPhone = await phone.remoteTone(TONE_1002, 2000);
    expect(atPhone.share).toBeGreaterThan(CLEAN);
    await page.evaluate("window.session.terminate()");
    await phone.waitForCall("ended");
    await phone.page.close();
    await page.close();
  });

  it("hears the echo test", async () => {
    const { gateway, bob } = stage();
    const page = await openJssip(bob, gateway, "1002");
    await page.evaluate("window.call('*43')");
    const echo = await measureStreamTone(page, "window.remote", TONE_1002, 2000);
    expect(echo.share).toBeGreaterThan(CLEAN);
    await page.evaluate("window.session.terminate()");
    await page.close();
  });

  it("RFC 8840 calls and is called with its candidates in INFO", async () => {
    const { gateway, ann, bob } = stage();
    const phone = await openPhone(ann, gateway, "1001");
    const page = await openJssip(bob, gateway, "1002");
    await page.evaluate("window.trickle()");
    await page.evaluate("window.call('1001')");
    await phone.answer();
    await phone.waitForCall("connected");
    await expectSound(phone, page);
    await expectTrickled(page);
    await phone.end();
    await expect.poll(() => page.evaluate("window.ended")).toBe("Terminated");

    await page.evaluate("window.trickle()");
    await phone.call("1002");
    await phone.waitForCall("connected");
    await expectSound(phone, page);
    await expectTrickled(page);
    await page.evaluate("window.session.terminate()");
    await phone.waitForCall("ended");
    await phone.page.close();
    await page.close();
  });
});
