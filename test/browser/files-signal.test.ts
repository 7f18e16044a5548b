/** What a caller's signal ends: the reading of a drop, and saving. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { saveAsDownloads } from '../../src/browser/files/download.ts';
import { type Download, startDownload } from '../../src/browser/files/download-stream.ts';
import { itemsOfDrop } from '../../src/browser/files/items.ts';
import type { Kept } from '../../src/browser/files/kept.ts';
import { useWorkers } from '../../src/browser/files/workers.ts';

const file = { isFile: true, name: 'x', file: (found: (file: File) => void) => found(new File([''], 'x')) };

/** A folder of so many lists of names; it tells when one was read. */
function folder(lists: number, read = (_left: number) => {}) {
  let left = lists;
  const readEntries = (found: (entries: unknown[]) => void) => {
    read(--left);
    found(left < 0 ? [] : [file]);
  };
  return { isFile: false, name: 'd', createReader: () => ({ readEntries }) };
}

const dropped = (...entries: unknown[]) =>
  entries.map((entry) => ({
    kind: 'file',
    webkitGetAsEntry: () => entry,
  })) as unknown as DataTransferItemList;

test('what was dropped is read no further once that is not wanted any more', async () => {
  const all = await itemsOfDrop(dropped(file, folder(3)), new AbortController().signal);
  assert.deepEqual(
    all.map(({ path }) => path),
    ['x', 'd', 'd/x', 'd/x', 'd/x'],
  );
  const stop = new AbortController();
  let lists = 0;
  const large = folder(1_000_000, () => {
    if (++lists === 3) stop.abort();
  });
  await assert.rejects(itemsOfDrop(dropped(large), stop.signal), { code: 'INTERRUPTED' });
  assert.equal(lists, 3);
  await assert.rejects(itemsOfDrop(dropped(), AbortSignal.abort()), { code: 'INTERRUPTED' });
});

const kept = (count: number): Kept => ({
  ...{ id: 'x', name: 'x', bytes: count, complete: true, have: count, at: 0, remove: async () => {} },
  files: Array.from({ length: count }, (_, n) => ({
    ...{ path: `${n}`, size: 1, mtime: 0, mode: 0 },
    blob: async () => assert.fail('nothing is read'),
  })),
  folders: [],
});

test('saving that is stopped before it begins reads nothing', async () => {
  for (const count of [1, 2])
    await assert.rejects(saveAsDownloads(kept(count), AbortSignal.abort()), { code: 'CANCELLED' });
});

/** A download as far as the browser takes it. */
async function underWay(signal: AbortSignal) {
  const frame = { hidden: false, src: '', remove: () => {} };
  Object.assign(globalThis, { document: { createElement: () => frame, body: { append: () => {} } } });
  let resolve = (_port: MessagePort): void => {};
  const offered = new Promise<MessagePort>((found) => {
    resolve = found;
  });
  const active = {
    postMessage: (_: unknown, [port]: MessagePort[]) => {
      if (port) resolve(port);
    },
  };
  useWorkers({
    storage: () => assert.fail('nothing is stored'),
    register: async () => ({ active, scope: '/download/' }) as unknown as ServiceWorkerRegistration,
  });
  let ended: unknown;
  const cancel = (reason: unknown) => {
    ended = reason;
  };
  const body = new ReadableStream({ cancel }) as Download['body'];
  const starting = startDownload({ name: 'x.zip', size: undefined, body, signal });
  starting.catch(() => {});
  const port = await offered;
  const said: string[] = [];
  port.onmessage = ({ data }: MessageEvent) => said.push(data.type);
  return { port, said, starting, ended: () => ended };
}

test('a ZIP under way is stopped at once, also while the browser asks for nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  for (const begun of [true, false]) {
    const stop = new AbortController();
    const { port, said, starting, ended } = await underWay(stop.signal);
    const ready = begun ? starting : undefined;
    if (begun) port.postMessage({ type: 'fetched' });
    const download = await ready;
    stop.abort();
    const over = download ? download.done : starting;
    await assert.rejects(over, { code: 'CANCELLED', message: 'Saving was stopped.' });
    while (said.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(said, ['fail']);
    assert.equal((ended() as { code: string }).code, 'CANCELLED');
    port.close();
  }
});
