/** The time left as it is shown: rough, and without jumps. Pure. */

/** Seconds: from each of these on, the shown time is a multiple of the other number. */
const STEPS = [
  [36_000, 3600],
  [3600, 600],
  [600, 60],
  [120, 30],
  [60, 15],
  [10, 5],
] as const;

/** A longer time is shown only if it is longer by this share: speeds go up and down all the time. */
const LONGER = 1.25;

export function rough(seconds: number): number {
  const step = STEPS.find(([from]) => seconds >= from)?.[1] ?? 1;
  return Math.max(1, Math.round(seconds / step) * step);
}

/** @param shown what was shown before */
export function steady(shown: number | undefined, eta: number): number {
  const now = rough(eta);
  if (shown === undefined || now <= shown || eta > shown * LONGER) return now;
  return shown;
}
