import type { Codec } from "./codecs.ts";
import { codecsOf, isSpeech, isTelephoneEvent, speechCodecsOf } from "./codecs.ts";
import type { NgReply } from "./ng-client.ts";
import type { Sdp } from "./sdp.ts";
import { formatSdp, parseSdp } from "./sdp.ts";
import type { AnswerCommand, BranchState, OfferCommand } from "./session-state.ts";
import { withFlags } from "./session-state.ts";

/**
 * RFC 6337 §3.1.1: all answers to one offer are the same, in a 183 as in the 200; many callers read
 * the first one alone. So the first codec that a caller was answered with is a promise, whoever
 * answers in the end: another fork, or the next trunk.
 *
 * When an answer would break it, the attempt is offered anew with the promised codec alone, and
 * rtpengine makes the answerer's out of it.
 *
 * @returns rtpengine's reply that keeps the promise, or the first one when it cannot be kept
 */
export async function keepPromise(
  parts: {
    /** In lower case; undefined: nothing was promised. */
    readonly promised: string | undefined;
    readonly state: BranchState;
    readonly answer: AnswerCommand;
    /** The answerer's codec. */
    readonly codec: Codec | undefined;
    readonly reply: NgReply;
  },
  send: (command: "offer" | "answer", args: OfferCommand | AnswerCommand) => Promise<NgReply>,
): Promise<NgReply> {
  const { promised, state, answer, codec, reply } = parts;
  if (promised === undefined || codec === undefined || keeps(reply, promised)) return reply;
  const text = state.offer["sdp"];
  const sdp = typeof text === "string" ? withSpeech(parseSdp(text), promised) : undefined;
  if (sdp === undefined) return reply;
  const offer: OfferCommand = {
    ...state.offer,
    codec: { transcode: [codec.name] },
    sdp: formatSdp(sdp, { id: "0", version: 0 }),
  };
  state.offer = withFlags(offer, state.flags);
  await send("offer", state.offer);
  return send("answer", answer);
}

/** Whether an answer of rtpengine's begins with the promised codec. */
function keeps({ sdp }: NgReply, promised: string): boolean {
  if (typeof sdp !== "string") return true;
  const audio = parseSdp(sdp).media.find(({ type }) => type === "audio");
  return audio !== undefined && codecsOf(audio).find(isSpeech)?.key === promised;
}

/**
 * An SDP with its first speech codec alone, and its events: what its sender sends, once it has chosen
 * among ours. What cannot be read comes back as it is.
 */
export function withFirstSpeech(text: string): string {
  const [first] = speechCodecsOf(text);
  const sdp = first === undefined ? undefined : withSpeech(parseSdp(text), first);
  return sdp === undefined ? text : formatSdp(sdp, { id: "0", version: 0 });
}

function withSpeech(sdp: Sdp, promised: string): Sdp | undefined {
  const audio = sdp.media.find(({ type }) => type === "audio");
  if (audio === undefined) return undefined;
  const codecs = codecsOf(audio);
  const speech = codecs.find(({ key }) => key === promised);
  if (speech === undefined) return undefined;
  const events = codecs.filter(
    (codec) => isTelephoneEvent(codec) && codec.clockRate === speech.clockRate,
  );
  const kept = new Set([speech, ...events].map(({ payloadType }) => payloadType));
  const isKept = ({ name, value }: { readonly name: string; readonly value: string | undefined }) =>
    !["rtpmap", "fmtp", "rtcp-fb"].includes(name) || kept.has(value?.split(" ", 1)[0] ?? "");
  return {
    ...sdp,
    media: sdp.media.map((media) =>
      media === audio
        ? { ...audio, formats: [...kept], attributes: audio.attributes.filter(isKept) }
        : media,
    ),
  };
}
