/** Opus, and the digits beside it, as the only codecs of a transceiver's next descriptions. */
export function preferOpus(transceiver: RTCRtpTransceiver): void {
  const codecs = (RTCRtpReceiver.getCapabilities("audio")?.codecs ?? []).filter(
    ({ mimeType, clockRate }) =>
      /^audio\/(?:opus|telephone-event)$/i.test(mimeType) && clockRate === 48_000,
  );
  if (codecs.some(({ mimeType }) => /opus$/i.test(mimeType))) {
    transceiver.setCodecPreferences(codecs);
  }
}
