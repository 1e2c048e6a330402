import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestBrowser } from "../harness/chromium.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";

/** Rules of WCAG 2.2 A and AA; `target-size` is one of them. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

let gateway: Gateway;
let chromium: TestBrowser;
let axe: string;
const pages: Page[] = [];

beforeAll(async () => {
  gateway = await startGateway();
  chromium = await TestBrowser.launch();
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
});

afterAll(async () => {
  await chromium?.close();
  await gateway?.stop();
});

/** The gallery as the gateway serves it, under its own Content-Security-Policy. */
async function openGallery(
  width: number,
  height: number,
  options: { readonly forcedColors?: "active" } = {},
): Promise<Page> {
  const context = await chromium.browser.newContext({
    viewport: { width, height },
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(`${gateway.httpUrl}/gallery.html`);
  // The walk begins when this stands: else it could be drawn over the first state.
  await page.locator(".gallery").waitFor();
  pages.push(page);
  return page;
}

const problems: string[] = [];

/** Runs `look`, the text of a function of a state's name, in every state; gives all its findings. */
async function walk(page: Page, theme: string, lang: string, look: string): Promise<string[]> {
  return await page.evaluate<string[]>(`(async () => {
    const look = ${look};
    const found = [];
    const { states, show } = window.offhookGallery;
    for (const state of states) {
      await show({ state, theme: ${JSON.stringify(theme)}, lang: ${JSON.stringify(lang)} });
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      for (const line of await look(state)) found.push(state + ": " + line);
    }
    if (states.length < 40) found.push("only " + states.length + " states");
    return found;
  })()`);
}

/** Sideways scrolling of the page, and controls that stand out of it or cut their own words. */
const CLIPPED = `() => {
  const found = [];
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) found.push("scrolls sideways: " + page.scrollWidth);
  const open = document.querySelector("dialog[open]");
  for (const part of (open ?? document).querySelectorAll("button, a, input, select, label, h1, h2, h3, p, dt")) {
    if (part.closest(".visually-hidden") !== null || !part.checkVisibility()) continue;
    const name = part.dataset.testid ?? part.className ?? part.tagName;
    const box = part.getBoundingClientRect();
    if (box.left < -1 || box.right > innerWidth + 1) found.push(name + " stands out of the page");
    const mayShorten = getComputedStyle(part).textOverflow === "ellipsis";
    if (!mayShorten && part.tagName !== "INPUT" && part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0) {
      found.push(name + " cuts " + part.textContent.trim().slice(0, 40));
    }
  }
  return found;
}`;

/** What breaks one of these rules of axe, or of the rules with one of these tags. */
const axeOf = (rules: readonly string[]): string => `async () => {
  const { violations } = await axe.run(document, {
    runOnly: ${JSON.stringify(rules)},
    resultTypes: ["violations"],
  });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => id + " at " + node.target.join(" ") + " " + (node.any[0]?.message ?? node.all[0]?.message ?? "")),
  );
}`;

/** What hides the button that ends the call below the window's edge, once its pictures are drawn. */
const END_OUT_OF_SIGHT = `async () => {
  const until = performance.now() + 5_000;
  const isDrawn = () => [...document.querySelectorAll("video")].every((video) => video.videoWidth > 0);
  while (!isDrawn() && performance.now() < until) await new Promise(requestAnimationFrame);
  scrollTo(0, 0);
  const bottom = document.querySelector("[data-testid=end]")?.getBoundingClientRect().bottom ?? 0;
  return bottom > innerHeight ? ["End call reaches down to " + Math.round(bottom) + " px"] : [];
}`;

/** A screen takes the focus in an effect, which comes late on a busy machine. */
const FOCUS_LOST = `async (state) => {
  const end = performance.now() + 10_000;
  while (document.activeElement === document.body && performance.now() < end) {
    await new Promise(requestAnimationFrame);
  }
  return document.activeElement === document.body && state !== "" ? ["nothing has the focus"] : [];
}`;

/** Several looks at a state as one: a walk takes longer for the way than for what it sees. */
const allOf = (...looks: readonly string[]): string => `async (state) => {
  const found = [];
  for (const look of [${looks.map((look) => `(${look})`).join(", ")}]) found.push(...await look(state));
  return found;
}`;

describe("every state of the phone", () => {
  it(
    "breaks no rule of WCAG 2.2 AA, has *End call* in sight, and puts the keyboard's place inside " +
      "the phone: light, 1280 × 800, en",
    async () => {
      const page = await openGallery(1280, 800);
      await page.evaluate(axe);
      const all = allOf(FOCUS_LOST, axeOf(RULES), CLIPPED, END_OUT_OF_SIGHT);
      expect(await walk(page, "light", "en", all)).toEqual([]);
      await page.context().close();
    },
    120_000,
  );

  it.each([
    // Also what 400 % zoom of a page of 1280 × 1024 comes to.
    ["dark", 320, 256, "en"],
    ["light", 320, 256, "ar"],
    ["dark", 1280, 800, "ar"],
  ])(
    "breaks no rule of WCAG 2.2 AA: %s, %d × %d, %s",
    async (theme, width, height, lang) => {
      const page = await openGallery(width, height);
      await page.evaluate(axe);
      expect(await walk(page, theme, lang, allOf(axeOf(RULES), CLIPPED))).toEqual([]);
      await page.context().close();
    },
    120_000,
  );

  it.each([
    [1280, 800, "de"],
    [360, 640, "de"],
  ])("has *End call* in sight: %d × %d, %s", async (width, height, lang) => {
    const page = await openGallery(width, height);
    expect(await walk(page, "light", lang, END_OUT_OF_SIGHT)).toEqual([]);
    await page.context().close();
  });

  it("breaks none with the system's own colours", async () => {
    const page = await openGallery(360, 640, { forcedColors: "active" });
    await page.evaluate(axe);
    // The rest of the page is the same as without.
    expect(await walk(page, "auto", "en", axeOf(["color-contrast"]))).toEqual([]);
    await page.context().close();
  }, 90_000);

  // Arabic is looked at above. On a wide page no part is narrower than at 320 px.
  it.each([
    ["pseudo", 320],
    ["pseudo", 1280],
    ["de", 320],
    ["fr", 320],
    ["es", 320],
  ])("cuts nothing in %s at %d px", async (lang, width) => {
    const page = await openGallery(width, 640);
    expect(await walk(page, "light", lang, CLIPPED)).toEqual([]);
    await page.context().close();
  });

  it("reads from right to left in Arabic, with numbers from left to right", async () => {
    const page = await openGallery(360, 640);
    await page.goto(`${gateway.httpUrl}/gallery.html?state=connected&lang=ar`);
    await page.getByTestId("end").waitFor();
    expect(await page.evaluate("document.documentElement.dir")).toBe("rtl");
    expect(await page.evaluate("document.documentElement.lang")).toBe("ar");
    const number = page.locator(".call__number");
    expect(await number.getAttribute("dir")).toBe("ltr");
    const [mute, keypad] = [page.getByTestId("mute"), page.getByTestId("keypad")];
    expect((await mute.boundingBox())?.x).toBeGreaterThan((await keypad.boundingBox())?.x ?? 0);
    await page.context().close();
  });

  it("draws a long list a part at a time, and takes the keyboard along", async () => {
    const page = await openGallery(1280, 800);
    await page.goto(`${gateway.httpUrl}/gallery.html?state=recent-long`);
    const rows = page.getByTestId("recent-list").locator("li");
    await page.getByTestId("more").click();
    await expect.poll(() => rows.count()).toBe(60);
    expect(await page.getByTestId("more").count()).toBe(0);
    const focused = "document.activeElement.closest('li').matches(':nth-child(51)')";
    await expect.poll(() => page.evaluate(focused)).toBe(true);
    await page.context().close();
  });
});

it("has put no error into the console, whatever it showed", () => {
  expect(pages.length).toBeGreaterThan(0);
  expect(problems).toEqual([]);
});
