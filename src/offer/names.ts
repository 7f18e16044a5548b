/**
 * Which names and link targets a peer may have written. Pure, for browsers too.
 * Goal: what is refused is dangerous or ambiguous on the receiving platform; every other name survives as it is.
 */
import { utf8Encode } from '../base/bytes.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { MAX_COMPONENT, MAX_DEPTH, MAX_PATH } from '../base/limits.ts';
import { escapeName, PRINTABLE_ASCII } from '../base/printable.ts';
import { atOnce, CHEAP_STEPS, type Steps } from '../base/slices.ts';
import type { Entry } from './manifest.ts';

export type NamePlatform = 'posix' | 'windows';

export interface NameRules {
  platform: NamePlatform;
  /** The target treats names as equal that differ in case or Unicode normalisation. Default: on Windows. */
  foldsCase?: boolean;
}

/** Folders that hold unfinished data begin with this, at the top of a destination. */
export const STAGING_PREFIX = '.beeline-';

/** C0, DEL, C1, line and paragraph separators, and (under /u) surrogates without their other half. */
const REFUSED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u;
/** Parts of printable ASCII with a `/` between them, none of them empty, `.` or `..`: what nearly all paths are. */
const PLAIN_PART = String.raw`(?!\.{1,2}(?:/|$))[ -.0-~]{1,${MAX_COMPONENT}}`;
const PLAIN_PATH = new RegExp(`^${PLAIN_PART}(?:/${PLAIN_PART}){0,${MAX_DEPTH - 1}}$`);
/** HFS+ and APFS do not see these when they compare names. */
const IGNORED = /(?!\p{Variation_Selector})\p{Default_Ignorable_Code_Point}/gu;

const WINDOWS_REFUSED = /[\\:<>"|?*]/;
/** Win32 file naming: devices are reserved with any extension, and COM¹ counts as COM1. */
export const WINDOWS_DEVICE =
  /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/i;
/** An 8.3 alias would name a file that the manifest (or the disk) has under its long name. */
export const WINDOWS_ALIAS = /^[^.]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?$/;

/** Two paths with the same key may be one file on a file system that folds case or normalises. */
export function foldKey(path: string): string {
  if (PRINTABLE_ASCII.test(path)) return path.toUpperCase();
  return path.normalize('NFD').replace(IGNORED, '').toUpperCase().normalize('NFC');
}

/** Why a relative path must not be written, as in "the name … contains …"; undefined when it may be. */
export function nameProblem(path: string, platform: NamePlatform): string | undefined {
  if (platform === 'posix' && path.length <= MAX_PATH && PLAIN_PATH.test(path)) return undefined;
  if (path === '') return 'is empty';
  if (path.startsWith('/')) return 'is absolute';
  if (byteLength(path) > MAX_PATH) return `is longer than ${MAX_PATH} bytes`;
  if (!PRINTABLE_ASCII.test(path) && REFUSED.test(path)) return 'contains control characters';
  const components = path.split('/');
  if (components.length > MAX_DEPTH) return `is more than ${MAX_DEPTH} folders deep`;
  for (const component of components) {
    const problem = componentProblem(component, platform);
    if (problem) return problem;
  }
  return undefined;
}

function componentProblem(name: string, platform: NamePlatform): string | undefined {
  if (name === '') return 'has an empty part';
  if (name === '.' || name === '..') return `has '${name}' as a part`;
  if (byteLength(name) > MAX_COMPONENT) return `has a part longer than ${MAX_COMPONENT} bytes`;
  if (platform === 'posix') return undefined;
  if (WINDOWS_REFUSED.test(name)) return 'contains a character that Windows gives another meaning';
  if (WINDOWS_DEVICE.test(name)) return 'names a Windows device';
  if (/[. ]$/.test(name)) return 'has a part that ends in a dot or a space';
  if (WINDOWS_ALIAS.test(name)) return 'looks like a short alias of another name';
  return undefined;
}

/** Lists that were found sound by the plainest rules, and that nobody changes: an engine checks one, and its sink again. */
const CHECKED = new WeakSet<readonly Entry[]>();

/** All of `checkingEntries` in one go: for what is known to be small. */
export function checkEntries(entries: readonly Entry[], rules?: NameRules): void {
  atOnce(checkingEntries(entries, rules));
}

/**
 * Throws UNSAFE_NAME for the first entry that must not be written. Every entry's folder must be an earlier entry,
 * so that a file or a link can never stand where a folder is needed. Where links lead is for `unsafeLinks` to say.
 */
export function* checkingEntries(
  entries: readonly Entry[],
  rules: NameRules = { platform: 'posix' },
): Steps<void> {
  const { platform, foldsCase = platform === 'windows' } = rules;
  const plain = platform === 'posix' && !foldsCase;
  if (plain && CHECKED.has(entries)) return;
  const keyOf = foldsCase ? foldKey : (path: string) => path;
  const stagingKey = keyOf(STAGING_PREFIX);
  const stagingBelow = `/${stagingKey}`;
  const byKey = new Map<string, Entry>();
  for (let i = 0; i < entries.length; i++) {
    if (i % CHEAP_STEPS === 0) yield;
    const entry = entries[i]!;
    const { path } = entry;
    const problem = nameProblem(path, platform);
    if (problem) throw unsafe(path, `The name ${shown(path)} ${problem}.`);
    const key = keyOf(path);
    // At every depth: any folder may be a destination one day.
    if (key.startsWith(stagingKey) || key.includes(stagingBelow))
      throw unsafe(path, `The name ${shown(path)} is one that unfinished transfers use.`);
    const twin = byKey.get(key);
    if (twin) throw unsafe(path, collision(path, twin.path));
    checkParent(path, byKey, keyOf);
    byKey.set(key, entry);
  }
  if (plain) CHECKED.add(entries);
}

/** For links that may lead out. A person may ask for them all the same. */
const OUTWARD: ReadonlySet<string> = new Set([
  'is absolute',
  'climbs behind another link',
  'leaves the destination',
]);

/** A link that leads out of what is received is `outward`; any other in the answer must not be written at all. */
export interface LinkProblem {
  /** To follow the link's path and target. */
  problem: string;
  outward: boolean;
}

/**
 * The links that are not safe to write, by their index, and why. A receiver that writes the others only, into a folder
 * without links of its own, has nothing in it that leads out of it.
 */
export function* unsafeLinks(
  entries: readonly Entry[],
  rules: NameRules = { platform: 'posix' },
): Steps<Map<number, LinkProblem>> {
  const { platform, foldsCase = platform === 'windows' } = rules;
  const keyOf = foldsCase ? foldKey : (path: string) => path;
  const links = new LinkTree();
  const indexes: number[] = [];
  for (let i = 0; i < entries.length; i++) {
    if (i % CHEAP_STEPS === 0) yield;
    const { kind, path } = entries[i]!;
    if (kind !== 'link') continue;
    links.add(keyOf(path));
    indexes.push(i);
  }
  const found = new Map<number, LinkProblem>();
  for (const index of indexes) {
    yield;
    const problem = targetProblem(entries[index]!, platform, links, keyOf);
    if (problem) found.set(index, { problem, outward: OUTWARD.has(problem) });
  }
  return found;
}

/** A folder that has links somewhere below it, or a link. */
interface LinkNode {
  isLink: boolean;
  readonly below: Map<string, LinkNode>;
}

/** The manifest's links by the parts of their paths, so that following a target costs no more than its length. */
class LinkTree {
  readonly top: LinkNode = { isLink: false, below: new Map() };

  add(key: string): void {
    let node = this.top;
    for (const part of key.split('/')) {
      const next: LinkNode = node.below.get(part) ?? { isLink: false, below: new Map() };
      node.below.set(part, next);
      node = next;
    }
    node.isLink = true;
  }

  /** The folders above a link, from the top. */
  above(key: string): (LinkNode | undefined)[] {
    const folders: (LinkNode | undefined)[] = [];
    let node: LinkNode | undefined = this.top;
    for (const part of key.split('/').slice(0, -1)) {
      node = node?.below.get(part);
      folders.push(node);
    }
    return folders;
  }
}

function checkParent(path: string, byKey: ReadonlyMap<string, Entry>, keyOf: (path: string) => string): void {
  const cut = path.lastIndexOf('/');
  if (cut < 0) return;
  const parentPath = path.slice(0, cut);
  const parent = byKey.get(keyOf(parentPath));
  if (!parent) throw unsafe(path, `The name ${shown(path)} comes before its folder.`);
  if (parent.path !== parentPath) throw unsafe(path, collision(parentPath, parent.path));
  if (parent.kind !== 'folder')
    throw unsafe(path, `The name ${shown(path)} needs a folder where the manifest has a ${parent.kind}.`);
}

/**
 * Why a link might lead out of the destination. `..` behind another link means that link's parent, not the
 * lexical one, so it is refused; only descending behind a link stays inside wherever that link, itself
 * checked here, stays inside.
 */
function targetProblem(
  link: Entry,
  platform: NamePlatform,
  links: LinkTree,
  keyOf: (name: string) => string,
): string | undefined {
  const { target } = link;
  if (target === '') return 'points nowhere';
  if (byteLength(target) > MAX_PATH) return `is longer than ${MAX_PATH} bytes`;
  if (REFUSED.test(target)) return 'contains control characters';
  if (platform === 'windows' && WINDOWS_REFUSED.test(target)) return 'is not a plain relative path';
  if (target.startsWith('/')) return 'is absolute';
  // Where the target leads, one folder a step; undefined where neither it nor anything below it is a link.
  const at = links.above(keyOf(link.path));
  let behindLink = false;
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    // Windows drops trailing dots and spaces, so that '.. ' could be '..' there.
    if (platform === 'windows' && part !== '..' && componentProblem(part, platform))
      return 'is not a plain relative path';
    if (part === '..') {
      if (behindLink) return 'climbs behind another link';
      if (at.length === 0) return 'leaves the destination';
      at.pop();
      continue;
    }
    if (behindLink) continue;
    const next = (at.length > 0 ? at.at(-1) : links.top)?.below.get(keyOf(part));
    at.push(next);
    behindLink = next?.isLink === true;
  }
  return undefined;
}

/** UTF-8 bytes, without encoding what is short anyway. */
function byteLength(text: string): number {
  return text.length * 3 <= MAX_COMPONENT || PRINTABLE_ASCII.test(text)
    ? text.length
    : utf8Encode(text).length;
}

function collision(path: string, other: string): string {
  return path === other
    ? `The name ${shown(path)} stands in the manifest twice.`
    : `The names ${shown(path)} and ${shown(other)} would be one file on this disk.`;
}

/** Quoted, escaped, and cut to what fits a message. */
function shown(text: string): string {
  return `'${escapeName(text.length > 200 ? `${text.slice(0, 200)}…` : text)}'`;
}

function unsafe(path: string, what: string): BeelineError {
  return fault('NAME_UNSAFE', { what }, { paths: [path] });
}

/** The folder of a relative path; '' at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The name of what a relative path leads to. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Another name where one is taken: ' (2)' before the extension, cut to what one name may be long. Only the path's last part changes. */
export function numbered(path: string, n: number): string {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot) : '';
  const suffix = ` (${n})${extension}`;
  const letters = [...name.slice(0, name.length - extension.length)];
  while (letters.length > 1 && utf8Encode(letters.join('') + suffix).length > MAX_COMPONENT) letters.pop();
  return path.slice(0, slash) + letters.join('') + suffix;
}
