/** Lanes over UDP on loopback: paths, streams with TLS, backpressure, and ends of all kinds. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import { CREDIT_WINDOW } from '../../src/base/credit.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { certificates, closeAll, connected, lane, Side, until } from './udx-ends.ts';

const MiB = 2 ** 20;

/** Writes `total` bytes as a lane does, one write at a time; resolves with their hash. */
async function pour(pipe: Pipe, total: number): Promise<string> {
  const hash = createHash('sha256');
  const slab = Buffer.allocUnsafe(MiB);
  for (let left = total; left > 0; left -= slab.length) {
    // The slab is used again, so that a pipe which keeps it would spoil what it sends.
    randomBytes(64).copy(slab, (left / MiB) % 1000);
    hash.update(slab);
    await new Promise<void>((resolve, reject) =>
      pipe.write(slab, (error) => (error ? reject(error) : resolve())),
    );
  }
  return hash.digest('hex');
}

function drink(pipe: Pipe, total: number): Promise<string> {
  const hash = createHash('sha256');
  let got = 0;
  return new Promise((resolve, reject) => {
    pipe.start(
      (bytes) => {
        hash.update(bytes);
        got += bytes.length;
        if (got >= total) resolve(hash.digest('hex'));
      },
      (error) => reject(error ?? new Error(`closed after ${got} bytes`)),
    );
  });
}

describe('lanes over UDP', () => {
  afterEach(closeAll);

  it('move 32 MiB both ways at once, and tell who and where they are', async () => {
    const { sender, receiver } = await connected();
    const [a, b] = await lane(sender, receiver);
    assert.deepEqual([a.kind, b.kind, receiver.path?.kind, receiver.path?.most], ['udx', 'udx', 'udx', 16]);
    assert.equal(b.remote, `127.0.0.1:${sender.agent.port}`);
    assert.equal(b.local, `127.0.0.1:${receiver.agent.port}`);
    assert.deepEqual([a.local, a.remote], [b.remote, b.local]);
    assert.deepEqual(sender.fingerprints, [(await certificates).receiver.fingerprint]);
    const total = 32 * MiB;
    const heard = [drink(a, total), drink(b, total)];
    const said = [pour(b, total), pour(a, total)];
    assert.deepEqual(await Promise.all(heard), await Promise.all(said));
  });

  it('four at once carry on without one another', async () => {
    const { sender, receiver } = await connected();
    const lanes: [Pipe, Pipe][] = [];
    for (let i = 0; i < 4; i++) lanes.push(await lane(sender, receiver));
    const total = 4 * MiB;
    const heard = lanes.map(([, ours]) => drink(ours, total));
    const said = lanes.map(([theirs]) => pour(theirs, total));
    assert.deepEqual(await Promise.all(heard), await Promise.all(said));
  });

  it('a reader that pauses stops the writer, and gets all when it goes on', async () => {
    const { sender, receiver } = await connected();
    const [a, b] = await lane(sender, receiver);
    const total = 4 * CREDIT_WINDOW;
    const heard = drink(b, total);
    b.pause();
    let written = 0;
    const hash = createHash('sha256');
    const slab = Buffer.alloc(MiB, 7);
    const said = (async () => {
      while (written < total) {
        hash.update(slab);
        await new Promise<void>((resolve, reject) => a.write(slab, (e) => (e ? reject(e) : resolve())));
        written += slab.length;
      }
      return hash.digest('hex');
    })();
    await until('the window full', () => written >= CREDIT_WINDOW - 2 * MiB);
    const before = process.memoryUsage().rss;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(written <= CREDIT_WINDOW + 2 * MiB, `${written / MiB} MiB went to a reader that takes none`);
    assert.ok(process.memoryUsage().rss - before < 64 * MiB);
    b.resume();
    assert.equal(await heard, await said);
  });

  it('the last word before an end arrives', async () => {
    const { sender, receiver } = await connected();
    for (let round = 0; round < 10; round++) {
      const [a, b] = await lane(sender, receiver);
      const heard = drink(b, MiB);
      await pour(a, MiB);
      a.destroy();
      await heard;
    }
  });

  it('an end is told to the other side', async () => {
    const { sender, receiver } = await connected();
    for (const first of [0, 1] as const) {
      const ends = await lane(sender, receiver);
      const closed = ends.map(
        (pipe) =>
          new Promise((resolve) =>
            pipe.start(
              () => {},
              () => resolve(true),
            ),
          ),
      );
      ends[first].destroy();
      await Promise.all(closed);
    }
  });

  it('with another certificate than the pinned one there is no lane', async () => {
    const [sender, receiver] = await Promise.all([
      Side.open('sender'),
      Side.open('receiver', 'f'.repeat(64)),
    ]);
    sender.knows(receiver);
    receiver.knows(sender);
    await until('a path', () => receiver.path !== undefined);
    await assert.rejects(receiver.path!.open(new AbortController().signal), { code: 'AUTHENTICATION' });
  });

  it('an opening that is called off leaves nothing open', async () => {
    const { sender, receiver } = await connected();
    const abort = new AbortController();
    const opening = receiver.path!.open(abort.signal);
    abort.abort();
    await assert.rejects(opening, { code: 'NO_PATH' });
    await assert.rejects(receiver.path!.open(abort.signal), { code: 'NO_PATH' });
    // Sixteen are the most: had those two stayed, the last ones would be refused.
    for (let i = 0; i < 16; i++) await lane(sender, receiver);
    await assert.rejects(receiver.path!.open(new AbortController().signal), { code: 'NO_PATH' });
  });

  it('works over IPv6', async (t) => {
    const { sender, receiver } = await connected(['::1']).catch(() => ({
      sender: undefined,
      receiver: undefined,
    }));
    if (!sender || !receiver) return t.skip('no IPv6 on this loopback');
    const [a, b] = await lane(sender, receiver);
    assert.equal(b.remote, `[::1]:${sender.agent.port}`);
    assert.equal(a.local, b.remote);
    const heard = drink(b, MiB);
    assert.equal(await pour(a, MiB), await heard);
  });

  it('a side that goes without a word is noticed, with its lanes, and found again when it is back', async () => {
    const { sender, receiver } = await connected();
    const [, b] = await lane(sender, receiver);
    let closed = false;
    b.start(
      () => {},
      () => {
        closed = true;
      },
    );
    await sender.agent.close();
    await until('the path lost', () => receiver.path === undefined);
    await until('its lane closed', () => closed);
    const back = await Side.open('sender');
    back.knows(receiver);
    receiver.knows(back);
    await until('a path again', () => receiver.path !== undefined);
  });
});
