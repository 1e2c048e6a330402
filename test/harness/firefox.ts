import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { WebSocket } from "ws";
import { freePort } from "./ports.ts";
import { Child } from "./process.ts";
import { makeTemporaryDirectory } from "./temporary.ts";
import { delay, waitFor, within } from "./wait.ts";

/**
 * Debian's Firefox, driven by WebDriver BiDi (W3C): the protocol that Firefox itself speaks on
 * `--remote-debugging-port`, so no driver program and no patched browser is needed.
 */

const EXECUTABLE = "/usr/bin/firefox-esr";

/** What a fresh profile needs to hold calls on a machine without sound and without a user. */
function preferences(toneHz: number): Readonly<Record<string, string | number | boolean>> {
  return {
    "media.navigator.streams.fake": true,
    "media.navigator.audio.fake_frequency": toneHz,
    "media.navigator.permission.disabled": true,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    // The network of a test has nothing but the loopback.
    "media.peerconnection.ice.loopback": true,
    "media.peerconnection.ice.obfuscate_host_addresses": false,
    "network.proxy.type": 0,
    "network.manage-offline-status": false,
    "network.connectivity-service.enabled": false,
    "network.captive-portal-service.enabled": false,
    "app.update.auto": false,
    "browser.shell.checkDefaultBrowser": false,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": false,
    "toolkit.telemetry.enabled": false,
    "remote.active-protocols": 1,
    "intl.accept_languages": "en",
  };
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A headless Firefox with one page. */
export class Firefox implements AsyncDisposable {
  readonly #child: Child;
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  /** Errors in the page's console. */
  readonly errors: string[] = [];
  #nextId = 0;
  #context = "";

  /** @param toneHz what its microphone hears */
  static async launch(toneHz: number): Promise<Firefox> {
    const profile = await makeTemporaryDirectory("firefox");
    const lines = Object.entries(preferences(toneHz)).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
    );
    await writeFile(join(profile, "user.js"), `${lines.join("\n")}\n`);
    const port = await freePort();
    const child = await Child.start(
      EXECUTABLE,
      ["--headless", "--no-remote", "--profile", profile, `--remote-debugging-port=${port}`],
      { name: "firefox", env: { HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: "1" } },
    );
    await child.waitForLine(
      (line) => (line.includes("WebDriver BiDi listening on") ? line : undefined),
      "its BiDi address",
      60_000,
    );
    const socket = new WebSocket(`ws://127.0.0.1:${port}/session`);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    const firefox = new Firefox(child, socket);
    await firefox.#send("session.new", { capabilities: {} });
    await firefox.#send("session.subscribe", { events: ["log.entryAdded"] });
    const tree = await firefox.#send("browsingContext.getTree", {});
    firefox.#context = textAt(tree, ["contexts", 0, "context"]);
    return firefox;
  }

  private constructor(child: Child, socket: WebSocket) {
    this.#child = child;
    this.#socket = socket;
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as {
        readonly id?: number;
        readonly type?: string;
        readonly result?: unknown;
        readonly message?: string;
        readonly method?: string;
        readonly params?: { readonly level?: string; readonly text?: string | null };
      };
      if (message.method === "log.entryAdded" && message.params?.level === "error") {
        this.errors.push(message.params.text ?? "");
      }
      const waiting = this.#pending.get(message.id ?? -1);
      if (waiting === undefined) return;
      this.#pending.delete(message.id ?? -1);
      if (message.type === "success") waiting.resolve(message.result);
      else waiting.reject(new Error(`firefox: ${message.message ?? "failed"}`));
    });
  }

  async goto(url: string): Promise<void> {
    await this.#send("browsingContext.navigate", {
      context: this.#context,
      url,
      wait: "complete",
    });
  }

  /** Runs JavaScript in the page, as in a click of the user; gives its value as JSON. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const result = await this.#send("script.evaluate", {
      expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value ?? null))`,
      target: { context: this.#context },
      awaitPromise: true,
      userActivation: true,
    });
    const text = textAt(result, ["result", "value"]);
    if (text === "") throw new Error(`firefox: ${JSON.stringify(result)}`);
    return JSON.parse(text) as Value;
  }

  async click(testId: string): Promise<void> {
    await this.waitFor(
      `(() => { const part = ${find(testId)}; return part !== null && !part.disabled; })()`,
    );
    await this.evaluate(`${find(testId)}.click()`);
  }

  /** Types into a field: real key events, each with what the browser does on them. */
  async fill(testId: string, text: string): Promise<void> {
    await this.waitFor(`${find(testId)} !== null`);
    await this.evaluate(
      `(() => { const field = ${find(testId)}; field.focus(); field.select(); })()`,
    );
    await this.#send("input.performActions", {
      context: this.#context,
      actions: [
        {
          type: "key",
          id: "keyboard",
          actions: Array.from(text).flatMap((value) => [
            { type: "keyDown", value },
            { type: "keyUp", value },
          ]),
        },
      ],
    });
  }

  /** Waits until the expression is true. */
  async waitFor(expression: string, timeoutMs = 15_000): Promise<void> {
    try {
      await waitFor(async () => ((await this.evaluate<boolean>(expression)) ? true : undefined), {
        what: `${expression} in Firefox`,
        timeoutMs,
      });
    } catch (error) {
      const shown = await this.evaluate<string>("document.querySelector('main')?.innerText ?? ''");
      const told = this.errors.join("; ");
      throw new Error(`${expression} in Firefox, which shows ${JSON.stringify(shown)} ${told}`, {
        cause: error,
      });
    }
  }

  /** Waits until a part of the phone has this `data-state`. */
  async waitForState(testId: string, state: string, timeoutMs = 15_000): Promise<void> {
    await this.waitFor(`${find(testId)}?.dataset.state === ${JSON.stringify(state)}`, timeoutMs);
  }

  /**
   * How loud what the phone plays is over the next half second, 0 to 1 (W3C WebRTC Statistics,
   * `totalAudioEnergy`): a machine without a sound card gives Web Audio nothing to run on.
   */
  async remoteLoudness(): Promise<number> {
    const look = `window.offhookPhone.peerConnection().getStats().then((all) => {
      // One for each stream that there ever was: a call that was negotiated anew has a new one.
      const sounds = [...all.values()].filter(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
      const sum = (name) => sounds.reduce((total, sound) => total + (sound[name] ?? 0), 0);
      return [sum("totalAudioEnergy"), sum("totalSamplesDuration")];
    })`;
    const [energy, seconds] = await this.evaluate<[number, number]>(look);
    await delay(500);
    const [energyNow, secondsNow] = await this.evaluate<[number, number]>(look);
    return secondsNow === seconds ? 0 : Math.sqrt((energyNow - energy) / (secondsNow - seconds));
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#child.stop("SIGTERM", 5000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #send(method: string, parameters: object): Promise<unknown> {
    const id = (this.#nextId += 1);
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    this.#socket.send(JSON.stringify({ id, method, params: parameters }));
    return await within(answer, { what: `Firefox's answer to ${method}`, timeoutMs: 30_000 });
  }
}

function find(testId: string): string {
  return `document.querySelector('[data-testid="${testId}"]')`;
}

/** The text at a path of an answer; `""` where there is none. */
function textAt(value: unknown, path: readonly (string | number)[]): string {
  let at: unknown = value;
  for (const key of path) {
    at = typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined;
  }
  return typeof at === "string" ? at : "";
}
