/** What holds for every Source, whatever it reads from. */
import assert from 'node:assert/strict';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { realClock } from '../../src/base/clock.ts';
import { STREAM_WINDOW } from '../../src/base/limits.ts';
import { FileListSource } from '../../src/browser/files/source.ts';
import { FileSource } from '../../src/node/files/source.ts';
import { StreamSource } from '../../src/node/files/stream-source.ts';
import { walk } from '../../src/node/files/walk.ts';
import { sourceOfItems } from '../../src/node/items.ts';
import { ByteSpace } from '../../src/offer/space.ts';
import { textSource } from '../../src/session/text-source.ts';
import type { Source } from '../../src/sync/ports.ts';
import { CHUNK, failure, hashOf, scratch } from '../node/files/helpers.ts';
import { noise } from '../node/files/resuming.ts';
import { randomFrom, seed } from '../seed.ts';

const FILES: readonly (readonly [string, Buffer])[] = [
  ['a', noise(1000, 'a')],
  ['b', noise(200_000, 'b')],
  ['big', noise(2 * CHUNK + 77, 'big')],
  ['none', Buffer.alloc(0)],
  ['small', noise(3000, 'small')],
];

interface SourceKind {
  name: string;
  /** By entry. */
  bytes: readonly Buffer[];
  source(t: TestContext): Source | Promise<Source>;
  /** Changes the source's first file, from then on. Absent where none can. */
  change?(): void;
  /** Chunks can be read in any order, and again; else in order, and each until it is released. */
  anyOrder: boolean;
}

let changed = '';

const KINDS: readonly SourceKind[] = [
  {
    name: 'files',
    bytes: FILES.map(([, bytes]) => bytes),
    async source(t) {
      const dir = scratch(t);
      for (const [name, bytes] of FILES) writeFileSync(join(dir, name), bytes);
      changed = join(dir, 'a');
      const paths = FILES.map(([name]) => join(dir, name));
      return new FileSource(await walk(paths, { onUnreadable: 'fail' }));
    },
    change: () => utimesSync(changed, 1, 1),
    anyOrder: true,
  },
  {
    name: "a page's files",
    bytes: FILES.map(([, bytes]) => bytes),
    source: () =>
      new FileListSource(
        FILES.map(([path, bytes]) => ({ path, file: new File([new Uint8Array(bytes)], path) })),
        { sha256: true },
      ),
    anyOrder: true,
  },
  {
    name: 'what is in memory',
    bytes: FILES.map(([, bytes]) => bytes),
    source: () =>
      sourceOfItems(
        FILES.map(([name, bytes], at) => ({
          name,
          data: at % 2 ? new Blob([new Uint8Array(bytes)]) : bytes,
        })),
        {},
      ),
    anyOrder: true,
  },
  {
    name: 'a text',
    bytes: [Buffer.from('ä text')],
    source: () => textSource('ä text', realClock),
    anyOrder: true,
  },
  {
    name: 'a stream',
    bytes: [noise((STREAM_WINDOW + 3) * CHUNK + 5, 'stream')],
    source() {
      const [bytes] = this.bytes;
      async function* pieces() {
        for (let at = 0; at < bytes!.length; at += 100_000) yield bytes!.subarray(at, at + 100_000);
      }
      return new StreamSource(pieces(), 'stream', { chunkSize: CHUNK, sha256: true });
    },
    anyOrder: false,
  },
];

for (const kind of KINDS)
  describe(`the store contract: ${kind.name}, read`, () => {
    /** All of a chunk as it should be read, and how it is. */
    async function reads(source: Source, space: ByteSpace, chunk: number): Promise<number> {
      const into = new Uint8Array(CHUNK).fill(0xee);
      const extents = space.extents(chunk);
      const length = await source.read(chunk, extents, into);
      const expected = Buffer.concat(
        extents.map(({ entry, offset, length }) => kind.bytes[entry]!.subarray(offset, offset + length)),
      );
      assert.equal(length, expected.length);
      assert.ok(expected.equals(into.subarray(0, length)), `chunk ${chunk}`);
      assert.ok(
        into.subarray(length).every((byte) => byte === 0xee),
        'and nothing behind it is touched',
      );
      return length;
    }

    function spaceOf(source: Source): ByteSpace {
      const stream = source.kind === 'stream';
      const sizes = source.entries.map(({ size }) => size);
      assert.deepEqual(sizes, stream ? [0] : kind.bytes.map(({ length }) => length));
      return new ByteSpace(sizes, CHUNK, stream);
    }

    test('every chunk reads as its files are, and so do the digests', async (t) => {
      const source = await kind.source(t);
      const space = spaceOf(source);
      const total = kind.bytes.reduce((sum, { length }) => sum + length, 0);
      if (kind.anyOrder) {
        assert.equal(source.length, total);
        const random = randomFrom(seed);
        for (let i = 0; i < 4 * space.chunks; i++)
          await reads(source, space, Math.floor(random() * space.chunks));
        for (let chunk = 0; chunk < space.chunks; chunk++) await reads(source, space, chunk);
      } else {
        assert.equal(source.length, undefined);
        for (let chunk = 0, read = 0; read < total; chunk++) {
          // Again, as long as it is not released.
          await reads(source, space, chunk);
          read += await reads(source, space, chunk);
          source.release?.(chunk);
        }
        // Its end, if it is one only now.
        const chunks = Math.ceil(total / CHUNK);
        assert.equal(await source.read(chunks, space.extents(chunks), new Uint8Array(CHUNK)), 0);
        assert.equal(source.length, total);
      }
      assert.deepEqual((await source.changed?.()) ?? [], []);
      const digests = await source.digests();
      assert.deepEqual(
        [...digests],
        kind.bytes.map((bytes, entry) => [entry, Buffer.from(hashOf(bytes)).toString('hex')]),
      );
      await source.close();
      await source.close();
    });

    if (kind.change)
      test('a file that is not what it was is SOURCE_CHANGED, by name, and is among the changed', async (t) => {
        const source = await kind.source(t);
        const space = spaceOf(source);
        await reads(source, space, 0);
        kind.change!();
        const { path } = source.entries[0]!;
        const into = new Uint8Array(CHUNK);
        await assert.rejects(source.read(0, space.extents(0), into), (error) => {
          assert.deepEqual((error as { paths: string[] }).paths, [path]);
          return failure('SOURCE_CHANGED', path)(error as never);
        });
        assert.deepEqual(await source.changed!(), [path]);
        await source.close();
      });
  });
