import { afterAll, afterEach } from "vitest";
import { Baresip } from "../harness/baresip.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import { Sipp } from "../harness/sipp.ts";
import { type Stage, useStage } from "./support.ts";

/** A stage with a door telephone that has a camera, 700, and a carrier that takes sound only, 600. */
export interface VideoStage extends Stage {
  readonly door: Baresip;
  readonly carrier: Sipp;
}

/** As `useStage`; after each test nothing may be left of its calls, and the pages are closed. */
export function useVideoStage(): () => VideoStage {
  let peers: Pick<VideoStage, "door" | "carrier"> | undefined;
  const stage = useStage(async () => {
    const [door, carrier] = await Promise.all([
      Baresip.start({ user: "700", video: true }),
      Sipp.start({ scenario: "uas-echo", calls: 0 }),
    ]);
    peers = { door, carrier };
    return {
      config: {
        trunks: {
          door: { peer: `sip:${door.address.host}:${door.address.port}`, video: true },
          carrier: { peer: `sip:${carrier.address.host}:${carrier.address.port}` },
        },
        dialplan: {
          routes: [
            { name: "door", to: "700", do: { dial: "door" } },
            { name: "carrier", to: "600", do: { dial: "carrier" } },
            { name: "colleagues", to: "@users", do: { ring: "@to" } },
          ],
        },
      },
    };
  });
  afterAll(async () => {
    await Promise.all([peers?.door.stop(), peers?.carrier.stop()]);
  });
  afterEach(async (context) => {
    const { gateway, ann, bob } = stage();
    if (context.task.result?.state !== "fail") await expectNothingLeft(gateway);
    await ann.closePages();
    await bob.closePages();
  });
  return () => {
    if (peers === undefined) throw new Error("the peers are not there yet");
    return { ...stage(), ...peers };
  };
}
