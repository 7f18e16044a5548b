/** What receives have left unfinished in a folder, as their journals have it, and how it is given up. */
import { lstatSync, realpathSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BeelineError, codeOf, fault, unlessInterrupted } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { isLocked } from '../../identity/lock.ts';
import type { Entry } from '../../offer/manifest.ts';
import { ByteSpace } from '../../offer/space.ts';
import { count, topNames } from '../../session/contents.ts';
import type { JournalState } from '../../sync/store/journal-records.ts';
import { checkNames } from '../option-names.ts';
import { inSlices } from './slices.ts';
import { Staging, stagings } from './staging.ts';

/** Top-level names that are told. */
const NAMED = 20;

/** A receive's staging folder that is still there. */
export interface Unfinished {
  /** The staging folder, absolute. */
  path: string;
  /** True if a receive is at work in it, or if that cannot be ruled out. */
  active: boolean;
  /** When anything last went into its journal, in milliseconds since 1970. */
  changed: number;
  /** What is to arrive; absent if it has no journal that can be read. */
  transfer?: UnfinishedTransfer;
}

/** Files that the receiver chose to skip are not counted. */
export interface UnfinishedTransfer {
  /** When it was begun, in milliseconds since 1970. */
  created: number;
  /** Top-level names, escaped for display, at most 20; folders end in `/`. */
  names: string[];
  files: number;
  folders: number;
  links: number;
  /** Bytes of all files; null for a stream, which no later receive can go on with. */
  bytes: number | null;
  /** Bytes of them that are certainly here. */
  here: number;
  /**
   * The URLs that it comes from, at most 20; absent if it comes from a sender. `...` stands for what may be secret (what stands behind
   * a `?`, the secret of a link of `serve`) and for what is too long.
   */
  from?: readonly string[];
}

/** What reads or removes much, and ends before that is done if it is told to. */
export interface Stoppable {
  signal?: AbortSignal | undefined;
}

/** What became of something unfinished. */
export interface Discarded {
  /** True once its folder is gone. */
  removed: boolean;
  /** True if it has no journal that can be read: then nothing was touched. */
  damaged: boolean;
  /** Names in its folder that no journal accounts for, and that were left. */
  left: string[];
}

/**
 * What this user's receives have left unfinished in a folder, the latest first. Changes nothing, and reads journals only.
 * @param dir the folder that was received into
 * @throws BeelineError NO_SUCH_PATH, UNREADABLE, INTERRUPTED
 */
export async function unfinished(dir: string, options: Stoppable = {}): Promise<Unfinished[]> {
  const { signal } = options;
  checkNames('unfinished', options);
  unlessInterrupted(signal);
  const found: Unfinished[] = [];
  for (const path of list(dir)) {
    const active = isLocked(path);
    const transfer = await look(path, signal);
    unlessInterrupted(signal, 'all was looked at');
    const stat = lookUp(join(path, 'journal')) ?? lookUp(path);
    // Without one it was finished or removed just now.
    if (stat) found.push({ path, active, changed: Math.round(stat.mtimeMs), ...(transfer && { transfer }) });
  }
  return found.sort((a, b) => b.changed - a.changed);
}

/**
 * Gives up something unfinished: removes what its journal names, the journal, and the folder if nothing else is in it.
 * If it is interrupted, what is left is unfinished as before, and can be given up later.
 * @throws BeelineError LOCKED while a receive is at work in it; WRITE_FAILED; INTERRUPTED; USAGE for a folder that is none of a receive's
 */
export async function discard(
  { path }: Pick<Unfinished, 'path'>,
  options: Stoppable = {},
): Promise<Discarded> {
  const { signal } = options;
  checkNames('discard', options);
  unlessInterrupted(signal);
  try {
    return await empty(path, signal);
  } catch (cause) {
    if (!lookUp(path)) return { removed: true, damaged: false, left: [] };
    if (cause instanceof BeelineError && cause.code !== 'WRITE_FAILED' && cause.code !== 'DISK_FULL')
      throw cause;
    const reason = codeOf(cause instanceof BeelineError ? cause.cause : cause) || String(cause);
    throw fault('UNFINISHED_STAYS', { path: quoted(path), why: reason }, { cause });
  }
}

/** A lock needs a block, and what is to be discarded may have the last one: a file of it is emptied first then. */
async function lockToDiscard(staging: Staging): Promise<void> {
  try {
    return await staging.lock();
  } catch (error) {
    if (!(error instanceof BeelineError) || error.code !== 'DISK_FULL' || isLocked(staging.path)) throw error;
    const found = await staging.read();
    for (const entry of found?.entries ?? []) {
      const file = staging.file(entry.path);
      if (lookUp(file)?.isFile()) truncateSync(file);
    }
    await staging.lock();
  }
}

async function empty(path: string, signal: AbortSignal | undefined): Promise<Discarded> {
  const staging = stagings(dirname(path)).includes(path) ? Staging.open(path) : undefined;
  if (!staging) throw fault('UNFINISHED_IS_NONE', { path: quoted(path) });
  try {
    await lockToDiscard(staging);
    // Behind the lock: whoever held it may have gone on since it was listed.
    const found = await staging.read();
    if (!found) return { removed: false, damaged: true, left: staging.strangers() };
    await staging.empty(
      found.entries.map((entry) => entry.path),
      signal,
    );
    const left = staging.strangers();
    try {
      await staging.removeFolder();
    } catch (error) {
      // What is left is told; somebody else may have removed it.
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error))) throw error;
    }
    return { removed: lookUp(path) === undefined, damaged: false, left };
  } finally {
    staging.release();
  }
}

function list(dir: string): string[] {
  try {
    return stagings(realpathSync(dir));
  } catch (cause) {
    const shown = quoted(dir);
    const code = codeOf(cause);
    if (code === 'ENOENT') throw fault('PATH_MISSING', { what: 'folder', path: shown }, { cause });
    if (code === 'ENOTDIR') throw fault('PATH_NO_FOLDER', { path: shown }, { cause });
    throw fault('FILE_UNREADABLE', { path: shown, why: code || String(cause) }, { cause });
  }
}

/** Undefined if its journal cannot be read, or says what none would. */
async function look(path: string, signal?: AbortSignal): Promise<UnfinishedTransfer | undefined> {
  let staging: Staging | undefined;
  try {
    staging = Staging.open(path);
    const found = await staging?.read();
    return found && (await transferOf(found.state, found.entries, signal));
  } catch {
    // A failing disk under one staging is no reason to say nothing of the others.
    return undefined;
  } finally {
    staging?.release();
  }
}

async function transferOf(
  state: JournalState,
  entries: readonly Entry[],
  signal?: AbortSignal,
): Promise<UnfinishedTransfer> {
  const wanted = (entry: number) => state.choices.get(entry)?.choice !== 'skip';
  const coming = entries.filter((_, index) => wanted(index));
  const space = new ByteSpace(
    entries.map((entry) => entry.size),
    state.chunkSize,
  );
  return {
    created: state.created,
    names: topNames(entries, NAMED),
    ...count(coming),
    bytes: state.stream ? null : coming.reduce((sum, { size }) => sum + size, 0),
    here: await bytesHere(state, space, wanted, signal),
    ...(state.from && { from: state.from }),
  };
}

async function bytesHere(
  { chunks, lost }: JournalState,
  space: ByteSpace,
  wanted: (entry: number) => boolean,
  signal?: AbortSignal,
): Promise<number> {
  let here = 0;
  await inSlices(
    chunks.have,
    (chunk) => {
      const extents = chunk < space.chunks ? space.extents(chunk) : [];
      // Whatever else is in a chunk with a lost entry, it comes again.
      if (extents.some(({ entry }) => lost.has(entry))) return;
      for (const { entry, length } of extents) if (wanted(entry)) here += length;
    },
    signal,
  );
  return here;
}

function lookUp(path: string) {
  return lstatSync(path, { throwIfNoEntry: false });
}
