import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import type { Entry } from '../../../src/offer/manifest.ts';
import { failure, file, folder, link, opened, scratch } from './helpers.ts';

type Options = Omit<ConstructorParameters<typeof StagingSink>[0], 'to'>;

/** Receives entries full of 'A' into a folder. */
async function receive(to: string, entries: Entry[], options: Options): Promise<StagingSink> {
  const sink = new StagingSink({ to, ...options });
  const { space, write } = await opened(sink, entries);
  for (let chunk = 0; chunk < space.chunks; chunk++) await write(chunk, 65);
  await sink.finish();
  await sink.close('done');
  return sink;
}

const read = (to: string, name: string) => readFileSync(join(to, name), 'utf8');

describe('a file that exists', () => {
  test('ask without anyone to ask: EXISTS names the first few, and nothing is written', async (t) => {
    const to = scratch(t);
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) writeFileSync(join(to, name), 'old');
    const entries = [...names, 'new'].map((name) => file(name, 3));
    await assert.rejects(
      receive(to, entries, { overwrite: 'ask' }),
      failure('EXISTS', "'a', 'b', 'c' and 2 more"),
    );
    assert.deepEqual(readdirSync(to), names);
    for (const name of names) assert.equal(read(to, name), 'old');
  });

  test('ask: each answer counts for its file', async (t) => {
    const to = scratch(t);
    for (const name of ['skip', 'rename', 'replace']) writeFileSync(join(to, name), 'old');
    const asked: string[] = [];
    const sink = await receive(to, [file('new', 3), file('skip', 3), file('rename', 3), file('replace', 3)], {
      overwrite: 'ask',
      onConflict: async (path) => {
        asked.push(path);
        return path as 'skip' | 'rename' | 'replace';
      },
    });
    assert.deepEqual(asked, ['skip', 'rename', 'replace']);
    assert.deepEqual(
      [0, 1, 2, 3].map((entry) => sink.wants(entry)),
      [true, false, true, true],
    );
    const texts = ['new', 'skip', 'rename', 'rename (1)', 'replace'].map((name) => read(to, name));
    assert.deepEqual(texts, ['AAA', 'old', 'old', 'AAA', 'AAA']);
  });

  test('what is asked may fail, and nothing is left', async (t) => {
    const dir = scratch(t);
    writeFileSync(join(dir, 'f'), 'old');
    const onConflict = () => Promise.reject(new Error('no terminal'));
    await assert.rejects(receive(dir, [file('f', 3)], { overwrite: 'ask', onConflict }), /no terminal/);
    assert.deepEqual(readdirSync(dir), ['f']);
  });

  test('rename finds a name that nobody has or will have', async (t) => {
    const to = scratch(t);
    const long = `${'é'.repeat(125)}.txt`;
    for (const name of ['a.tar', 'a (1).tar', '.rc', 'b', long]) writeFileSync(join(to, name), 'old');
    const entries = [
      file('a.tar', 1),
      file('a (2).tar', 1),
      file('.rc', 1),
      file('b', 1),
      file('B (1)', 1),
      file(long, 1),
    ];
    await receive(to, entries, { overwrite: 'rename' });
    for (const name of ['a (3).tar', 'a (2).tar', '.rc (1)', 'b (2)', 'B (1)', `${'é'.repeat(123)} (1).txt`])
      assert.equal(read(to, name), 'A', name);
    for (const name of ['a.tar', 'a (1).tar', '.rc', 'b', long]) assert.equal(read(to, name), 'old', name);
  });
});

test('an existing folder is merged into, and keeps its mode', async (t) => {
  const to = scratch(t);
  mkdirSync(join(to, 'd/sub'), { recursive: true, mode: 0o711 });
  writeFileSync(join(to, 'd/mine'), 'old');
  await receive(to, [folder('d', 0o700), folder('d/sub'), file('d/sub/f', 3), folder('d/new', 0o750)], {
    overwrite: 'ask',
  });
  assert.equal(read(to, 'd/mine'), 'old');
  assert.equal(read(to, 'd/sub/f'), 'AAA');
  assert.equal(statSync(join(to, 'd')).mode & 0o777, 0o711);
  assert.equal(statSync(join(to, 'd/new')).mode & 0o777, 0o750);
});

describe('a kind that differs is EXISTS under every policy', () => {
  for (const overwrite of ['ask', 'skip', 'rename', 'replace'] as const) {
    test(overwrite, async (t) => {
      const to = scratch(t);
      mkdirSync(join(to, 'd'));
      writeFileSync(join(to, 'f'), 'old');
      for (const entries of [[file('d', 3)], [link('d', 'f')], [folder('f'), file('f/x', 3)]])
        await assert.rejects(receive(to, entries, { overwrite }), failure('EXISTS', 'folder'));
      assert.deepEqual(readdirSync(to), ['d', 'f']);
    });
  }
});

test('links: the same one is no conflict, another one is', async (t) => {
  const to = scratch(t);
  symlinkSync('x', join(to, 'same'));
  symlinkSync('x', join(to, 'other'));
  await assert.rejects(
    receive(to, [link('same', 'x'), link('other', 'y')], { overwrite: 'ask' }),
    failure('EXISTS', "'other' exists"),
  );
  await receive(to, [link('same', 'x'), link('other', 'y')], { overwrite: 'replace' });
  assert.deepEqual(
    ['same', 'other'].map((name) => readlinkSync(join(to, name))),
    ['x', 'y'],
  );
});
