/**
 * What holds for every Sink, whatever it writes to, and for each optional member where there is one. The tests move chunks
 * as an engine does: in any order that the window allows, through buffers that are used again at once.
 */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Bitfield } from '../../src/base/bitfield.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { encodePages } from '../../src/offer/manifest.ts';
import { ByteSpace } from '../../src/offer/space.ts';
import type { Sink } from '../../src/sync/ports.ts';
import { failure, hashOf } from '../node/files/helpers.ts';
import type { Files } from '../node/files/resuming.ts';
import { randomFrom, seed } from '../seed.ts';

/** Where one test's sinks write, one after the other. */
export interface Place {
  sink(): Sink;
  /** What is there of an entry once all is over. */
  bytes(entry: number): Promise<Uint8Array | undefined> | Uint8Array | undefined;
  /** Names of what is there that nobody asked for. */
  rest(): Promise<string[]> | string[];
  /** Somebody else writes to what stands there of an entry, or takes it away. Absent where nobody can. */
  spoil?(entry: number, how: 'change' | 'remove'): void;
  /** Lets a test's time pass, where it is not the world's. */
  drive?<T>(work: Promise<T>): Promise<T>;
}

export interface SinkKind {
  name: string;
  /** What is written in the tests: of the kind that it takes. */
  files: Files;
  chunkSize: number;
  /** What is down can be read again. */
  reads: boolean;
  /** A later run, or a later try, goes on. */
  resumes: boolean;
  /** Somebody else may get at what has arrived: `Place.spoil`. */
  spoils?: boolean;
  place(t: TestContext): Place;
}

/** One sink at work, and the engine's half of it. */
class Writing {
  readonly sink: Sink;
  readonly space: ByteSpace;
  readonly down = new Bitfield();
  readonly #files: Files;
  readonly #buffer: Uint8Array;

  private constructor(sink: Sink, { files, chunkSize }: SinkKind) {
    this.sink = sink;
    this.#files = files;
    this.space = new ByteSpace(
      files.entries.map(({ size }) => size),
      chunkSize,
    );
    this.#buffer = new Uint8Array(chunkSize);
  }

  /** Opens it; what it holds must be the sender's. */
  static async begin(sink: Sink, kind: SinkKind): Promise<Writing> {
    const writing = new Writing(sink, kind);
    await sink.open(kind.files.entries, writing.space, 'sha256', encodePages(kind.files.entries));
    writing.look();
    return writing;
  }

  look(): void {
    this.down.clear();
    for (const { index, hash } of this.sink.held?.() ?? []) {
      assert.deepEqual(Buffer.from(hash), this.hash(index), `held chunk ${index}`);
      this.down.add(index);
    }
  }

  chunk(index: number): Buffer {
    return this.#files.chunk(this.space, index);
  }

  hash(index: number): Buffer {
    return Buffer.from(hashOf(this.chunk(index)));
  }

  async write(index: number): Promise<void> {
    const bytes = this.chunk(index);
    this.#buffer.set(bytes);
    const data = bytes.some((byte) => byte !== 0) ? this.#buffer.subarray(0, bytes.length) : undefined;
    await this.sink.write(index, this.space.extents(index), data, this.hash(index));
    this.down.add(index);
    this.#buffer.fill(0xee);
  }

  /** So many of the chunks that are not down, in an order of chance. */
  async fetch(most = Number.POSITIVE_INFINITY, random = randomFrom(seed)): Promise<number[]> {
    const left = Array.from({ length: this.space.chunks }, (_, i) => i).filter((i) => !this.down.has(i));
    const written: number[] = [];
    while (left.length > 0 && written.length < most) {
      const near = left.filter((i) => i < this.down.firstMissing + this.sink.window);
      const index = near[Math.floor(random() * near.length)]!;
      left.splice(left.indexOf(index), 1);
      await this.write(index);
      written.push(index);
    }
    return written;
  }

  /** Every chunk that is down reads as it was written, wherever in the buffer. */
  async readAgain(): Promise<void> {
    for (const index of this.down) {
      const into = new Uint8Array(this.space.chunkSize).fill(0xdd);
      const length = await this.sink.read!(index, this.space.extents(index), into);
      assert.equal(length, this.space.length(index));
      assert.ok(this.chunk(index).equals(into.subarray(0, length)), `chunk ${index} reads as written`);
      assert.ok(
        into.subarray(length).every((byte) => byte === 0xdd),
        'and nothing behind it is touched',
      );
    }
  }

  async readFails(index: number, path: string): Promise<void> {
    const into = new Uint8Array(this.space.chunkSize);
    await assert.rejects(this.sink.read!(index, this.space.extents(index), into), (error) => {
      assert.ok(error instanceof BeelineError);
      assert.ok(['SOURCE_CHANGED', 'UNREADABLE'].includes(error.code), error.code);
      assert.ok(error.paths.includes(path), `${error.paths}`);
      return true;
    });
  }
}

export function sinkContract(kind: SinkKind): void {
  const { files, chunkSize } = kind;
  const fileEntries = files.all.flatMap(({ entry }, i) => (entry.kind === 'file' ? [i] : []));

  describe(`the store contract: ${kind.name}`, () => {
    const run = (name: string, body: (place: Place) => Promise<void>) =>
      test(name, async (t) => {
        const place = kind.place(t);
        await (place.drive ? place.drive(body(place)) : body(place));
      });

    async function arrived(place: Place, except: readonly number[] = []): Promise<void> {
      for (const entry of fileEntries) {
        if (except.includes(entry)) continue;
        const bytes = await place.bytes(entry);
        assert.ok(bytes && files.all[entry]!.bytes.equals(bytes), files.all[entry]!.entry.path);
      }
      assert.deepEqual(await place.rest(), []);
    }

    async function finish({ sink }: Writing): Promise<void> {
      await sink.finish();
      await sink.close('done');
      // The session's last cleaning up.
      await sink.close('discard');
    }

    run('it has what it says it has', async (place) => {
      const sink = place.sink();
      assert.equal(sink.read !== undefined, kind.reads);
      for (const member of ['held', 'ready', 'reopen'] as const)
        assert.equal(sink[member] !== undefined, kind.resumes, member);
    });

    run('chunks in any order, some of them twice, are the files in the end', async (place) => {
      const writing = await Writing.begin(place.sink(), kind);
      for (const entry of files.entries.keys()) assert.equal(writing.sink.wants(entry), true);
      assert.deepEqual(writing.sink.leftOut?.() ?? [], []);
      for (const [i, index] of (await writing.fetch(3)).entries())
        if (i % 2 === 0) await writing.write(index);
      await writing.fetch();
      await writing.sink.finish();
      const digests = await writing.sink.digests();
      for (const [entry, digest] of digests)
        assert.equal(digest, Buffer.from(hashOf(files.all[entry]!.bytes)).toString('hex'));
      await writing.sink.close('done');
      await writing.sink.close('discard');
      await arrived(place);
    });

    run('chunks may be written side by side', async (place) => {
      const writing = await Writing.begin(place.sink(), kind);
      const { sink, space } = writing;
      // Each from a buffer of its own, as many as the window has room for.
      for (let first = 0; first < space.chunks; first += 4) {
        const some = Array.from({ length: Math.min(4, space.chunks - first) }, (_, i) => first + i).reverse();
        await Promise.all(
          some.map((index) =>
            sink.write(index, space.extents(index), writing.chunk(index), writing.hash(index)),
          ),
        );
      }
      await finish(writing);
      await arrived(place);
    });

    run('it may be left or given up at any time, and twice', async (place) => {
      for (const moment of ['before it is open', 'open', 'in the middle'])
        for (const end of ['keep', 'discard'] as const) {
          const sink = place.sink();
          if (moment === 'before it is open') {
            await sink.close(end);
            await sink.close('discard');
            continue;
          }
          const writing = await Writing.begin(sink, kind);
          if (moment === 'in the middle') await writing.fetch(2);
          await sink.close(end);
          await sink.close(end);
          await sink.close('discard');
          await sink.close('discard');
          await assert.rejects(async () => {
            for (let index = 0; index < writing.space.chunks; index++)
              if (!writing.down.has(index)) await writing.write(index);
            await sink.finish();
          }, `${end} ${moment}: nothing is written behind it`);
        }
    });

    run('given up, it leaves nothing', async (place) => {
      const writing = await Writing.begin(place.sink(), kind);
      // What is not whole: the last chunk is missing.
      for (let index = 0; index < writing.space.chunks - 1; index++) await writing.write(index);
      await writing.sink.close('discard');
      assert.deepEqual(await place.rest(), []);
    });

    if (kind.resumes) {
      run('a later run holds what an earlier one wrote, and reads it', async (place) => {
        const before = await Writing.begin(place.sink(), kind);
        const written = await before.fetch(Math.ceil(before.space.chunks / 2));
        await before.sink.close('keep');
        const after = await Writing.begin(place.sink(), kind);
        assert.deepEqual([...after.down].sort(), written.sort());
        if (kind.reads) await after.readAgain();
        await after.fetch();
        if (kind.reads) await after.readAgain();
        await finish(after);
        await arrived(place);
      });

      run('begun anew after a failure it holds what is certain, and reads it', async (place) => {
        const writing = await Writing.begin(place.sink(), kind);
        await writing.fetch(3);
        assert.equal(await writing.sink.ready!(), true);
        await writing.sink.reopen!();
        writing.look();
        if (kind.reads) await writing.readAgain();
        await writing.fetch();
        if (kind.reads) await writing.readAgain();
        await finish(writing);
        await arrived(place);
      });
    }
    if (!kind.reads) return;

    run('what is down reads as written: at once, in its place, and once it is settled', async (place) => {
      const writing = await Writing.begin(place.sink(), kind);
      while ((await writing.fetch(1)).length > 0) await writing.readAgain();
      await writing.sink.finish();
      await writing.readAgain();
      await writing.sink.digests();
      await writing.readAgain();
      await writing.sink.close('done');
      await writing.readAgain();
      await writing.sink.close('discard');
      await arrived(place);
    });

    run('what is down is read while more is written, and while that is committed', async (place) => {
      const writing = await Writing.begin(place.sink(), kind);
      const first = (await writing.fetch(2))[0]!;
      const into = new Uint8Array(chunkSize);
      let over = false;
      const reading = (async () => {
        for (let times = 0; !over || times === 0; times++) {
          const length = await writing.sink.read!(first, writing.space.extents(first), into);
          assert.ok(writing.chunk(first).equals(into.subarray(0, length)));
        }
      })();
      await writing.fetch();
      await writing.sink.finish();
      over = true;
      await reading;
      await finish(writing);
    });

    if (kind.spoils)
      run('what was changed or removed since it arrived is not read, and is named', async (place) => {
        const writing = await Writing.begin(place.sink(), kind);
        await writing.fetch();
        await writing.sink.finish();
        const [changed, removed] = fileEntries.filter((entry) => files.all[entry]!.bytes.length > 0);
        place.spoil!(changed!, 'change');
        place.spoil!(removed!, 'remove');
        for (const entry of [changed!, removed!])
          await writing.readFails(writing.space.chunksOf(entry).first, files.all[entry]!.entry.path);
        await finish(writing);
      });

    run(
      'an entry that is dropped is not there in the end, and neither are bytes of it read',
      async (place) => {
        const last = fileEntries.at(-1)!;
        const writing = await Writing.begin(place.sink(), kind);
        const { path } = files.all[last]!.entry;
        const { first, end } = writing.space.chunksOf(last);
        await writing.write(first);
        assert.ok(end - first > 1, 'it is not whole yet');
        await writing.sink.drop(last);
        await writing.readFails(first, path);
        await writing.fetch();
        await finish(writing);
        assert.equal(await place.bytes(last), undefined);
        await arrived(place, [last]);
      },
    );

    run('what is not down is not read', async (place) => {
      const writing = await Writing.begin(place.sink(), kind);
      const { sink, space } = writing;
      await assert.rejects(sink.read!(0, space.extents(0), new Uint8Array(chunkSize)), failure('INTERNAL'));
      await sink.close('discard');
    });
  });
}
