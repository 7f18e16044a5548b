/**
 * What the destination's file system can hold, found out by trying in the staging folder. It tries only what the manifest needs,
 * with a few calls if all is well. What cannot be found out, because the disk is full or fails, counts as held. Then a write
 * will say so.
 */

import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { codeOf } from '../../base/errors.ts';
import { MAX_COMPONENT, MAX_TIME_S } from '../../base/limits.ts';
import { ANY_NAME, type NameAbilities, PLAIN_NAMES } from '../../offer/fitting.ts';
import type { Entry } from '../../offer/manifest.ts';
import { lastPart, WINDOWS_DEVICE } from '../../offer/names.ts';
import { CREATE_FLAGS, fromMicros, toMicros } from './io.ts';
import { FileSlices, inSlices } from './slices.ts';

export interface Abilities extends NameAbilities {
  /** Permission bits are kept. */
  modes: boolean;
  /** Symbolic links are. */
  links: boolean;
  /** Times that are less than so many microseconds apart may be one. */
  step: number;
  /** Microseconds since 1970. */
  earliest: number;
  latest: number;
}

/** Everything that a manifest can say. */
export const ALL: Abilities = {
  ...ANY_NAME,
  modes: true,
  links: true,
  step: 2,
  earliest: -MAX_TIME_S * 1e6,
  latest: MAX_TIME_S * 1e6,
};

/** Errors that say nothing about what the file system can hold. */
const PASSING = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENXIO',
  'ESTALE',
]);
/** Characters that some file system refuses, and all that are not ASCII. */
const ODD = /[:?*<>|"\\]|[^\x00-\x7f]/gu;
/** UTF-8 bytes: every file system holds a name of this length. */
const SHORT = 100;
/** Names tried at most. After that, all characters still in doubt count as refused. */
const MAX_TRIALS = 1000;
/** Microseconds: what file systems tell apart (NTFS and others finer than that, FAT two seconds). */
const STEPS = [2, 1000, 10_000, 1e6, 2e6];
/** A time in an odd second that is no multiple of any step. */
const SOME_TIME = 1_600_000_001_123_457;
/** Every file system in use holds times between these. */
const FROM_1981 = Date.UTC(1981, 0, 1) * 1000;
const TO_2037 = Date.UTC(2037, 0, 1) * 1000;
/** Where file systems begin and end, widest first. */
const BEGINNINGS = ['1601-01-01', '1677-09-21T00:12:44', '1901-12-13T20:45:52', '1970-01-01', '1980-01-02'];
const ENDINGS = [
  ...['2486-07-02T20:20:24', '2446-05-10T22:38:55', '2262-04-11T23:47:16', '2107-12-31T23:59:58'],
  ...['2106-02-07T06:28:15', '2038-01-19T03:14:07'],
];

/** True if not every file system holds this: a link, an odd or long name, a time far off. */
export function mayNotFit({ path, kind, mtime }: Pick<Entry, 'path' | 'kind' | 'mtime'>): boolean {
  const name = lastPart(path);
  if (kind === 'link' || mtime < FROM_1981 || mtime > TO_2037) return true;
  return name.search(ODD) >= 0 || /[. ]$/.test(name) || WINDOWS_DEVICE.test(name) || name.length * 3 > SHORT;
}

/** What a manifest has that not every file system holds. */
interface Needs {
  letters: Set<string>;
  ends: Set<string>;
  devices: boolean;
  links: boolean;
  /** UTF-8 bytes. */
  longest: number;
  earliest: number;
  latest: number;
}

async function needsOf(entries: readonly Entry[]): Promise<Needs> {
  const needs: Needs = {
    ...{ letters: new Set(), ends: new Set(), devices: false, links: false, longest: 0 },
    ...{ earliest: FROM_1981, latest: TO_2037 },
  };
  await inSlices(entries, ({ path, kind, mtime }) => {
    const name = lastPart(path);
    for (const [letter] of name.matchAll(ODD)) needs.letters.add(letter);
    if (name.endsWith('.') || name.endsWith(' ')) needs.ends.add(name.at(-1)!);
    if (name.length * 3 > SHORT) needs.longest = Math.max(needs.longest, Buffer.byteLength(name));
    needs.devices ||= WINDOWS_DEVICE.test(name);
    needs.links ||= kind === 'link';
    needs.earliest = Math.min(needs.earliest, mtime);
    needs.latest = Math.max(needs.latest, mtime);
  });
  return needs;
}

/**
 * @param folder a path that nothing stands at, in the file system that is asked about; nothing stands there afterwards
 * @param folds whether names that differ in case only are known to be one there
 */
export async function abilitiesOf(
  folder: string,
  entries: readonly Entry[],
  folds: boolean,
): Promise<Abilities> {
  const needs = await needsOf(entries);
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, 0o700);
    return await new Trial(folder).run(needs, folds);
  } catch (error) {
    if (!PASSING.has(codeOf(error))) throw error;
    return { ...ALL, folds };
  } finally {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // It goes with the staging folder that it is in.
    }
  }
}

class Trial {
  readonly #folder: string;
  #trials = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async run(needs: Needs, folds: boolean): Promise<Abilities> {
    const { step, earliest, latest } = this.#times(needs);
    return {
      ...(process.platform === 'win32' ? PLAIN_NAMES : await this.#names(needs)),
      folds: folds || this.#folds(needs),
      modes: process.platform === 'win32' || this.#modes(),
      links: !needs.links || this.#links(),
      ...{ step, earliest, latest },
    };
  }

  /** True unless the file system itself says no. */
  #works(what: () => boolean): boolean {
    try {
      return what();
    } catch (error) {
      return PASSING.has(codeOf(error));
    }
  }

  #modes(): boolean {
    const path = this.#file('mode');
    // A mode that no umask would produce.
    return this.#works(() => {
      chmodSync(path, 0o751);
      return (statSync(path).mode & 0o777) === 0o751;
    });
  }

  #links(): boolean {
    return this.#works(() => {
      symlinkSync('target', this.#at('link'));
      return lstatSync(this.#at('link')).isSymbolicLink();
    });
  }

  #folds({ letters }: Needs): boolean {
    return (
      this.#same('lower', 'LOWER') ||
      ([...letters].some((letter) => letter > '\x7f') && this.#same('n\u00e9', 'ne\u0301'))
    );
  }

  /** Whether what is made under one name is found under the other. */
  #same(one: string, other: string): boolean {
    try {
      this.#file(one);
      return lstatSync(this.#at(other), { throwIfNoEntry: false }) !== undefined;
    } catch {
      return false;
    }
  }

  async #names(needs: Needs): Promise<NameAbilities> {
    const refused = new Set<string>();
    const slices = new FileSlices();
    // All together first; if they pass, that is all. If not, each half is tried next.
    const left = bundles([...needs.letters]);
    for (let some = left.pop(); some; some = left.pop()) {
      if (slices.over()) await slices.next();
      if (this.#trials < MAX_TRIALS && this.#holds(`x${some.join('')}x`)) continue;
      if (some.length === 1 || this.#trials >= MAX_TRIALS) for (const letter of some) refused.add(letter);
      else left.push(some.slice(0, some.length / 2), some.slice(some.length / 2));
    }
    return {
      refused,
      ends: new Set([...needs.ends].filter((end) => !this.#holds(`x${end}`))),
      devices: needs.devices && !(this.#holds('aux.x') && this.#holds('com1')),
      aliases: false,
      folds: false,
      longest: this.#longest(needs.longest),
    };
  }

  /** UTF-8 bytes of the longest name that is needed, or can be had. */
  #longest(needed: number): number {
    if (needed <= SHORT || this.#holds('x'.repeat(needed))) return MAX_COMPONENT;
    let [held, not] = [SHORT, needed];
    while (not - held > 1) {
      const middle = (held + not) >> 1;
      if (this.#holds('x'.repeat(middle))) held = middle;
      else not = middle;
    }
    return held;
  }

  /** Renamed as files are to their final names. Then it must be there under just that name. */
  #holds(name: string): boolean {
    this.#trials++;
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder, 0o700);
    const from = this.#file('from');
    return this.#works(() => {
      renameSync(from, this.#at(name));
      const [found, ...more] = readdirSync(this.#folder);
      return more.length === 0 && found?.normalize('NFC') === name.normalize('NFC');
    });
  }

  #times({ earliest, latest }: Needs): Pick<Abilities, 'step' | 'earliest' | 'latest'> {
    const path = this.#file('time');
    const kept = this.#setTime(path, SOME_TIME);
    const off = kept === undefined ? Number.POSITIVE_INFINITY : Math.abs(kept - SOME_TIME);
    const step = STEPS.find((size) => off < size);
    // If times cannot be set, no file has the right one.
    if (step === undefined) return { step: ALL.step, earliest: ALL.earliest, latest: ALL.latest };
    const limit = (wanted: number, usual: number, limits: readonly string[]): number | undefined => {
      if (wanted === usual) return undefined;
      const first = this.#setTime(path, wanted);
      if (first === undefined || Math.abs(first - wanted) < step) return undefined;
      // A kernel that knows the limits of its file system sets the nearest time.
      for (const time of [first, ...limits.map((text) => Date.parse(`${text}Z`) * 1000)]) {
        const nearer = Math.abs(time - usual) < Math.abs(wanted - usual);
        const got = nearer ? this.#setTime(path, time) : undefined;
        if (got !== undefined && Math.abs(got - time) < step) return got;
      }
      return usual;
    };
    return {
      step,
      earliest: limit(earliest, FROM_1981, BEGINNINGS) ?? ALL.earliest,
      latest: limit(latest, TO_2037, ENDINGS) ?? ALL.latest,
    };
  }

  /** What the file has afterwards, in microseconds; undefined if that failed. */
  #setTime(path: string, time: number): number | undefined {
    try {
      utimesSync(path, fromMicros(time), fromMicros(time));
      return toMicros(statSync(path, { bigint: true }));
    } catch {
      return undefined;
    }
  }

  #file(name: string): string {
    closeSync(openSync(this.#at(name), CREATE_FLAGS, 0o600));
    return this.#at(name);
  }

  #at(name: string): string {
    return `${this.#folder}/${name}`;
  }
}

/** In groups that make names of moderate length. */
function bundles(letters: readonly string[]): string[][] {
  const groups: string[][] = [];
  for (let from = 0; from < letters.length; from += SHORT / 4)
    groups.push(letters.slice(from, from + SHORT / 4));
  return groups;
}
