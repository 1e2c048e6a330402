/**
 * What a browser says of its sound, in SIP INFO inside its call: `application/vnd.offhook.quality+json`
 * without an INFO package. The dialog says whose it is, so nothing else has to; only numbers are
 * taken, and few octets of them.
 */
import { z } from "zod";

export const QUALITY_TYPE = "application/vnd.offhook.quality+json";
const MAX_OCTETS = 1024;

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const milliseconds = z.number().min(0).max(600_000).optional();

const schema = z.strictObject({
  inbound: z.strictObject({ packets: count, lost: count, jitterMs: milliseconds }),
  outbound: z.strictObject({ packets: count, lost: count, jitterMs: milliseconds }),
  iceRoundTripMs: milliseconds,
  roundTripMs: milliseconds,
  concealedShare: z.number().min(0).max(1),
});

/** Totals since the call began; jitter and round trips of the moment, in milliseconds. */
export type BrowserQuality = z.infer<typeof schema>;

/** @returns undefined when it is anything else */
export function tryParseQuality(body: Buffer): BrowserQuality | undefined {
  if (body.length > MAX_OCTETS) return undefined;
  try {
    return schema.safeParse(JSON.parse(body.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
