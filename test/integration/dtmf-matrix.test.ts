import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Gateway, startGateway, type YamlValue } from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { audioPortOf } from "../harness/rtpengine.ts";
import { PeerDialog, SipPeer } from "../harness/sip-peer.ts";
import { TelephoneLine } from "../harness/telephone-line.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "./desk-call.ts";

const ALL = "0123456789*#ABCD";

/** PBXs, each at an address of its own, by how digits go to them. */
const TRUNKS = {
  events: { host: "127.0.0.2", prefix: "2", keys: { dtmf: "rfc4733" } },
  info: { host: "127.0.0.3", prefix: "3", keys: { dtmf: "info" } },
  tones: { host: "127.0.0.4", prefix: "4", keys: { dtmf: "inband" } },
  /** Knows no telephone-event. */
  old: { host: "127.0.0.5", prefix: "5", keys: {} },
  /** Knows none, and takes INFO. */
  oldWithInfo: { host: "127.0.0.6", prefix: "6", keys: { "dtmf-fallback": "info" } },
} as const satisfies Readonly<
  Record<string, { host: string; prefix: string; keys: Readonly<Record<string, YamlValue>> }>
>;
type TrunkName = keyof typeof TRUNKS;

/** How the caller sends its digits. */
type Sending =
  | "events"
  | "relay"
  | "plain"
  | "tones"
  /** Both for one key: INFO when it is pressed, or when it is let go. */
  | "events and relay"
  | "tones and relay"
  | "events, then relay";

const peers = new Map<TrunkName, SipPeer>();
let gateway: Gateway;

beforeAll(async () => {
  const trunks: Record<string, YamlValue> = {};
  for (const name of trunkNames()) {
    const { host, keys } = TRUNKS[name];
    const peer = await SipPeer.udp(undefined, host);
    peers.set(name, peer);
    trunks[name] = { peer: `sip:${host}:${peer.local.port}`, codecs: ["PCMU"], ...keys };
  }
  gateway = await startGateway({
    config: {
      trunks,
      dialplan: {
        routes: trunkNames().map((name) => ({
          name,
          to: `_${TRUNKS[name].prefix}XX`,
          do: { dial: name },
        })),
      },
    },
  });
  for (const peer of peers.values()) peer.sendTo(gateway.sip);
});

afterAll(async () => {
  await expectNothingLeft(gateway);
  const complaints = gateway.logs().filter(({ msg }) => /^rtpengine: |digit was/.test(msg));
  expect(complaints.map(({ text }) => text)).toEqual([]);
  // Digits are often secret: no log and no record has them.
  expect(gateway.child.lines.join("\n")).not.toMatch(/Signal=/);
  for (const peer of peers.values()) await peer.close();
  await gateway.stop();
});

function trunkNames(): readonly TrunkName[] {
  return ["events", "info", "tones", "old", "oldWithInfo"];
}

function peerOf(name: TrunkName): SipPeer {
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`no trunk ${name}`);
  return peer;
}

/** Takes every INFO of a call. */
class InfoReader {
  digits = "";
  readonly #leg: DeskCall;
  /** RFC 3261 §17.2.3: one that is sent again over UDP is the same one. */
  readonly #seen = new Set<number>();
  #isOver = false;

  constructor(leg: DeskCall) {
    this.#leg = leg;
    void this.#read();
  }

  stop(): void {
    this.#isOver = true;
  }

  async #read(): Promise<void> {
    while (!this.#isOver) {
      const request = await this.#leg.expectRequest("INFO").catch(() => undefined);
      if (request === undefined) return;
      expect(request.headers.get("Content-Type")).toBe("application/dtmf-relay");
      this.#leg.peer.respond(request, 200, { headers: [] });
      if (this.#seen.has(request.cseq.number)) continue;
      this.#seen.add(request.cseq.number);
      this.digits += /^Signal=(.)\r\nDuration=\d+\r\n$/.exec(request.body.toString())?.[1] ?? "?";
    }
  }
}

async function send(
  sending: Sending,
  digits: string,
  line: TelephoneLine,
  dialog: PeerDialog,
  call: DeskCall,
): Promise<void> {
  if (sending === "events") return await line.sendEvents(digits);
  if (sending === "tones") return await line.sendTones(digits);
  if (
    sending === "events and relay" ||
    sending === "events, then relay" ||
    sending === "tones and relay"
  ) {
    for (const digit of digits) {
      const event = sending === "tones and relay" ? line.sendTones(digit) : line.sendEvents(digit);
      if (sending === "events, then relay") await event;
      await send("relay", digit, line, dialog, call);
      await event;
    }
    return;
  }
  const isRelay = sending === "relay";
  for (const digit of digits) {
    dialog.request("INFO", {
      contentType: isRelay ? "application/dtmf-relay" : "application/dtmf",
      body: isRelay ? `Signal=${digit}\r\nDuration=100\r\n` : digit,
    });
    await call.expectResponse(200, "INFO");
  }
}

interface Row {
  readonly from: TrunkName;
  readonly sending: Sending;
  readonly to: TrunkName;
  readonly arrives: "events" | "info" | "tones";
  /** In the call record. */
  readonly dtmf: "rfc4733" | "info" | "inband";
  readonly digits?: string;
  readonly isEarly?: boolean;
}

const SOME = "1*A0#";
const ROWS: readonly Row[] = [
  { from: "events", sending: "events", to: "events", arrives: "events", dtmf: "rfc4733" },
  { from: "events", sending: "events", to: "info", arrives: "info", dtmf: "info", digits: ALL },
  { from: "events", sending: "events", to: "tones", arrives: "tones", dtmf: "inband" },
  { from: "events", sending: "events", to: "old", arrives: "tones", dtmf: "inband" },
  { from: "events", sending: "events", to: "oldWithInfo", arrives: "info", dtmf: "info" },
  { from: "info", sending: "relay", to: "events", arrives: "events", dtmf: "rfc4733", digits: ALL },
  { from: "info", sending: "relay", to: "info", arrives: "info", dtmf: "info", digits: ALL },
  { from: "info", sending: "relay", to: "tones", arrives: "tones", dtmf: "inband", digits: ALL },
  { from: "events", sending: "plain", to: "old", arrives: "tones", dtmf: "inband" },
  { from: "info", sending: "plain", to: "oldWithInfo", arrives: "info", dtmf: "info" },
  // Tones are heard, from a trunk of tones, and become what the other one takes.
  { from: "tones", sending: "tones", to: "events", arrives: "events", dtmf: "rfc4733" },
  { from: "tones", sending: "tones", to: "info", arrives: "info", dtmf: "info", digits: ALL },
  { from: "tones", sending: "tones", to: "tones", arrives: "tones", dtmf: "inband" },
  { from: "tones", sending: "tones and relay", to: "info", arrives: "info", dtmf: "info" },
  { from: "tones", sending: "relay", to: "events", arrives: "events", dtmf: "rfc4733" },
  // Each key once, though it comes twice.
  { from: "events", sending: "events and relay", to: "events", arrives: "events", dtmf: "rfc4733" },
  {
    from: "events",
    sending: "events, then relay",
    to: "events",
    arrives: "events",
    dtmf: "rfc4733",
  },
  { from: "events", sending: "events and relay", to: "info", arrives: "info", dtmf: "info" },
  { from: "events", sending: "events, then relay", to: "info", arrives: "info", dtmf: "info" },
  { from: "events", sending: "events and relay", to: "tones", arrives: "tones", dtmf: "inband" },
  { from: "events", sending: "events, then relay", to: "old", arrives: "tones", dtmf: "inband" },
  // Before the answer.
  {
    from: "events",
    sending: "events",
    to: "events",
    arrives: "events",
    dtmf: "rfc4733",
    isEarly: true,
  },
  { from: "events", sending: "events", to: "info", arrives: "info", dtmf: "info", isEarly: true },
  {
    from: "events",
    sending: "events",
    to: "tones",
    arrives: "tones",
    dtmf: "inband",
    isEarly: true,
  },
  {
    from: "info",
    sending: "relay",
    to: "events",
    arrives: "events",
    dtmf: "rfc4733",
    isEarly: true,
  },
  { from: "info", sending: "relay", to: "info", arrives: "info", dtmf: "info", isEarly: true },
  { from: "tones", sending: "relay", to: "old", arrives: "tones", dtmf: "inband", isEarly: true },
];

// All calls at once: digits take their time.
describe.concurrent("digits from trunk to trunk, read at the far end", () => {
  it.each(
    ROWS.map((row, index) => ({
      ...row,
      index,
      when: row.isEarly === true ? "early" : "answered",
    })),
  )(
    "$from sends $sending to $to: $arrives ($when)",
    async ({ from, sending, to, arrives, dtmf, digits = SOME, isEarly, index }) => {
      const number = `${TRUNKS[to].prefix}${String(index).padStart(2, "0")}`;
      await using caller = await TelephoneLine.open();
      await using callee = await TelephoneLine.open();
      const call = DeskCall.dial(peerOf(from), gateway, number, { sdp: caller.peer.sdp("0 101") });
      const leg = await DeskCall.incoming(peerOf(to), number);
      const offer = leg.invite.sdp ?? "";
      const event = /a=rtpmap:(\d+) telephone-event/.exec(offer)?.[1];
      expect(event !== undefined, "events in the offer").toBe(to !== "info" && to !== "tones");
      const hasEvents = event !== undefined && to === "events";
      const answer = callee.peer.sdp(hasEvents ? `0 ${event}` : "0");
      callee.talkTo(audioPortOf(offer));
      let dialog: PeerDialog;
      const infos = new InfoReader(leg);
      if (isEarly === true) {
        leg.respond(183, { sdp: answer, headers: [["Contact", leg.peer.contact]] });
        const early = await call.expectResponse(183, "INVITE");
        caller.talkTo(audioPortOf(early.sdp ?? ""));
        dialog = PeerDialog.asCaller(peerOf(from), call.invite, early);
      } else {
        leg.respond(200, { sdp: answer });
        await leg.expectRequest("ACK");
        caller.talkTo(audioPortOf((await call.answered()).sdp ?? ""));
        dialog = call.dialog;
      }
      await waitFor(() => callee.peer.received.length > 3 || undefined, { what: "sound" });
      await send(sending, digits, caller, dialog, call);

      const arrived = {
        events: () => callee.heardEvents(),
        info: () => infos.digits,
        tones: () => callee.heardTones(),
      };
      await waitFor(() => arrived[arrives]().length >= digits.length || undefined, {
        what: `${digits} as ${arrives}`,
        timeoutMs: 20_000,
        detail: () => JSON.stringify([arrived.events(), arrived.info(), arrived.tones()]),
      });
      for (const way of ["events", "info", "tones"] as const) {
        // A tone that is heard has sounded for a moment before it becomes something else.
        if (way === "tones" && arrives !== "tones" && sending.startsWith("tones")) continue;
        expect(arrived[way](), way).toBe(way === arrives ? digits : "");
      }

      if (isEarly === true) {
        leg.respond(200, { sdp: answer });
        await leg.expectRequest("ACK");
        await call.answered();
        call.dialog.cseq = dialog.cseq;
      }
      await call.bye();
      await leg.hungUp();
      infos.stop();
      const record = await waitFor(
        async () => (await records(gateway)).find((each) => each["to"] === number),
        { what: "the call's record" },
      );
      expect(record["media"]).toMatchObject({ dtmf: { "callee-1": dtmf } });
      const isHeard = sending.startsWith("tones") && arrives !== "tones";
      const isCarried = sending === "relay" || sending === "plain" || arrives === "info" || isHeard;
      if (isCarried) {
        expect(record["media"]).toMatchObject({
          digits: [
            {
              from: "caller",
              as: isHeard ? "inband" : sending.startsWith("events") ? "rfc4733" : "info",
              to: "callee-1",
              way: dtmf,
              count: digits.length,
            },
          ],
        });
      } else {
        expect(record["media"]).not.toHaveProperty("digits");
      }
    },
  );
});
