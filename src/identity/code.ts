/**
 * Transfer codes, `nameplate-password`: the nameplate is public and only says where to meet, the password is the
 * secret that the PAKE proves. Goal: what people type, paste and dictate for one code is one byte string.
 */
import { fault } from '../base/errors.ts';

export interface Code {
  /** Public: 1 to 32 of a-z and 0-9. */
  nameplate: string;
  /** Secret: normalised, 1 to 256 bytes of UTF-8. */
  password: string;
}

/** UTF-8 bytes of a normalised password. */
export const MAX_PASSWORD = 256;
/** Characters looked at at all: what stands around a code may be long, but not longer than this. */
const MAX_TYPED = 4096;

const NAMEPLATE = /^[a-z0-9]{1,32}$/;
// Word processors and phones turn '-' into its typographic cousins, so every Unicode dash counts as one.
const DASHES = /[\p{Pd}\u2212]/gu;
/** Between two words; whoever dictates gets full stops and commas before the spaces. */
const SEPARATORS = /[.,;:]*[\s-]+/gu;
/** Around a code, and no part of it: quotes, brackets, the full stop of its sentence, marks without a width. */
const EDGE = '[\\s\\p{P}`<>\\u00b4\\u200b-\\u200f\\u2060]+';
const LEADING = new RegExp(`^${EDGE}`, 'u');
const TRAILING = new RegExp(`${EDGE}$`, 'u');
// Lone surrogates all encode as U+FFFD, and nobody can see or retype the others.
const UNTYPABLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}]/u;
/** A link, with or without its scheme; what follows the '#' is the code. */
const LINK = /(?:^|[\s\p{Ps}\p{Pi}<"'])(?:(?:https?|wss?):\/\/[^\s#]*|[\w.-]+(?::\d{1,5})?\/)#([^\s<>"]*)/iu;
/** The command that the sender shows. */
const COMMAND = /(?:^|[\s/\\'"`])beeline(?:\.\w{1,4})?\s+receive\s+(.*)$/isu;
const FLAG = /(?:^|\s)(?:--|[\u2013\u2014])[a-z].*$/isu;
const LABEL = /^(?:code|your code|the code is)\s*:\s*/i;

const usage = (what: string) => fault('CODE_MALFORMED', { what });

/**
 * The code's own text in what was typed or pasted: of a link what follows its '#', of the sender's command the argument.
 * What is none of these comes back as it is, trimmed.
 */
export function codeIn(text: string): string {
  if (text.length > MAX_TYPED) return text;
  const trimmed = narrowed(text);
  const fragment = trimmed.startsWith('#') ? trimmed.slice(1) : LINK.exec(trimmed)?.[1];
  if (fragment !== undefined) return decoded(fragment);
  const command = COMMAND.exec(trimmed)?.[1];
  // The code stands first there, before any flag.
  if (command !== undefined)
    return command
      .replace(/^--code[\s=]\s*/i, '')
      .replace(FLAG, '')
      .trim();
  return trimmed.replace(LABEL, '');
}

/** The link in it, without the `#` and the code; undefined where there is none. */
export function linkIn(text: string): string | undefined {
  const found = text.length > MAX_TYPED ? null : LINK.exec(narrowed(text));
  return found?.[0].slice(0, -found[1]!.length - 1).replace(/^[^\w]/, '');
}

/** Where the two meet, as a pasted command of the sender says. Empty where it says nothing, or it is no such command. */
export function flagsIn(text: string): { server?: string; at?: string } {
  const command = text.length > MAX_TYPED ? undefined : COMMAND.exec(narrowed(text))?.[1];
  const value = (name: string) =>
    new RegExp(`\\s(?:--|[\\u2013\\u2014])${name}[\\s=]+['"]?([^\\s'"]+)`, 'iu').exec(command ?? '')?.[1];
  const [server, at] = [value('server'), value('at')];
  return { ...(server !== undefined && { server }), ...(at !== undefined && { at }) };
}

/** Typed with an Asian input method, each ASCII sign has a wide form. */
function narrowed(text: string): string {
  return text.replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0)).trim();
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    // A '%' that encodes nothing was typed as such.
    return fragment;
  }
}

/**
 * Takes whatever a person types, pastes or dictates for a code.
 * @throws BeelineError USAGE, without the text of the code.
 */
export function parseCode(text: string): Code {
  const own = codeIn(text);
  if (own.length > MAX_TYPED)
    throw usage('That code is too long: at most 256 bytes may follow the first dash.');
  const typed = own.normalize('NFC').replace(DASHES, '-').replace(LEADING, '');
  const split = /^(?<nameplate>[^\s-]*?)[.,;:]*(?:[\s-]+|$)/u.exec(typed)!;
  const dashed = split[0].includes('-');
  // Of two words without a dash or a digit, none is a nameplate: that is no code but a sentence.
  if (!dashed && !/\d.*\s/s.test(split[0]))
    throw usage(
      'A code has two parts joined by a dash, like 7-velvet-canyon. Type all of what the sender shows.',
    );
  const nameplate = split.groups!.nameplate!.toLowerCase();
  if (!NAMEPLATE.test(nameplate))
    throw usage(
      'The part of a code before its first dash is 1 to 32 letters a-z or digits, like the 7 in 7-velvet-canyon.',
    );
  const code = { nameplate, password: normalisePassword(typed.slice(split[0].length)) };
  const whole = formatCode(code);
  // What became a link only by being tidied up is read as one, so that a code always reads as itself.
  return codeIn(whole) === whole ? code : parseCode(codeIn(whole));
}

export function formatCode(code: Code): string {
  return `${code.nameplate}-${code.password}`;
}

/** The words of a code's password. */
export function wordsIn({ password }: Code): number {
  return password.split('-').length;
}

/** `words` random words (1 to 16) of the BIP-39 English list, 11 bits each, joined by dashes. */
export async function generatePassword(words = 2): Promise<string> {
  if (!Number.isInteger(words) || words < 1 || words > 16) throw usage('A code can have 1 to 16 words.');
  const list = await wordList();
  // 2048 divides 65536, so the remainder favours no word.
  const random = crypto.getRandomValues(new Uint16Array(words));
  return Array.from(random, (value) => list[value % list.length]!).join('-');
}

function normalisePassword(text: string): string {
  const joined = text
    .replace(SEPARATORS, '-')
    .replace(/[\u2018\u2019\u201b]/g, "'")
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(LEADING, '')
    .replace(TRAILING, '');
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
