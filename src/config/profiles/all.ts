import type { TrunkProfile } from "./profile.ts";
import { einsUndEins } from "./1und1.ts";
import { threeCx } from "./3cx.ts";
import { asterisk } from "./asterisk.ts";
import { bandwidth } from "./bandwidth.ts";
import { ciscoCube } from "./cisco-cube.ts";
import { ciscoCucm } from "./cisco-cucm.ts";
import { freeswitch } from "./freeswitch.ts";
import { fritzbox } from "./fritzbox.ts";
import { kamailio } from "./kamailio.ts";
import { opensips } from "./opensips.ts";
import { ovh } from "./ovh.ts";
import { plivo } from "./plivo.ts";
import { sipgate } from "./sipgate.ts";
import { teams } from "./teams.ts";
import { telekom } from "./telekom.ts";
import { telnyx } from "./telnyx.ts";
import { twilio } from "./twilio.ts";
import { vodafone } from "./vodafone.ts";

/** Every profile, PBXs first. */
export const PROFILES: readonly TrunkProfile[] = [
  asterisk,
  freeswitch,
  threeCx,
  ciscoCucm,
  ciscoCube,
  teams,
  twilio,
  telnyx,
  plivo,
  bandwidth,
  sipgate,
  telekom,
  vodafone,
  einsUndEins,
  ovh,
  fritzbox,
  kamailio,
  opensips,
];

/** The profile of this name. */
export function findProfile(name: string): TrunkProfile | undefined {
  return PROFILES.find((profile) => profile.name === name);
}

/** A text that is longer is cut before it is looked at: anybody may have written it. */
const MAX_AGENT = 200;

/** The profile that fits a Server or User-Agent. */
export function profileOfAgent(agent: string): TrunkProfile | undefined {
  const text = agent.slice(0, MAX_AGENT).toLowerCase();
  return PROFILES.find(({ agents }) => agents.some((part) => text.includes(part)));
}
