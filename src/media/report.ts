import type { NgReply } from "./ng-client.ts";
import { isDictionary } from "./ng-client.ts";
import type { LegHealth, MediaReport, StreamQuality } from "./session.ts";

/**
 * Reads the statistics of a `query` reply, in the shape of rtpengine 10.5 as well as 26: `tags`
 * with `medias` with `streams`, and `SSRC` with scores in tenths.
 *
 * Packets are taken from the streams: 26 counts those below `SSRC` twice when it transcodes.
 *
 * @param tags the legs to report; rtpengine invents tags for branches that were never answered
 */
export function readMediaStatistics(
  reply: NgReply,
  tags: Iterable<string>,
): Pick<MediaReport, "isTranscoded" | "packetsFrom" | "quality" | "mos"> {
  const byTag = dictionary(reply["tags"]);
  let isTranscoded = false;
  const packetsFrom: Record<string, number> = {};
  const quality: Record<string, StreamQuality> = {};
  for (const tag of tags) {
    const monologue = byTag[tag];
    if (monologue === undefined) continue;
    let packets = 0;
    let errors = 0;
    const sources: string[] = [];
    for (const media of list(dictionary(monologue)["medias"])) {
      // Video that flows says nothing about sound that does not.
      if (dictionary(media)["type"] === "video") continue;
      isTranscoded ||= list(dictionary(media)["flags"]).includes("transcoding");
      for (const stream of list(dictionary(media)["streams"])) {
        const { flags, stats } = dictionary(stream);
        if (!list(flags).includes("RTP")) continue;
        packets += number(dictionary(stats)["packets"]) ?? 0;
        errors += number(dictionary(stats)["errors"]) ?? 0;
        sources.push(...sourcesOf(dictionary(stream)));
      }
    }
    // The tags are ours: none is a name of the prototype.
    packetsFrom[tag] = packets;
    quality[tag] = { packets, errors, ...reportsOf(reply, sources) };
  }
  const mos = lowestMos(reply);
  return {
    isTranscoded,
    packetsFrom,
    quality,
    ...(mos === undefined ? {} : { mos }),
  };
}

/** The SSRCs of what a stream receives: 10.5 has one, later ones a list. */
function sourcesOf(stream: Readonly<Record<string, unknown>>): readonly string[] {
  const listed = list(stream["ingress SSRCs"])
    .map((one) => number(dictionary(one)["SSRC"]))
    .filter((ssrc) => ssrc !== undefined);
  const own = number(stream["SSRC"]);
  return [...listed, ...(own === undefined ? [] : [own])].map(String);
}

/**
 * What these sources report of the sound that they receive: rtpengine keeps a report under the SSRC
 * that sent it. Of several, the last one that has sent any.
 */
function reportsOf(
  reply: NgReply,
  sources: readonly string[],
): Omit<StreamQuality, "packets" | "errors"> {
  const all = dictionary(reply["SSRC"]);
  for (const source of sources.toReversed()) {
    const reports = dictionary(all[source]);
    const average = dictionary(reports["average MOS"]);
    const tenths = number(average["MOS"]);
    if (tenths === undefined || tenths <= 0) continue;
    const lowest = number(dictionary(reports["lowest MOS"])["MOS"]);
    const jitterMs = number(average["jitter"]);
    const roundTripUs = number(average["round-trip time"]);
    const lossPercent = number(average["packet loss"]);
    return {
      mos: tenths / 10,
      ...(lowest === undefined ? {} : { lowestMos: lowest / 10 }),
      ...(jitterMs === undefined ? {} : { jitterMs }),
      ...(roundTripUs === undefined ? {} : { roundTripMs: Math.round(roundTripUs / 100) / 10 }),
      ...(lossPercent === undefined ? {} : { lossPercent }),
    };
  }
  return {};
}

/** A few may be a stranger's, or have come before the keys: that says nothing. */
const UNREADABLE_PACKETS = 3;

/**
 * What has come from each leg, out of a `query` reply. A stream with DTLS is secured once its flags
 * say that the fingerprint was verified.
 */
export function readLegHealth(
  reply: NgReply,
  tags: Iterable<string>,
): Readonly<Record<string, LegHealth>> {
  const byTag = dictionary(reply["tags"]);
  const health: [string, LegHealth][] = [];
  for (const tag of tags) {
    const monologue = byTag[tag];
    if (monologue === undefined) continue;
    let packets = 0;
    let errors = 0;
    let hasDtls = false;
    let isVerified = false;
    let hasPath = false;
    for (const media of list(dictionary(monologue)["medias"])) {
      const { protocol, streams } = dictionary(media);
      hasDtls ||= typeof protocol === "string" && protocol.includes("TLS");
      for (const stream of list(streams)) {
        const { flags, stats } = dictionary(stream);
        hasPath ||= list(flags).includes("confirmed");
        isVerified ||= list(flags).includes("DTLS fingerprint verified");
        packets += number(dictionary(stats)["packets"]) ?? 0;
        errors += number(dictionary(stats)["errors"]) ?? 0;
      }
    }
    const isUnreadable = hasDtls && packets === 0 && errors >= UNREADABLE_PACKETS;
    health.push([tag, { packets, isSecured: !hasDtls || isVerified, hasPath, isUnreadable }]);
  }
  return Object.fromEntries(health);
}

/** Two reports of one call, one after the other; undefined is one that there is not. */
export function addReports(before: MediaReport | undefined, last: MediaReport): MediaReport;
export function addReports(
  before: MediaReport | undefined,
  last: MediaReport | undefined,
): MediaReport | undefined;
export function addReports(
  before: MediaReport | undefined,
  last: MediaReport | undefined,
): MediaReport | undefined {
  if (before === undefined || last === undefined) return last ?? before;
  const packetsFrom: Record<string, number> = { ...before.packetsFrom };
  for (const [tag, packets] of Object.entries(last.packetsFrom)) {
    packetsFrom[tag] = (packetsFrom[tag] ?? 0) + packets;
  }
  const scores = [before.mos, last.mos].filter((mos) => mos !== undefined);
  return {
    ...last,
    isTranscoded: before.isTranscoded || last.isTranscoded,
    packetsFrom,
    quality: addQualities(before.quality ?? {}, last.quality ?? {}),
    ...(scores.length === 0 ? {} : { mos: Math.min(...scores) }),
  };
}

type Qualities = NonNullable<MediaReport["quality"]>;

function addQualities(before: Qualities, last: Qualities): Qualities {
  const sum: Record<string, StreamQuality> = { ...before };
  for (const [tag, quality] of Object.entries(last)) {
    const earlier = before[tag];
    sum[tag] = earlier === undefined ? quality : addQuality(earlier, quality);
  }
  return sum;
}

/** What is counted is added, what is averaged counts for as many packets as it is about. */
function addQuality(before: StreamQuality, last: StreamQuality): StreamQuality {
  const packets = before.packets + last.packets;
  const share = packets === 0 ? 0 : before.packets / packets;
  const averages: { [Key in (typeof AVERAGES)[number]]?: number } = {};
  for (const key of AVERAGES) {
    const [earlier = last[key], later = before[key]] = [before[key], last[key]];
    if (earlier === undefined || later === undefined) continue;
    averages[key] = Math.round((earlier * share + later * (1 - share)) * 100) / 100;
  }
  const lowest = [before.lowestMos, last.lowestMos].filter((mos) => mos !== undefined);
  return {
    packets,
    errors: before.errors + last.errors,
    ...averages,
    ...(lowest.length === 0 ? {} : { lowestMos: Math.min(...lowest) }),
  };
}

const AVERAGES = ["mos", "jitterMs", "roundTripMs", "lossPercent"] as const;

function lowestMos(reply: NgReply): number | undefined {
  let lowest: number | undefined;
  for (const ssrc of Object.values(dictionary(reply["SSRC"]))) {
    const tenths = number(dictionary(dictionary(ssrc)["lowest MOS"])["MOS"]);
    if (tenths === undefined || tenths <= 0) continue;
    if (lowest === undefined || tenths / 10 < lowest) lowest = tenths / 10;
  }
  return lowest;
}

function dictionary(value: unknown): Readonly<Record<string, unknown>> {
  return isDictionary(value) ? value : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
