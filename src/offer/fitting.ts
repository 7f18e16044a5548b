/**
 * Names as a destination can hold them: characters and endings that it refuses, names that it keeps for devices, lengths,
 * and names that would be one file there. What fits stays as it is; the rest gets another name by rules that always give
 * the same answer, so that a later run finds what an earlier one wrote. Pure, for browsers too.
 */
import { utf8Encode } from '../base/bytes.ts';
import { MAX_COMPONENT } from '../base/limits.ts';
import type { Steps } from '../base/slices.ts';
import { foldKey, STAGING_PREFIX, WINDOWS_ALIAS, WINDOWS_DEVICE } from './names.ts';

export interface NameAbilities {
  /** Characters that no name may have. */
  refused: ReadonlySet<string>;
  /** Characters that no name may end in. */
  ends: ReadonlySet<string>;
  /** Names such as `aux.txt` mean devices. */
  devices: boolean;
  /** Names such as `PROGRA~1` may mean another file. */
  aliases: boolean;
  /** Names that differ in case or Unicode form only are one. */
  folds: boolean;
  /** UTF-8 bytes of a name. */
  longest: number;
}

const STAGING_KEY = foldKey(STAGING_PREFIX);

/** UTF-8 bytes of an extension, its dot included. */
const MAX_EXTENSION = 16;

/** Replaces a character that cannot be written. */
const STAND_IN = '_';

/** Every name that a manifest may have. */
export const ANY_NAME: NameAbilities = {
  refused: new Set(),
  ends: new Set(),
  devices: false,
  aliases: false,
  folds: false,
  longest: MAX_COMPONENT,
};

/** Names that every system takes. */
export const PLAIN_NAMES: NameAbilities = {
  refused: new Set('\\:<>"|?*'),
  ends: new Set('. '),
  devices: true,
  aliases: true,
  folds: true,
  longest: MAX_COMPONENT,
};

/** One part of a path as the destination can hold it; the same text where it can as it is. */
export function fitName(name: string, can: NameAbilities): string {
  let fitted = name;
  if (can.refused.size > 0)
    fitted = Array.from(name, (letter) => (can.refused.has(letter) ? STAND_IN : letter)).join('');
  fitted = fitEnd(fitted, can);
  if ((can.devices && WINDOWS_DEVICE.test(fitted)) || (can.aliases && WINDOWS_ALIAS.test(fitted)))
    fitted = suffixed(fitted, STAND_IN, can);
  return byteLength(fitted) > can.longest ? suffixed(fitted, '', can) : fitted;
}

/**
 * Where each path is written, in their order: parents first, and never two the same for the destination. A path whose
 * name had to change, or that came second, does not take the name of another one that fits.
 */
export function* fitPaths(paths: readonly string[], can: NameAbilities): Steps<string[]> {
  const keyOf = can.folds ? foldKey : (path: string) => path;
  const fitted: string[] = [];
  const folders = new Map<string, string>();
  const originals = new Set<string>();
  for (const path of paths) {
    yield;
    originals.add(keyOf(path));
  }
  const taken = new Set<string>();
  const numbers = new Map<string, number>();
  for (const path of paths) {
    yield;
    const cut = path.lastIndexOf('/');
    const folder = cut < 0 ? '' : `${folders.get(path.slice(0, cut)) ?? path.slice(0, cut)}/`;
    let name = fitName(path.slice(cut + 1), can);
    // Where case is folded, it would be a name of an unfinished transfer's folder.
    if (can.folds && foldKey(name).startsWith(STAGING_KEY)) name = fitName(STAND_IN + name, can);
    const first = folder + name;
    const free = (candidate: string) => {
      const key = keyOf(candidate);
      return !taken.has(key) && (candidate === path || !originals.has(key));
    };
    let candidate = first;
    for (let n = numbers.get(first) ?? 1; !free(candidate); n++) {
      candidate = folder + fitEnd(suffixed(name, ` (${n})`, can), can);
      numbers.set(first, n + 1);
    }
    taken.add(keyOf(candidate));
    if (candidate !== path) folders.set(path, candidate);
    fitted.push(candidate);
  }
  return fitted;
}

/** Where a link that stays among these paths points once they are written elsewhere. `of` says where each is written. */
export function fitTarget(
  link: string,
  target: string,
  as: string,
  of: (path: string) => string | undefined,
): string {
  const at = link.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..') at.pop();
    else if (part !== '' && part !== '.') at.push(part);
  }
  const found = of(at.join('/'));
  if (found === undefined) return target;
  const from = as.split('/').slice(0, -1);
  const to = found.split('/');
  let same = 0;
  while (same < from.length && same < to.length - 1 && from[same] === to[same]) same++;
  return [...from.slice(same).map(() => '..'), ...to.slice(same)].join('/');
}

/** Characters in which it may not end are replaced. */
function fitEnd(name: string, { ends }: NameAbilities): string {
  let end = name.length;
  while (end > 0 && ends.has(name[end - 1]!)) end--;
  return name.slice(0, end) + STAND_IN.repeat(name.length - end);
}

/** With something at the end of its stem, which is shortened by whole characters until all of it fits. */
function suffixed(name: string, suffix: string, can: NameAbilities): string {
  const dot = name.lastIndexOf('.');
  // A long extension is no extension: there must be room for a stem before it.
  const long = Math.min(MAX_EXTENSION, Math.floor(can.longest / 2));
  const extension = dot > 0 && byteLength(name.slice(dot)) <= long ? name.slice(dot) : '';
  const stem = Array.from(extension ? name.slice(0, dot) : name);
  const rest = byteLength(suffix + extension);
  let length = byteLength(stem.join(''));
  while (stem.length > 1 && length + rest > can.longest) length -= byteLength(stem.pop()!);
  return fitEnd(stem.join('') + suffix + extension, can);
}

function byteLength(text: string): number {
  return utf8Encode(text).length;
}
