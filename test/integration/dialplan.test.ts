import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, lastRecord, metric } from "../harness/gateway-state.ts";
import { Sipp } from "../harness/sipp.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { expectNoFault } from "./support.ts";

// What the dialplan decides, carried out against real peers: continuations by cause, orders, hooks,
// and the calls that somebody would pay for.

const SECRET = "integration-secret-0123";

let well: Sipp;
let congested: Sipp;
let busy: Sipp;
let redirecting: Sipp;
let hook: Server;
let asked: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];
let answer: { status: number; body: unknown } = { status: 200, body: {} };
let gateway: Gateway;

beforeAll(async () => {
  well = await Sipp.start({ scenario: "uas-echo", values: { ring_ms: 20 }, calls: 0 });
  congested = await Sipp.start({ scenario: "uas-refuses", calls: 0 });
  busy = await Sipp.start({
    scenario: "uas-refuses",
    values: { status: 486, reason: "Busy Here" },
    calls: 0,
  });
  redirecting = await Sipp.start({
    scenario: "uas-refuses",
    values: { status: 302, reason: "Moved Temporarily" },
    calls: 0,
  });
  hook = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      asked.push({ headers: request.headers, body: Buffer.concat(chunks).toString("utf8") });
      response.writeHead(answer.status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this kind.
  const { port } = hook.address() as AddressInfo;
  gateway = await startGateway({
    config: {
      trunks: {
        well: trunkAt(well),
        congested: trunkAt(congested),
        busy: trunkAt(busy),
        redirecting: trunkAt(redirecting),
      },
      dialplan: {
        country: "DE",
        "time-zone": "Europe/Berlin",
        allow: { everyone: ["internal", "national", "unknown"] },
        emergency: { dial: "well", location: "https://lis.example.com/here" },
        hooks: { crm: { url: `http://127.0.0.1:${port}/route`, secret: SECRET, timeout: "5s" } },
        routes: [
          {
            name: "by cause",
            to: "601",
            do: { dial: "congested", on: { "503": { dial: "well" } } },
          },
          { name: "by busy", to: "602", do: { dial: "busy", on: { busy: { voicemail: "well" } } } },
          {
            name: "not busy",
            to: "603",
            do: { dial: "busy", on: { "no-answer": { dial: "well" } } },
          },
          { name: "hook", to: "604", do: { ask: "crm", else: { dial: "well" } } },
          { name: "redirect", to: "605", do: { dial: "redirecting" } },
          { name: "away", to: "606", do: { forward: "09001234567" } },
          { name: "loop", to: "607", do: { forward: "607" } },
          { name: "hang up", to: "608", do: "hang-up" },
          { name: "limited", to: "610", limits: { "per-minute": 0 }, do: { dial: "well" } },
          { name: "fall through", to: "609", do: { ring: "1002", then: { dial: "well" } } },
          { name: "out", to: "_0.", do: { dial: "well", format: "e164" } },
        ],
      },
    },
  });
});

afterAll(async () => {
  expectNoFault(gateway);
  await gateway.stop();
  for (const peer of [well, congested, busy, redirecting]) await peer.stop();
  hook.closeAllConnections();
  await new Promise((resolve) => hook.close(resolve));
});

function trunkAt({ address }: Sipp): { readonly peer: string } {
  return { peer: `sip:${address.host}:${address.port}` };
}

/** Calls, talks and hangs up. */
async function talk(caller: WsCaller, number: string): Promise<void> {
  const leg = caller.invite(number);
  await leg.answered(20_000);
  await leg.bye();
}

async function refusedWith(caller: WsCaller, number: string): Promise<number> {
  return (await caller.invite(number).refused(20_000)).statusCode;
}

async function invitesOf(peer: Sipp): Promise<number> {
  return (await peer.received()).filter((what) => what === "INVITE").length;
}

describe("a plan with real peers", () => {
  it("goes on by SIP status, by outcome, or not at all", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    await talk(caller, "601");
    expect(await invitesOf(congested)).toBe(1);
    await talk(caller, "602");
    expect(await refusedWith(caller, "603")).toBe(486);
    await talk(caller, "609");
    await talk(caller, "112");
    const record = await lastRecord(gateway);
    expect(record).toMatchObject({ route: "(emergency)", trace: [{ matched: true }] });
    await expectNothingLeft(gateway);
  });

  it("answers and hangs up by itself", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const leg = caller.invite("608");
    await leg.answered(20_000);
    await leg.hungUp();
    await expectNothingLeft(gateway);
  });

  it("asks a hook, signed, and does without it when it fails", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    answer = { status: 200, body: { do: { dial: "busy" } } };
    expect(await refusedWith(caller, "604")).toBe(486);
    const [question] = asked;
    const signature = /^t=([0-9]+),v1=([0-9a-f]+)$/.exec(
      String(question?.headers["x-offhook-signature"]),
    );
    expect(signature?.[2]).toBe(
      createHmac("sha256", SECRET)
        .update(`${signature?.[1] ?? ""}.${question?.body ?? ""}`)
        .digest("hex"),
    );
    expect(JSON.parse(question?.body ?? "")).toMatchObject({
      hook: "crm",
      to: "604",
      from: { kind: "user", id: "1001" },
    });
    answer = { status: 500, body: {} };
    await talk(caller, "604");
    answer = { status: 200, body: { do: { dial: "nowhere" } } };
    await talk(caller, "604");
    // A hook may do no more than the caller may.
    const series = `offhook_calls_refused_total{reason="premium"}`;
    const before = await metric(gateway, series);
    answer = { status: 200, body: { do: { dial: "well", number: "09001234567" } } };
    expect(await refusedWith(caller, "604")).toBe(403);
    expect(await metric(gateway, series)).toBe(before + 1);
    asked = [];
    await expectNothingLeft(gateway);
  });
});

describe("calls that somebody would pay for", () => {
  it.each([
    ["a premium number", "09001234567", 403, "premium"],
    ["a premium number abroad", "0019002345678", 403, "premium"],
    ["a satellite", "00881631234567", 403, "premium"],
    ["a premium number that lacks digits", "0900", 403, "premium"],
    ["a country that the caller may not call", "0033142345678", 403, "not-allowed"],
    ["a call by a route that has reached its limit", "610", 403, "limit"],
    ["a number that no route takes", "5551234", 404, "unknown"],
    ["a forward to a premium number", "606", 403, "premium"],
    ["a forward to itself", "607", 482, "loop"],
    ["a redirect by the carrier", "605", 502, "foreign"],
  ])("%s is refused, logged and counted, and its record says why", async (...row) => {
    const [, number, status, reason] = row;
    const series = `offhook_calls_refused_total{reason="${reason}"}`;
    const countBefore = await metric(gateway, series);
    const from = gateway.logs().length;
    await using caller = await WsCaller.signIn(gateway, "1001");
    const before = await invitesOf(well);
    expect(await refusedWith(caller, number)).toBe(status);
    expect(await invitesOf(well)).toBe(before);
    expect(await metric(gateway, series)).toBe(countBefore + 1);
    const line = await gateway.waitForLog("call-refused", { from });
    expect(Object.fromEntries(line.fields)).toMatchObject({
      reason,
      from: "user 1001",
      to: number,
    });
    expect(await lastRecord(gateway)).toMatchObject({
      to: number,
      result: expect.stringMatching(/error/),
      end: { sipStatus: status },
      trace: expect.any(Array),
    });
  });

  it("and a REFER to one places no call", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const leg = caller.invite("0301234567");
    await leg.answered(20_000);
    const before = await invitesOf(well);
    const logged = gateway.logs().length;
    const cseq = leg.request("REFER", {
      headers: [["Refer-To", "<sip:09001234567@localhost>"]],
    });
    expect(cseq).toBeDefined();
    const response = await leg.expectResponse((status) => status >= 200, "REFER");
    expect(response.statusCode).toBe(403);
    await gateway.waitForLog((line) => line.fields.get("to") === "09001234567", {
      from: logged,
    });
    await leg.bye();
    await expectNothingLeft(gateway);
    expect(await invitesOf(well)).toBe(before);
  });
});
