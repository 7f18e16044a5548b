/**
 * The folder that a template makes of an offer: `{date}/{sender}`. What an offer says fills one part of a path and never more, on every
 * system alike: a name from outside neither climbs nor hides.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { utf8Encode } from '../../base/bytes.ts';
import { fault } from '../../base/errors.ts';
import { MAX_COMPONENT } from '../../base/limits.ts';
import { escapeName } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import { STAGING_PREFIX, WINDOWS_DEVICE } from '../../offer/names.ts';
import type { OfferSummary } from '../../session/api.ts';
import { count, topNames } from '../../session/contents.ts';
import { linkBelow } from './destination.ts';

/** UTF-8 bytes of one value. Several of them fit into one name. */
const MOST_BYTES = 80;
/** Folders of other days or times in which something unfinished is looked for, the latest first. */
const MOST_LOOKED_AT = 1000;

export const PLACEHOLDERS = ['date', 'time', 'sender', 'name'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];
/** What one part of the path consists of. */
type Piece = string | { is: Placeholder };

/** How the two that depend on the moment look. */
const MOMENTS: Readonly<Partial<Record<Placeholder, string>>> = {
  date: String.raw`\d{4}-\d{2}-\d{2}`,
  time: String.raw`\d{2}-\d{2}-\d{2}`,
};

type Told = Pick<OfferSummary, 'names' | 'kind' | 'files' | 'folders' | 'links' | 'bytes'> & {
  peer: { name?: string };
};

export class FolderTemplate {
  readonly #parts: readonly (readonly Piece[])[];

  /** @param text below the destination: parts with a `/` between them @throws BeelineError USAGE */
  constructor(text: string) {
    if (isAbsolute(text)) throw fault('TEMPLATE_WRONG', { text: escapeName(text), why: 'it is absolute' });
    this.#parts = text
      .split('/')
      .flatMap((part) => (part === '' || part === '.' ? [] : [piecesOf(part, text)]));
    if (this.#parts.some((pieces) => pieces.length === 1 && pieces[0] === '..'))
      throw fault('TEMPLATE_WRONG', { text: escapeName(text), why: 'it leads upwards' });
  }

  /** Below the destination, for an offer that arrives at this moment. */
  folder(offer: Told, now: Date): string {
    const values = valuesOf(offer, now);
    return this.#parts.map((pieces) => filled(pieces, (name) => values[name])).join('/');
  }

  /**
   * The same, or that of an earlier day or time where the same offer began and was not finished: it goes on there.
   * @param to the destination
   */
  async folderIn(to: string, offer: Told, now: Date): Promise<string> {
    const folder = this.folder(offer, now);
    const dated = this.#parts.some((pieces) =>
      pieces.some((piece) => typeof piece !== 'string' && MOMENTS[piece.is]),
    );
    // A stream cannot go on, and a text has no folder.
    if (!dated || offer.kind !== 'files') return folder;
    const others = this.#there(to, valuesOf(offer, now)).filter((other) => other !== folder);
    for (const other of [folder, ...others]) if (await hasBegun(to, other, offer)) return other;
    return folder;
  }

  /**
   * Folders that are there, and that it may have made of any offer, the latest first, at most 1,000. Links are none.
   * @param to the destination
   */
  folders(to: string): string[] {
    return this.#there(to);
  }

  /** @param values of one offer: of those only the moment may be another. Absent: of any offer */
  #there(to: string, values?: Readonly<Record<Placeholder, string>>): string[] {
    let found = [''];
    for (const pieces of this.#parts) {
      const open = pieces.some((piece) => typeof piece !== 'string' && (!values || MOMENTS[piece.is]));
      const pattern = open ? patternOf(pieces, values) : undefined;
      const one = filled(pieces, (name) => values?.[name] ?? '');
      found = found
        .flatMap((above) =>
          (pattern ? foldersIn(join(to, above)).filter((name) => pattern.test(name)) : [one]).map((name) =>
            above === '' ? name : `${above}/${name}`,
          ),
        )
        .filter((folder) => pattern || isFolder(to, folder))
        .sort()
        .reverse()
        .slice(0, MOST_LOOKED_AT);
    }
    return found;
  }
}

/** What a part of the path looks like, with values that are known or not. */
function patternOf(pieces: readonly Piece[], values?: Readonly<Record<Placeholder, string>>): RegExp {
  const seen = new Set<Placeholder>();
  const source = pieces.map((piece) => {
    if (typeof piece === 'string') return literal(piece);
    const { is } = piece;
    const known = MOMENTS[is] ?? (values && literal(values[is]));
    if (known !== undefined) return known;
    // Twice the same is the same text. So there are two at most that may be anything.
    if (seen.has(is)) return `\\k<${is}>`;
    seen.add(is);
    return `(?<${is}>.+)`;
  });
  return new RegExp(`^${source.join('')}$`, 'u');
}

/** @throws BeelineError USAGE */
function piecesOf(part: string, text: string): Piece[] {
  const wrong = (why: string) => fault('TEMPLATE_WRONG', { text: escapeName(text), why });
  const pieces: Piece[] = [];
  for (const [found, doubled, name, stray] of part.matchAll(/(\{\{|\}\})|\{([^{}]*)\}|([{}])|[^{}]+/g)) {
    if (stray) throw wrong(`a brace that means itself is doubled: ${stray}${stray}`);
    if (name === undefined) pieces.push(doubled ? doubled[0]! : found);
    else {
      const is = PLACEHOLDERS.find((one) => one === name);
      if (!is)
        throw wrong(
          `there is no {${escapeName(name)}}, but ${PLACEHOLDERS.map((one) => `{${one}}`).join(', ')}`,
        );
      pieces.push({ is });
    }
  }
  return pieces;
}

function valuesOf({ names, peer }: Told, now: Date): Readonly<Record<Placeholder, string>> {
  const [year, month, day, ...time] = [
    now.getFullYear(),
    now.getMonth() + 1,
    now.getDate(),
    now.getHours(),
    now.getMinutes(),
    now.getSeconds(),
  ].map((number, index) => String(number).padStart(index === 0 ? 4 : 2, '0'));
  return {
    date: `${year}-${month}-${day}`,
    time: time.join('-'),
    sender: cleaned(peer.name ?? ''),
    name: cleaned((names[0] ?? '').replace(/\/$/, '')),
  };
}

function filled(pieces: readonly Piece[], value: (name: Placeholder) => string): string {
  const text = pieces.map((piece) => (typeof piece === 'string' ? piece : value(piece.is))).join('');
  if (pieces.every((piece) => typeof piece === 'string')) return text;
  const short = cut(text, MAX_COMPONENT - 1).replace(/[. ]+$/u, '');
  // What the person wrote around a value may make another name of the two.
  const special = WINDOWS_DEVICE.test(short) || short.toLowerCase().startsWith(STAGING_PREFIX);
  return special || /^\.*$/.test(short) ? `_${short}` : short;
}

/** What no name needs and nobody sees. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]|\p{Default_Ignorable_Code_Point}/gu;
/** Signs that divide paths, or that some system gives another meaning. */
const SPECIAL = /[\\/:*?"<>|~]/g;
const EDGES = /^[-. ]+|[. ]+$/g;

/** A value that is a part of one name on every system. */
function cleaned(text: string): string {
  const seen = text.normalize('NFC').replace(UNSEEN, '').replace(/\s+/gu, ' ').replace(SPECIAL, '_');
  return cut(seen.replace(EDGES, ''), MOST_BYTES).replace(EDGES, '') || 'unknown';
}

/** As many whole characters as fit. */
function cut(text: string, bytes: number): string {
  let kept = '';
  let size = 0;
  for (const sign of text) {
    size += utf8Encode(sign).length;
    if (size > bytes) break;
    kept += sign;
  }
  return kept;
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    // Not there yet, or not ours to read: nothing has begun in it.
    return [];
  }
}

function isFolder(to: string, folder: string): boolean {
  const path = join(to, folder);
  return !linkBelow(to, folder) && lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether the same offer is unfinished there, as far as a journal tells, and nobody is at work on it. */
async function hasBegun(to: string, folder: string, offer: Told): Promise<boolean> {
  if (!isFolder(to, folder)) return false;
  const { Staging, stagings } = await import('./staging.ts');
  const { isLocked } = await import('../../identity/lock.ts');
  for (const path of stagings(join(to, folder))) {
    if (isLocked(path)) continue;
    const staging = Staging.open(path);
    try {
      const found = await staging?.read();
      if (found && !found.state.stream && isOf(found.entries, offer)) return true;
    } catch {
      // What cannot be read is nothing to go on with.
    } finally {
      staging?.release();
    }
  }
  return false;
}

/** A journal does not say whose an offer is. So it is the same if all that was told of it is. */
function isOf(entries: readonly Entry[], offer: Told): boolean {
  const { files, folders, links, bytes, names } = offer;
  const size = entries.reduce((sum, entry) => sum + entry.size, 0);
  const found = { ...count(entries), bytes: size, names: topNames(entries, names.length) };
  return isDeepStrictEqual(found, { files, folders, links, bytes, names });
}
