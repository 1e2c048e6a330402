import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  assertedIdentity,
  diversionsOf,
  preferredIdentity,
  wantsPrivacy,
} from "../../src/signaling/caller-claims.ts";
import { diversionFields } from "../../src/signaling/identity-headers.ts";
import { Headers } from "../../src/signaling/message/headers.ts";

const of = (...fields: (readonly [string, string])[]) => Headers.of(fields);

describe("RFC 3325 identities beside From", () => {
  it.each([
    ['"Carla" <sip:+4930@x.example;user=phone>', { user: "+4930", displayName: "Carla" }],
    ["<tel:+49-30-55>", { user: "+493055" }],
    ["<sip:+4930;cpc=ordinary@x.example>", { user: "+4930" }],
    ["tel:+4930, <sip:+4930@x.example>", { user: "+4930" }],
    ["<https://x.example/carla>, <sip:12@x.example>", { user: "12" }],
    ["<sip:x.example>", undefined],
    ["<sip:", undefined],
    ['"unfinished <sip:1@x.example>', undefined],
    ["", undefined],
  ])("reads %s", (value, identity) => {
    expect(assertedIdentity(of(["P-Asserted-Identity", value]))).toEqual(identity);
    expect(preferredIdentity(of(["P-Preferred-Identity", value]))).toEqual(identity);
  });

  it("takes a Remote-Party-ID of the calling party where nothing is asserted", () => {
    const called: readonly [string, string] = ["Remote-Party-ID", "<sip:1@x>;party=called"];
    const calling: readonly [string, string] = ["Remote-Party-ID", "<sip:2@x>;party=calling"];
    expect(assertedIdentity(of(called, calling))).toEqual({ user: "2" });
    expect(assertedIdentity(of(calling, ["P-Asserted-Identity", "<sip:3@x>"]))?.user).toBe("3");
  });

  it.each([
    ["id", true],
    ["user;id;critical", true],
    ["none", false],
    ["header;session", false],
    ["identity", false],
  ])("reads Privacy: %s", (value, isPrivate) => {
    expect(wantsPrivacy(of(["Privacy", value]))).toBe(isPrivate);
  });
});

describe("RFC 5806, RFC 7044 forwards", () => {
  it("are read from Diversion, five at most, with reasons that exist", () => {
    const one = "<sip:1@x>;reason=no-answer;counter=1";
    expect(diversionsOf(of(["Diversion", `${one}, <sip:2@x>;reason="bad\tthing"`]))).toEqual([
      { user: "1", reason: "no-answer" },
      { user: "2", reason: "unknown" },
    ]);
    expect(diversionsOf(of(["Diversion", Array(50).fill(one).join(",")]))).toHaveLength(5);
  });

  it("come out of History-Info as they went in", () => {
    const style = { host: "x.example", isPhone: false };
    const forwards = [
      { user: "2", reason: "user-busy" },
      { user: "1", reason: "no-answer" },
    ];
    const fields = diversionFields("history-info", forwards, "3", style);
    expect(fields.map(([, value]) => value)).toEqual([
      "<sip:1@x.example>;index=1",
      "<sip:2@x.example;cause=408>;index=1.1;mp=1",
      "<sip:3@x.example;cause=486>;index=1.1.1;mp=1.1",
    ]);
    expect(diversionsOf(of(...fields))).toEqual(forwards);
  });
});

describe("anything at all", () => {
  it("is an identity or none, and never a fault", () => {
    const value = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc
        .array(
          fc.constantFrom(
            "<",
            ">",
            '"',
            ",",
            ";",
            "sip:",
            "tel:",
            "+49",
            "@x",
            "cause=486",
            "\\",
            " ",
          ),
        )
        .map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(value, (text) => {
        const names = [
          "P-Asserted-Identity",
          "P-Preferred-Identity",
          "Remote-Party-ID",
          "Privacy",
          "Diversion",
          "History-Info",
        ];
        const keys = names.map((name) => name.toLowerCase());
        const headers = Headers.ofChecked(
          names,
          keys,
          names.map(() => text),
        );
        for (const identity of [assertedIdentity(headers), preferredIdentity(headers)]) {
          expect(identity?.user).not.toBe("");
        }
        expect(typeof wantsPrivacy(headers)).toBe("boolean");
        expect(diversionsOf(headers).length).toBeLessThanOrEqual(5);
      }),
    );
  });

  it("takes no longer for long values", () => {
    const long = '<sip:1@x>;a="'.repeat(5000);
    const headers = of(["P-Asserted-Identity", long], ["Diversion", "<sip:1@x>,".repeat(400)]);
    const before = performance.now();
    expect(assertedIdentity(headers)).toBeUndefined();
    expect(diversionsOf(headers)).toHaveLength(5);
    expect(performance.now() - before).toBeLessThan(200);
  });
});
