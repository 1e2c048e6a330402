import type { Page } from "playwright-core";

import type { TestBrowser } from "./chromium.ts";
import { bundleClient } from "./client-bundle.ts";
import type { Gateway } from "./gateway.ts";
import { waitFor } from "./wait.ts";

let bundle: Promise<string> | undefined;

/** What the page does with a call that comes in. */
export type IncomingWay = "answer" | "busy" | "ring";

/** What became of a REFER, as SIP.js tells it. */
export interface ReferLog {
  /** The final response to it; undefined before. */
  readonly response?: number;
  /** The first line of each NOTIFY. */
  readonly notifies: readonly string[];
}

/** A page with stock SIP.js, registered with the user's password. Its calls are numbered from 0. */
export class SipJsPage {
  readonly page: Page;

  static async open(
    browser: TestBrowser,
    gateway: Gateway,
    user: string,
    password: string,
  ): Promise<SipJsPage> {
    bundle ??= bundleClient("sip.js", "SIP");
    const page = await browser.newPage();
    await page.goto(`${gateway.httpUrl}/healthz`);
    await page.addScriptTag({ content: await bundle });
    await page.evaluate(
      `(async () => {
        const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
        const media = { sessionDescriptionHandlerOptions: { constraints: { audio, video: false } } };
        const uri = (number) => SIP.UserAgent.makeURI("sip:" + number + "@localhost");
        window.calls = [];
        window.way = "answer";
        const ua = new SIP.UserAgent({
          uri: uri(${JSON.stringify(user)}),
          authorizationUsername: ${JSON.stringify(user)},
          authorizationPassword: ${JSON.stringify(password)},
          transportOptions: { server: ${JSON.stringify(gateway.wsUrl)} },
          sessionDescriptionHandlerFactoryOptions: {
            peerConnectionConfiguration: { iceServers: [] },
          },
          logLevel: "error",
          delegate: {
            onInvite(invitation) {
              if (window.way === "busy") { void invitation.reject({ statusCode: 486 }); return; }
              window.calls.push(invitation);
              if (window.way === "answer") void invitation.accept(media);
            },
          },
        });
        await ua.start();
        const registerer = new SIP.Registerer(ua);
        await new Promise((resolve, reject) => {
          registerer.register({ requestDelegate: {
            onAccept: resolve, onReject: ({ message }) => reject(new Error(String(message.statusCode))),
          } });
        });
        window.call = async (number) => {
          const inviter = new SIP.Inviter(ua, uri(number), media);
          window.calls.push(inviter);
          await inviter.invite();
        };
        window.refer = async (index, target, leavesAtOnce) => {
          const session = window.calls[index];
          const log = { response: undefined, notifies: [] };
          window.referLog = log;
          await session.refer(typeof target === "number" ? window.calls[target] : uri(target), {
            onNotify: (notification) => {
              void notification.accept();
              log.notifies.push(notification.request.body.split("\\r\\n")[0]);
            },
            requestDelegate: {
              onAccept: ({ message }) => {
                log.response = message.statusCode;
                if (leavesAtOnce) void session.bye();
              },
              onReject: ({ message }) => { log.response = message.statusCode; },
            },
          });
        };
        window.setHold = async (index, isHeld) => {
          const session = window.calls[index];
          const options = { hold: isHeld, constraints: { audio, video: false } };
          session.sessionDescriptionHandlerOptionsReInvite = options;
          await new Promise((resolve, reject) => {
            void session.invite({
              sessionDescriptionHandlerOptions: options,
              requestDelegate: {
                onAccept: resolve,
                onReject: ({ message }) => reject(new Error(String(message.statusCode))),
              },
            });
          });
        };
      })()`,
    );
    return new SipJsPage(page);
  }

  private constructor(page: Page) {
    this.page = page;
  }

  async onIncoming(way: IncomingWay): Promise<void> {
    await this.page.evaluate(`window.way = ${JSON.stringify(way)}`);
  }

  /** Places a call and waits until it is answered. */
  async call(number: string): Promise<number> {
    await this.page.evaluate(`window.call(${JSON.stringify(number)})`);
    const index = (await this.callCount()) - 1;
    await this.waitForState(index, "Established");
    return index;
  }

  async callCount(): Promise<number> {
    return await this.page.evaluate<number>("window.calls.length");
  }

  /** SIP.js's own word: `Initial`, `Establishing`, `Established`, `Terminating`, `Terminated`. */
  async waitForState(index: number, state: string): Promise<void> {
    const read = (): Promise<string | undefined> =>
      this.page.evaluate<string | undefined>(`window.calls[${index}]?.state`);
    let last: string | undefined;
    await waitFor(
      async () => {
        last = await read();
        return last === state;
      },
      { what: `call ${index} to be ${state}`, timeoutMs: 15_000, detail: () => String(last) },
    );
  }

  /** An expression for what is heard in a call. */
  remote(index: number): string {
    return `window.calls[${index}]?.sessionDescriptionHandler?.remoteMediaStream`;
  }

  /** @param target a number, or a call of this page: a transfer with consultation */
  async refer(
    index: number,
    target: string | number,
    options: { readonly leavesAtOnce?: boolean } = {},
  ): Promise<void> {
    const leaves = String(options.leavesAtOnce ?? false);
    await this.page.evaluate(`window.refer(${index}, ${JSON.stringify(target)}, ${leaves})`);
  }

  async referLog(): Promise<ReferLog> {
    return await this.page.evaluate<ReferLog>("window.referLog");
  }

  async hold(index: number, isHeld: boolean): Promise<void> {
    await this.page.evaluate(`window.setHold(${index}, ${String(isHeld)})`);
  }

  async hangUp(index: number): Promise<void> {
    await this.page.evaluate(`window.calls[${index}].bye()`);
  }
}
