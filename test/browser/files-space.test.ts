import assert from 'node:assert/strict';
import test from 'node:test';
import { journalIn } from '../../src/browser/files/journal-file.ts';
import { clear, writeFully } from '../../src/browser/files/sync-file.ts';
import { Journal } from '../../src/sync/store/journal.ts';
import type { JournalRecord, JournalState } from '../../src/sync/store/journal-records.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { MemoryFile, StorageDouble } from './storage-double.ts';

const PAGE = randomBytes(randomFrom(1), 3000);
const begin = (created: number): JournalRecord[] => [
  { type: 'begin', created, chunkSize: 2 ** 20, pages: 1, stream: false, hash: 'sha256' },
  { type: 'page', page: 0, bytes: PAGE },
];
const chunks = (...indexes: number[]): JournalRecord => ({
  type: 'chunks',
  chunks: indexes.map((index) => ({ index, hash: new Uint8Array(32).fill(index) })),
});
const held = (state: JournalState | undefined) => [...(state?.chunks.have ?? [])];

test('a journal in OPFS is the old or the new one, whatever dies while it is begun anew, and again', async () => {
  const random = randomFrom(seed);
  for (let run = 0; run < 600; run++) {
    const storage = new StorageDouble();
    const driver = journalIn(storage);
    await (await Journal.replace(driver, [...begin(1), chunks(1, 2, 3)])).append([chunks(4)]);
    let certain = [1, 2, 3, 4];
    for (let life = 2; life < 6; life++) {
      storage.left = Math.floor(random() * 24);
      const next = [...certain, 10 * life];
      let done = false;
      try {
        const journal = await Journal.replace(driver, [...begin(life), chunks(...next)]);
        certain = next;
        await journal.append([chunks(10 * life + 1)]);
        certain = [...next, 10 * life + 1];
        done = true;
      } catch (thrown) {
        assert.equal((thrown as Error).name, 'AbortError');
      }
      storage.crash(random);
      const state = await Journal.read(driver);
      assert.ok(state, `run ${run}: nothing is left of it`);
      const found = held(state);
      for (const chunk of certain) assert.ok(found.includes(chunk), `run ${run}: chunk ${chunk} was certain`);
      for (const chunk of found)
        assert.ok(certain.includes(chunk) || chunk >= 10 * life, `run ${run}: chunk ${chunk} is made up`);
      if (done) assert.deepEqual(found, certain);
      certain = found;
    }
  }
});

test('the first journal of all is written once; a next one stands for the old until it is down', async () => {
  const storage = new StorageDouble();
  const driver = journalIn(storage);
  await Journal.replace(driver, begin(1));
  assert.ok(!storage.calls.includes('write journal.next'));
  storage.calls.length = 0;
  await Journal.replace(driver, begin(2));
  const order = storage.calls.filter((call) => !call.startsWith('read'));
  assert.ok(order.indexOf('sync journal.next') < order.indexOf('truncate journal'));
  assert.deepEqual(order.slice(-3), ['sync journal', 'truncate journal.next', 'sync journal.next']);
  assert.equal((await Journal.read(driver))?.created, 2);
});

test('zeros need no write where nothing is, and one where something is', () => {
  const file = new MemoryFile();
  clear(file, 0, 100);
  assert.equal(file.getSize(), 100);
  file.write = () => assert.fail('a hole was written to');
  clear(file, 0, 100);
  const full = new MemoryFile();
  writeFully(full, new Uint8Array(100).fill(5), 0);
  clear(full, 20, 30);
  assert.deepEqual([full.bytes[19], full.bytes[20], full.bytes[49], full.bytes[50]], [5, 0, 0, 5]);
});

test('a browser that writes nothing and does not say so is full', () => {
  const file = new MemoryFile();
  file.write = () => 0;
  assert.throws(() => writeFully(file, new Uint8Array(5), 0), { name: 'QuotaExceededError' });
});
