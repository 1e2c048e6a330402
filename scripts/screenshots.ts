/**
 * `npm run screenshots`: the pictures of the web phone's main states in `docs/images/`, from its
 * gallery. `-- --out DIR --all` takes every state in light and dark, for eyes.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Browser, chromium } from "playwright-core";
import { ensureWebPhone } from "./setup/web-phone.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "web-phone/dist");

/** File name → how it is shown. Each is taken at 360 × 640 and at 1280 × 800. */
const PICTURES: Readonly<Record<string, { state: string; theme?: string; lang?: string }>> = {
  "sign-in": { state: "sign-in" },
  dial: { state: "dial-recent" },
  office: { state: "office", theme: "dark" },
  incoming: { state: "incoming" },
  call: { state: "quality", theme: "dark" },
  quality: { state: "quality-open" },
  video: { state: "video-question" },
  "call-waiting": { state: "call-waiting" },
  "two-lines": { state: "two-lines" },
  transfer: { state: "transfer" },
  busy: { state: "busy" },
  "microphone-blocked": { state: "microphone-blocked" },
  reconnecting: { state: "call-reconnecting", theme: "dark" },
  chat: { state: "chat" },
  check: { state: "check-microphone" },
  settings: { state: "settings" },
  arabic: { state: "dial-recent", lang: "ar" },
};
const SIZES = [
  [360, 640],
  [1280, 800],
] as const;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

async function serveDist(): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
    try {
      const body = readFileSync(join(dist, path));
      response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "image/png" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

interface Shot {
  readonly name: string;
  readonly state: string;
  readonly theme: string;
  readonly lang: string;
}

async function shoot(browser: Browser, url: string, out: string, shots: readonly Shot[]) {
  for (const [width, height] of SIZES) {
    const page = await browser.newPage({ viewport: { width, height }, reducedMotion: "reduce" });
    await page.goto(`${url}/gallery.html`);
    await page.waitForFunction("window.offhookGallery !== undefined");
    for (const { name, ...look } of shots) {
      await page.evaluate(`window.offhookGallery.show(${JSON.stringify(look)})`);
      await page.evaluate("document.fonts.ready.then(() => scrollTo(0, 0))");
      await page.screenshot({ path: join(out, `phone-${name}-${width}x${height}.png`) });
    }
    await page.close();
  }
}

const { values } = parseArgs({
  options: { out: { type: "string" }, all: { type: "boolean", default: false } },
});
const out = values.out ?? join(root, "docs/images");
await ensureWebPhone(root);
mkdirSync(out, { recursive: true });
const server = await serveDist();
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  const page = await browser.newPage();
  await page.goto(`${server.url}/gallery.html`);
  const states = await page.evaluate<string[]>("window.offhookGallery.states");
  await page.close();
  const shots: readonly Shot[] = values.all
    ? states.flatMap((state) =>
        ["light", "dark"].map((theme) => ({ name: `${state}-${theme}`, state, theme, lang: "en" })),
      )
    : Object.entries(PICTURES).map(([name, { state, theme = "light", lang = "en" }]) => ({
        name,
        state,
        theme,
        lang,
      }));
  if (values.out === undefined) {
    for (const name of ["phone-call.png", "phone-dial.png", "phone-incoming.png"]) {
      rmSync(join(out, name), { force: true });
    }
  }
  await shoot(browser, server.url, out, shots);
  process.stdout.write(`${shots.length * SIZES.length} pictures in ${out}\n`);
} finally {
  await browser.close();
  server.close();
}
