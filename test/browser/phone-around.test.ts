import { afterEach, describe, expect, it } from "vitest";
import type { PhonePage } from "../harness/chromium.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { openPhone, useStage } from "./support.ts";

const WITHIN = { timeout: 10_000 };
const stage = useStage({
  config: {
    dialplan: {
      routes: [
        { name: "closed", to: "691", do: { reject: 403 } },
        { name: "down", to: "692", do: { reject: 503 } },
        { name: "echo test", to: "*43", do: "echo" },
        { name: "colleagues", to: "@users", do: { ring: "@to" } },
      ],
    },
    users: {
      "1001": { name: "Ann Lee", password: "harness-password-one", groups: ["staff"] },
      "1002": { name: "Bob Ray", password: "harness-password-two", groups: ["staff"] },
    },
  },
});

afterEach(async () => {
  await stage().ann.closePages();
  await stage().bob.closePages();
  await expectNothingLeft(stage().gateway);
});

async function write(phone: PhonePage, to: string, text: string): Promise<void> {
  await phone.part("view-messages").click();
  await phone.part("chat-new").click();
  await phone.part("chat-to").fill(to);
  await phone.part("chat-text").fill(text);
  await phone.part("chat-send").click();
}

describe("beside calls, between two phones", () => {
  it("messages go both ways, and one to nobody says so", async () => {
    const { gateway } = stage();
    const ann = await openPhone(stage().ann, gateway, "1001");
    const bob = await openPhone(stage().bob, gateway, "1002");
    await write(ann, "1002", "Grüße, <b>Bob</b>");
    await bob.part("view-messages").click();
    await bob.part("chat-peer").first().click();
    await expect
      .poll(() => bob.part("chat-thread").textContent(), WITHIN)
      .toContain("Grüße, <b>Bob</b>");
    await expect
      .poll(() => ann.part("chat-thread").locator("[data-state=sent]").count(), WITHIN)
      .toBe(1);
    await bob.part("chat-text").fill("Hello Ann");
    await bob.part("chat-send").click();
    await expect.poll(() => ann.part("chat-thread").textContent(), WITHIN).toContain("Hello Ann");
    await ann.part("chat-back").click();
    await write(ann, "999", "anybody?");
    await expect
      .poll(() => ann.part("chat-thread").locator("[data-state=failed]").count(), WITHIN)
      .toBe(1);
  });

  it("a colleague's lamp follows their calls", async () => {
    const { gateway } = stage();
    const ann = await openPhone(stage().ann, gateway, "1001");
    const bob = await openPhone(stage().bob, gateway, "1002");
    await ann.part("view-contacts").click();
    await ann.part("contact-add").click();
    await ann.part("contact-name").fill("Bob Ray");
    await ann.part("contact-number").fill("1002");
    await ann.part("contact-watched").check();
    await ann.part("contact-save").click();
    const lamp = async (): Promise<string | null> =>
      await ann.part("lamp").first().getAttribute("data-lamp");
    await expect.poll(lamp, WITHIN).toBe("idle");
    await bob.call("*43");
    await bob.waitForCall("connected");
    await expect.poll(lamp, WITHIN).toBe("busy");
    await bob.end();
    await expect.poll(lamp, WITHIN).toBe("idle");
  });
});

describe("a number that the gateway refuses", () => {
  it.each([
    ["691", /not allowed/i, 403],
    ["692", /line failed/i, 503],
  ] as const)("%s: says so, and remembers why", async (number, title, status) => {
    const { gateway } = stage();
    const ann = await openPhone(stage().ann, gateway, "1001");
    await ann.call(number);
    await expect.poll(() => ann.part("error-title").textContent(), WITHIN).toMatch(title);
    expect(await ann.part("error-details").textContent()).toContain(String(status));
    const remembered = await ann.page.evaluate<number>(
      "window.offhookPhone.state().recent[0].status",
    );
    expect(remembered).toBe(status);
  });
});
