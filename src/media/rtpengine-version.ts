/**
 * What is known of the releases of rtpengine: which flags they understand and which holes they
 * have. Numbers are those of upstream's `mr` releases, which Debian keeps: `10.5.3.5-1+deb12u1`.
 */

import type { NgValue } from "./ng-client.ts";

/** The numbers of a release, most significant first. */
export type RtpengineVersion = readonly number[];

/** Reads `10.5.3.5-1+deb12u1`, `rtpengine-26.0.1.26`, `Version: mr13.4.1.2`, … */
export function tryParseVersion(text: string): RtpengineVersion | undefined {
  const numbers = /(?:^|[^0-9.])([0-9]{1,4}(?:\.[0-9]{1,4}){1,4})/.exec(text.slice(0, 200))?.[1];
  return numbers?.split(".").map(Number);
}

/** Whether a release is `least` or a later one. */
export function isAtLeast(version: RtpengineVersion, least: RtpengineVersion): boolean {
  for (const [index, wanted] of least.entries()) {
    const has = version[index] ?? 0;
    if (has !== wanted) return has > wanted;
  }
  return true;
}

/**
 * The release that rtpengine names in STUN, where it writes everything but letters and digits as a
 * dash: `rtpengine-10-5-3-5-1-deb12u1` is 10.5.3.5-1+deb12u1.
 */
export function releaseOfSoftware(software: string): string {
  const text = software.replace(/^rtpengine-/, "");
  const parts = /^([0-9]+)-([0-9]+)-([0-9]+)-([0-9]+)(?:-(.*))?$/.exec(text);
  if (parts === null) return text;
  const [, major, minor, patch, build, rest = ""] = parts;
  const packaging = rest.replace(/-(?=deb[0-9])/, "+");
  return `${major}.${minor}.${patch}.${build}${packaging === "" ? "" : `-${packaging}`}`;
}

/** What one rtpengine can do, found out once when it is reached. */
export interface RtpengineCapabilities {
  /** As it tells it; undefined when it told none. */
  readonly versionText: string | undefined;
  readonly version: RtpengineVersion | undefined;
  /** mr11.3 and later write `a=tls-id`, and end DTLS at an ICE restart without one. */
  readonly hasTlsId: boolean;
}

export const UNKNOWN_CAPABILITIES: RtpengineCapabilities = {
  versionText: undefined,
  version: undefined,
  hasTlsId: false,
};

/**
 * Flags of the ng key `flags` that an older rtpengine does not know, with the first release that
 * does. Unknown ones are left out: 10.5 logs a warning at each, and ignores it.
 */
const FLAGS_SINCE: ReadonlyMap<string, RtpengineVersion> = new Map([
  ["no tls-id", [26, 0]],
  ["recrypt", [13, 4, 1]],
  ["static codecs", [11, 5]],
  ["allow asymmetric codecs", [11, 5]],
  ["allow no codec media", [11, 5]],
  ["block short", [11, 5]],
]);

/** Flags that came to mean something else, with the first release in which they do. */
const FLAGS_BEFORE: ReadonlyMap<string, RtpengineVersion> = new Map([
  // The source of the first packet, whoever sent it, is taken for the only one: see `learningFlags`.
  ["asymmetric", [11, 0]],
]);

/** The flags that this rtpengine knows, out of those that a profile asks for. */
export function knownFlags(
  flags: readonly NgValue[],
  { version }: RtpengineCapabilities,
): readonly NgValue[] {
  const isKnown = (flag: NgValue): boolean => {
    const [since, before] =
      typeof flag === "string" ? [FLAGS_SINCE.get(flag), FLAGS_BEFORE.get(flag)] : [];
    if (since === undefined && before === undefined) return true;
    if (version === undefined) return false;
    return before === undefined ? isAtLeast(version, since ?? []) : !isAtLeast(version, before);
  };
  return flags.every(isKnown) ? flags : flags.filter(isKnown);
}

/** A known hole, and what stands against it here. */
export interface KnownHole {
  readonly id: string;
  readonly what: string;
  readonly mitigation: string;
}

const DTLS_RACE: KnownHole = {
  id: "CVE-2023-51275",
  what: "one DTLS ClientHello from a stranger's address during set-up ends the encryption of a call",
  mitigation:
    "the gateway notices a call without DTLS and negotiates it anew; close it with rtpengine 10.5.6.3, 11.5.1.16, 12.0.1.3 or later",
};
const RTP_INJECT: KnownHole = {
  id: "CVE-2025-53399",
  what: "a stranger can send into, or receive, the sound of a call whose peer's address is learned",
  mitigation:
    "every leg is negotiated with strict source, and with a heuristic or no learning; close it with rtpengine 13.4.1.1 or later, 12.5.1.35, 11.5.1.41, or Debian 12's 10.5.3.5-1+deb12u1",
};

/** The holes that an rtpengine is known to have; all of them when its version is unknown. */
export function knownHoles(capabilities: RtpengineCapabilities): readonly KnownHole[] {
  const { version, versionText } = capabilities;
  if (version === undefined) return [DTLS_RACE, RTP_INJECT];
  return [
    ...(hasDtlsFix(version) ? [] : [DTLS_RACE]),
    ...(hasInjectFix(version, versionText ?? "") ? [] : [RTP_INJECT]),
  ];
}

/** Fixed on each of the branches that were alive: mr10.5.6.3, mr11.5.1.16, mr12.0.1.3. */
function hasDtlsFix(version: RtpengineVersion): boolean {
  const [major = 0, minor = 0] = version;
  if (major === 10 && minor === 5) return isAtLeast(version, [10, 5, 6, 3]);
  if (major === 11 && minor === 5) return isAtLeast(version, [11, 5, 1, 16]);
  return isAtLeast(version, [12, 0, 1, 3]);
}

/**
 * The heuristic that takes a foreign packet for the peer's was mended in mr13.4.1.1, and in these
 * releases of the branches that were alive. Debian has carried it back to 10.5.3.5-1+deb12u1, by its
 * changelog; Debian 13's 12.5.1.31-1 has it not.
 */
const INJECT_FIXES: readonly RtpengineVersion[] = [
  [10, 5, 8, 5],
  [10, 5, 9, 1],
  [11, 5, 1, 41],
  [12, 5, 1, 35],
  [13, 2, 1, 14],
  [13, 3, 1, 6],
];

function hasInjectFix(version: RtpengineVersion, text: string): boolean {
  if (isAtLeast(version, [13, 4, 1, 1])) return true;
  if (isAtLeast(version, [10, 5, 3, 5]) && /\+deb12u[1-9]/.test(text)) return true;
  return INJECT_FIXES.some(
    (fix) =>
      fix.slice(0, 3).every((number, index) => version[index] === number) &&
      isAtLeast(version, fix),
  );
}
