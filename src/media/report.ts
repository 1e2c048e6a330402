import type { NgReply } from "./ng-client.ts";
import { isDictionary } from "./ng-client.ts";
import type { MediaReport } from "./session.ts";

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
): Pick<MediaReport, "isTranscoded" | "packetsFrom" | "mos"> {
  const byTag = dictionary(reply["tags"]);
  let isTranscoded = false;
  const packetsFrom: [string, number][] = [];
  for (const tag of tags) {
    const monologue = byTag[tag];
    if (monologue === undefined) continue;
    let packets = 0;
    for (const media of list(dictionary(monologue)["medias"])) {
      isTranscoded ||= list(dictionary(media)["flags"]).includes("transcoding");
      for (const stream of list(dictionary(media)["streams"])) {
        const { flags, stats } = dictionary(stream);
        if (list(flags).includes("RTP")) packets += number(dictionary(stats)["packets"]) ?? 0;
      }
    }
    packetsFrom.push([tag, packets]);
  }
  const mos = lowestMos(reply);
  return {
    isTranscoded,
    packetsFrom: Object.fromEntries(packetsFrom),
    ...(mos === undefined ? {} : { mos }),
  };
}

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
