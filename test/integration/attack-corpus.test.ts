import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import {
  attack,
  ATTACKS,
  CARRIED,
  FarLeg,
  problemsOf,
  startAttacked,
  withBrowserOffer,
} from "./attack-stage.ts";

/** The attacks on a whole gateway, with the leg behind it watched. */

const PROBE_MS = 100;

let gateway: Gateway;
const far = new FarLeg();

beforeAll(async () => {
  gateway = await startAttacked(far);
});

// That every transaction ends too is in attack-memory.test.ts, where it is waited for anyway.
afterAll(async () => {
  await expectNothingLeft(gateway);
  far.close();
  await gateway.stop();
});

describe.each(["trunk", "browser"] as const)("every attack from a %s", (stand) => {
  it.each(ATTACKS)("$name", async ({ octets, reaches, ...answers }) => {
    const expected = answers[stand];
    const outcome = await attack(gateway, stand, octets, expected !== null);
    expect(outcome.statuses).toEqual(expected === null ? [] : [expected]);
    expect(outcome.strays).toEqual([]);
    expect(outcome.probeStatus).toBe(200);
    let { probeMs } = outcome;
    for (let again = 0; again < 2 && probeMs >= PROBE_MS; again += 1) {
      ({ probeMs } = await attack(gateway, stand, octets, expected !== null));
    }
    expect(probeMs).toBeLessThan(PROBE_MS);
    const { invites, raw } = far.take();
    expect(invites.length > 0).toBe(reaches.some((name) => name === stand));
    for (const text of raw) expectClean(text);
    expect(problemsOf(gateway)).toEqual([]);
  });
});

/** What may never leave the gateway, whatever came in. */
function expectClean(text: string): void {
  expect(text).not.toMatch(/x-gw-trusted/i);
  expect(text).not.toMatch(/^(?:x-injected|route|x-p|subject)[ \t]*:/im);
  expect(text).not.toContain("+15550100@carrier.test");
  expect(text).not.toContain("\u0000");
  expect(text).not.toContain("192.0.2.10");
  const [head = "", body = ""] = text.split("\r\n\r\n", 2);
  expect(Number(/^content-length: *(\d+)/im.exec(head)?.[1])).toBe(body.length);
}

describe("what a browser's call carries to the trunk", () => {
  it.each(CARRIED)("$name", async ({ octets }) => {
    const outcome = await attack(gateway, "browser", withBrowserOffer(octets), true);
    expect(outcome.statuses).toEqual([486]);
    const { invites, raw } = far.take();
    expect(invites).toHaveLength(1);
    for (const text of raw) expectClean(text);
    // RFC 3325 §5: who calls is what the gateway knows, never what the browser wrote.
    expect(invites[0]?.from.sipUri.user).toBe("+15550199");
    expect(invites[0]?.from.displayName).not.toContain("onerror");
    expect(invites[0]?.headers.has("P-Asserted-Identity")).toBe(false);
  });
});
