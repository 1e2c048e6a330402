import { setTimeout as delay } from "node:timers/promises";

import { Caller } from "../../bench/load/caller.ts";
import { openWebSocket } from "../../bench/load/connection.ts";
import { NODE_FLAGS } from "../../scripts/setup/node-flags.mjs";
import { retryDelayMs } from "../../web-phone/src/agent/backoff.ts";
import { type Gateway, startGateway, type YamlValue } from "../harness/gateway.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { preferTo } from "./flood.ts";

/** Everybody comes back at once, as after a power cut. */
export interface ReconnectOptions {
  readonly clients: number;
  /** Calls that are up meanwhile. */
  readonly calls: number;
  /** More of `limits`. */
  readonly limits?: Readonly<Record<string, YamlValue>>;
  say?(text: string): void;
}

export interface ReconnectReport {
  /** Milliseconds until the first half, and the last, was registered again. */
  readonly halfMs: number;
  readonly allMs: number;
  /** Upgrades and sign-ins that were refused and tried again. */
  readonly refused: number;
  readonly registrations: number;
  /** 99th percentile of the event loop's delay meanwhile, in milliseconds. */
  readonly loopMs: number;
  readonly callsLeft: number;
}

const DOMAIN = "bench.example.com";
const SIGN_INS_AT_ONCE = 20;
/** Of clients that read Retry-After: the gateway's is 2 to 10 s. */
const RETRY_MS = { least: 2000, spread: 8000 };

/** Signs all clients in, cuts their connections, and lets them come back. */
export async function reconnect(options: ReconnectOptions): Promise<ReconnectReport> {
  const { clients, calls: wanted, say = () => {} } = options;
  const users = Object.fromEntries(
    Array.from({ length: clients }, (_, index): [string, YamlValue] => [
      `u${index}`,
      { name: `User ${index}`, password: `secret-${index}` },
    ]),
  );
  await using gateway = await startGateway({
    nodeFlags: NODE_FLAGS,
    config: {
      domain: DOMAIN,
      users: { ...users, caller: { name: "Caller", password: "secret of the caller" } },
      dialplan: { routes: [{ name: "echo", to: "*43", do: "echo" }] },
      limits: { overload: "off", "max-calls-per-user": wanted + 1, ...options.limits },
    },
  });
  preferTo(gateway.pid);
  await using caller = await WsCaller.connect(gateway, "caller", {
    password: "secret of the caller",
    domain: DOMAIN,
  });
  await caller.register();
  const calls = [];
  for (let index = 0; index < wanted; index += 1) calls.push(await caller.call("*43"));

  const phones = Array.from({ length: clients }, (_, index) => new Phone(gateway, index));
  const missing = [...phones];
  const work = async (): Promise<void> => {
    for (let phone = missing.shift(); phone !== undefined; phone = missing.shift()) {
      await phone.signIn();
    }
  };
  await Promise.all(Array.from({ length: SIGN_INS_AT_ONCE }, work));
  say(`${clients} clients have signed in`);
  const before = phones.reduce((sum, phone) => sum + phone.refused, 0);

  for (const phone of phones) phone.cut();
  await resetLoopDelay(gateway);
  const startedMs = performance.now();
  const times = await Promise.all(
    phones.map(async (phone) => {
      await phone.signIn();
      return Math.round(performance.now() - startedMs);
    }),
  );
  times.sort((left, right) => left - right);
  const { body } = await gateway.api("/metrics");
  const report = {
    halfMs: times[Math.floor(times.length / 2)] ?? Number.NaN,
    allMs: times.at(-1) ?? Number.NaN,
    refused: phones.reduce((sum, phone) => sum + phone.refused, 0) - before,
    registrations: seriesOf(String(body), "offhook_registrations"),
    loopMs: 1000 * seriesOf(String(body), 'nodejs_eventloop_delay_seconds{quantile="0.99"}'),
    callsLeft: seriesOf(String(body), "offhook_calls_active"),
  };
  for (const call of calls) await call.bye();
  for (const phone of phones) phone.cut();
  return report;
}

/** A phone that comes back until it is in. */
class Phone {
  refused = 0;
  readonly #gateway: Gateway;
  readonly #index: number;
  #caller: Caller | undefined;

  constructor(gateway: Gateway, index: number) {
    this.#gateway = gateway;
    this.#index = index;
  }

  async signIn(): Promise<void> {
    const caller = new Caller(this.#index);
    this.#caller = caller;
    await this.#until(
      async () => caller.attach(await this.#connect(caller)),
      (attempt) => retryDelayMs(attempt, Math.random()),
    );
    await this.#until(
      () => caller.register(),
      () => RETRY_MS.least + Math.random() * RETRY_MS.spread,
    );
  }

  /** Does it again and again, until it is not refused. */
  async #until(action: () => Promise<void>, waitMs: (attempt: number) => number): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await action();
        return;
      } catch {
        this.refused += 1;
        await delay(waitMs(attempt));
      }
    }
  }

  cut(): void {
    this.#caller?.close();
  }

  #connect(caller: Caller) {
    const index = this.#index;
    return openWebSocket({
      port: this.#gateway.ports.http,
      localAddress: `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${1 + ((index & 255) % 254)}`,
      onMessage: (text) => caller.onMessage(text),
      onClosed: () => undefined,
    });
  }
}

/** The event loop's delay is told since the last time that somebody asked. */
async function resetLoopDelay(gateway: Gateway): Promise<void> {
  await gateway.api("/metrics");
}

function seriesOf(page: string, name: string): number {
  const line = page.split("\n").find((text) => text.startsWith(`${name} `));
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1));
}
