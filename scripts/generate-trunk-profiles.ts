import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { PROFILES } from "../src/config/profiles/all.ts";
import { formatProfileValue, type TrunkProfile } from "../src/config/profiles/profile.ts";

/**
 * Writes docs/trunk-profiles.md from src/config/profiles/. A test holds the page equal to what this
 * makes.
 */

const HEAD = `<!-- Made by scripts/generate-trunk-profiles.ts from src/config/profiles/. Change the text there. -->

# Profiles of trunks

\`profile: NAME\` in a trunk sets what differs in a kind of PBX or a carrier. What the trunk says itself goes first, key by key; \`npx offhook check\` prints what the profile sets.

\`\`\`yaml
trunks:
  office:
    peer: sip:pbx.example.com:5060
    profile: asterisk
    ping: 1m                # goes before the profile's
\`\`\`

A trunk without a profile gets one proposed when the first answer to OPTIONS, or the first call, says in Server or User-Agent what the peer is: \`proposedProfile\` at [\`/api/v1/trunks\`](api.md), and one line in the log. It is never applied by itself: anybody who answers could change how he is treated.

The profiles come from what makers and carriers publish. This project has met Asterisk and Kamailio in its tests, and none of the others: where your contract or your release says otherwise, write the key into the trunk. No profile sets a secret, an address, or what a call may cost.
`;

/** docs/trunk-profiles.md, as text. */
export function renderProfiles(): string {
  const rows = PROFILES.map(
    ({ name, title, agents }) =>
      `| [\`${name}\`](#${name}) | ${title} | ${agents.map((agent) => `\`${agent}\``).join(", ")} |`,
  );
  return `${[
    HEAD,
    "| profile | for | proposed when the agent has |",
    "| --- | --- | --- |",
    ...rows,
    "",
    ...PROFILES.map((profile) => renderProfile(profile)),
  ].join("\n")}\n`;
}

function renderProfile({ name, title, peer, keys, notes }: TrunkProfile): string {
  const rows = Object.entries(keys).map(
    ([key, { value, why }]) => `| \`${key}\` | \`${formatProfileValue(value)}\` | ${why} |`,
  );
  return [
    `## ${name}`,
    "",
    `${title}. \`peer: ${peer}\``,
    "",
    "| key | value | why |",
    "| --- | --- | --- |",
    ...rows,
    "",
    ...notes.map((note) => `- ${note}`),
    "",
  ].join("\n");
}

/** Where the page belongs. */
export const PROFILES_PAGE = fileURLToPath(new URL("../docs/trunk-profiles.md", import.meta.url));

if (import.meta.main) writeFileSync(PROFILES_PAGE, renderProfiles().trimEnd() + "\n");
