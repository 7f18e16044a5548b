/**
 * Transfer codes, `nameplate-password`: the nameplate is public and only says where to meet, the password is the
 * secret that the PAKE proves. Goal: what people type, paste and dictate for one code is one byte string.
 */
import { BeelineError } from '../protocol/errors.ts';
import { editDistance } from './distance.ts';

export interface Code {
  /** Public: 1 to 32 of a-z and 0-9. */
  nameplate: string;
  /** Secret: normalised, 1 to 256 bytes of UTF-8. */
  password: string;
}

/** UTF-8 bytes of a normalised password. */
export const MAX_PASSWORD = 256;
/** Characters looked at at all: normalising can shorten a text, but not by this much. */
const MAX_TYPED = 1024;

const NAMEPLATE = /^[a-z0-9]{1,32}$/;
// Word processors and phones turn '-' into its typographic cousins, so every Unicode dash counts as one.
const DASHES = /[\p{Pd}\u2212]/gu;
const SEPARATORS = /[\s-]+/gu;
// Lone surrogates all encode as U+FFFD, and nobody can see or retype the others.
const UNTYPABLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}]/u;

const usage = (message: string) => new BeelineError('USAGE', message);

/** @throws BeelineError USAGE, without the text of the code. */
export function parseCode(text: string): Code {
  if (text.length > MAX_TYPED)
    throw usage('That code is too long: at most 256 bytes may follow the first dash.');
  const typed = text.replace(DASHES, '-').trim();
  const split = typed.indexOf('-');
  if (split < 0)
    throw usage(
      'A code has two parts joined by a dash, like 7-crossover-clockwork. Type all of what the sender shows.',
    );
  const nameplate = typed.slice(0, split).trim().toLowerCase();
  if (!NAMEPLATE.test(nameplate))
    throw usage(
      'The part of a code before its first dash is 1 to 32 letters a-z or digits, like the 7 in 7-crossover-clockwork.',
    );
  return { nameplate, password: normalisePassword(typed.slice(split + 1)) };
}

export function formatCode(code: Code): string {
  return `${code.nameplate}-${code.password}`;
}

/** `words` random words (1 to 16) of the BIP-39 English list, 11 bits each, joined by dashes. */
export async function generatePassword(words = 2): Promise<string> {
  if (!Number.isInteger(words) || words < 1 || words > 16) throw usage('A code can have 1 to 16 words.');
  const list = await wordList();
  // 2048 divides 65536, so the remainder favours no word.
  const random = crypto.getRandomValues(new Uint16Array(words));
  return Array.from(random, (value) => list[value % list.length]!).join('-');
}

/**
 * A correction for a mistyped password of list words, or undefined when it is right, is not of list words, or more
 * than one correction is as near. For prompts: a wrong guess burns the code, so typos are caught before it is tried.
 */
export async function suggest(password: string): Promise<string | undefined> {
  const list = await wordList();
  const words = password.split('-');
  if (words.length > 16) return undefined;
  const corrected = words.map((word) => nearest(word, list));
  if (corrected.includes(undefined)) return undefined;
  const text = corrected.join('-');
  return text === password ? undefined : text;
}

/** The word itself if listed, else the one listed word nearest to it, at most two edits away. */
function nearest(word: string, list: readonly string[]): string | undefined {
  if (word.length > 10) return undefined; // the longest listed word has 8 letters
  let best: string | undefined;
  let distance = 3;
  for (const candidate of list) {
    if (Math.abs(candidate.length - word.length) > 2) continue;
    const d = editDistance(word, candidate);
    if (d === 0) return word;
    if (d < distance) {
      distance = d;
      best = candidate;
    } else if (d === distance) best = undefined;
  }
  return best;
}

function normalisePassword(text: string): string {
  const joined = text.replace(SEPARATORS, '-').replace(/^-|-$/g, '');
  if (UNTYPABLE.test(joined))
    throw usage('That code contains invisible characters. Type it instead of pasting it.');
  const password = foldCase(joined);
  const size = new TextEncoder().encode(password).length;
  if (size === 0)
    throw usage('That code has nothing after its first dash. Type all of what the sender shows.');
  if (size > MAX_PASSWORD) throw usage('That code is too long: at most 256 bytes may follow the first dash.');
  return password;
}

/**
 * JavaScript has no Unicode case folding; lower-upper-lower comes to the same for what people type (both sharp S
 * and "ss", all three sigmas). NFC last, for case mappings decompose some letters.
 */
function foldCase(text: string): string {
  return text.normalize('NFC').toLowerCase().toUpperCase().toLowerCase().normalize('NFC');
}

async function wordList(): Promise<readonly string[]> {
  return (await import('@scure/bip39/wordlists/english.js')).wordlist;
}
