/** What this browser keeps: transfers that are unfinished, or finished and not saved yet. */
import { fault } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import { ByteSpace } from '../../offer/space.ts';
import { Journal, manifestOf } from '../../sync/store/journal.ts';
import type { JournalState } from '../../sync/store/journal-records.ts';
import { fittedPaths } from './fitted.ts';
import { certainOf } from './folder-sink.ts';
import { journalOf } from './journal-file.ts';
import { isFolderKey, keptFolder, removeKept } from './opfs.ts';
import { pickedFor } from './picked.ts';
import { startOf } from './places.ts';
import { storageError } from './storage-errors.ts';

export interface KeptFile {
  /** As it is saved: not always as the sender called it. */
  path: string;
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  mtime: number;
  /** Permission bits. */
  mode: number;
  /** A slice of what is on the disk, never in memory. It can be read until the transfer is removed or gone on with. */
  blob(): Promise<Blob>;
}

export interface Kept {
  id: string;
  /** For people: the first name at the top, as the sender called it. Escape it before showing it. */
  name: string;
  /** Without those that their sender could not deliver. */
  files: KeptFile[];
  folders: string[];
  /** Of all files. */
  bytes: number;
  /** All that will come is here. */
  complete: boolean;
  /** Bytes that are here. */
  have: number;
  /** Where it goes; undefined if that is this browser's storage. The browser may ask the person before it is written to again. */
  folder?: FileSystemDirectoryHandle;
  /** When it was begun: milliseconds since 1970. */
  at: number;
  /** @throws BeelineError LOCKED while it is being received, WRITE_FAILED. */
  remove(): Promise<void>;
}

/** Newest first. Empty where this browser keeps nothing. */
export async function keptTransfers(): Promise<Kept[]> {
  const found: Kept[] = [];
  try {
    for (const key of await keys()) {
      const kept = await readKept(key).catch(() => undefined);
      if (kept) found.push(kept);
    }
  } catch {
    // No OPFS, or not for this window.
  }
  return found.sort((a, b) => b.at - a.at);
}

/** One of them by its key; undefined if it is not there. What nobody can go on with is removed. */
export async function readKept(key: string): Promise<Kept | undefined> {
  const top = await keptFolder();
  const folder = await top.getDirectoryHandle(key);
  const state = await Journal.read(journalOf(folder));
  const entries = state && manifestOf(state);
  const picked = isFolderKey(key) ? await pickedFor(key) : undefined;
  // What is whole in its folder is nobody's concern any more.
  const worth = isFolderKey(key)
    ? picked && state?.complete === undefined
    : state?.complete !== undefined || !state?.stream;
  if (entries && worth) return describe(key, folder, state, entries, picked);
  // Not if it is just being made: its maker holds a lock.
  await removeKept(key).catch(() => {});
  return undefined;
}

async function keys(): Promise<string[]> {
  const names: string[] = [];
  const top = (await keptFolder()) as FileSystemDirectoryHandle & { keys(): AsyncIterable<string> };
  for await (const name of top.keys()) names.push(name);
  return names;
}

async function describe(
  id: string,
  folder: FileSystemDirectoryHandle,
  state: JournalState,
  entries: readonly Entry[],
  picked: FileSystemDirectoryHandle | undefined,
): Promise<Kept> {
  const { chunks, lost, created } = state;
  const complete = state.complete !== undefined;
  const sizes = entries.map((entry) => entry.size);
  const space = new ByteSpace(sizes, state.chunkSize, state.stream);
  if (space.stream) space.end(state.complete!);
  const files: KeptFile[] = [];
  const folders: string[] = [];
  const fitted = await fittedPaths(entries);
  for (const [index, { kind, size: known, mtime, mode }] of entries.entries()) {
    const path = fitted[index]!;
    if (kind === 'folder') folders.push(path);
    if (kind !== 'file' || lost.has(index)) continue;
    const size = space.stream ? (space.bytes ?? 0) : known;
    const blob = () => slice(folder, path, space.stream ? 0 : startOf(space, index), size);
    files.push({ path, size, mtime: Math.round(mtime / 1000), mode, blob });
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  let held = 0;
  if (picked) for (const entry of certainOf(state, entries.length, space)) held += sizes[entry] ?? 0;
  else for (const chunk of chunks.have) if (chunk < space.chunks) held += space.length(chunk);
  return {
    id,
    name: entries[0]?.path.split('/')[0] ?? '',
    files,
    folders,
    bytes,
    complete,
    have: complete ? bytes : Math.min(held, bytes),
    ...(picked && { folder: picked }),
    at: created,
    remove: () => removeKept(id).catch((thrown) => Promise.reject(storageError(thrown))),
  };
}

async function slice(
  folder: FileSystemDirectoryHandle,
  path: string,
  start: number,
  size: number,
): Promise<Blob> {
  try {
    const data = await (await folder.getFileHandle('data')).getFile();
    if (data.size >= start + size) return data.slice(start, start + size, 'application/octet-stream');
  } catch (thrown) {
    throw storageError(thrown);
  }
  throw fault('KEPT_GONE', { what: `Not all of ${quoted(path)}` }, { paths: [path] });
}
