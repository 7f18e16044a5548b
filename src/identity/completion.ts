/** How a code that is being typed may go on. Its words are loaded with it, as those of `doubt.ts`. */
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { nearest } from './doubt.ts';

/** What may stand in the place of the last word. */
export interface Completion {
  /** What stands before that word, as it was typed. */
  before: string;
  words: readonly string[];
}

/** Letters of a word before which there would be too many. */
const FEWEST = 2;
/** The last word, behind a nameplate and perhaps other words. Any dash or space may part them. */
const TYPED = /^(\s*[a-z0-9]{1,32}[\s\p{Pd}]+(?:[^\s\p{Pd}]{1,32}[\s\p{Pd}]+){0,15})([a-z]{1,32})$/iu;

/**
 * The words of the list that begin so, or else those that were perhaps meant; none where the word is right as it stands.
 * @param most so many words are enough, where all are shown
 */
export function completionOf(text: string, most = Number.POSITIVE_INFINITY): Completion {
  const [, before = '', typed = ''] = TYPED.exec(text) ?? [];
  const word = typed.toLowerCase();
  if (word.length < FEWEST) return { before, words: [] };
  const longer = wordlist.filter((each) => each.startsWith(word) && each !== word);
  const found = longer.length > 0 ? longer : nearest(word).filter((each) => each !== word);
  return { before, words: found.slice(0, most) };
}
