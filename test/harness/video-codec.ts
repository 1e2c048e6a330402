/** Video codecs that cross the gateway. */
export type VideoCodec = "VP8" | "H264";

/** A script for a page, before its own: its offers have this codec alone for pictures. */
export function videoOf(codec: VideoCodec): string {
  return `{
    const createOffer = RTCPeerConnection.prototype.createOffer;
    RTCPeerConnection.prototype.createOffer = function (...options) {
      const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
      const kept = codecs.filter(({ mimeType }) => mimeType === "video/${codec}");
      for (const transceiver of this.getTransceivers()) {
        if (transceiver.receiver.track.kind === "video") transceiver.setCodecPreferences(kept);
      }
      return createOffer.apply(this, options);
    };
  }`;
}
