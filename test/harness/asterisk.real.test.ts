import { describe, expect, it } from "vitest";

import { useAsterisk } from "./asterisk.ts";
import { Sipp } from "./sipp.ts";

describe("the harness's Asterisk", () => {
  const asterisk = useAsterisk();

  it("is version 22, with all its trunks and without a warning", async () => {
    expect(await asterisk().command("core show version")).toContain("Asterisk 22.");
    const endpoints = await asterisk().command("pjsip list endpoints");
    for (const trunk of ["plain", "g722", "opus", "inband", "info", "sdes", "direct", "hold"]) {
      expect(endpoints).toContain(trunk);
    }
    const complaints = (await asterisk().log()).filter((line) => /WARNING|ERROR/.test(line));
    expect(complaints).toEqual([]);
  });

  it("tells its trunks apart by the address that is called", async () => {
    await using sipp = await Sipp.start({
      scenario: "uac-call",
      remote: asterisk().address("g722"),
      service: "600",
    });
    // G.711 was offered, and this trunk takes G.722 alone.
    expect(await sipp.finished()).toMatchObject({ failedCalls: 1 });
    await using other = await Sipp.start({
      scenario: "uac-call",
      remote: asterisk().address("plain"),
      service: "600",
    });
    expect(await other.finished()).toMatchObject({ failedCalls: 0 });
  });
});
