/**
 * A conference in the browser: everybody gets the microphone of their call and the sound of all the
 * others. No media server takes part; each far end sees one ordinary call.
 */

/** One call of a conference. */
export interface ConferenceMember {
  readonly localStream: MediaStream | undefined;
  readonly remoteStream: MediaStream | undefined;
  /** Sends this track to the far end; undefined: the microphone's own again. */
  send(track: MediaStreamTrack | undefined): void;
}

interface Mix {
  readonly member: ConferenceMember;
  readonly output: MediaStreamAudioDestinationNode;
}

function hasSound(stream: MediaStream | undefined): stream is MediaStream {
  return stream !== undefined && stream.getAudioTracks().length > 0;
}

/** See the head of this file. */
export class ConferenceMixer {
  readonly #context: () => AudioContext;
  #mixes: readonly Mix[] = [];
  #sources: readonly MediaStreamAudioSourceNode[] = [];

  /** @param context the sound engine, running */
  constructor(context: () => AudioContext) {
    this.#context = context;
  }

  /** Mixes these calls and no others; to be said again when a stream of theirs is another one. */
  mix(members: readonly ConferenceMember[]): void {
    const before = this.#mixes;
    for (const source of this.#sources) source.disconnect();
    this.#sources = [];
    const isConference = members.length > 1;
    this.#mixes = isConference ? members.map((member) => this.#begin(member)) : [];
    for (const { member } of before) {
      if (!isConference || !members.includes(member)) member.send(undefined);
    }
    for (const { member } of this.#mixes) this.#connect(member);
    for (const { member, output } of this.#mixes) member.send(output.stream.getAudioTracks()[0]);
  }

  #begin(member: ConferenceMember): Mix {
    const output = this.#context().createMediaStreamDestination();
    // One channel, as a telephone has: the default of two halves what Opus gives to each.
    output.channelCount = 1;
    return { member, output };
  }

  #connect(member: ConferenceMember): void {
    if (hasSound(member.localStream)) {
      const mine = this.#mixes.find((mix) => mix.member === member);
      const microphone = this.#source(member.localStream);
      if (mine !== undefined) microphone.connect(mine.output);
    }
    if (!hasSound(member.remoteStream)) return;
    const theirs = this.#source(member.remoteStream);
    for (const { member: other, output } of this.#mixes) {
      if (other !== member) theirs.connect(output);
    }
  }

  #source(stream: MediaStream): MediaStreamAudioSourceNode {
    const source = this.#context().createMediaStreamSource(stream);
    this.#sources = [...this.#sources, source];
    return source;
  }
}
