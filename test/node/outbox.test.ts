/** The outbox as a file: several commands change it at once, and it is read as what anybody may have written. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { OutboxStore } from '../../src/node/outbox/store.ts';

const root = mkdtempSync(join(tmpdir(), 'beeline-outbox-'));
after(() => rmSync(root, { recursive: true }));

let made = 0;
const fresh = () => new OutboxStore(join(root, `outbox-${made++}`));
const item = (path = '/x') => ({ device: 'laptop', key: 'bl1x', paths: [path], options: {}, since: 1 });
const isCode = (code: string) => (thrown: unknown) => thrown instanceof BeelineError && thrown.code === code;

test('items are numbered, and no number comes again', async () => {
  const store = fresh();
  assert.deepEqual(await store.items(), []);
  assert.equal((await store.add(item())).id, 1);
  assert.equal((await store.add(item('/y'))).id, 2);
  await store.remove([2]);
  assert.equal((await store.add(item())).id, 3);
  assert.deepEqual(
    (await store.items()).map(({ id }) => id),
    [1, 3],
  );
  if (process.platform !== 'win32') assert.equal(statSync(store.path).mode & 0o777, 0o600);
});

test('many at once lose nothing of each other', async () => {
  const store = fresh();
  await Promise.all(Array.from({ length: 20 }, (_, i) => new OutboxStore(store.folder).add(item(`/${i}`))));
  const items = await store.items();
  assert.equal(new Set(items.map(({ id }) => id)).size, 20);
  assert.equal(new Set(items.map(({ paths }) => paths[0])).size, 20);
});

test('a try is noted, and what was cancelled meanwhile does not come back', async () => {
  const store = fresh();
  for (let i = 0; i < 3; i++) await store.add(item());
  await store.tried(1, 50, 'Away.', false);
  await store.tried(2, 60, 'Gone.', true);
  await store.tried(3, 70, undefined, false);
  const kept = { device: 'laptop', key: 'bl1x', paths: ['/x'], options: {}, since: 1 };
  assert.deepEqual(await store.items(), [
    { id: 1, ...kept, tried: 50, why: 'Away.' },
    { id: 2, ...kept, tried: 60, why: 'Gone.', failed: true },
  ]);
  await store.retry();
  assert.equal(
    (await store.items()).some(({ failed }) => failed),
    false,
  );
  await store.remove();
  await store.tried(1, 80, 'x'.repeat(5000), false);
  assert.deepEqual(await store.items(), []);
});

test('a number that is not there cancels nothing', async () => {
  const store = fresh();
  await store.add(item());
  await assert.rejects(store.remove([1, 2]), isCode('USAGE'));
  assert.equal((await store.items()).length, 1);
});

test('it is bounded', async () => {
  const store = fresh();
  const paths = Array.from({ length: 1001 }, (_, i) => `/${i}`);
  await assert.rejects(store.add({ ...item(), paths }), isCode('USAGE'));
  const items = Array.from({ length: 1000 }, (_, i) => ({ id: i + 1, ...item() }));
  await store.add(item());
  writeFileSync(store.path, JSON.stringify({ version: 1, next: 1001, items }));
  await assert.rejects(store.add(item()), isCode('USAGE'));
});

test('a damaged one is told of, and nothing of it is believed', async () => {
  const store = fresh();
  await store.add(item());
  const whole = { version: 1, next: 2, items: [{ id: 1, ...item() }] };
  const wrong = [
    ...['', '{', '[]', '{"version":2,"next":1,"items":[]}'],
    JSON.stringify({ ...whole, items: [{ id: 1, ...item('relative') }] }),
    JSON.stringify({ ...whole, items: [{ id: 1, ...item(), paths: [] }] }),
    JSON.stringify({ ...whole, items: [{ id: -1, ...item() }] }),
    JSON.stringify({ ...whole, items: [{ id: 1, ...item(), options: { code: '7-x-y' } }] }),
    JSON.stringify({ ...whole, more: 1 }),
  ];
  for (const text of wrong) {
    writeFileSync(store.path, text);
    await assert.rejects(store.items(), isCode('DAMAGED'), text);
    await assert.rejects(store.add(item()), isCode('DAMAGED'), text);
  }
  writeFileSync(store.path, JSON.stringify(whole));
  assert.equal((await store.items()).length, 1);
});
