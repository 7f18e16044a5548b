/** How many uploads there are at a time, open or not, and what they count for, on a disk that only counts. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { realClock } from '../../../src/base/clock.ts';
import { BeelineError } from '../../../src/base/errors.ts';
import type { Deposit, Deposits, NewDeposit } from '../../../src/http/uploads/deposits.ts';
import { takeStream } from '../../../src/http/uploads/form.ts';
import { UploadRefusal } from '../../../src/http/uploads/refusal.ts';
import { Uploads, type UploadsOptions } from '../../../src/http/uploads/uploads.ts';

class Disk implements Deposits {
  readonly kept = new Map<string, number>();
  readonly open = new Set<string>();
  readonly closed: string[] = [];
  most = 0;
  /** Resolved: uploads can end. */
  ending = Promise.resolve();
  full = false;

  async begin({ id, path, size }: NewDeposit): Promise<Deposit> {
    await new Promise(setImmediate);
    this.open.add(id);
    this.most = Math.max(this.most, this.open.size);
    this.kept.set(id, size ?? 0);
    let offset = 0;
    return {
      id,
      path,
      size,
      created: 0,
      get offset() {
        return offset;
      },
      write: async (from) => {
        if (this.full) throw new BeelineError('DISK_FULL', 'full');
        for await (const piece of from) offset += piece.length;
      },
      finish: async () => {
        await this.ending;
        assert.ok(this.open.delete(id), 'nobody closed it meanwhile');
        this.kept.delete(id);
        return path;
      },
      close: async (end) => {
        this.closed.push(id);
        this.open.delete(id);
        if (end === 'discard') this.kept.delete(id);
      },
    };
  }
  async find(id: string): Promise<undefined> {
    if (this.full && this.kept.has(id)) throw new BeelineError('DISK_FULL', 'full');
  }
  async sweep(): Promise<number> {
    return 0;
  }
  async used(): Promise<number> {
    return 100;
  }
  async unfinished(): Promise<Map<string, number>> {
    return new Map(this.kept);
  }
  free(): undefined {}
}

const idOf = (at: number) => at.toString(16).padStart(32, '0');
const status = (wanted: number) => (error: unknown) =>
  error instanceof UploadRefusal && error.status === wanted;
async function* one(size: number) {
  yield new Uint8Array(size);
}

function uploadsOn(t: TestContext, disk: Disk, more: Partial<UploadsOptions> = {}): Uploads {
  const on = { arrived: () => {}, failed: () => {} };
  const uploads = new Uploads({ deposits: disk, clock: realClock, on, ...more });
  t.after(() => uploads.close());
  return uploads;
}

describe('uploads are bounded:', () => {
  it('64 are open, however many begin at once', async (t) => {
    const disk = new Disk();
    const uploads = uploadsOn(t, disk);
    const begun = await Promise.allSettled(
      Array.from({ length: 300 }, (_, at) => uploads.begin({ id: idOf(at), path: 'x', size: 1 })),
    );
    assert.ok(begun.filter((each) => each.status === 'fulfilled').length >= 64);
    assert.ok(disk.most <= 64, `${disk.most} were open`);
  });

  it('one that is being put in place makes way for nobody', async (t) => {
    const disk = new Disk();
    let end = () => {};
    disk.ending = new Promise((resolve) => {
      end = resolve;
    });
    const uploads = uploadsOn(t, disk);
    await uploads.begin({ id: idOf(0), path: 'first', size: 1 });
    const writing = uploads.write(idOf(0), one(1));
    for (let at = 1; at < 100; at++) await uploads.begin({ id: idOf(at), path: 'x', size: 1 });
    end();
    assert.equal(await writing, 1);
    assert.equal(uploads.nameOf(idOf(0)), 'first');
    assert.ok(disk.closed.length > 0 && !disk.closed.includes(idOf(0)));
  });

  it('10,000 are unfinished, those of an earlier process included, until one ends', async (t) => {
    const disk = new Disk();
    for (let at = 1; at < 10_000; at++) disk.kept.set(idOf(at), 1);
    const uploads = uploadsOn(t, disk);
    await uploads.begin({ id: idOf(20_000), path: 'last', size: 1 });
    await assert.rejects(uploads.begin({ id: idOf(20_001), path: 'more', size: 1 }), status(507));
    await uploads.write(idOf(20_000), one(1));
    await uploads.begin({ id: idOf(20_002), path: 'more', size: 1 });
    await uploads.remove(idOf(20_002));
    await uploads.begin({ id: idOf(20_003), path: 'more', size: 1 });
  });

  it('each counts once for the quota, and in full, also when it was closed and by another count', async (t) => {
    const disk = new Disk();
    disk.kept.set(idOf(1), 50);
    let now = 0;
    const clock = { ...realClock, now: () => now, after: () => () => {} };
    const uploads = uploadsOn(t, disk, { quota: 300, clock });
    await uploads.begin({ id: idOf(2), path: 'a', size: 100 });
    for (let round = 0; round < 3; round++) {
      now += 60_000;
      await assert.rejects(uploads.begin({ id: idOf(3), path: 'b', size: 51 }), status(507));
    }
    // What was refused holds nothing.
    await uploads.begin({ id: idOf(4), path: 'c', size: 50 });
    await assert.rejects(uploads.begin({ id: idOf(5), path: 'd', size: 1 }), status(507));
    await uploads.remove(idOf(4));
    await uploads.begin({ id: idOf(5), path: 'd', size: undefined });
    await assert.rejects(uploads.write(idOf(5), one(51)), status(507));
    await uploads.begin({ id: idOf(6), path: 'e', size: 50 });
  });

  it('what came by PUT gives its room back at once when the disk is full: it could not be opened again for that', async (t) => {
    const disk = new Disk();
    const failed: string[] = [];
    const on = { arrived: () => {}, failed: ({ path }: { path: string }) => failed.push(path) };
    const uploads = uploadsOn(t, disk, { on });
    disk.full = true;
    for (const size of [10, undefined])
      await assert.rejects(takeStream({ path: 'put', size }, one(10), uploads, ''), status(507));
    assert.deepEqual([...disk.kept], []);
    assert.deepEqual(failed, ['put', 'put']);
    // Whoever can go on keeps what is there.
    await uploads.begin({ id: idOf(1), path: 'tus', size: 10 });
    await assert.rejects(uploads.write(idOf(1), one(10)), status(507));
    assert.equal(disk.kept.size, 1);
  });
});
