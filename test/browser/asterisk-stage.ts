import { afterEach } from "vitest";

import { type Asterisk, hasAsterisk } from "../harness/asterisk.ts";
import { expectNothingLeft } from "../harness/gateway-state.ts";
import type { useStage } from "./support.ts";

/** After each test nothing is left of its calls, in the gateway, in Asterisk or in a page. */
export function leaveNothingBehind(asterisk: () => Asterisk, stage: ReturnType<typeof useStage>) {
  afterEach(async (context) => {
    if (!hasAsterisk()) return;
    const { gateway, ann, bob } = stage();
    if (context.task.result?.state === "fail") await asterisk().hangUp();
    else await expectNothingLeft(gateway);
    for (const browser of [ann, bob]) await browser.closePages();
  });
}
