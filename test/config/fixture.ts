import { readFileSync } from "node:fs";

import { tryLoadConfigText } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";

/** The example of the contract, whole. */
export const contract = readFileSync(
  new URL("../fixtures/config/contract.yaml", import.meta.url),
  "utf8",
);

/** The variables that it asks for. */
export const contractEnvironment = {
  TURN_SECRET: "turn-secret",
  OFFHOOK_ADMIN_TOKEN: "admin-token-of-32-characters-long",
};

/** A machine with one network card. */
export const interfaces = {
  eth0: [
    {
      address: "192.0.2.2",
      netmask: "255.255.255.0",
      family: "IPv4" as const,
      mac: "02:00:00:00:00:01",
      internal: false,
      cidr: "192.0.2.2/24",
    },
  ],
};

/** Every mistake of a file, as check prints it; empty when it loads. */
export function mistakes(
  text: string,
  variables: Readonly<Record<string, string>> = {},
): readonly string[] {
  const result = tryLoadConfigText(text, "f.yaml", variables, { interfaces });
  return result.ok ? [] : result.problems.map(formatProblem);
}
