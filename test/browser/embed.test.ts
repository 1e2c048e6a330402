import { createServer, type Server } from "node:http";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PhonePage, TestBrowser } from "../harness/chromium.ts";
import { type Gateway, PASSWORDS, startGateway } from "../harness/gateway.ts";

/** A company's own page, at an origin of its own, with a strict policy of its own. */
interface Site {
  readonly origin: string;
  readonly server: Server;
}

const WITHIN = { timeout: 10_000 };

let gateway: Gateway;
let chromium: TestBrowser;
let friend: Site;
let stranger: Site;

/** The page of `gatewayUrl`'s phone; `/phone-session` is what the company's server would answer. */
async function startSite(session: () => Promise<unknown>): Promise<Site> {
  const server = createServer((request, response) => {
    void (async () => {
      if (request.url === "/phone-session") {
        response.setHeader("Content-Type", "application/json");
        response.end(JSON.stringify(await session()));
        return;
      }
      const url = gateway.httpUrl;
      response.setHeader("Content-Type", "text/html");
      response.setHeader(
        "Content-Security-Policy",
        `default-src 'none'; script-src ${url}; connect-src 'self' ${url} ${gateway.wsUrl}; img-src 'self' ${url}`,
      );
      const own = request.url === "/own" ? 'session-url="/phone-session"' : 'user="1001"';
      response.end(`<!doctype html><title>CRM</title>
        <script type="module" src="${url}/embed/sip-phone.js"></script>
        <input id="notes" /><sip-phone ${own} lang="de" theme="dark"></sip-phone>`);
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { origin: `http://127.0.0.1:${port}`, server };
}

async function sessionOf(user: keyof typeof PASSWORDS): Promise<unknown> {
  const body = { user, password: PASSWORDS[user] };
  return (await gateway.api("/api/v1/session", { method: "POST", token: "", body })).body;
}

async function open(url: string): Promise<{ readonly page: Page; readonly errors: string[] }> {
  const context = await chromium.browser.newContext({
    viewport: { width: 1280, height: 800 },
    permissions: ["microphone"],
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(url);
  await page.evaluate(`(() => {
    window.told = [];
    const phone = document.querySelector("sip-phone");
    for (const name of ["ready", "call", "connected", "end"]) {
      phone.addEventListener(name, (event) => window.told.push({ ...event.detail, name }));
    }
  })()`);
  return { page, errors };
}

/** Polls from outside: a policy without eval lets no page poll itself. */
async function until(page: Page, expression: string): Promise<void> {
  const look = `JSON.stringify([${expression}, window.told, document.querySelector("sip-phone")?.shadowRoot?.querySelector("main")?.innerText])`;
  await expect.poll(() => page.evaluate<string>(look), { timeout: 15_000 }).toMatch(/^\[true,/);
}

beforeAll(async () => {
  friend = await startSite(() => sessionOf("1001"));
  stranger = await startSite(() => sessionOf("1002"));
  gateway = await startGateway({
    config: (ports) => ({
      http: {
        listen: `127.0.0.1:${ports.http}`,
        origins: [`http://127.0.0.1:${ports.http}`, friend.origin],
      },
      users: {
        "1001": { name: "Ann Lee", password: PASSWORDS["1001"], groups: ["desk"] },
        "1002": { name: "Bob Ray", password: PASSWORDS["1002"], groups: ["desk"] },
      },
    }),
  });
  chromium = await TestBrowser.launch();
});

afterAll(async () => {
  await chromium?.close();
  await gateway?.stop();
  for (const site of [friend, stranger]) site?.server.close();
});

describe("<sip-phone>", () => {
  it("calls from a page of another origin, signed in by that page's server", async () => {
    const { page, errors } = await open(`${friend.origin}/own`);
    await until(page, "document.querySelector('sip-phone').isReady");
    await page.evaluate("document.querySelector('sip-phone').dial('*43')");
    await until(page, "window.told.some(({ name }) => name === 'connected')");
    // German and dark, as the attributes say; and styled in spite of the page's policy.
    const end = page.getByTestId("end");
    expect((await end.textContent())?.trim()).toBe("Auflegen");
    expect((await end.boundingBox())?.height).toBeGreaterThanOrEqual(48);
    expect(await page.evaluate("getComputedStyle(document.body).margin")).toBe("8px");
    // Letters in the page's own field are its own; function keys are the phone's.
    await page.locator("#notes").fill("");
    await page.locator("#notes").press("m");
    expect(await page.locator("#notes").inputValue()).toBe("m");
    expect(await page.getByTestId("mute").getAttribute("aria-pressed")).toBe("false");
    await page.locator("#notes").press("F8");
    expect(await page.getByTestId("mute").getAttribute("aria-pressed")).toBe("true");
    await page.evaluate("document.querySelector('sip-phone').hangup()");
    await until(page, "window.told.some(({ name }) => name === 'end')");
    const told = await page.evaluate<{ name: string; kind?: string; number?: string }[]>("told");
    // It may have been ready before anybody listened.
    const names = told.map(({ name }) => name).filter((name) => name !== "ready");
    expect(names).toEqual(["call", "connected", "end"]);
    expect(told.at(-1)).toMatchObject({ kind: "completed", number: "*43" });
    // What the phone asks before it tries another WebSocket.
    const reach = `fetch(${JSON.stringify(`${gateway.httpUrl}/healthz`)}).then(({ status }) => status)`;
    expect(await page.evaluate(reach)).toBe(200);
    expect(errors).toEqual([]);
    await page.context().close();
  });

  it("signs in by its own form, and ends with its place in the page", async () => {
    const { page, errors } = await open(friend.origin);
    expect(await page.getByTestId("sign-in-user").inputValue()).toBe("1001");
    await page.getByTestId("sign-in-password").fill(PASSWORDS["1001"]);
    await page.getByTestId("sign-in-submit").click();
    await until(page, "document.querySelector('sip-phone').isReady");
    await page.evaluate("document.querySelector('sip-phone').remove()");
    await expect
      .poll(async () => JSON.stringify((await gateway.api("/api/v1/registrations")).body), {
        timeout: 10_000,
      })
      .not.toContain('"userId":"1001"');
    expect(errors).toEqual([]);
    await page.context().close();
  });

  it("is refused to pages that http.origins does not name", async () => {
    const { page, errors } = await open(stranger.origin);
    await expect
      .poll(() => errors.join(" "), { timeout: 10_000 })
      .toMatch(/CORS|Cross-Origin|ERR_FAILED/);
    expect(await page.evaluate("customElements.get('sip-phone') === undefined")).toBe(true);
    await page.context().close();
  });

  it("is at work in the gateway's own demonstration pages", async () => {
    const { page, errors } = await open(`${gateway.httpUrl}/embed/agent-desktop.html`);
    await page.getByTestId("sign-in-user").fill("1001");
    await page.getByTestId("sign-in-password").fill(PASSWORDS["1001"]);
    await page.getByTestId("sign-in-submit").click();
    await until(page, "document.querySelector('sip-phone').isReady");
    await page.evaluate("document.querySelector('sip-phone').dial('*43')");
    await page.locator("#lines li[data-state=connected]").waitFor();
    await page.locator("#lines button", { hasText: "End" }).click();
    await page.locator("#log li").waitFor();

    // The lamp of a colleague, who has a phone of their own.
    const lamp = page.locator('#colleagues [data-number="1002"]');
    const bob = new PhonePage(
      await (await chromium.browser.newContext({ permissions: ["microphone"] })).newPage(),
    );
    await bob.page.goto(gateway.httpUrl);
    await bob.signIn("1002", PASSWORDS["1002"]);
    await expect.poll(() => lamp.getAttribute("data-state"), WITHIN).toBe("idle");
    await page.evaluate("document.querySelector('sip-phone').dial('1002')");
    await bob.waitForCall("incoming");
    await expect.poll(() => lamp.getAttribute("data-state"), WITHIN).toBe("ringing");
    await bob.answer();
    await expect.poll(() => lamp.getAttribute("data-state"), WITHIN).toBe("busy");
    await bob.end();
    await expect.poll(() => lamp.getAttribute("data-state"), WITHIN).toBe("idle");
    await bob.page.context().close();
    await page.goto(`${gateway.httpUrl}/embed/click-to-call.html`);
    await until(page, "document.querySelector('sip-phone').isReady");
    await page.locator('a[href="tel:*43"]').click();
    await page.getByTestId("end").click();
    await expect
      .poll(() => page.locator("#status").textContent(), { timeout: 10_000 })
      .toMatch(/Ended/);
    expect(errors).toEqual([]);
    await page.context().close();
  });
});
