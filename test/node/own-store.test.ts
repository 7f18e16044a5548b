/** A program's own places: what `send` reads from, and what `receive` writes into. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { OfferSummary } from '../../src/node/api.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import type { Source } from '../../src/stores.ts';
import { MemorySink, MemorySource } from '../sync/harness.ts';
import { failure, folder, meeting } from './meeting.ts';

const LIMIT = { timeout: 60_000 };
const FILES = {
  a: new Uint8Array(3_000_000).fill(7),
  b: new Uint8Array(0),
  c: new TextEncoder().encode('c'),
};

/** Remembers how it was closed. */
class Place extends MemorySink {
  readonly ends: string[] = [];
  override async close(end?: string): Promise<void> {
    this.ends.push(String(end));
  }
}

async function host(store: Source | string) {
  const sender = send(typeof store === 'string' ? [store] : { store }, { lan: false, at: '127.0.0.1:0' });
  const { code, port } = await meeting(sender);
  return { sender, to: { code, lan: false, at: `127.0.0.1:${port}`, accept: 'all' as const } };
}

describe("a program's own store", LIMIT, () => {
  it('is sent from, into a folder', async (t) => {
    const to = folder(t);
    const { sender, to: at } = await host(new MemorySource(FILES));
    const [sent, received] = await Promise.all([sender.done, receive({ ...at, to }).done]);
    assert.deepEqual([sent.files, sent.root], [3, received.root]);
    for (const [name, bytes] of Object.entries(FILES))
      assert.deepEqual(new Uint8Array(readFileSync(join(to, name))), bytes);
  });

  it('is received into, after the decision, and closed once all is well', async (t) => {
    const path = join(folder(t), 'one');
    writeFileSync(path, FILES.a);
    const { sender, to } = await host(path);
    const place = new Place();
    const asked: OfferSummary[] = [];
    const order: string[] = [];
    const received = receive({
      ...to,
      accept: (offer) => order.push('accept') > 0 && offer.files === 1,
      store: (offer) => {
        order.push('store');
        asked.push(offer);
        return place;
      },
    });
    await Promise.all([sender.done, received.done]);
    assert.deepEqual(order, ['accept', 'store']);
    assert.deepEqual(asked[0]?.names, ['one']);
    assert.deepEqual([place.finished, place.ends[0]], [true, 'done']);
    assert.deepEqual(place.files[0], FILES.a);
  });

  it('is not made for what is declined', async (t) => {
    const { sender, to } = await host(new MemorySource(FILES));
    const made = t.mock.fn(() => new Place());
    const received = receive({ ...to, accept: () => false, store: made });
    assert.deepEqual([(await failure(received)).code, (await failure(sender)).code], ['REFUSED', 'REFUSED']);
    assert.equal(made.mock.callCount(), 0);
  });

  it('that fails ends both sides, and is given up, since it cannot be gone on with', async () => {
    const { sender, to } = await host(new MemorySource(FILES));
    const place = new Place();
    place.write = async () => {
      throw new Error('the bucket is gone');
    };
    const received = receive({ ...to, store: () => place });
    const { code, message } = await failure(received);
    assert.deepEqual([code, message.includes('the bucket is gone')], ['INTERNAL', true]);
    assert.equal((await failure(sender)).code, 'PEER_FAILED');
    assert.equal(place.ends[0], 'discard');
  });

  it('that is none is refused before anybody is looked for', async () => {
    const none = send({ store: {} as Source }, { lan: false });
    assert.equal((await failure(none)).code, 'USAGE');
    const nor = receive({ accept: 'all', code: '7-velvet-canyon', lan: false, store: {} as never });
    assert.equal((await failure(nor)).code, 'USAGE');
  });
});
