/** Of the first section that has them, which is the audio's in what browsers send. */
const UFRAG = /^a=ice-ufrag:([\x21-\x7e]{1,256})/m;
const FINGERPRINT = /^a=fingerprint:([\x20-\x7e]{1,256})/m;

/** Whether a browser's offer restarts the ICE of the peer connection that its last SDP came from. */
export function restartsIce(offer: string, before: string): boolean {
  const ufrag = UFRAG.exec(offer)?.[1];
  const former = UFRAG.exec(before)?.[1];
  if (ufrag === undefined || former === undefined || ufrag === former) return false;
  return FINGERPRINT.exec(offer)?.[1]?.trim() === FINGERPRINT.exec(before)?.[1]?.trim();
}
