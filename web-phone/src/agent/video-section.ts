/**
 * The pictures of a peer connection: one section, added by whoever first shows something, and kept
 * until the call ends. Nobody's camera is on because the other side's is.
 */

/** What this side wants of the pictures. */
export interface VideoWish {
  /** Pictures may be shown at all; false refuses them. */
  readonly isAllowed: boolean;
  /** The camera's track; undefined: we send none. */
  readonly camera: MediaStreamTrack | undefined;
  /** Theirs are not wanted now. */
  readonly isDeclined: boolean;
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

function sectionOf(connection: RTCPeerConnection): RTCRtpTransceiver | undefined {
  return connection.getTransceivers().find((one) => isVideo(one) && !isStopped(one));
}

/**
 * Makes the connection's next description say what is wanted.
 *
 * @param options.hadSection the call has a section for pictures already, on another connection: a
 *   later offer has one too (RFC 3264 §8)
 */
export function wishVideo(
  connection: RTCPeerConnection,
  wish: VideoWish,
  options: { readonly isAnswer: boolean; readonly hadSection: boolean },
): void {
  const sections = connection.getTransceivers().filter(isVideo);
  if (!wish.isAllowed) {
    // Pictures that nobody would see are refused, and their bandwidth with them.
    for (const section of sections) section.stop();
    return;
  }
  const section = sectionOf(connection);
  if (section === undefined) {
    // An answer has no more sections than its offer (RFC 3264 §6).
    const isWanted = wish.camera !== undefined || options.hadSection;
    if (!isWanted || options.isAnswer) return;
    connection.addTransceiver(wish.camera ?? "video", { direction: directionOf(wish) });
    return;
  }
  section.sender.replaceTrack(wish.camera ?? null).catch(() => undefined);
  section.direction = directionOf(wish);
}

function directionOf({ camera, isDeclined, isHeld }: VideoWish): RTCRtpTransceiverDirection {
  if (isHeld) return "inactive";
  if (camera === undefined) return isDeclined ? "inactive" : "recvonly";
  return isDeclined ? "sendonly" : "sendrecv";
}

/** Whether the connection has a section for pictures, whichever way they go. */
export function hasVideoSection(connection: RTCPeerConnection): boolean {
  return sectionOf(connection) !== undefined;
}

/** Goes on with another camera, without an offer (W3C WebRTC §5.2 `replaceTrack`). */
export function replaceCamera(connection: RTCPeerConnection, camera: MediaStreamTrack): void {
  sectionOf(connection)
    ?.sender.replaceTrack(camera)
    .catch(() => undefined);
}

/**
 * Has the encoder make a key frame, for a far end that asks for one in SIP (RFC 5168). A browser that
 * cannot (W3C WebRTC Extensions, `keyFrame`) makes its next one when it is due.
 */
export function sendKeyFrame(connection: RTCPeerConnection): void {
  const sender = sectionOf(connection)?.sender;
  const parameters = sender?.getParameters();
  if (sender === undefined || parameters === undefined || parameters.encodings.length === 0) return;
  const encodingOptions = parameters.encodings.map(() => ({ keyFrame: true }));
  const setParameters: (
    parameters: RTCRtpSendParameters,
    options: { readonly encodingOptions: readonly { readonly keyFrame: boolean }[] },
  ) => Promise<void> = sender.setParameters.bind(sender);
  setParameters(parameters, { encodingOptions }).catch(() => undefined);
}

/** The far end's pictures by the last descriptions that both sides agreed on. */
export function picturesOf(connection: RTCPeerConnection): MediaStreamTrack | undefined {
  return videoStateOf(connection).isReceiving ? sectionOf(connection)?.receiver.track : undefined;
}

/** Which ways pictures go by the last descriptions that both sides agreed on. */
export function videoStateOf(connection: RTCPeerConnection): VideoState {
  const section = sectionOf(connection);
  const direction = section?.currentDirection;
  return {
    isSending:
      section?.sender.track != null && (direction === "sendrecv" || direction === "sendonly"),
    isReceiving: direction === "sendrecv" || direction === "recvonly",
  };
}
