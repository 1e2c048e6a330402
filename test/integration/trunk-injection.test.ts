import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { type Gateway, startGateway } from "../harness/gateway.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { audioPortOf, RtpPeer } from "../harness/rtpengine.ts";
import {
  environmentFor,
  RTPENGINE_GENERATIONS,
  skipWithout,
} from "../harness/rtpengine-generation.ts";
import { SipPeer } from "../harness/sip-peer.ts";
import { TelephoneLine } from "../harness/telephone-line.ts";
import { waitFor } from "../harness/wait.ts";
import { DeskCall } from "./desk-call.ts";

const [OFFICE, CARRIER, STRANGER] = ["127.0.0.2", "127.0.0.3", "127.0.0.9"];
/** A payload that nobody else sends. */
const INJECTED = Buffer.alloc(160, 0x33);

describe.each(RTPENGINE_GENERATIONS)(
  "CVE-2025-53399 a stranger at the media ports of a trunk's leg, rtpengine $version",
  (generation) => {
    let gateway: Gateway;
    let office: SipPeer;
    let carrier: SipPeer;

    beforeEach((context) => skipWithout(generation, context));

    beforeAll(async () => {
      if (generation.command === undefined) return;
      office = await SipPeer.udp(undefined, OFFICE);
      carrier = await SipPeer.udp(undefined, CARRIER);
      gateway = await startGateway({
        env: await environmentFor(generation),
        config: {
          trunks: {
            office: { peer: `sip:${OFFICE}:${office.local.port}`, codecs: ["PCMU"] },
            carrier: { peer: `sip:${CARRIER}:${carrier.local.port}`, codecs: ["PCMU"] },
          },
          dialplan: { routes: [{ name: "out", to: "_2XX", do: { dial: "carrier" } }] },
        },
      });
      office.sendTo(gateway.sip);
      carrier.sendTo(gateway.sip);
    });

    afterAll(async () => {
      if (generation.command === undefined) return;
      await expectNothingLeft(gateway);
      await office.close();
      await carrier.close();
      await gateway.stop();
    });

    it("hears nothing and is heard by nobody: before the first packet, in between, in a silence", async () => {
      await using caller = await TelephoneLine.open(OFFICE);
      await using callee = await TelephoneLine.open(CARRIER);
      await using stranger = await RtpPeer.open(STRANGER);
      const call = DeskCall.dial(office, gateway, "200", { sdp: caller.peer.sdp("0 101") });
      const leg = await DeskCall.incoming(carrier, "200");
      const offer = leg.invite.sdp ?? "";
      leg.respond(200, { sdp: callee.peer.sdp("0 126") });
      await leg.expectRequest("ACK");
      const answer = (await call.answered()).sdp ?? "";
      const ports = [audioPortOf(offer), audioPortOf(answer)];

      let sent = 0;
      const attack = setInterval(() => {
        for (const port of ports) {
          // RTP, and RTCP beside it.
          stranger.send(port, 0, INJECTED);
          stranger.send(port + 1, 0, INJECTED);
          sent += 1;
        }
      }, 20);
      try {
        // He is first, and alone.
        await waitFor(() => sent >= 50 || undefined, { what: "packets of the stranger" });
        caller.talkTo(ports[1] ?? 0);
        callee.talkTo(ports[0] ?? 0);
        const heard = (line: TelephoneLine): number => line.peer.received.length;
        await waitFor(() => (heard(caller) > 50 && heard(callee) > 50) || undefined, {
          what: "sound both ways",
          detail: () => `${heard(caller)} ${heard(callee)}`,
        });
        // One side falls silent, as behind a silence suppression: he goes on.
        caller.fallSilent();
        const until = sent + 100;
        await waitFor(() => sent >= until || undefined, { what: "more packets of the stranger" });
      } finally {
        clearInterval(attack);
      }
      const injected = [caller, callee].map(
        ({ peer }) => peer.received.filter(({ payload }) => payload.equals(INJECTED)).length,
      );
      console.info(
        `${sent * 2} packets of a stranger: ${injected.join(" and ")} injected, ${stranger.received.length} received by him`,
      );
      expect(injected).toEqual([0, 0]);
      expect(stranger.received).toHaveLength(0);
      await call.bye();
      await leg.hungUp();
    });
  },
);
