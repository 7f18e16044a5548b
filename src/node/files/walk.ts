/**
 * What there is to send: paths of the command line become manifest entries. Links inside are kept as links and
 * never followed; only a link that is itself named is, as scp and rsync users expect. Nothing is read, only stat'ed.
 */
import {
  accessSync,
  type BigIntStats,
  constants,
  lstatSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, sep } from 'node:path';
import { BeelineError, codeOf, fault, faultAt, retold } from '../../base/errors.ts';
import { MAX_ENTRIES } from '../../base/limits.ts';
import { quoted } from '../../base/printable.ts';
import type { Entry, EntryKind } from '../../offer/manifest.ts';
import { nameProblem, STAGING_PREFIX, unsafeLinks } from '../../offer/names.ts';
import { Filter, type FilterOptions, type FilterScope, type Verdict } from './filter.ts';
import { timeOf } from './io.ts';
import { locate } from './named-path.ts';
import { FileSlices } from './slices.ts';
import { SeenStats, versionsBy } from './version.ts';

export interface Walked {
  /** Depth first, by the bytes of their names, a folder before what is in it. */
  entries: Entry[];
  /** Where each entry is, by index. */
  absolute: string[];
  stats: SeenStats;
  /** What filters left out, each folder as one. */
  leftOut: number;
}

export interface WalkOptions extends FilterOptions {
  /** 'fail' throws at the first file or folder that cannot be read; 'skip' leaves it out and tells `onSkip`. */
  onUnreadable: 'fail' | 'skip';
  /** Also told of sockets, pipes and devices inside folders, which are always left out. */
  onSkip?: (path: string, error: BeelineError) => void;
  /** Links inside folders: 'keep' (default) makes them entries, 'follow' makes what they point to entries, 'skip' neither. */
  links?: 'keep' | 'follow' | 'skip';
  /** As one ZIP, which has no links: those are left out, and told, unless `links` says what becomes of them. */
  zip?: boolean;
  /** Told of links that a ZIP has not, and of links that lead out of what is sent, which receivers leave out by default; '' for a last word on many. */
  onOutward?: (path: string, error: BeelineError) => void;
  /** Told now and then how many files were found so far. */
  onFound?: (files: number) => void;
  /** Key for the entries' versions; absent: they have none, and a receiver that resumes compares by hash. */
  versionKey?: Uint8Array;
}

/** @throws BeelineError NO_SUCH_PATH, UNREADABLE, UNSAFE_NAME (a name no receiver takes) or USAGE. */
export async function walk(paths: readonly string[], options: WalkOptions): Promise<Walked> {
  const walker = new Walker(options);
  const named = new Map<string, string>();
  for (const path of paths) {
    const { name, absolute } = locate(path);
    const other = named.get(name);
    if (other !== undefined) {
      const both = `Both ${quoted(other)} and ${quoted(path)}`;
      throw fault('NAMES_COLLIDE', { paths: both, name: quoted(name) });
    }
    named.set(name, path);
    await walker.add(name, absolute);
  }
  const { entries, leftOut } = walker.walked;
  if (entries.length === 0) throw fault(leftOut > 0 ? 'FILTERS_LEAVE_NOTHING' : 'NOTHING_READABLE');
  const { onOutward } = options;
  if (onOutward) {
    for (const path of walker.unzipped.slice(0, NAMED))
      onOutward(path, fault('LINK_NOT_IN_ZIP', { link: quoted(path) }, { paths: [path] }));
    tellMore(walker.unzipped.length, 'MORE_LINKS_NOT_IN_ZIP', onOutward);
    await tellOutward(entries, onOutward);
  }
  return walker.walked;
}

/** How many links are told by name. */
const NAMED = 20;

async function tellOutward(
  entries: readonly Entry[],
  tell: (path: string, error: BeelineError) => void,
): Promise<void> {
  const outward = [...(await new FileSlices().run(unsafeLinks(entries)))];
  for (const [index, { problem }] of outward.slice(0, NAMED)) {
    const { path, target } = entries[index]!;
    const link = { link: quoted(path), target: quoted(target.slice(0, 200)), problem };
    tell(path, fault('LINK_LEADS_OUT', link, { paths: [path] }));
  }
  tellMore(outward.length, 'MORE_LINKS_LEAD_OUT', tell);
}

function tellMore(
  links: number,
  why: 'MORE_LINKS_LEAD_OUT' | 'MORE_LINKS_NOT_IN_ZIP',
  tell: (path: string, error: BeelineError) => void,
): void {
  if (links > NAMED) tell('', fault(why, { count: links - NAMED }));
}

/** A folder being walked: its children's names in order, and the next one. */
interface Level {
  path: string;
  dev: bigint;
  ino: bigint;
  absolute: string;
  names: string[];
  next: number;
  /** Where there are filters. */
  scope: FilterScope | undefined;
  /** Adds the folder itself, once something in it is sent. */
  pending: (() => void) | undefined;
}

class Walker {
  readonly walked: Walked = { entries: [], absolute: [], stats: new SeenStats(), leftOut: 0 };
  /** Links that a ZIP has not. */
  readonly unzipped: string[] = [];
  readonly #options: WalkOptions;
  readonly #version: ReturnType<typeof versionsBy> | undefined;
  readonly #slices = new FileSlices();
  readonly #filter: Filter | undefined;
  #files = 0;
  /** The folders that are being walked, outermost first. */
  #levels: Level[] = [];

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#version = options.versionKey && versionsBy(options.versionKey);
    const { exclude = [], include = [], gitignore = false } = options;
    if (exclude.length > 0 || include.length > 0 || gitignore) this.#filter = new Filter(options);
  }

  async add(name: string, absolute: string): Promise<void> {
    const levels: Level[] = [];
    this.#levels = levels;
    const first = this.#visit(name, absolute, true);
    if (first) levels.push(first);
    for (let level = levels.at(-1); level; level = levels.at(-1)) {
      const child = level.names[level.next++];
      if (child === undefined) {
        levels.pop();
        continue;
      }
      const inside = level.absolute.endsWith(sep) ? level.absolute : level.absolute + sep;
      const below = this.#visit(`${level.path}/${child}`, inside + child, false);
      if (below) levels.push(below);
      if (!this.#slices.over()) continue;
      this.#options.onFound?.(this.#files);
      await this.#slices.next();
    }
    this.walked.leftOut = this.#filter?.leftOut ?? 0;
  }

  /** Adds one entry; a folder is returned to be walked. */
  #visit(path: string, absolute: string, named: boolean): Level | undefined {
    try {
      const stat = (named ? statSync : lstatSync)(absolute, { bigint: true });
      if (stat.isSymbolicLink() && this.#options.links === 'follow') return this.#follow(path, absolute);
      const scope = named ? undefined : this.#levels.at(-1)?.scope;
      const verdict = this.#filter?.verdict(scope, basename(path), stat.isDirectory()) ?? 'in';
      if (verdict === 'out') return undefined;
      const problem = nameProblem(path, 'posix');
      if (problem) throw fault('NAME_NOT_TAKEN', { name: quoted(path), problem });
      if (!named && basename(path).startsWith(STAGING_PREFIX)) {
        this.#options.onSkip?.(path, faultAt('STAGING_NOT_SENT', path));
        return undefined;
      }
      if (stat.isFile()) {
        checkReadable(absolute, stat);
        this.#push(path, absolute, 'file', stat, Number(stat.size), '');
      } else if (stat.isSymbolicLink()) {
        const { links, zip } = this.#options;
        if (zip && links === undefined) this.unzipped.push(path);
        else if (links !== 'skip') this.#push(path, absolute, 'link', stat, 0, readLink(absolute));
      } else if (stat.isDirectory()) {
        return this.#enter(path, absolute, stat, scope, verdict);
      } else if (named) {
        throw fault('SPECIAL_FILE', { path: quoted(path), more: ". Send '-' to send what a pipe holds" });
      } else {
        this.#options.onSkip?.(path, faultAt('SPECIAL_FILE', path, { more: ', and is left out' }));
      }
    } catch (error) {
      this.#unreadable(path, error);
    }
    return undefined;
  }

  #enter(
    path: string,
    absolute: string,
    stat: BigIntStats,
    above: FilterScope | undefined,
    verdict: Verdict,
  ): Level {
    const names = this.#children(path, absolute);
    const scope = this.#filter?.enter(above, { name: basename(path), absolute, children: names, verdict });
    const add = () => this.#record(path, absolute, 'folder', stat, 0, '');
    if (verdict === 'in') this.#push(path, absolute, 'folder', stat, 0, '');
    const pending = verdict === 'in' ? undefined : add;
    return { path, absolute, dev: stat.dev, ino: stat.ino, names, next: 0, scope, pending };
  }

  /** What a link points to, as if it stood in its place. One that leads nowhere, or into itself, is left out. */
  #follow(path: string, absolute: string): Level | undefined {
    const leave = (why: string, cause?: unknown) => {
      this.#options.onSkip?.(path, faultAt('LINK_NOT_FOLLOWED', path, { why }, cause));
      return undefined;
    };
    let real: string;
    try {
      real = realpathSync(absolute);
    } catch (error) {
      return leave('leads nowhere', error);
    }
    const { dev, ino } = lstatSync(real, { bigint: true });
    if (this.#levels.some((level) => level.dev === dev && level.ino === ino))
      return leave('leads to a folder that it is in');
    return this.#visit(path, real, false);
  }

  #push(
    path: string,
    absolute: string,
    kind: EntryKind,
    stat: BigIntStats,
    size: number,
    target: string,
  ): void {
    if (this.#filter) this.#addPending();
    this.#record(path, absolute, kind, stat, size, target);
  }

  #record(
    path: string,
    absolute: string,
    kind: EntryKind,
    stat: BigIntStats,
    size: number,
    target: string,
  ): void {
    const { entries, absolute: places, stats } = this.walked;
    if (entries.length >= MAX_ENTRIES) throw fault('TOO_MANY_ENTRIES', { most: MAX_ENTRIES });
    const version = kind === 'file' ? (this.#version?.(stat) ?? '') : '';
    if (kind === 'file') this.#files++;
    const mode = Number(stat.mode) & 0o777;
    const { mtime, nanos } = timeOf(stat);
    // Two literals: a spread costs as much as all else here.
    entries.push(
      nanos
        ? { path, kind, size, mode, mtime, nanos, target, version }
        : { path, kind, size, mode, mtime, target, version },
    );
    places.push(absolute);
    stats.push(stat);
  }

  /** The folders that wait for something in them. */
  #addPending(): void {
    for (const level of this.#levels) {
      const { pending } = level;
      level.pending = undefined;
      pending?.();
    }
  }

  /** Names in the order of their UTF-8 bytes; those that are not UTF-8 cannot be sent. */
  #children(path: string, absolute: string): string[] {
    let names = readdirSync(absolute);
    // Only a name with a replacement character can have lost bytes in decoding.
    if (names.some((name) => name.includes('\ufffd'))) {
      const raw = readdirSync(absolute, { encoding: 'buffer' });
      const broken = raw.filter((bytes) => !Buffer.from(bytes.toString()).equals(bytes));
      for (const bytes of broken) {
        const text = [...bytes]
          .map((b) => (b < 0x80 ? String.fromCharCode(b) : `\\x${b.toString(16)}`))
          .join('');
        const whole = `${path}/${text}`;
        this.#unreadable(whole, fault('NAME_NOT_UTF8', { what: `The name ${quoted(whole)}` }));
      }
      names = raw.filter((bytes) => !broken.includes(bytes)).map((bytes) => bytes.toString());
    }
    // UTF-16 order differs from that of bytes only where there are surrogates.
    const astral = names.some((name) => /[\ud800-\udfff]/.test(name));
    return astral ? names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) : names.sort();
  }

  #unreadable(path: string, thrown: unknown): void {
    if (thrown instanceof BeelineError && thrown.code === 'USAGE') throw thrown;
    const error =
      thrown instanceof BeelineError
        ? retold(thrown, thrown.message, [path])
        : faultAt('FILE_UNREADABLE', path, { why: reason(thrown) }, thrown);
    if (this.#options.onUnreadable === 'fail') throw error;
    this.#options.onSkip?.(path, error);
  }
}

/** Only asked where a mode bit leaves a doubt: a call a file is what 100,000 files would notice. */
function checkReadable(absolute: string, stat: BigIntStats): void {
  if ((stat.mode & 0o444n) !== 0o444n) accessSync(absolute, constants.R_OK);
}

function readLink(absolute: string): string {
  const bytes = readlinkSync(absolute, { encoding: 'buffer' });
  const target = bytes.toString();
  if (!Buffer.from(target).equals(bytes))
    throw fault('NAME_NOT_UTF8', { what: `The target of the link ${quoted(basename(absolute))}` });
  return sep === '\\' ? target.replaceAll('\\', '/') : target;
}

function reason(error: unknown): string {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not';
  if (code === 'ENOENT') return 'it vanished while it was looked at';
  return code || String(error);
}
