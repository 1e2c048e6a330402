import { beforeEach, describe, expect, it } from "vitest";

import { askRtpengine } from "./gateway-state.ts";
import { startGateway } from "./gateway.ts";
import { environmentFor, RTPENGINE_GENERATIONS, skipWithout } from "./rtpengine-generation.ts";
import { run } from "../../scripts/setup/progress.mjs";

describe.each(RTPENGINE_GENERATIONS)("rtpengine $version", (generation) => {
  beforeEach((context) => skipWithout(generation, context));

  it("is that one", async () => {
    const [program = "", ...args] = generation.command ?? [];
    const { output } = await run(program, [...args, "--config-file=none", "--version"]);
    expect(output).toContain(`Version: ${generation.version}.`);
  });

  it("is started and watched by a gateway with media.rtpengine: managed, without a complaint", async () => {
    await using gateway = await startGateway({ env: await environmentFor(generation) });
    expect(await askRtpengine(gateway, "list", { limit: 10 })).toMatchObject({ calls: [] });
    const complaints = gateway.logs().filter(({ msg }) => msg.startsWith("rtpengine: "));
    expect(complaints.map(({ text }) => text)).toEqual([]);
  });
});
