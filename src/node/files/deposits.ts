/**
 * A folder as the place of uploads: each one is a transfer of one file with a staging of its own, so that names, conflicts,
 * journal and placing are those of every receive.
 */
import { createHash } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BeelineError, fault } from '../../base/errors.ts';
import type { Deposit, Deposits, NewDeposit } from '../../http/uploads/deposits.ts';
import type { HashName } from '../../offer/hashing.ts';
import { type Entry, encodePages } from '../../offer/manifest.ts';
import { checkEntries } from '../../offer/names.ts';
import { ByteSpace, chooseChunkSize } from '../../offer/space.ts';
import { digestOf, fastest } from '../../threads/digests.ts';
import type { Overwrite } from './conflicts.ts';
import { Destination } from './destination.ts';
import { freeBytes } from './room.ts';
import { Staging, stagingOf } from './staging.ts';
import { StagingSink } from './staging-sink.ts';
import { discard, unfinished } from './unfinished.ts';

export interface FolderDepositsOptions {
  /** Destination folder; made if it is missing. */
  to: string;
  /** What happens if the name is taken. */
  overwrite: Exclude<Overwrite, 'ask' | 'update'>;
  onWarning?: (warning: BeelineError) => void;
}

/** What the staging of an upload is called, before its number. */
const MARK = 'upload-';
/** Chunks of one upload that are being written at a time. */
const MAX_WRITING = 3;
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

export class FolderDeposits implements Deposits {
  readonly #options: FolderDepositsOptions;

  constructor(options: FolderDepositsOptions) {
    this.#options = options;
  }

  begin({ id, path, size, mtime = Date.now() * 1000 }: NewDeposit): Promise<Deposit> {
    const entries = entriesOf(
      path,
      size ?? 0,
      mtime,
      createHash('sha256').update(id).digest('hex').slice(0, 16),
    );
    checkEntries(entries);
    return this.#open(id, entries, size, fastest(size)[0]!);
  }

  async find(id: string): Promise<Deposit | undefined> {
    const root = this.#root();
    const staging = root === undefined ? undefined : Staging.open(stagingOf(root, MARK + id));
    const found = await staging?.read();
    staging?.release();
    if (!found || found.state.stream) return undefined;
    const { entries, state } = found;
    return this.#open(id, entries, entries.at(-1)!.size, state.hash, state.created);
  }

  async sweep(age: number): Promise<number> {
    const root = this.#root();
    if (root === undefined) return 0;
    const before = Date.now() - age;
    let removed = 0;
    for (const { path, active, changed } of await unfinished(root)) {
      if (active || changed > before || !path.startsWith(stagingOf(root, MARK))) continue;
      if ((await discard({ path })).removed) removed++;
    }
    return removed;
  }

  async used(): Promise<number> {
    const root = this.#root();
    return root === undefined ? 0 : bytesBelow(root, stagingOf(root, MARK));
  }

  async unfinished(): Promise<Map<string, number>> {
    const root = this.#root();
    const found = new Map<string, number>();
    if (root === undefined) return found;
    const mark = stagingOf(root, MARK);
    for (const { path, transfer } of await unfinished(root)) {
      if (!path.startsWith(mark)) continue;
      found.set(path.slice(mark.length), transfer?.bytes ?? (await bytesBelow(path)));
    }
    return found;
  }

  free(): number | undefined {
    // Asked for with each piece of an upload whose length nobody knows: one look.
    return freeBytes(this.#options.to);
  }

  /** Undefined: it is not made yet. */
  #root(): string | undefined {
    return new Destination(this.#options.to).find();
  }

  async #open(
    id: string,
    entries: readonly Entry[],
    size: number | undefined,
    hash: HashName,
    created = Date.now(),
  ): Promise<Deposit> {
    const { to, overwrite, onWarning } = this.#options;
    const sink = new StagingSink({
      ...{ to, overwrite, staging: MARK + id },
      ...(onWarning && { onWarning }),
    });
    const chunkSize = chooseChunkSize(size ?? 0);
    const space = new ByteSpace(
      entries.map((entry) => entry.size),
      chunkSize,
      size === undefined,
    );
    await sink.open(entries, space, hash, encodePages(entries));
    return new FolderDeposit({ id, entries, size, hash, created, sink, space });
  }
}

interface Opened {
  id: string;
  entries: readonly Entry[];
  size: number | undefined;
  hash: HashName;
  created: number;
  sink: StagingSink;
  space: ByteSpace;
}

class FolderDeposit implements Deposit {
  readonly id: string;
  readonly path: string;
  readonly size: number | undefined;
  readonly created: number;
  readonly #opened: Opened;
  /** The next chunk, and how much of it is here. */
  #chunk = 0;
  #part = new Uint8Array(0);
  #filled = 0;
  readonly #writing = new Set<Promise<void>>();
  #failure: unknown;

  constructor(opened: Opened) {
    const { id, entries, size, created, sink, space } = opened;
    this.#opened = opened;
    this.id = id;
    this.path = entries.at(-1)!.path;
    this.size = size;
    this.created = created;
    const held = new Set<number>();
    for (const { index } of sink.held()) held.add(index);
    while (this.#chunk < space.chunks && held.has(this.#chunk)) this.#chunk++;
  }

  get offset(): number {
    const { space } = this.#opened;
    return Math.min(this.#chunk * space.chunkSize + this.#filled, this.size ?? Number.POSITIVE_INFINITY);
  }

  async write(from: AsyncIterable<Uint8Array>): Promise<void> {
    const { chunkSize } = this.#opened.space;
    try {
      for await (const piece of from) {
        if (this.size !== undefined && this.offset + piece.length > this.size)
          throw fault('PEER_MISBEHAVES', { what: 'sends more bytes than it said' });
        for (let at = 0; at < piece.length; ) {
          const room = Math.min(chunkSize, this.size ?? Number.POSITIVE_INFINITY);
          if (this.#part.length < room) this.#grow(room);
          const part = piece.subarray(at, at + chunkSize - this.#filled);
          this.#part.set(part, this.#filled);
          this.#filled += part.length;
          at += part.length;
          if (this.#filled < chunkSize) continue;
          this.#begin();
          while (this.#writing.size >= MAX_WRITING) await Promise.race(this.#writing);
          if (this.#failure) throw this.#failure;
        }
      }
      // The last chunk of a file whose end is known is whole before the chunk is.
      if (this.size !== undefined && this.#filled > 0 && this.offset === this.size) this.#begin();
    } finally {
      await Promise.allSettled(this.#writing);
      // What waits for its other half waits in no more room than it needs.
      this.#part = this.#part.slice(0, this.#filled);
    }
    if (this.#failure) throw this.#failure;
  }

  async finish(): Promise<string> {
    const { sink, space, entries } = this.#opened;
    if (space.stream) {
      space.end(this.offset);
      if (this.#filled > 0) this.#begin();
      await Promise.allSettled(this.#writing);
    }
    if (this.#failure) throw this.#failure;
    await sink.finish();
    const name = sink.nameOf(entries.length - 1);
    await sink.close('done');
    return name;
  }

  close(end: 'keep' | 'discard'): Promise<void> {
    return this.#opened.sink.close(end);
  }

  #grow(room: number): void {
    const part = new Uint8Array(room);
    part.set(this.#part.subarray(0, this.#filled));
    this.#part = part;
  }

  /** Hands a chunk to the disk. */
  #begin(): void {
    const { sink, space, hash } = this.#opened;
    const chunk = this.#chunk++;
    const data = this.#part.subarray(0, this.#filled);
    this.#part = new Uint8Array(0);
    this.#filled = 0;
    const writing = (async () => {
      const digest = await digestOf(hash)(data);
      await sink.write(chunk, space.extents(chunk), data, digest);
    })()
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }
}

/** A file with the folders that its path leads through. */
function entriesOf(path: string, size: number, mtime: number, version: string): Entry[] {
  const parts = path.split('/');
  const above = parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join('/'));
  const common = { mtime, target: '' };
  return [
    ...above.map(
      (folder): Entry => ({
        ...{ ...common, path: folder, kind: 'folder', size: 0, mode: FOLDER_MODE, version: '' },
      }),
    ),
    { ...common, path, kind: 'file', size, mode: FILE_MODE, version },
  ];
}

/**
 * Links are not followed, and what goes away meanwhile counts for nothing.
 * @param but folders whose paths begin so count for nothing either
 */
async function bytesBelow(root: string, but?: string): Promise<number> {
  let bytes = 0;
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const inside = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const item of inside) {
      const path = join(folder, item.name);
      if (item.isDirectory()) {
        if (but === undefined || !path.startsWith(but)) folders.push(path);
      } else if (item.isFile()) bytes += (await lstat(path).catch(() => undefined))?.size ?? 0;
    }
  }
  return bytes;
}
