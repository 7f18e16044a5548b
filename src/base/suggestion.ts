/** "Did you mean ...?" for commands, flags and their values, and for options of the library. */
import { editDistance } from './distance.ts';

/** The candidate that was probably meant, if any is near enough. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  // A longer word is no mistyped candidate, and would only cost time.
  if (word.length === 0 || word.length > 40) return undefined;
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const prefix = word.length >= 3 && candidate.startsWith(word);
    const far = prefix ? 1 : editDistance(word, candidate);
    if (far < least) {
      least = far;
      best = candidate;
    }
  }
  return best;
}

/** ' Did you mean --limit?' or nothing. */
export function hint(word: string, candidates: readonly string[], prefix = ''): string {
  const meant = nearest(word, candidates);
  return meant === undefined ? '' : ` Did you mean ${prefix}${meant}?`;
}
