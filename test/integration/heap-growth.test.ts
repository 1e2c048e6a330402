import { totalmem } from "node:os";
import { expect, it } from "vitest";

import { browserSdp } from "../harness/browser-sdp.ts";
import { type Gateway, startGateway } from "../harness/gateway.ts";
import { freePorts } from "../harness/ports.ts";
import { delay, waitFor } from "../harness/wait.ts";
import { WsCaller } from "../harness/ws-caller.ts";

const CALLS = 50;
/** Of rtpengine: a call takes four. */
const PORTS = 4 * CALLS + 10;

async function growthPercent(gateway: Gateway): Promise<number> {
  const { body } = await gateway.api("/metrics");
  return Number(/^offhook_heap_growth_percent (\d+)$/m.exec(String(body))?.[1]);
}

it("a gateway with calls to carry marks its heap less often", async ({ skip }) => {
  if (totalmem() < 4e9) skip("with less than 4 GB there is no room for it");
  const firstPort = await freePorts(PORTS);
  await using gateway = await startGateway({
    config: {
      media: { ports: `${firstPort}-${firstPort + PORTS - 1}` },
      dialplan: { routes: [{ name: "echo", to: "*43", do: "echo" }] },
      limits: { "max-calls-per-user": CALLS },
    },
  });
  const caller = await WsCaller.signIn(gateway, "1001");
  const sdp = browserSdp({ direction: "inactive" });
  await Promise.all(Array.from({ length: CALLS - 1 }, () => caller.call("*43", { sdp })));
  // It looks once a second.
  await delay(1500);
  expect(await growthPercent(gateway)).toBe(60);
  await caller.call("*43", { sdp });
  await waitFor(async () => (await growthPercent(gateway)) > 60, { what: "more room" });
  await caller.cut();
});
