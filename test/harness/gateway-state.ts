import { expect } from "vitest";

import { formatSocketAddress, tryParseSocketAddress } from "../../src/core/address.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { NgClient, type NgReply, type NgValue } from "../../src/media/ng-client.ts";
import type { Gateway } from "./gateway.ts";
import { waitFor } from "./wait.ts";

/** The URI at which a PBX reaches `number` through the gateway. */
export function gatewayUri(gateway: Gateway, number: string): string {
  return `sip:${number}@${formatSocketAddress(gateway.sip)}`;
}

/** The process id of the gateway's own rtpengine that runs now. */
export function rtpenginePid(gateway: Gateway): number {
  const pid = gateway
    .logs()
    .findLast(({ msg }) => msg === "rtpengine started")
    ?.fields.get("pid");
  if (typeof pid !== "number") throw new Error("no rtpengine has been started");
  return pid;
}

/** Ends it as a crash would; the gateway starts another one. */
export function killRtpengine(gateway: Gateway): void {
  process.kill(rtpenginePid(gateway), "SIGKILL");
}

/** Asks the gateway's own rtpengine, past the gateway. */
export async function askRtpengine(
  gateway: Gateway,
  command: "list" | "query",
  args: Readonly<Record<string, NgValue>> = {},
): Promise<NgReply> {
  const started = gateway.logs().findLast((line) => line.msg === "rtpengine started");
  const address = tryParseSocketAddress(String(started?.fields.get("ng")));
  if (address === undefined) throw new Error("the gateway has started no rtpengine");
  const client = new NgClient({ address, clock: new SystemClock(), logger: silentLogger });
  try {
    return await (command === "list"
      ? client.request(command, args)
      : client.request(command, { "call-id": "", ...args }));
  } finally {
    client.close();
  }
}

/** Ids of the calls that rtpengine holds. */
export async function rtpengineCalls(gateway: Gateway): Promise<readonly string[]> {
  const { calls } = await askRtpengine(gateway, "list", { limit: 100 });
  return Array.isArray(calls) ? calls.filter((id) => typeof id === "string") : [];
}

/** Whether rtpengine transcodes its one call now, by its own word in `query`. */
export async function isTranscodedInRtpengine(gateway: Gateway): Promise<boolean> {
  const calls = await rtpengineCalls(gateway);
  expect(calls).toHaveLength(1);
  const reply = await askRtpengine(gateway, "query", { "call-id": calls[0] ?? "" });
  return JSON.stringify(reply).includes('"transcoding"');
}

/** A trunk that points at a peer of the test. */
export function trunkTo(address: { readonly host: string; readonly port: number }) {
  return { office: { peer: `sip:${formatSocketAddress(address)}` } };
}

/** The value of one series of `GET /metrics`. */
export async function metric(gateway: Gateway, name: string): Promise<number> {
  const { body } = await gateway.api("/metrics");
  const line = String(body)
    .split("\n")
    .find((text) => text.startsWith(`${name} `) || text.startsWith(`${name}{`));
  return line === undefined ? Number.NaN : Number(line.slice(line.lastIndexOf(" ") + 1));
}

/**
 * Waits until nothing is left of any call: no call and no dialog in the gateway, no timer of a
 * call, and no session in rtpengine by its own `list`. (Transactions linger for their 32 s by
 * design; `expectNoTransactions` waits for those.)
 */
export async function expectNothingLeft(gateway: Gateway): Promise<void> {
  const names = ["offhook_calls_active", "offhook_sip_dialogs", "offhook_call_timers"];
  const left = async (): Promise<string[]> => {
    const values = await Promise.all(names.map((name) => metric(gateway, name)));
    const sessions = (await rtpengineCalls(gateway)).length;
    return [
      ...names.filter((_name, index) => values[index] !== 0),
      ...(sessions === 0 ? [] : [`${sessions} rtpengine sessions`]),
    ];
  };
  let last: string[] = [];
  await waitFor(
    async () => {
      last = await left();
      return last.length === 0;
    },
    {
      what: "nothing to be left of the calls",
      timeoutMs: 5000,
      intervalMs: 50,
      detail: () => last.join(", "),
    },
  );
}

/** Waits until the last transaction's timer has fired (RFC 3261 §17: Timer J, K, L: up to 32 s). */
export async function expectNoTransactions(gateway: Gateway): Promise<void> {
  await waitFor(async () => (await metric(gateway, "offhook_sip_transactions")) === 0, {
    what: "the last transaction to end",
    timeoutMs: 40_000,
    intervalMs: 500,
  });
}

/** A call record as the API shows it. */
export type CallRecordJson = Readonly<Record<string, unknown>>;

/** The finished calls, newest first. */
export async function records(gateway: Gateway, limit = 100): Promise<readonly CallRecordJson[]> {
  const { body } = await gateway.api(`/api/v1/cdrs?limit=${limit}`);
  const items: unknown =
    typeof body === "object" && body !== null && "items" in body ? body.items : undefined;
  const list: readonly unknown[] = Array.isArray(items) ? items : [];
  return list
    .filter((item) => typeof item === "object" && item !== null)
    .map((item) => Object.fromEntries(Object.entries(item)));
}

/**
 * The last two records, of a call that somebody has left for another one; they are published in no
 * certain order.
 *
 * @returns the one that was left, then the other one
 */
export async function movedRecords(gateway: Gateway): Promise<readonly CallRecordJson[]> {
  const last = (await records(gateway, 2)).slice(0, 2);
  const isMoved = (record: CallRecordJson): number => ("transferredFrom" in record ? 1 : 0);
  return last.toSorted((one, other) => isMoved(one) - isMoved(other));
}

/** The newest finished call. */
export async function lastRecord(gateway: Gateway): Promise<CallRecordJson> {
  // A call's sides are told of its end before rtpengine is, and the record comes last.
  await waitFor(async () => (await metric(gateway, "offhook_calls_active")) === 0, {
    what: "the call to be over",
    timeoutMs: 5000,
  });
  const [record] = await records(gateway, 1);
  expect(record, "a call record").toBeTypeOf("object");
  return record ?? {};
}
