/** Codes that look mistyped. Its words are loaded with it, so that a page can ask within the click. */

import { wordlist } from '@scure/bip39/wordlists/english.js';
import { editDistance } from '../base/distance.ts';
import type { Code } from './code.ts';

/** What makes a code look mistyped. */
export interface Doubt {
  /** The first part that is not on the list: a word, or two of which a dash makes two words. */
  word: string;
  /** What was probably meant by it, at least one and at most `MOST_NEAR`. */
  near: readonly string[];
  /** The whole password with every such part corrected, if there is only one nearest to each. */
  meant: string | undefined;
}

const MOST_NEAR = 5;
/** Words of a code at most. More are somebody's own sentence. */
const MOST_WORDS = 16;
/** Characters of a slip: one of these was meant. */
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz-'];

const LISTED: ReadonlySet<string> = new Set(wordlist);

/**
 * Whether a password looks like mistyped words of the list. A wrong guess burns the code, so this is asked before it is tried.
 * It does if one slip anywhere makes it of two listed words or more; or if each word is on the list or near to it, and none
 * looks like somebody's own. Undefined if it is right, or somebody's own choice.
 */
export function doubtAbout(password: string): Doubt | undefined {
  const words = password.split('-');
  if (words.length > MOST_WORDS || words.every((word) => LISTED.has(word))) return undefined;
  return oneSlip(password, words) ?? nearWords(words);
}

/** What one slip turned into this: a character too many, too few, another, or two that changed places. */
function oneSlip(password: string, words: readonly string[]): Doubt | undefined {
  const meant = [...new Set(unslipped([...password]))].filter((whole) => {
    const parts = whole.split('-');
    return parts.length > 1 && parts.every((word) => LISTED.has(word));
  });
  const there = meant.map((whole) => difference(words, whole.split('-')));
  const [first] = there;
  if (first === undefined) return undefined;
  const near = there.filter(({ typed }) => typed === first.typed).map(({ right }) => right);
  return {
    word: first.typed,
    near: near.slice(0, MOST_NEAR),
    meant: meant.length === 1 ? meant[0] : undefined,
  };
}

/** All that one slip can have made this of. */
function* unslipped(typed: readonly string[]): Generator<string> {
  for (let at = 0; at < typed.length; at++) {
    const before = typed.slice(0, at).join('');
    const [here, next = '', ...rest] = typed.slice(at);
    const after = rest.join('');
    yield before + next + after;
    yield before + next + here + after;
  }
  for (let at = 0; at <= typed.length; at++) {
    const before = typed.slice(0, at).join('');
    const after = typed.slice(at).join('');
    const behind = typed.slice(at + 1).join('');
    for (const letter of LETTERS) {
      yield before + letter + behind;
      yield before + letter + after;
    }
  }
}

/** The words in which the two differ; those before and behind are the same. */
function difference(typed: readonly string[], right: readonly string[]): { typed: string; right: string } {
  const most = Math.min(typed.length, right.length) - 1;
  let before = 0;
  while (before < most && typed[before] === right[before]) before++;
  let behind = 0;
  while (before + behind < most && typed.at(-1 - behind) === right.at(-1 - behind)) behind++;
  const middle = (words: readonly string[]) => words.slice(before, words.length - behind).join('-');
  return { typed: middle(typed), right: middle(right) };
}

function nearWords(words: readonly string[]): Doubt | undefined {
  const near = words.map((word) => {
    const those = nearest(word);
    // A plural of one that is meant is somebody's own word.
    return word.length < 3 || (!LISTED.has(word) && those.some((one) => word === `${one}s`)) ? [] : those;
  });
  if (near.some((those) => those.length === 0)) return undefined;
  const wrong = words.findIndex((word) => !LISTED.has(word));
  const single = near.every((those) => those.length === 1);
  return {
    word: words[wrong]!,
    near: near[wrong]!.slice(0, MOST_NEAR),
    meant: single ? near.map(([only]) => only!).join('-') : undefined,
  };
}

/**
 * Whether a word of the secret seems to stand in the number's place, listed or mistyped, also where the dash behind the number is missing.
 * A server is told what stands there.
 */
export function lacksNumber({ nameplate }: Code): boolean {
  const word = /^\d*([a-z]+)$/.exec(nameplate)?.[1];
  return word !== undefined && nearest(word).length > 0;
}

/** A doubt in words for the person who typed the code, and for nobody else: it has words of it as they should be. */
export function describeDoubt({ word, near }: Doubt): string {
  const quoted = near.map((one) => `'${one}'`);
  const last = quoted.pop()!;
  const those = quoted.length > 0 ? `${quoted.join(', ')} or ${last}` : last;
  return `'${word}' is not a word of a code. Did you mean ${those}?`;
}

/** The same where others may read it, as in a log: at most one word of several, and that only as it was typed. */
export function hintAtDoubt({ word, near }: Doubt, password: string): string {
  const tellsMore = word === password || [word, ...near].some((one) => one.includes('-'));
  return tellsMore ? 'The words of that code look mistyped.' : `'${word}' is not a word of a code.`;
}

/** The word itself if listed, else those listed words that are nearest to it, and near enough. */
export function nearest(word: string): string[] {
  if (word.length > 10) return [];
  if (LISTED.has(word)) return [word];
  // Of a short word nothing is left after two edits.
  let distance = word.length < 4 ? 1 : 2;
  let best: string[] = [];
  for (const candidate of wordlist) {
    if (Math.abs(candidate.length - word.length) > distance) continue;
    const d = editDistance(word, candidate);
    if (d < distance) {
      distance = d;
      best = [candidate];
    } else if (d === distance) best.push(candidate);
  }
  // What is two edits from several words is somebody's own word.
  return distance > 1 && best.length > 1 ? [] : best;
}
