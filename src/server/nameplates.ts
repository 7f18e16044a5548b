/** Choosing a nameplate: short, so that a person can say it; random, so that a stranger cannot count on the next. */
import { randomInt } from 'node:crypto';

const TRIES = 8;
const MOST_DIGITS = 7;

/** Numbers of one to seven digits; the first that is free is of as few digits as is likely. */
export function nameplateCandidates(): string[] {
  const all: string[] = [];
  for (let digits = 1; digits <= MOST_DIGITS; digits++)
    for (let i = 0; i < TRIES; i++) all.push(String(randomInt(10 ** (digits - 1), 10 ** digits)));
  return all;
}
