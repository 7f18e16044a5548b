/** How long a side that has lost a server waits before it tries again. */

/** All in milliseconds. */
export const FIRST_PAUSE = 250;
/** While the loss is fresh, the server may be back at any moment, and both sides must meet soon after. */
export const FRESH = 60_000;
export const LONGEST_FRESH_PAUSE = 1000;

/** At most as long as given, and not in step with everyone else who lost the same server. */
export function jittered(milliseconds: number): number {
  return milliseconds * (0.5 + Math.random() / 2);
}
