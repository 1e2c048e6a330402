import { describe, expect, it } from "vitest";

import { choiceAfterOffer, chooseCodecs, type CodecChoice } from "../../src/call/codec-choice.ts";

describe("how the codecs of a call are chosen", () => {
  const nobody = { route: undefined, calleeTrunk: undefined, callerTrunk: undefined } as const;

  it("by the route, then the trunk that is called, then the calling trunk, then the default", () => {
    const all = {
      route: "opus",
      calleeTrunk: "narrow",
      callerTrunk: "auto",
      usual: "narrow",
    } as const;
    expect(chooseCodecs(all)).toEqual({ policy: "opus", by: "route" });
    expect(chooseCodecs({ ...all, route: undefined })).toEqual({ policy: "narrow", by: "trunk" });
    expect(chooseCodecs({ ...nobody, callerTrunk: "auto", usual: "opus" })).toEqual({
      policy: "auto",
      by: "trunk",
    });
    expect(chooseCodecs({ ...nobody, usual: "auto" })).toEqual({ policy: "auto", by: "default" });
  });

  it("by the phone, when it offers Opus alone, until it offers others again", () => {
    const usual: CodecChoice = { policy: "auto", by: "default" };
    const asked = choiceAfterOffer(usual, usual, ["opus"]);
    expect(asked).toEqual({ policy: "opus", by: "phone" });
    expect(choiceAfterOffer(asked, usual, ["opus"])).toEqual(asked);
    expect(choiceAfterOffer(asked, usual, ["opus", "pcmu"])).toBe(usual);
  });

  it("is left alone by any other offer", () => {
    const usual: CodecChoice = { policy: "auto", by: "trunk" };
    expect(choiceAfterOffer(usual, usual, ["opus", "g722", "pcmu"])).toBe(usual);
    expect(choiceAfterOffer(usual, usual, ["pcmu"])).toBe(usual);
    expect(choiceAfterOffer(usual, usual, [])).toBe(usual);
    const opus: CodecChoice = { policy: "opus", by: "route" };
    expect(choiceAfterOffer(opus, opus, ["opus"])).toBe(opus);
  });
});
