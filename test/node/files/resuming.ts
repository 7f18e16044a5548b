/** What resume tests share: a sender's files in memory, an engine that is nothing but loops, and ways to crash. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { permissions } from '../../../src/node/files/attributes.ts';
import { toMicros } from '../../../src/node/files/io.ts';
import { journalAt } from '../../../src/node/files/journal-file.ts';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import type { HashName } from '../../../src/offer/hashing.ts';
import type { Entry } from '../../../src/offer/manifest.ts';
import type { ByteSpace } from '../../../src/offer/space.ts';
import { Journal } from '../../../src/sync/store/journal.ts';
import { DIGESTS } from '../../hashing.ts';
import { CHUNK, file, folder, hashOf, link, scratch, spaceOf, staged, until } from './helpers.ts';

export type Options = Partial<Omit<ConstructorParameters<typeof StagingSink>[0], 'to'>>;

export const linux = { skip: process.platform !== 'linux' && 'looks at Linux' };

/** Bytes that are nowhere the same. */
export function noise(size: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** The sender's files: entries with their bytes, and a version that follows from both. */
export class Files {
  readonly all: { entry: Entry; bytes: Buffer }[] = [];

  get entries(): Entry[] {
    return this.all.map(({ entry }) => entry);
  }

  add(path: string, bytes: Buffer, mode = 0o644, mtime = 1_700_000_000_123_456): this {
    const version = hashOf(Buffer.concat([Buffer.from(path), bytes])).subarray(0, 8);
    const entry = { ...file(path, bytes.length, mode, mtime), version: Buffer.from(version).toString('hex') };
    this.all.push({ entry, bytes });
    return this;
  }

  other(entry: Entry): this {
    this.all.push({ entry, bytes: Buffer.alloc(0) });
    return this;
  }

  /** The same files with one changed; its new time goes with it. */
  with(path: string, change: (bytes: Buffer) => Buffer): Files {
    const changed = new Files();
    for (const { entry, bytes } of this.all) {
      if (entry.path !== path) changed.all.push({ entry, bytes });
      else changed.add(path, change(Buffer.from(bytes)), entry.mode, entry.mtime + 1_000_001);
    }
    return changed;
  }

  without(...paths: string[]): Files {
    const left = new Files();
    left.all.push(...this.all.filter(({ entry }) => !paths.includes(entry.path)));
    return left;
  }

  /** No version says anything. */
  unknown(): Files {
    const files = new Files();
    for (const { entry, bytes } of this.all) files.all.push({ entry: { ...entry, version: '' }, bytes });
    return files;
  }

  chunk(space: ByteSpace, chunk: number): Buffer {
    const parts = space.extents(chunk);
    return Buffer.concat(
      parts.map(({ entry, offset, length }) => this.all[entry]!.bytes.subarray(offset, offset + length)),
    );
  }

  /** Indexes of the chunks that hold bytes of a file. */
  chunksOf(path: string, chunkSize = CHUNK): number[] {
    const { first, end } = spaceOf(this.entries, chunkSize).chunksOf(this.index(path));
    return Array.from({ length: end - first }, (_, i) => first + i);
  }

  index(path: string): number {
    return this.entries.findIndex((entry) => entry.path === path);
  }
}

/** Something of everything: large, packed together, zeros, empty, read-only, links, folders. */
export function sample(): Files {
  return new Files()
    .other(folder('top', 0o755, 1_600_000_000_000_007))
    .add('top/a', noise(1000, 'a'), 0o600)
    .add('top/b', noise(2000, 'b'), 0o755)
    .add('top/c', noise(300_000, 'c'), 0o444)
    .add('top/big', noise(3 * CHUNK + 77, 'big'), 0o640, 1_234_567_890_000_001)
    .add('top/empty', Buffer.alloc(0), 0o600)
    .other(link('top/link', 'sub/deep'))
    .other(folder('top/sub', 0o750, 1_500_000_000_000_001))
    .add('top/sub/deep', noise(CHUNK + 5, 'deep'), 0o555, -5_000_000)
    .add('top/zeros', Buffer.alloc(2 * CHUNK), 0o644);
}

/** What became of each chunk. */
export interface Log {
  held: number[];
  guessed: number[];
  kept: number[];
  written: number[];
}

export interface Session {
  sink: StagingSink;
  files: Files;
  space: ByteSpace;
  /** What chunks are hashed with. */
  hash: HashName;
  log: Log;
  /** What the engine takes to be down. */
  down: Set<number>;
  warnings: string[];
}

/** Opens a sink as a receiver does; what it says to hold must be the sender's. */
export async function open(
  to: string,
  files: Files,
  options: Options = {},
  chunkSize = CHUNK,
  hash: HashName = 'sha256',
): Promise<Session> {
  const warnings: string[] = [];
  const sink = new StagingSink({
    to,
    overwrite: 'ask',
    onWarning: (warning) => warnings.push(`${warning.code} ${warning.message}`),
    ...options,
  });
  const space = spaceOf(files.entries, chunkSize);
  await sink.open(files.entries, space, hash);
  const log = { held: held(sink, files, space, hash), guessed: [], kept: [], written: [] };
  return { sink, files, space, hash, log, down: new Set(log.held), warnings };
}

/** Begins anew after a failure, as an engine does: what is held now is all that is down. */
export async function reopen(session: Session): Promise<number[]> {
  await session.sink.reopen();
  const now = held(session.sink, session.files, session.space, session.hash);
  session.down = new Set(now);
  return now;
}

/** Indexes of what a sink holds, each with the hash of the sender's own chunk. */
export function held(sink: StagingSink, files: Files, space: ByteSpace, by: HashName = 'sha256'): number[] {
  return [...sink.held()].map(({ index, hash }) => {
    assert.deepEqual(Buffer.from(hash), Buffer.from(DIGESTS[by](files.chunk(space, index))), `held ${index}`);
    return index;
  });
}

/** Moves what is not held, as an engine does: compared first where something may be right. */
export async function move(session: Session, only: (chunk: number) => boolean = () => true): Promise<void> {
  const { sink, files, space, hash: by, log, down } = session;
  for (let chunk = 0; chunk < space.chunks; chunk++) {
    const extents = space.extents(chunk);
    if (down.has(chunk) || !only(chunk) || !extents.some(({ entry }) => sink.wants(entry))) continue;
    const data = files.chunk(space, chunk);
    const hash = DIGESTS[by](data);
    const guess = sink.comparable(chunk) ? await sink.guess(chunk, extents) : undefined;
    if (guess) log.guessed.push(chunk);
    if (guess && Buffer.compare(guess, hash) === 0) {
      await sink.keep(chunk, extents, hash);
      log.kept.push(chunk);
    } else {
      await sink.write(chunk, extents, data.some((byte) => byte !== 0) ? data : undefined, hash);
      log.written.push(chunk);
    }
    down.add(chunk);
  }
}

/** Moves all the rest, and ends well. */
export async function complete(session: Session): Promise<Log> {
  await move(session);
  await session.sink.finish();
  await session.sink.close('done');
  return session.log;
}

/** A whole later run. */
export async function receive(to: string, files: Files, options?: Options, chunkSize?: number): Promise<Log> {
  return complete(await open(to, files, options, chunkSize));
}

/** A run that stops in the middle, having moved only some chunks. */
export async function interrupted(
  to: string,
  files: Files,
  only?: (chunk: number) => boolean,
  options?: Options,
): Promise<Log> {
  const session = await open(to, files, options);
  await move(session, only);
  await session.sink.close('keep');
  return session.log;
}

/** The destination holds exactly these, with bytes, modes, times and links. `others`: what else stands there. */
export function assertTree(to: string, files: Files, others: string[] = []): void {
  const paths = files.entries.map((entry) => entry.path);
  assert.deepEqual(
    readdirSync(to, { recursive: true, encoding: 'utf8' }).sort(),
    [...paths, ...others].sort(),
  );
  for (const { entry, bytes } of files.all) assertFile(join(to, entry.path), entry, bytes);
}

export function assertFile(path: string, entry: Entry, bytes: Buffer): void {
  const stat = lstatSync(path, { bigint: true });
  assert.equal(toMicros(stat), entry.mtime, `time of ${entry.path}`);
  if (entry.kind === 'link') return assert.equal(readlinkSync(path), entry.target);
  assert.equal(Number(stat.mode & 0o7777n), permissions(entry.mode), `mode of ${entry.path}`);
  if (entry.kind === 'folder') return assert.ok(stat.isDirectory());
  assert.ok(stat.isFile() && stat.nlink === 1n, entry.path);
  assert.ok(readFileSync(path).equals(bytes), `bytes of ${entry.path}`);
}

export function stagingOf(to: string): string {
  const [name, ...more] = staged(to);
  assert.ok(name && more.length === 0, `one staging, not ${[name, ...more]}`);
  return join(to, name);
}

/** What a manifest path's data is called in the staging. */
export function stagedName(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32);
}

/** Waits until the journal says as much. */
export async function journaled(to: string, chunks: number, placed = 0): Promise<void> {
  const path = join(stagingOf(to), 'journal');
  await until(`${chunks} chunks are journaled`, async () => {
    const state = await Journal.read(journalAt(path));
    return state?.chunks.have.count === chunks && state.placed.size >= placed;
  });
}

/** The destination as a crash right now would leave it. */
export function crashed(t: Parameters<typeof scratch>[0], to: string): string {
  const copy = join(scratch(t), 'copy');
  execFileSync('cp', ['-a', to, copy]);
  // It names this process, which lives.
  rmSync(join(stagingOf(copy), 'lock'));
  return copy;
}

export function range(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, i) => from + i);
}
