/**
 * The pictures of a peer connection: one section, added by whoever first shows something, and kept
 * until the call ends. Nobody's camera is on because the other side's is.
 */

/** What this side wants of the pictures. */
export interface VideoWish {
  /** Pictures may be shown at all: the call is answered. */
  readonly isAllowed: boolean;
  /** The camera's track; undefined: we send none. */
  readonly camera: MediaStreamTrack | undefined;
  readonly isHeld: boolean;
}

/** Which ways pictures go. */
export interface VideoState {
  readonly isSending: boolean;
  readonly isReceiving: boolean;
}

function isVideo(transceiver: RTCRtpTransceiver): boolean {
  return transceiver.receiver.track.kind === "video";
}

function isStopped({ currentDirection, direction }: RTCRtpTransceiver): boolean {
  return currentDirection === "stopped" || direction === "stopped";
}

/**
 * Makes the connection's next description say what is wanted.
 *
 * @param wasShown pictures went over the connection before this one: it keeps its section for them
 */
export function wishVideo(
  connection: RTCPeerConnection,
  wish: VideoWish,
  options: { readonly isAnswer: boolean; readonly wasShown: boolean },
): void {
  const sections = connection.getTransceivers().filter(isVideo);
  if (!wish.isAllowed) {
    // Pictures that nobody would see are refused, and their bandwidth with them.
    for (const section of sections) section.stop();
    return;
  }
  const section = sections.find((candidate) => !isStopped(candidate));
  const isWanted = wish.camera !== undefined || options.wasShown;
  if (section === undefined) {
    // An answer has no more sections than its offer (RFC 3264 §6).
    if (!isWanted || options.isAnswer) return;
    connection.addTransceiver(wish.camera ?? "video", { direction: directionOf(wish) });
    return;
  }
  section.sender.replaceTrack(wish.camera ?? null).catch(() => undefined);
  section.direction = directionOf(wish);
}

function directionOf({ camera, isHeld }: VideoWish): RTCRtpTransceiverDirection {
  if (isHeld) return "inactive";
  return camera === undefined ? "recvonly" : "sendrecv";
}

/** Whether the connection has a section for pictures, whichever way they go. */
export function hasVideoSection(connection: RTCPeerConnection): boolean {
  return connection.getTransceivers().some((one) => isVideo(one) && !isStopped(one));
}

/** Which ways pictures go by the last descriptions that both sides agreed on. */
export function videoStateOf(connection: RTCPeerConnection): VideoState {
  const section = connection.getTransceivers().find((one) => isVideo(one) && !isStopped(one));
  const direction = section?.currentDirection;
  return {
    isSending:
      section?.sender.track != null && (direction === "sendrecv" || direction === "sendonly"),
    isReceiving: direction === "sendrecv" || direction === "recvonly",
  };
}
