import { MediaError } from "./errors.ts";
import type { NgArguments } from "./ng-client.ts";
import type { SoundCommand } from "./playback.ts";

/** A copy for a receiver of ours: plain RTP, and PCMU whatever the leg speaks. */
const COPY_PROFILE: NgArguments = {
  "transport-protocol": "RTP/AVP",
  ICE: "remove",
  DTLS: "off",
  SDES: ["off"],
  "rtcp-mux": ["demux"],
  codec: { transcode: ["PCMU"] },
};

/**
 * Its receiver is where its answer says. Whatever else comes to the copy's port, such as the last
 * packets of a call that had the port before, would else be taken for it, and get the copy.
 */
const NO_LEARNING = ["strict source", "endpoint-learning-off"];

/**
 * Has rtpengine copy what it receives from a leg.
 *
 * @param receiver the ng tag of the copy
 * @param answer makes the receiver's answer to rtpengine's offer
 * @throws MediaError
 */
export async function subscribeCopy(
  command: SoundCommand,
  tag: string,
  receiver: string,
  answer: (offer: string) => string,
): Promise<void> {
  const tags = { "from-tag": tag, "to-tag": receiver };
  const { sdp } = await command("subscribe request", { ...tags, ...COPY_PROFILE });
  if (typeof sdp !== "string") {
    throw new MediaError("ERR_OFFHOOK_MEDIA_REFUSED", "rtpengine offered no copy");
  }
  await command("subscribe answer", { ...tags, flags: NO_LEARNING, sdp: answer(sdp) });
}
