import { describe, expect, it } from "vitest";

import { DigitRelay, type SendInfo } from "../../src/call/digit-relay.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { DtmfWay, MediaSession } from "../../src/media/session.ts";
import { ManualClock } from "../harness/manual-clock.ts";
import { ScriptedMedia } from "./fakes.ts";

/** The digits of a call whose caller sends events, which rtpengine keeps for us. */
function relayTo(
  way: DtmfWay,
  carriers: { playDigit?: () => Promise<void>; sendInfo?: SendInfo },
  srtp: "none" | "sdes" = "none",
): DigitRelay {
  const session = new ScriptedMedia().createSession();
  const media: MediaSession = {
    ...session,
    negotiated: () => ({
      ...session.negotiated(),
      dtmf: { caller: "rfc4733", callee: way },
      srtp: { caller: "none", callee: srtp },
    }),
    playDigit: carriers.playDigit ?? ((...played) => session.playDigit(...played)),
  };
  const leg = { kind: "rtp" } as const;
  return new DigitRelay({
    media,
    logger: silentLogger,
    clock: new ManualClock(),
    path: () => ({
      exchange: {
        offerer: { tag: "caller", ...leg },
        answerer: { tag: "callee", ...leg },
        branch: "b",
      },
      infoTo: () => carriers.sendInfo,
    }),
    onCarried: () => {},
  });
}

async function settle(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("the count of digits that the gateway carries", () => {
  const counted = { from: "caller", as: "rfc4733", to: "callee" };

  it("counts a digit as lost that rtpengine cannot play", async () => {
    let isDeaf = false;
    const relay = relayTo("inband", {
      playDigit: () => (isDeaf ? Promise.reject(new Error("no")) : Promise.resolve()),
    });
    relay.onEvent("caller", "1", 100, true);
    await settle();
    isDeaf = true;
    relay.onEvent("caller", "2", 100, true);
    relay.onEvent("caller", "3", 100, true);
    await settle();
    expect(relay.views()).toEqual([{ ...counted, way: "inband", count: 1, lost: 2 }]);
  });

  it("counts a digit as lost that the far end refuses", async () => {
    const statuses = [200, 488, 200];
    const relay = relayTo("info", { sendInfo: () => Promise.resolve(statuses.shift() ?? 500) });
    for (const digit of "123") relay.onEvent("caller", digit, 100, true);
    await settle();
    expect(relay.views()).toEqual([{ ...counted, way: "info", count: 2, lost: 1 }]);
  });

  it("counts a digit as lost that waits when the call ends, and not again later", async () => {
    let play = (): void => {};
    const relay = relayTo("inband", {
      playDigit: () =>
        new Promise((resolve) => {
          play = resolve;
        }),
    });
    relay.onEvent("caller", "1", 100, true);
    relay.close();
    play();
    await settle();
    expect(relay.views()).toEqual([{ ...counted, way: "inband", count: 0, lost: 1 }]);
  });

  it("sends a digit by INFO to a trunk that encrypts, for its tone would go in the clear", async () => {
    let infos = 0;
    const sendInfo: SendInfo = () => {
      infos += 1;
      return Promise.resolve(200);
    };
    const relay = relayTo("inband", { sendInfo }, "sdes");
    relay.onEvent("caller", "1", 100, true);
    await settle();
    expect(infos).toBe(1);
    expect(relay.views()).toEqual([{ ...counted, way: "info", count: 1 }]);
  });
});
