import { expect, it } from "vitest";
import { expectNothingLeft, metric } from "../harness/gateway-state.ts";
import { failureOf, openPhone, useStage } from "./support.ts";

const stage = useStage();

it("a browser that is killed in a call: the gateway waits 30 s, and the other side is told why", async () => {
  const { gateway, ann, bob } = stage();
  const annPhone = await openPhone(ann, gateway, "1001");
  const bobPhone = await openPhone(bob, gateway, "1002");
  await annPhone.call("1002");
  await bobPhone.waitForCall("incoming");
  await bobPhone.answer();
  await annPhone.waitForCall("connected");
  await bobPhone.waitForCall("connected");

  const session = await ann.browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const main = processInfo.find(({ type }) => type === "browser");
  if (main === undefined) throw new Error("the browser has no process");
  const gone = new Promise<void>((resolve) => {
    ann.browser.on("disconnected", () => resolve());
  });
  process.kill(main.id, "SIGKILL");
  await gone;
  // It could come back.
  await bobPhone.waitForCall("connected");
  expect(await metric(gateway, "offhook_calls_active")).toBe(1);

  const { title, details } = await failureOf(bobPhone);
  expect(title).toBe("Lost connection");
  expect(await bobPhone.part("error-text").textContent()).toContain("Ann");
  expect(details).toContain("The browser's connection was lost");
  expect(await bobPhone.part("error-action").textContent()).toBe("Call again");
  await expectNothingLeft(gateway);
});
