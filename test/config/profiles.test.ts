import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { tryLoadConfigText } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { valuesOfProfile } from "../../src/config/profile-defaults.ts";
import { PROFILES, profileOfAgent } from "../../src/config/profiles/all.ts";

function trunkOf(keys: string) {
  const result = tryLoadConfigText(
    `users: { 1001: { password: x } }\ntrunks: { a: { peer: "sip:carrier.example", ${keys} } }`,
    "offhook.yaml",
    {},
  );
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  return { trunk: result.config.trunks.get("a"), warnings: result.config.warnings };
}

describe("profiles of trunks", () => {
  it("are one file each, and each is in the list", () => {
    const files = readdirSync(new URL("../../src/config/profiles", import.meta.url))
      .map((file) => file.replace(/\.ts$/, ""))
      .filter((name) => !["all", "profile"].includes(name));
    expect(PROFILES.map(({ name }) => name).toSorted()).toEqual(files.toSorted());
  });

  it.each(PROFILES.map((profile) => [profile.name, profile] as const))(
    "%s has values that a file may have, and each says why",
    (_name, profile) => {
      const values = valuesOfProfile(profile);
      // Every key of it is one that the configuration knows, and does something with.
      expect(Object.keys(values).toSorted()).toEqual(
        ["peer", ...Object.keys(profile.keys)].toSorted(),
      );
      for (const { why } of Object.values(profile.keys)) expect(why.length).toBeGreaterThan(20);
      expect(profile.notes.length).toBeGreaterThan(0);
    },
  );

  it("set what the trunk does not say", () => {
    const { trunk } = trunkOf("profile: teams, ping: 5s, codecs: [PCMU]");
    expect(trunk).toMatchObject({
      srtp: "sdes",
      pingMs: 5000,
      codecs: ["PCMU"],
      identity: { isTrusted: true, header: "pai", numbers: "e164", isPhone: true },
    });
    expect(trunk?.profile?.applied).not.toContain("ping");
    expect(trunk?.profile?.applied).toContain("srtp");
  });

  it("take the account for From only where there is one", () => {
    const own = trunkOf("profile: sipgate, register: { username: 123t0, password: x }");
    expect(own.trunk?.identity).toMatchObject({ fromUser: "123t0", fromHost: "carrier.example" });
    expect(own.warnings.join("\n")).not.toContain("from-user");
    const none = trunkOf("profile: sipgate");
    expect(none.trunk?.identity).not.toHaveProperty("fromUser");
    expect(none.warnings.join("\n")).toContain("trunks.a.from-user");
  });

  it("are known by name alone, with what was probably meant", () => {
    const result = tryLoadConfigText("trunks: { a: { peer: sip:x, profile: asterix } }", "f", {});
    expect(result.ok ? "" : result.problems.map(formatProblem).join()).toContain("asterisk");
  });

  it.each([
    ["Asterisk PBX 22.1.0", "asterisk"],
    ["FPBX-16.0.40.7(18.20.2)", "asterisk"],
    ["FreeSWITCH-mod_sofia/1.10.11-release~64bit", "freeswitch"],
    ["3CXPhoneSystem 18.0.9.20 (20)", "3cx"],
    ["Cisco-CUCM14.0", "cisco-cucm"],
    ["Cisco-SIPGateway/IOS-17.9.4a", "cisco-cube"],
    ["Microsoft.PSTNHub.SIPProxy v.2024.5.30.4 i.EUWE.1", "teams"],
    ["Twilio Gateway", "twilio"],
    ["FRITZ!OS", "fritzbox"],
    ["kamailio (5.6.3 (x86_64/linux))", "kamailio"],
    ["OpenSIPS (3.4.2 (x86_64/linux))", "opensips"],
    ["Yealink SIP-T46U", undefined],
    [`${"x".repeat(5000)}asterisk`, undefined],
  ])("%s is %s", (agent, name) => {
    expect(profileOfAgent(agent)?.name).toBe(name);
  });
});
