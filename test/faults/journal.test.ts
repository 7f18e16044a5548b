/** The journal on a failing disk: what it has acknowledged, the next opening finds, whatever happened between. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { journalAt } from '../../src/node/files/journal-file.ts';
import { Journal } from '../../src/sync/store/journal.ts';
import { goOn } from '../node/files/going-on.ts';
import { randomFrom, seed } from '../seed.ts';
import { FaultyDisk } from './disk.ts';
import type { PlanOptions } from './plan.ts';

const linux = { skip: process.platform !== 'linux' && 'models Linux' };
const BEGIN = [
  { type: 'begin', created: 1, chunkSize: 2 ** 20, pages: 1, stream: false, hash: 'sha256' },
  { type: 'page', page: 0, bytes: new Uint8Array(5000).fill(7) },
] as const;

/** The hash that stands for a chunk. */
const hash = (chunk: number) => new Uint8Array(32).fill(chunk + 1);

/** One life: goes on with the journal, and adds to `acknowledged` what the journal said is safe. */
async function append(path: string, random: () => number, next: () => number, acknowledged: Set<number>) {
  const journal = (await goOn(path))?.journal ?? (await Journal.replace(journalAt(path), BEGIN));
  try {
    let failure: unknown;
    const written: number[] = [];
    for (let i = 0; i < 6; i++) {
      const mine = Array.from({ length: 1 + Math.floor(random() * 60) }, next);
      const sync = random() < 0.7;
      const chunks = mine.map((index) => ({ index, hash: hash(index) }));
      const appended = journal.append([{ type: 'chunks', chunks }], { sync }).then(
        () => {
          written.push(...mine);
          if (sync) for (const each of written) acknowledged.add(each);
        },
        (error) => {
          // A later append that fails may take back what was only written.
          written.length = 0;
          failure = error;
        },
      );
      if (random() < 0.6) await appended;
    }
    await journal.append([], { sync: true }).catch(() => {});
    if (failure) throw failure;
  } finally {
    await journal.close();
  }
}

/** Lives one after the other on one disk, each befallen by what `planned` says. */
async function live(t: TestContext, run: number, lives: number, planned: (at: number) => PlanOptions) {
  const random = randomFrom(seed + run);
  const dir = mkdtempSync(join(tmpdir(), 'beeline-journal-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'staging', 'journal');
  mkdirSync(join(dir, 'staging'));
  const disk = new FaultyDisk(dir, random);
  const acknowledged = new Set<number>();
  let chunks = 0;
  let operations = 0;
  try {
    for (let at = 0; at < lives; at++) {
      const life = await disk.run(planned(at), () => append(path, random, () => chunks++, acknowledged));
      operations = life.operations.length;
      assert.deepEqual(life.leftOpen, []);
      disk.check();
      if (random() < 0.7) disk.losePower();
      const found = await Journal.read(journalAt(path));
      for (const chunk of acknowledged)
        assert.ok(found?.chunks.have.has(chunk), `chunk ${chunk} was promised`);
      for (let chunk = 0; chunk < chunks; chunk++)
        if (found?.chunks.have.has(chunk)) assert.deepEqual(found.chunks.get(chunk), hash(chunk));
    }
  } finally {
    disk.dispose();
  }
  return operations;
}

test('a crash at any operation loses nothing that was acknowledged', linux, async (t) => {
  const total = await live(t, 0, 1, () => ({}));
  assert.ok(total > 10, `${total} operations`);
  for (let n = 1; n <= total; n++)
    for (let run = 0; run < 4; run++)
      await live(t, 100 * n + run, 4, (at) => (at % 2 ? { shortWrites: 0.3 } : { crashAt: n }));
});

/** The journal can take back what failed; see below for where it cannot. */
const kinds = ['write', 'create', 'rename', 'fsync', 'fdatasync'] as const;

test('nor does a disk that fails once, for a while or for good', linux, async (t) => {
  for (const code of ['EIO', 'ENOSPC'] as const)
    for (let from = 1; from <= 14; from++)
      for (const to of [from, from + 2, Infinity])
        await live(t, from, 4, (at) =>
          at % 2 ? {} : { faults: [{ code, from, to, kinds }], shortWrites: 0.3 },
        );
});

// A failed sync leaves records that are read back from memory but are not on the disk, and that no later sync
// writes. If cutting them off fails too, whoever opens the journal next must not count on them, nor append behind.
test('what a failing disk did not let it take back, the next run does not build on', linux, async (t) => {
  for (let run = 0; run < 30; run++)
    await live(t, run, 4, (at) =>
      at % 2 ? {} : { faults: [{ code: 'EIO', from: 3 + (run % 8), to: Infinity }] },
    );
});
