/**
 * Which of the files in a tree are sent: `--exclude`, `--include`, and what .gitignore files say. A folder that is left out is not read.
 */
import { closeSync, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { codeOf, fault, faultAt } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { READ_FLAGS } from './io.ts';
import { foldsNames, type Letters, lettersOf, MOST_PATTERN, PatternList, parsePattern } from './patterns.ts';

export interface FilterOptions {
  /** Patterns as in a .gitignore, from the folder that is named: what matches is left out. */
  exclude?: readonly string[] | undefined;
  /** Only files that match one of these, or stand in a folder that does. */
  include?: readonly string[] | undefined;
  /** What .gitignore files leave out is left out, and `.git`. */
  gitignore?: boolean | undefined;
}

const GITIGNORE = '.gitignore';
/** Bytes of one. A longer one is refused and never cut: what it leaves out would be sent. */
const MOST_BYTES = 64 * 1024;
/** That a name is compared with: typed ones, or those of all .gitignore files on the way to it. */
const MOST_PATTERNS = 2000;
/** Folders above a named one in which a repository is looked for. */
const MOST_ABOVE = 64;

/** One .gitignore. */
interface Ignore {
  list: PatternList;
  /** Names between its folder and the named one, if it stands above that. */
  above: readonly Letters[];
  /** How many names below the named folder it stands. */
  depth: number;
}

/** A folder that is being walked. */
export interface FilterScope {
  readonly names: readonly Letters[];
  readonly ignores: readonly Ignore[];
  /** Everything in it is included. */
  readonly included: boolean;
}

/** 'perhaps': a folder that is sent if something in it is. */
export type Verdict = 'in' | 'out' | 'perhaps';

export class Filter {
  /** Files and folders that were left out, each folder as one. */
  leftOut = 0;
  readonly #exclude: PatternList;
  readonly #include: PatternList;
  readonly #gitignore: boolean;
  readonly #folds: boolean;

  /** @throws BeelineError USAGE for a pattern that matches nothing, or too many */
  constructor({ exclude = [], include = [], gitignore = false }: FilterOptions, platform = process.platform) {
    this.#folds = foldsNames(platform);
    this.#exclude = typedList(exclude, this.#folds);
    this.#include = typedList(include, this.#folds);
    this.#gitignore = gitignore;
  }

  /** Of what stands in `scope`; without one, of a path that was named itself. */
  verdict(scope: FilterScope | undefined, name: string, folder: boolean): Verdict {
    const verdict = this.#judge(scope, name, folder);
    if (verdict === 'out') this.leftOut++;
    return verdict;
  }

  #judge(scope: FilterScope | undefined, name: string, folder: boolean): Verdict {
    const names = [...(scope?.names ?? []), lettersOf(name, this.#folds)];
    const floating = scope === undefined;
    if (this.#exclude.says(names, folder, floating)) return 'out';
    if (scope && this.#gitignore && this.#isIgnored(scope, name, names, folder)) return 'out';
    const said = this.#include.says(names, folder, floating);
    if (said ?? (this.#include.empty || scope?.included)) return 'in';
    // An include that was taken back again.
    if (said === false) return 'out';
    return folder ? 'perhaps' : 'out';
  }

  /** The innermost file that says something about it decides. */
  #isIgnored({ ignores }: FilterScope, name: string, names: readonly Letters[], folder: boolean): boolean {
    if (name === '.git') return true;
    for (const { list, above, depth } of ignores.toReversed()) {
      const said = list.says([...above, ...names.slice(depth)], folder);
      if (said !== undefined) return said;
    }
    return false;
  }

  /** @param above the folder that it stands in; absent: it was named itself @param children the names in it */
  enter(
    above: FilterScope | undefined,
    {
      name,
      absolute,
      children,
      verdict,
    }: { name: string; absolute: string; children: readonly string[]; verdict: Verdict },
  ): FilterScope {
    const names = above ? [...above.names, lettersOf(name, this.#folds)] : [];
    const before = above?.ignores ?? (this.#gitignore ? this.#ignoresAbove(absolute, children) : []);
    const own = this.#gitignore && children.includes(GITIGNORE) ? listIn(absolute, this.#folds) : undefined;
    const ignores = own
      ? bounded([...before, { list: own, above: [], depth: names.length }], absolute)
      : before;
    return { names, ignores, included: verdict === 'in' };
  }

  /** Those of the repository that a folder is in, outermost first. */
  #ignoresAbove(absolute: string, children: readonly string[]): Ignore[] {
    if (children.includes('.git')) return [];
    const found: Ignore[] = [];
    for (const folder of foldersOfRepository(absolute)) {
      const list = listIn(folder, this.#folds);
      const above = relative(folder, absolute)
        .split(sep)
        .map((name) => lettersOf(name, this.#folds));
      if (list) found.unshift({ list, above, depth: 0 });
    }
    return bounded(found, dirname(absolute));
  }
}

/** Of what was typed. A leading `./` means what a leading `/` does. @throws BeelineError USAGE */
function typedList(patterns: readonly string[], folds: boolean): PatternList {
  if (patterns.length > MOST_PATTERNS) throw fault('TOO_MANY_PATTERNS', { most: MOST_PATTERNS });
  const lines = patterns.map((pattern) => pattern.replace(/^(!?)(?:\.\/+)+/, '$1/'));
  for (const [i, line] of lines.entries()) {
    if (parsePattern(line, folds)) continue;
    const why =
      line.length > MOST_PATTERN
        ? `it has more than ${MOST_PATTERN} characters`
        : line.startsWith('#')
          ? 'it is a comment. A name that begins with # is written \\#'
          : 'it is empty, or ends within a [ or behind a \\';
    throw fault('PATTERN_EMPTY', { pattern: quoted(patterns[i]!.slice(0, 80)), why });
  }
  return new PatternList(lines, folds);
}

/** @param folder where the last one is @throws BeelineError UNREADABLE */
function bounded(ignores: Ignore[], folder: string): Ignore[] {
  const count = ignores.reduce((sum, { list }) => sum + list.size, 0);
  if (count > MOST_PATTERNS)
    throw faultAt('FILE_UNREADABLE', join(folder, GITIGNORE), {
      why: `with those above it has more than ${MOST_PATTERNS} patterns`,
    });
  return ignores;
}

/**
 * The folders above one, up to that of its repository; none outside of a repository, and none of a repository that another user has
 * made: what stands in it would decide what this one sends.
 */
function foldersOfRepository(absolute: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(absolute); folders.length < MOST_ABOVE; folder = dirname(folder)) {
    folders.push(folder);
    const made = ownerOf(join(folder, '.git'));
    if (made !== undefined) return made === process.getuid?.() || process.platform === 'win32' ? folders : [];
    if (dirname(folder) === folder) break;
  }
  return [];
}

/** Undefined where there is nothing to be seen. */
function ownerOf(path: string): number | undefined {
  try {
    return lstatSync(path).uid;
  } catch {
    return undefined;
  }
}

/** Undefined where there is none. Like git, it follows no link. @throws BeelineError UNREADABLE */
function listIn(folder: string, folds: boolean): PatternList | undefined {
  const path = join(folder, GITIGNORE);
  let fd: number;
  try {
    fd = openSync(path, READ_FLAGS);
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EMLINK', 'EISDIR'].includes(codeOf(cause) ?? '')) return undefined;
    throw faultAt('FILE_UNREADABLE', path, { why: codeOf(cause) || String(cause) }, cause);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return undefined;
    const tooLarge = (why: string) => faultAt('FILE_UNREADABLE', path, { why });
    if (stat.size > MOST_BYTES) throw tooLarge('it is larger than 64 KiB');
    const lines = readFileSync(fd, 'utf8')
      .replace(/^\ufeff/, '')
      .split('\n');
    if (lines.some((line) => line.length > MOST_PATTERN))
      throw tooLarge(`a line of it has more than ${MOST_PATTERN} characters`);
    return new PatternList(lines, folds);
  } finally {
    closeSync(fd);
  }
}
