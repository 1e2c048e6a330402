import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { parseMessage } from "../../src/signaling/message/parser.ts";
import type { SipMessage } from "../../src/signaling/message/message.ts";
import { Asterisk, hasAsterisk, skipWithoutAsterisk } from "../harness/asterisk.ts";
import { Capture } from "../harness/capture.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { SipBank } from "../harness/sip-bank.ts";
import { waitFor } from "../harness/wait.ts";

/** The shortest session that either side takes (RFC 4028 §4); half of it is the time of a refresh. */
const EXPIRES_SECONDS = 90;

let asterisk: Asterisk;
let callers: SipBank;
let gateway: Gateway;

beforeEach(skipWithoutAsterisk);

beforeAll(async () => {
  if (!hasAsterisk()) return;
  [asterisk, callers] = await Promise.all([Asterisk.start(), SipBank.open({ host: "127.0.0.2" })]);
  gateway = await startGateway({
    config: {
      trunks: {
        pbx: {
          peer: asterisk.peer("timed"),
          "session-timer": { expires: `${EXPIRES_SECONDS}s`, minimum: `${EXPIRES_SECONDS}s` },
        },
        callers: { peer: `sip:${callers.address.host}:${callers.address.port}` },
      },
      dialplan: {
        routes: [
          { name: "menu", from: { trunk: "pbx" }, to: "*43", do: "echo" },
          { name: "pbx", from: { trunk: "callers" }, to: "_6XX", do: { dial: "pbx" } },
        ],
      },
    },
  });
  callers.sendTo(gateway.sip);
});

afterAll(async () => {
  await gateway?.stop();
  await asterisk?.stop();
  await callers?.[Symbol.asyncDispose]();
});

describe("RFC 4028 session timers with Asterisk 22", () => {
  it("each call is refreshed and outlives its Session-Expires, whoever has made it", async () => {
    await using capture = await Capture.start(`udp port ${asterisk.port}`);
    const out = await callers.dial("600");
    await asterisk.call(gateway, "*43", { trunk: "timed" });
    await waitFor(async () => (await connected()) === 2, { what: "both calls" });
    const since = performance.now();
    await waitFor(() => performance.now() - since > (EXPIRES_SECONDS + 8) * 1000, {
      what: "the sessions to have expired, were it not for a refresh",
      timeoutMs: (EXPIRES_SECONDS + 30) * 1000,
      intervalMs: 1000,
    });
    expect(await connected()).toBe(2);
    expect(out.state).toBe("up");
    await callers.hangUp(out);
    await asterisk.hangUp();
    await expectNothingLeft(gateway);
    for (const record of await records(gateway, 2)) {
      expect(record).toMatchObject({ result: "success" });
    }
    const messages = (await capture.stop()).flatMap(({ payload }) => read(payload));
    for (const callId of new Set(messages.map((message) => message.callId))) {
      const refreshes = messages.filter(
        (message) =>
          message.kind === "response" &&
          message.statusCode === 200 &&
          message.callId === callId &&
          /^(?:INVITE|UPDATE)$/.test(message.cseq.method) &&
          (message.headers.get("Session-Expires") ?? "").startsWith(String(EXPIRES_SECONDS)),
      );
      // The first one answers the call; the others come every 45 s.
      expect(refreshes.length, callId).toBeGreaterThanOrEqual(3);
    }
  }, 150_000);
});

async function connected(): Promise<number> {
  const { body } = await gateway.api("/api/v1/calls");
  const { items } = body as { readonly items: readonly { readonly state: string }[] };
  return items.filter(({ state }) => state === "connected").length;
}

/** The SIP message of a datagram, if it is one of a call. */
function read(payload: Buffer): readonly SipMessage[] {
  try {
    const message = parseMessage(payload);
    return /^(?:OPTIONS|REGISTER)$/.test(message.cseq.method) ? [] : [message];
  } catch {
    return [];
  }
}
