import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { PROFILES_PAGE, renderProfiles } from "../../scripts/generate-trunk-profiles.ts";

describe("docs/trunk-profiles.md", () => {
  it("is what scripts/generate-trunk-profiles.ts makes", () => {
    expect(readFileSync(PROFILES_PAGE, "utf8").trimEnd()).toBe(renderProfiles().trimEnd());
  });
});
