/**
 * Which of the files in a tree are sent: `--exclude`, `--include`, and what .gitignore files say. A folder that is left out is not read.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { codeOf, faultAt } from '../../base/errors.ts';
import { READ_FLAGS } from './io.ts';
import { type Letters, PatternList } from './patterns.ts';

export interface FilterOptions {
  /** Patterns as in a .gitignore, from the folder that is named: what matches is left out. */
  exclude?: readonly string[] | undefined;
  /** Only files that match one of these, or stand in a folder that does. */
  include?: readonly string[] | undefined;
  /** What .gitignore files leave out is left out, and `.git`. */
  gitignore?: boolean | undefined;
}

const GITIGNORE = '.gitignore';
/** Bytes of one. */
const MOST_BYTES = 1024 * 1024;
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

  constructor({ exclude = [], include = [], gitignore = false }: FilterOptions) {
    this.#exclude = new PatternList(exclude);
    this.#include = new PatternList(include);
    this.#gitignore = gitignore;
  }

  /** Of what stands in `scope`; without one, of a path that was named itself. */
  verdict(scope: FilterScope | undefined, name: string, folder: boolean): Verdict {
    const verdict = this.#judge(scope, name, folder);
    if (verdict === 'out') this.leftOut++;
    return verdict;
  }

  #judge(scope: FilterScope | undefined, name: string, folder: boolean): Verdict {
    const names = [...(scope?.names ?? []), Array.from(name)];
    const floating = scope === undefined;
    if (this.#exclude.says(names, folder, floating)) return 'out';
    if (scope && this.#gitignore && this.#isIgnored(scope, name, names, folder)) return 'out';
    if (this.#include.empty || scope?.included || this.#include.says(names, folder, floating)) return 'in';
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
    const names = above ? [...above.names, Array.from(name)] : [];
    const before = above?.ignores ?? (this.#gitignore ? ignoresAbove(absolute, children) : []);
    const own = this.#gitignore && children.includes(GITIGNORE) ? listIn(absolute) : undefined;
    const ignores = own ? [...before, { list: own, above: [], depth: names.length }] : before;
    return { names, ignores, included: verdict === 'in' };
  }
}

/** Those of the repository that a folder is in, outermost first. */
function ignoresAbove(absolute: string, children: readonly string[]): Ignore[] {
  if (children.includes('.git')) return [];
  const found: Ignore[] = [];
  for (let [folder, i] = [dirname(absolute), 0]; i < MOST_ABOVE; i++) {
    const list = listIn(folder);
    const above = relative(folder, absolute)
      .split(sep)
      .map((name) => Array.from(name));
    if (list) found.unshift({ list, above, depth: 0 });
    if (existsSync(join(folder, '.git'))) return found;
    const next = dirname(folder);
    if (next === folder) break;
    folder = next;
  }
  // It is in no repository.
  return [];
}

/** Undefined where there is none. Like git, it follows no link. @throws BeelineError UNREADABLE */
function listIn(folder: string): PatternList | undefined {
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
    if (stat.size > MOST_BYTES) throw faultAt('FILE_UNREADABLE', path, { why: 'it is larger than 1 MiB' });
    return new PatternList(
      readFileSync(fd, 'utf8')
        .replace(/^\ufeff/, '')
        .split('\n'),
    );
  } finally {
    closeSync(fd);
  }
}
