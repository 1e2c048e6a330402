import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, lastRecord } from "../harness/gateway-state.ts";
import { freePort } from "../harness/ports.ts";
import { Child } from "../harness/process.ts";
import { Sipp } from "../harness/sipp.ts";
import { WsCaller } from "../harness/ws-caller.ts";
import { expectNoFault } from "./support.ts";

// The gateway, and sipp, against `offhook fake-carrier` as a user starts it.

const HOST = "127.0.0.2";
const MAIN = join(import.meta.dirname, "../../src/main.ts");

let port: number;
let carrier: Child;
let gateway: Gateway;

beforeAll(async () => {
  port = await freePort(HOST);
  carrier = await Child.start(
    process.execPath,
    [MAIN, "fake-carrier", "--listen", `${HOST}:${port}`],
    { name: "fake-carrier", env: { NODE_OPTIONS: undefined, VITEST: undefined } },
  );
  await carrier.waitForLine((line) => (line.includes("peer:") ? line : undefined), "its address");
  gateway = await startGateway({
    config: {
      trunks: {
        carrier: {
          peer: `sip:${HOST}:${port}`,
          auth: { username: "carrier", password: "carrier" },
          register: { username: "carrier", password: "carrier" },
        },
      },
      dialplan: { routes: [{ name: "carrier", to: "_9XXX", do: { dial: "carrier", strip: 1 } }] },
    },
  });
});

afterEach(async () => {
  await expectNothingLeft(gateway);
});

afterAll(async () => {
  expectNoFault(gateway);
  await gateway.stop();
  expect(await carrier.stop()).toMatchObject({ code: 0 });
});

describe("a carrier with faults", () => {
  it.each([
    ["9486", 486],
    ["9488", 488],
    ["9404", 404],
    ["9603", 603],
    ["9503", 503],
    ["9302", 502],
  ])("%s ends with %i", async (number, status) => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    expect((await caller.invite(number).refused(20_000)).statusCode).toBe(status);
    expect(await lastRecord(gateway)).toMatchObject({ end: { sipStatus: status } });
  });

  it("answers, forks, is late, wants a password, changes its mind, and is hung up", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    for (const number of ["9200", "9182", "9183", "9407"]) {
      const leg = caller.invite(number);
      await leg.answered(20_000);
      await leg.bye();
    }
    const short = caller.invite("9202");
    await short.answered(20_000);
    await short.hungUp(20_000);
    expect(await lastRecord(gateway)).toMatchObject({ result: "success", end: { by: "callee" } });
  });

  it("takes a call of sipp without a gateway between", async () => {
    await using sipp = await Sipp.start({
      scenario: "uac-call",
      remote: { host: HOST, port },
      service: "200",
    });
    expect(await sipp.finished()).toMatchObject({ successfulCalls: 1, failedCalls: 0 });
  });
});
