/** Choosing a nameplate: short, so that a person can say it; random, so that a stranger cannot count on the next. */
import { randomInt } from 'node:crypto';

const TRIES = 8;
const MOST_DIGITS = 7;

/** A free number of as few digits as is likely, or undefined if chance finds none of up to seven digits. */
export function freeNameplate(isTaken: (nameplate: string) => boolean): string | undefined {
  for (let digits = 1; digits <= MOST_DIGITS; digits++) {
    for (let i = 0; i < TRIES; i++) {
      const nameplate = String(randomInt(10 ** (digits - 1), 10 ** digits));
      if (!isTaken(nameplate)) return nameplate;
    }
  }
  return undefined;
}
