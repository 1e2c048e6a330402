import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Capture, rtpPackets } from "../harness/capture.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { audioPortOf, RtpPeer } from "../harness/rtpengine.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { TelephoneLine } from "../harness/telephone-line.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "./desk-call.ts";

const [OFFICE, NATTED, PLAIN] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
/** Where the SDP of a peer behind a NAT says that it is, and a stranger. */
const [NAMED, STRANGER] = ["127.0.0.8", "127.0.0.9"];
/** RFC 2597: `af41`. */
const AF41 = 34;
/** Payloads that nobody else sends. */
const [FROM_PEER, INJECTED] = [Buffer.alloc(160, 0x22), Buffer.alloc(160, 0x33)];

let gateway: Gateway;
let office: SipPeer;
let natted: SipPeer;
let plain: SipPeer;

beforeAll(async () => {
  office = await SipPeer.udp(undefined, OFFICE);
  natted = await SipPeer.udp(undefined, NATTED);
  plain = await SipPeer.udp(undefined, PLAIN);
  const trunk = (peer: SipPeer, nat: string) => ({
    peer: `sip:${peer.local.host}:${peer.local.port}`,
    codecs: ["PCMU"],
    nat,
  });
  gateway = await startGateway({
    config: {
      media: { dscp: "af41" },
      trunks: {
        office: trunk(office, "auto"),
        natted: trunk(natted, "yes"),
        plain: trunk(plain, "no"),
      },
      dialplan: {
        routes: [
          { name: "natted", to: "_2XX", do: { dial: "natted" } },
          { name: "plain", to: "_3XX", do: { dial: "plain" } },
        ],
      },
    },
  });
  for (const peer of [office, natted, plain]) peer.sendTo(gateway.sip);
});

afterAll(async () => {
  await expectNothingLeft(gateway);
  for (const peer of [office, natted, plain]) await peer.close();
  await gateway.stop();
});

/** Sends this payload every 20 ms until it is disposed of. */
function talk(peer: RtpPeer, port: number, payload: Buffer) {
  const timer = setInterval(() => peer.send(port, 0, payload), 20);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function countOf(peer: RtpPeer, payload: Buffer): number {
  return peer.received.filter((packet) => packet.payload.equals(payload)).length;
}

/** The office calls a trunk whose SDP says that its media is at `named`. */
async function join(trunk: SipPeer, number: string, caller: TelephoneLine, named: RtpPeer) {
  const call = DeskCall.dial(office, gateway, number, { sdp: caller.peer.sdp("0 101") });
  const leg = await DeskCall.incoming(trunk, number);
  leg.respond(200, { sdp: named.sdp("0") });
  await leg.expectRequest("ACK");
  caller.talkTo(audioPortOf((await call.answered()).sdp ?? ""));
  return { call, leg, port: audioPortOf(leg.invite.sdp ?? "") };
}

describe.concurrent("media of a trunk", () => {
  it.each([
    ["another address", NAMED, "200"],
    ["another port", NATTED, "201"],
  ] as const)(
    "nat: yes: sound goes where packets come from, not to %s",
    async (_what, at, number) => {
      await using caller = await TelephoneLine.open(OFFICE);
      await using named = await RtpPeer.open(at);
      await using real = await RtpPeer.open(NATTED);
      await using stranger = await RtpPeer.open(STRANGER);
      const { call, leg, port } = await join(natted, number, caller, named);
      const own = talk(real, port, FROM_PEER);
      // rtpengine has learned for good after three seconds.
      await waitFor(
        () => (countOf(caller.peer, FROM_PEER) > 200 && real.received.length > 50) || undefined,
        {
          what: "sound both ways",
          timeoutMs: 20_000,
          detail: () => `${countOf(caller.peer, FROM_PEER)} ${real.received.length}`,
        },
      );
      const atNamed = named.received.length;
      using _attack = talk(stranger, port, INJECTED);
      const heard = real.received.length;
      await waitFor(() => real.received.length > heard + 25 || undefined, {
        what: "sound to the peer",
      });
      // The peer falls silent: he goes on.
      own[Symbol.dispose]();
      const later = real.received.length;
      await waitFor(() => real.received.length > later + 25 || undefined, {
        what: "sound to the peer",
      });
      expect(countOf(caller.peer, INJECTED), "heard of the stranger").toBe(0);
      expect(stranger.received, "heard by the stranger").toEqual([]);
      expect(named.received.length, "sound to where nobody is").toBe(atNamed);
      await call.bye();
      await leg.hungUp();
    },
  );

  it("nat: no: sound goes where the SDP says, and nobody is heard from elsewhere", async () => {
    await using caller = await TelephoneLine.open(OFFICE);
    await using named = await RtpPeer.open(NAMED);
    await using elsewhere = await RtpPeer.open(PLAIN);
    const { call, leg, port } = await join(plain, "300", caller, named);
    using _other = talk(elsewhere, port, INJECTED);
    await waitFor(() => named.received.length > 50 || undefined, { what: "sound" });
    using _own = talk(named, port, FROM_PEER);
    await waitFor(() => countOf(caller.peer, FROM_PEER) > 50 || undefined, { what: "sound back" });
    expect(countOf(caller.peer, INJECTED)).toBe(0);
    expect(elsewhere.received).toEqual([]);
    await call.bye();
    await leg.hungUp();
  });

  it("RFC 2474: media.dscp is in every packet of ours, both ways", async () => {
    await using caller = await TelephoneLine.open(OFFICE);
    await using callee = await TelephoneLine.open(PLAIN);
    await using capture = await Capture.start(
      `udp port ${caller.peer.port} or udp port ${callee.peer.port}`,
    );
    const { call, leg, port } = await join(plain, "301", caller, callee.peer);
    callee.talkTo(port);
    const isHeard = (line: TelephoneLine): boolean => line.peer.received.length > 20;
    await waitFor(() => (isHeard(caller) && isHeard(callee)) || undefined, { what: "sound" });
    await call.bye();
    await leg.hungUp();
    const packets = await capture.stop();
    for (const { peer } of [caller, callee]) {
      const ours = packets.filter(({ destination }) => destination.port === peer.port);
      expect(rtpPackets(ours).length).toBeGreaterThan(20);
      expect(new Set(ours.map(({ dscp }) => dscp))).toEqual(new Set([AF41]));
      const theirs = packets.filter(({ source }) => source.port === peer.port);
      expect(new Set(theirs.map(({ dscp }) => dscp))).toEqual(new Set([0]));
    }
  });
});
