/** How loud a stream is, ten times a second, for the meters of a call. */

const INTERVAL_MS = 100;
const QUIETEST_DB = -60;

function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / samples.length);
  const db = rms === 0 ? QUIETEST_DB : 20 * Math.log10(rms);
  return Math.min(1, Math.max(0, 1 - db / QUIETEST_DB));
}

/**
 * Watches a stream's loudness.
 *
 * @param onLevel gets 0 (silence, −60 dB) to 1 (full scale)
 * @returns stops watching
 */
export function watchLevel(
  context: AudioContext,
  stream: MediaStream,
  onLevel: (level: number) => void,
): () => void {
  if (stream.getAudioTracks().length === 0) return () => undefined;
  const source = context.createMediaStreamSource(stream);
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    onLevel(levelOf(samples));
  }, INTERVAL_MS);
  return () => {
    clearInterval(timer);
    source.disconnect();
    onLevel(0);
  };
}
