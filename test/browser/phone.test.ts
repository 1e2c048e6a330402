import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { formatSocketAddress } from "../../src/core/address.ts";
import { PASSWORDS, restartGateway, startGateway } from "../harness/gateway.ts";
import { metric } from "../harness/gateway-state.ts";
import { TcpRelay } from "../harness/tcp-relay.ts";
import { openPhone, useStage } from "./support.ts";

const stage = useStage();

describe("the page", () => {
  it("loads from the gateway alone, within 100 KiB of script, without an error", async () => {
    const { gateway, ann } = stage();
    const page = await ann.newPage();
    const foreign: string[] = [];
    let scriptOctets = 0;
    let styleOctets = 0;
    page.on("request", (request) => {
      if (!request.url().startsWith(gateway.httpUrl)) foreign.push(request.url());
    });
    page.on("response", (response) => {
      const isScript = response.url().endsWith(".js");
      if (!isScript && !response.url().endsWith(".css")) return;
      void response.body().then((body) => {
        if (isScript) scriptOctets += gzipSync(body).length;
        else styleOctets += gzipSync(body).length;
      });
    });
    const errors: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    await page.goto(gateway.httpUrl, { waitUntil: "networkidle" });
    await page.getByTestId("sign-in-user").waitFor();
    await expect.poll(() => scriptOctets).toBeGreaterThan(0);
    console.info(`script of the phone: ${(scriptOctets / 1024).toFixed(1)} KiB gzip`);
    console.info(`styles of the phone: ${(styleOctets / 1024).toFixed(1)} KiB gzip`);
    expect(scriptOctets).toBeLessThanOrEqual(100 * 1024);
    expect(styleOctets).toBeGreaterThan(0);
    expect(styleOctets).toBeLessThanOrEqual(20 * 1024);
    expect(foreign).toEqual([]);
    expect(errors).toEqual([]);
    await page.close();
  });

  it.each([
    [360, 640],
    [1280, 800],
  ])("fits %d × %d without scrolling sideways, in a call too", async (width, height) => {
    const { gateway, ann } = stage();
    const phone = await ann.openPhone(gateway.httpUrl, { viewport: { width, height } });
    const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    expect(await phone.page.evaluate(overflow)).toBe(0);
    await phone.signIn("1001", PASSWORDS["1001"]);
    expect(await phone.page.evaluate(overflow)).toBe(0);
    await phone.call("*43");
    await phone.waitForCall("connected");
    expect(await phone.page.evaluate(overflow)).toBe(0);
    const box = await phone.part("end").boundingBox();
    expect(box?.height).toBeGreaterThanOrEqual(48);
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(height);
    await phone.end();
    await phone.page.close();
  });

  it("is an app: it can be installed, and opens without a network, with all its views", async () => {
    const { gateway, ann } = stage();
    const relay = await TcpRelay.start({ host: "127.0.0.1", port: gateway.ports.http });
    const phone = await ann.openPhone(`http://${formatSocketAddress(relay.address)}`);
    await phone.part("sign-in-user").waitFor();
    await phone.page.evaluate("navigator.serviceWorker.ready.then(() => true)");
    const session = await phone.page.context().newCDPSession(phone.page);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    // A page with a storage of its own is one in private mode.
    const ids = installabilityErrors.map(({ errorId }) => errorId);
    expect(ids.filter((id) => id !== "in-incognito")).toEqual([]);
    await phone.signIn("1001", PASSWORDS["1001"]);
    // Loaded behind the first screen, and kept: all of it is there when the network is not.
    const kept = `caches.open("offhook-shell").then(async (cache) =>
      (await cache.keys()).map(({ url }) => url.replace(/.*\\/([A-Za-z]+)-[^/]*$/, "$1")))`;
    const late = ["CallPane", "ChatView", "CheckDialog", "ContactList", "SettingsDialog"];
    await expect
      .poll(() => phone.page.evaluate(kept), { timeout: 30_000 })
      .toEqual(expect.arrayContaining(late));
    await relay.stop();
    await phone.page.reload();
    await phone.part("view-contacts").click();
    await phone.part("contact-search").waitFor();
    await phone.part("settings").click();
    await phone.part("sign-out").click();
    await phone.enterCredentials("1001", PASSWORDS["1001"]);
    await expect.poll(() => phone.part("sign-in-error").textContent()).toMatch(/does not answer/);
    await phone.page.close();
  });
});

describe("failures in words", () => {
  it("a wrong password", async () => {
    const { gateway, ann } = stage();
    const phone = await ann.openPhone(gateway.httpUrl);
    await phone.enterCredentials("1001", "not the password");
    await expect.poll(() => phone.part("sign-in-error").textContent()).toMatch(/password/i);
    await phone.page.close();
  });

  it("a microphone that is refused: no INVITE leaves, no timer runs", async () => {
    const { gateway, ann } = stage();
    const phone = await ann.openPhone(gateway.httpUrl, { microphone: "denied" });
    const sent: string[] = [];
    phone.page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => sent.push(String(payload)));
    });
    await phone.signIn("1001", PASSWORDS["1001"]);
    expect(sent).toContainEqual(expect.stringMatching(/^REGISTER/));
    await phone.call("*43");
    await expect.poll(() => phone.part("error-title").textContent()).toMatch(/microphone/i);
    expect(await phone.part("call-timer").count()).toBe(0);
    expect(sent.filter((message) => message.startsWith("INVITE"))).toEqual([]);
    expect(await metric(gateway, "offhook_calls_active")).toBe(0);
    await phone.page.close();
  });

  it("a server that goes away, in and outside a call, and comes back", async () => {
    const { ann } = stage();
    const gateway = await startGateway();
    const phone = await openPhone(ann, gateway, "1001");
    await phone.call("*43");
    await phone.waitForCall("connected");
    await gateway.kill();
    await phone.waitForLink(/reconnecting/i);
    await phone.end();
    const back = await restartGateway(gateway);
    await phone.waitForLink("ready", 45_000);
    await phone.call("*43");
    await phone.waitForCall("connected");
    await phone.end();
    await phone.page.close();
    await back.stop();
  });
});
