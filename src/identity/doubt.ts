/** Codes that look mistyped. Its words are loaded with it, so that a page can ask within the click. */

import { wordlist } from '@scure/bip39/wordlists/english.js';
import { editDistance } from './distance.ts';

/** What makes a code look mistyped. */
export interface Doubt {
  /** The first word that is not on the list. */
  word: string;
  /** The listed words nearest to it, at least one and at most `MOST_NEAR`. */
  near: readonly string[];
  /** The whole password with every such word corrected, if there is only one nearest to each. */
  meant: string | undefined;
}

const MOST_NEAR = 5;

/**
 * Whether a password looks like mistyped words of the list: each is on it or near to it, and not all are on it. Undefined if
 * it is right, or somebody's own choice. A wrong guess burns the code, so this is asked before it is tried.
 */
export function doubtAbout(password: string): Doubt | undefined {
  const words = password.split('-');
  if (words.length > 16) return undefined;
  const near = words.map((word) => nearest(word));
  if (near.some((those) => those.length === 0)) return undefined;
  const wrong = words.findIndex((word, i) => near[i]![0] !== word);
  if (wrong < 0) return undefined;
  const single = near.every((those) => those.length === 1);
  return {
    word: words[wrong]!,
    near: near[wrong]!.slice(0, MOST_NEAR),
    meant: single ? near.map(([only]) => only!).join('-') : undefined,
  };
}

/** The same in words for a person. It names one word of the code, and that not as it should be. */
export function describeDoubt({ word, near }: Doubt): string {
  const quoted = near.map((one) => `'${one}'`);
  const last = quoted.pop()!;
  const those = quoted.length > 0 ? `${quoted.join(', ')} or ${last}` : last;
  return `'${word}' is not a word of a code. Did you mean ${those}?`;
}

/** The word itself if listed, else those listed words that are nearest to it, and near enough. */
export function nearest(word: string): string[] {
  if (word.length > 10) return []; // the longest listed word has 8 letters
  if (wordlist.includes(word)) return [word];
  // Of a short word nothing is left after two edits.
  const most = word.length < 3 ? 0 : word.length < 4 ? 1 : 2;
  let best: string[] = [];
  let distance = most;
  for (const candidate of wordlist) {
    if (Math.abs(candidate.length - word.length) > distance) continue;
    const d = editDistance(word, candidate);
    if (d < distance) {
      distance = d;
      best = [candidate];
    } else if (d === distance) best.push(candidate);
  }
  // A plural, or what is two edits from several words, is somebody's own word.
  const own = word === `${best[0]}s` || (distance > 1 && best.length > 1);
  return own ? [] : best;
}
