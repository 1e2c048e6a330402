/**
 * How much more processor time `run` takes for `factor` times the input: about `factor` for an
 * algorithm that is linear, its square for one that is quadratic.
 *
 * Other programs on the machine only ever add, so the best of several rounds counts, and as soon as
 * one attempt stays below `bound` the measurement ends: one quiet moment is proof enough.
 *
 * @param run does the work for an input of that size
 */
export function growthOf(
  run: (size: number) => unknown,
  options: { readonly size: number; readonly factor: number; readonly bound: number },
): number {
  const { size, factor, bound } = options;
  // Compiled before it is measured.
  bestMs(run, size);
  let ratio = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 8 && ratio >= bound; attempt += 1) {
    ratio = Math.min(
      ratio,
      (bestMs(run, factor * size) + FLOOR_MS) / (bestMs(run, size) + FLOOR_MS),
    );
  }
  return ratio;
}

/** Below this the clock and the garbage collector are measured, not the algorithm. */
const FLOOR_MS = 0.05;
const ROUNDS = 7;

function bestMs(run: (size: number) => unknown, size: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = process.cpuUsage();
    run(size);
    const { user, system } = process.cpuUsage(started);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}
