/** Modification times of any year: read, carried and set as they are, as far as the file system keeps them. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fromMicros, timeOf, toMicros } from '../../../src/node/files/io.ts';
import { FileSource } from '../../../src/node/files/source.ts';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { walk } from '../../../src/node/files/walk.ts';
import { decodePage, encodePages } from '../../../src/offer/manifest.ts';
import { move, scratch } from './helpers.ts';

/** tmpfs keeps every time to the nanosecond. */
const TMPFS = 0x01021994;
const MICROS = {
  'NTFS has for none': Date.UTC(1601, 0, 1) * 1000,
  'lie before 1970, with a fraction': Date.UTC(1960, 5, 1, 12) * 1000 + 123_456,
  'lie a microsecond before 1970': -1,
  'a signed second does not hold': Date.UTC(2038, 0, 19, 3, 14, 8) * 1000 + 999_999,
  'an unsigned second does not hold': Date.UTC(2106, 1, 7, 6, 28, 16) * 1000 + 1,
  'lie in 2150': Date.UTC(2150, 0, 1) * 1000 + 7,
};

function shm(t: TestContext): string | undefined {
  try {
    if (statfsSync('/dev/shm').type !== TMPFS) return undefined;
  } catch {
    return undefined;
  }
  const path = mkdtempSync('/dev/shm/beeline-test-');
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

for (const [what, mtime] of Object.entries(MICROS)) {
  test(`times that ${what} arrive as they are`, async (t) => {
    const dir = shm(t);
    if (dir === undefined) return t.skip('/dev/shm is no tmpfs');
    mkdirSync(join(dir, 'src'));
    for (const name of ['src/odd', 'src/ok']) writeFileSync(join(dir, name), name);
    utimesSync(join(dir, 'src/odd'), fromMicros(mtime), fromMicros(mtime));
    utimesSync(join(dir, 'src'), fromMicros(mtime), fromMicros(mtime));
    const walked = await walk([join(dir, 'src')], { onUnreadable: 'fail' });
    assert.equal(walked.entries[1]!.mtime, mtime);
    assert.deepEqual(encodePages(walked.entries).flatMap(decodePage), walked.entries);
    await move(new FileSource(walked), new StagingSink({ to: join(dir, 'out'), overwrite: 'ask' }));
    for (const name of ['src/odd', 'src'])
      assert.equal(toMicros(statSync(join(dir, 'out', name), { bigint: true })), mtime, name);
  });
}

test('a time beyond what a manifest can say becomes the nearest that it can', () => {
  const far = 10n ** 15n;
  assert.deepEqual(timeOf({ mtimeNs: far * 10n ** 9n }), { mtime: 2 ** 42 * 1e6 });
  assert.deepEqual(timeOf({ mtimeNs: -far * 10n ** 9n }), { mtime: -(2 ** 42) * 1e6 });
  assert.deepEqual(timeOf({ mtimeNs: -1n }), { mtime: -1, nanos: 999 });
  assert.deepEqual(timeOf({ mtimeNs: 1_700_000_000_123_456_789n }), {
    mtime: 1_700_000_000_123_456,
    nanos: 789,
  });
});

test('a time before 1970 is kept where the disk of the tests keeps it', async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'old'), 'x');
  const mtime = MICROS['lie before 1970, with a fraction'];
  utimesSync(join(dir, 'old'), fromMicros(mtime), fromMicros(mtime));
  if (toMicros(statSync(join(dir, 'old'), { bigint: true })) !== mtime) return t.skip('this disk does not');
  const source = new FileSource(await walk([join(dir, 'old')], { onUnreadable: 'fail' }));
  await move(source, new StagingSink({ to: join(dir, 'out'), overwrite: 'ask' }));
  assert.equal(toMicros(statSync(join(dir, 'out/old'), { bigint: true })), mtime);
});
