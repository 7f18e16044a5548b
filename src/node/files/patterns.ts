/**
 * Patterns as in a .gitignore (gitignore(5)). Matched by hand: glob packages compile to regular expressions that backtrack, and a pattern
 * such as `*a*a*a*a*b` would hold the process for minutes; the tree with its .gitignore may be a stranger's. Here a match costs at most the
 * length of the pattern times that of the name.
 */

/** Characters of one pattern: far beyond what people write. */
export const MOST_PATTERN = 4096;

/** Any characters, and any one. */
const STAR = Symbol('*');
const ANY = Symbol('?');
interface CharacterClass {
  readonly not: boolean;
  has(char: string): boolean;
}
type Piece = typeof STAR | typeof ANY | CharacterClass | string;
/** The part of a pattern between two slashes. */
type Segment = readonly Piece[] | '**';
/** One name, as its characters. */
export type Letters = readonly string[];

/** These take `A` for `a`, and both spellings of `é` for one: patterns match there as names do. */
export const foldsNames = (platform: NodeJS.Platform): boolean =>
  platform === 'win32' || platform === 'darwin';

const folded = (text: string) => text.normalize('NFC').toLowerCase();

/** The characters of a name, as patterns see it. */
export const lettersOf = (name: string, folds: boolean): Letters => Array.from(folds ? folded(name) : name);

export interface Pattern {
  /** It takes back what an earlier one says. */
  readonly negated: boolean;
  readonly foldersOnly: boolean;
  /** Without a slash inside it matches names at every depth. */
  readonly anchored: boolean;
  readonly segments: readonly Segment[];
}

const POSIX_CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[a-zA-Z0-9]/,
  alpha: /[a-zA-Z]/,
  blank: /[ \t]/,
  cntrl: /[\x00-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t-\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9a-fA-F]/,
};

/** Of one line; undefined for one that matches nothing: empty, a comment, malformed, or too long. @param folds see `foldsNames` */
export function parsePattern(line: string, folds = false): Pattern | undefined {
  if (line.length > MOST_PATTERN) return undefined;
  // No folded name has a capital letter.
  let text = trimmed((folds ? folded(line).replaceAll('[:upper:]', '[:alpha:]') : line).replace(/\r$/, ''));
  if (text === '' || text.startsWith('#')) return undefined;
  const negated = text.startsWith('!');
  if (negated) text = text.slice(1);
  const foldersOnly = text.endsWith('/');
  if (foldersOnly) text = text.slice(0, -1);
  const anchored = text.includes('/');
  const parts = text.replace(/^\//, '').split('/');
  const segments: Segment[] = [];
  for (const part of parts) {
    if (/^\*{2,}$/.test(part)) {
      if (segments.at(-1) !== '**') segments.push('**');
      continue;
    }
    const pieces = piecesOf(part);
    if (!pieces || pieces.length === 0) return undefined;
    segments.push(pieces);
  }
  // `a/**` is what is in a, and not a itself.
  if (segments.at(-1) === '**' && segments.length > 1) segments.push([STAR]);
  return { negated, foldersOnly, anchored, segments };
}

/** Spaces at the end count only behind a backslash. */
function trimmed(line: string): string {
  let end = 0;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '\\') i++;
    else if (line[i] === ' ') continue;
    end = i + 1;
  }
  return line.slice(0, end);
}

/** Undefined if it is malformed. */
function piecesOf(part: string): Piece[] | undefined {
  const chars = Array.from(part);
  const pieces: Piece[] = [];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === '*') {
      if (pieces.at(-1) !== STAR) pieces.push(STAR);
    } else if (char === '?') pieces.push(ANY);
    else if (char === '[') {
      const found = classAt(chars, i);
      if (!found) return undefined;
      pieces.push(found.piece);
      i = found.end;
    } else if (char === '\\') {
      const next = chars[++i];
      if (next === undefined) return undefined;
      pieces.push(next);
    } else pieces.push(char);
  }
  return pieces;
}

/** `[a-z]`, `[!a]`, `[[:digit:]]`. @returns undefined if it does not end */
function classAt(chars: Letters, at: number): { piece: CharacterClass; end: number } | undefined {
  let i = at + 1;
  const not = chars[i] === '!' || chars[i] === '^';
  if (not) i++;
  const tests: ((char: string) => boolean)[] = [];
  for (let first = true; ; first = false, i++) {
    let char = chars[i];
    if (char === undefined) return undefined;
    if (char === ']' && !first) break;
    const close = char === '[' && chars[i + 1] === ':' ? chars.indexOf(']', i + 2) : 0;
    if (close < 0) return undefined;
    if (close > i + 2 && chars[close - 1] === ':') {
      const known = POSIX_CLASSES[chars.slice(i + 2, close - 1).join('')];
      if (!known) return undefined;
      tests.push((tested) => known.test(tested));
      i = close;
      continue;
    }
    if (char === '\\') char = chars[++i];
    if (char === undefined) return undefined;
    const from = char;
    let to = from;
    if (chars[i + 1] === '-' && chars[i + 2] !== undefined && chars[i + 2] !== ']') {
      i += 2;
      to = chars[i]!;
      if (to === '\\') to = chars[++i] ?? '';
    }
    const [low, high] = [from.codePointAt(0)!, to.codePointAt(0) ?? -1];
    tests.push((tested) => low <= tested.codePointAt(0)! && tested.codePointAt(0)! <= high);
  }
  return { piece: { not, has: (char) => tests.some((test) => test(char)) }, end: i };
}

const pieceMatches = (piece: Piece, char: string): boolean => {
  if (piece === ANY) return true;
  if (piece === STAR) return false;
  if (typeof piece === 'string') return piece === char;
  return piece.has(char) !== piece.not;
};

/**
 * Whether a row of pieces with stars matches a row of items. Only the last star is ever tried again: what stands before it has matched as
 * early as it can, which leaves most to the rest.
 */
function rowMatches<P, T>(
  pieces: readonly P[],
  items: readonly T[],
  isStar: (piece: P) => boolean,
  matches: (piece: P, item: T) => boolean,
): boolean {
  let [piece, item, star, resume] = [0, 0, -1, 0];
  while (item < items.length) {
    const current = pieces[piece];
    if (piece < pieces.length && isStar(current!)) {
      star = piece++;
      resume = item;
    } else if (piece < pieces.length && matches(current!, items[item]!)) {
      piece++;
      item++;
    } else if (star >= 0) {
      piece = star + 1;
      item = ++resume;
    } else return false;
  }
  while (piece < pieces.length && isStar(pieces[piece]!)) piece++;
  return piece === pieces.length;
}

function nameMatches(pieces: readonly Piece[], name: Letters): boolean {
  return rowMatches(pieces, name, (piece) => piece === STAR, pieceMatches);
}

/** @param path below the folder of the pattern's list */
function matches(
  { foldersOnly, anchored, segments }: Pattern,
  path: readonly Letters[],
  folder: boolean,
): boolean {
  if (foldersOnly && !folder) return false;
  if (!anchored && segments.length === 1 && segments[0] !== '**')
    return nameMatches(segments[0]!, path.at(-1)!);
  return rowMatches<Segment, Letters>(
    segments,
    path,
    (segment) => segment === '**',
    (segment, name) => segment !== '**' && nameMatches(segment, name),
  );
}

/** What the last pattern that matches says; undefined where none does. */
export class PatternList {
  readonly #patterns: readonly Pattern[];

  /** @param folds its names are folded too */
  constructor(lines: readonly string[], folds = false) {
    this.#patterns = lines.flatMap((line) => parsePattern(line, folds) ?? []);
  }

  get size(): number {
    return this.#patterns.length;
  }

  get empty(): boolean {
    return this.size === 0;
  }

  /** @param path below the list's folder @param floating only by patterns that match at every depth */
  says(path: readonly Letters[], folder: boolean, floating = false): boolean | undefined {
    for (let i = this.#patterns.length - 1; i >= 0; i--) {
      const pattern = this.#patterns[i]!;
      if (floating && pattern.anchored) continue;
      if (matches(pattern, path, folder)) return !pattern.negated;
    }
    return undefined;
  }
}
