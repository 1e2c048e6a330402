import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { browserSdp } from "../harness/browser-sdp.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft, lastRecord, records } from "../harness/gateway-state.ts";
import { freePort } from "../harness/ports.ts";
import { Child } from "../harness/process.ts";
import { Sipp } from "../harness/sipp.ts";
import type { OutgoingCall } from "../harness/ws-call.ts";
import { waitFor } from "../harness/wait.ts";
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
      dialplan: {
        routes: [
          { name: "carrier", to: "_9XXX", do: { dial: "carrier", strip: 1 } },
          // Where 213 transfers to.
          { name: "back", from: { trunk: "carrier" }, to: "200", do: { dial: "carrier" } },
        ],
      },
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

/** What the carrier says of a re-INVITE that was not refused. */
const TAKEN = "re-INVITE answered with 200";

/** RFC 3264 §6.1: the answer to a direction. */
const ANSWER_TO = {
  sendrecv: "sendrecv",
  sendonly: "recvonly",
  recvonly: "sendonly",
  inactive: "inactive",
} as const;
type Direction = keyof typeof ANSWER_TO;

function directionOf(offer: string): Direction {
  const found = /^a=(sendrecv|sendonly|recvonly|inactive)$/m.exec(offer)?.[1];
  return (Object.keys(ANSWER_TO) as Direction[]).find((each) => each === found) ?? "sendrecv";
}

/** A browser's answer: with the payload types of the offer and no other. */
function answerTo(offer: string): string {
  const types = /^m=audio .*SAVPF (.*)$/m.exec(offer)?.[1] ?? "";
  const maps = offer.split("\r\n").filter((line) => line.startsWith("a=rtpmap:"));
  const direction = ANSWER_TO[directionOf(offer)];
  return browserSdp({ setup: "active", version: 9, direction })
    .split("\r\n")
    .filter((line) => !/^a=(rtpmap|fmtp|rtcp-fb):/.test(line))
    .flatMap((line) => (line === "a=mid:0" ? [line, ...maps] : [line]))
    .join("\r\n")
    .replace(/^(m=audio .*SAVPF ).*$/m, `$1${types}`);
}

/** Answers re-INVITEs as a browser does, up to the first that lets both hear. @returns the offers */
async function reinvited(leg: OutgoingCall): Promise<readonly string[]> {
  const offers: string[] = [];
  for (;;) {
    const invite = await leg.expectRequest("INVITE", 20_000);
    const offer = invite.body.toString();
    offers.push(offer);
    leg.respond(invite, 200, { sdp: answerTo(offer) });
    await leg.expectRequest("ACK");
    if (directionOf(offer) === "sendrecv") return offers;
  }
}

/** What the carrier has said of its calls to a number. */
function saidOf(number: string): readonly string[] {
  return carrier.lines
    .filter((line) => line.startsWith(`${number}: `))
    .map((line) => line.slice(number.length + 2));
}

/** The carrier's first call to a number is over. */
async function overAt(number: string): Promise<void> {
  await carrier.waitForLine(
    (line) => line.startsWith(`${number}: over `) || undefined,
    `the end of ${number}`,
  );
}

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

  it.each([
    {
      number: "210",
      does: "asks for an offer",
      says: ["re-INVITE without an offer", TAKEN],
      codec: "PCMU",
      events: [],
    },
    {
      number: "211",
      does: "refreshes the session",
      says: ["re-INVITE sendrecv", `${TAKEN}, Session-Expires: 90;refresher=uac`],
      codec: "PCMU",
      events: [],
    },
    {
      number: "212",
      does: "holds and resumes",
      says: ["re-INVITE sendonly", TAKEN, "re-INVITE sendrecv", TAKEN],
      codec: "PCMU",
      events: ["held", "resumed"],
    },
    {
      number: "214",
      does: "changes codec and payload types",
      says: ["re-INVITE sendrecv", TAKEN],
      codec: "PCMA",
      events: [],
    },
  ])("$number $does: the call goes on, with its digits", async (row) => {
    const { number, says, codec, events } = row;
    await using caller = await WsCaller.signIn(gateway, "1001");
    const leg = caller.invite(`9${number}`);
    await leg.answered(20_000);
    const offers = await reinvited(leg);
    // Held, a browser hears nothing, or music.
    const others = offers.slice(0, -1).map(directionOf);
    expect(others[0]).toBe(number === "212" ? "inactive" : undefined);
    expect(offers.at(-1)).toContain(codec);
    expect(offers.at(-1)).toContain("telephone-event");
    // The carrier gets its answer after the browser's.
    const ofTurn = (): readonly string[] =>
      saidOf(number).filter((line) => line.startsWith("re-INVITE"));
    await waitFor(() => ofTurn().length >= says.length, {
      what: `the end of the turn of ${number}`,
      detail: () => saidOf(number).join("\n"),
    });
    expect(ofTurn()).toEqual(says);
    await leg.bye();
    await overAt(number);
    expect(saidOf(number).at(-1)).toMatch(/: the caller has hung up$/);
    const record = await lastRecord(gateway);
    expect(record).toMatchObject({
      result: "success",
      end: { by: "caller" },
      media: { codecs: { "callee-1": `${codec}/8000` }, dtmf: { "callee-1": "rfc4733" } },
    });
    const timeline = JSON.stringify(record["timeline"]);
    for (const event of ["held", "resumed"]) {
      expect(timeline.includes(`"${event}"`), event).toBe(events.includes(event));
    }
  });

  it("213 transfers its party: the gateway calls 200, and hangs up 213", async () => {
    await using caller = await WsCaller.signIn(gateway, "1001");
    const leg = caller.invite("9213");
    await leg.answered(20_000);
    expect(await reinvited(leg)).toHaveLength(1);
    await overAt("213");
    expect(saidOf("213").filter((line) => /^(REFER answered|NOTIFY)/.test(line))).toEqual([
      "REFER answered with 202",
      "NOTIFY 100",
      "NOTIFY 180",
      "NOTIFY 200",
    ]);
    await leg.bye();
    await expectNothingLeft(gateway);
    const [after, before] = await records(gateway, 2);
    expect(after).toMatchObject({
      to: "200",
      from: { id: "1001" },
      transferredFrom: { call: before?.["id"], by: { kind: "trunk", id: "carrier" } },
      result: "success",
      end: { by: "caller" },
    });
    expect(before).toMatchObject({
      to: "9213",
      transfers: [{ kind: "blind", to: "200", result: "done", sipStatus: 200 }],
    });
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
