import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fs, { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { concat, Writer } from '../../../src/base/bytes.ts';
import { MAX_CHUNKS, MAX_ENTRIES, MAX_PAGE } from '../../../src/base/limits.ts';
import { journalAt } from '../../../src/node/files/journal-file.ts';
import { Journal } from '../../../src/sync/store/journal.ts';
import type { JournalState } from '../../../src/sync/store/journal-records.ts';
import { encodeRecords, type JournalRecord, MAGIC } from '../../../src/sync/store/journal-records.ts';
import { goOn } from './going-on.ts';
import { CHUNK, failure, scratch } from './helpers.ts';

const sha = (seed: number) => createHash('sha256').update(String(seed)).digest();
const chunks = (...indexes: number[]): JournalRecord => ({
  type: 'chunks',
  chunks: indexes.map((index) => ({ index, hash: sha(index) })),
});
const BEGIN: JournalRecord = {
  type: 'begin',
  created: 1_700_000_000_123,
  chunkSize: CHUNK,
  pages: 2,
  stream: false,
  hash: 'blake3',
};
const PAGES: JournalRecord[] = [
  { type: 'page', page: 0, bytes: randomBytes(100) },
  { type: 'page', page: 1, bytes: new Uint8Array() },
];
const FIRST = [BEGIN, ...PAGES];

/** A state as plain data, with the chunks that are asked about. */
function plain(state: JournalState | undefined, upTo = 50) {
  if (!state) return undefined;
  const { have } = state.chunks;
  const all = Array.from(
    { length: upTo },
    (_, i) => state.chunks.get(i) && Buffer.from(state.chunks.get(i)!),
  );
  for (const [i, hash] of all.entries()) assert.equal(have.has(i), hash !== undefined);
  return { ...state, pages: state.pages.map((page) => Buffer.from(page)), chunks: all };
}

function written(path: string, records: readonly JournalRecord[]): void {
  writeFileSync(path, concat(MAGIC, encodeRecords(records)));
}

/** Replaces functions of node:fs, which named imports follow, until the test ends or the result is called. */
function patch(t: TestContext, functions: Partial<Record<keyof typeof fs, unknown>>): () => void {
  const before = Object.fromEntries(
    Object.keys(functions).map((name) => [name, fs[name as keyof typeof fs]]),
  );
  const set = (values: object) => {
    Object.assign(fs, values);
    syncBuiltinESMExports();
  };
  set(functions);
  t.after(() => set(before));
  return () => set(before);
}

const fault = (code: string) => Object.assign(new Error(code), { code });
const coded = (code: string) => (error: NodeJS.ErrnoException) => error.code === code;

test('what is appended is read again, from a listing too; a page is all of its bytes', async (t) => {
  const path = `${scratch(t)}/journal`;
  const big: JournalRecord = { type: 'page', page: 1, bytes: randomBytes(MAX_PAGE) };
  const journal = await Journal.replace(journalAt(path), [BEGIN, PAGES[0]!, big]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await journal.append([
    {
      type: 'plan',
      choices: [
        { entry: 3, choice: 'rename', as: 'ä/b (1)' },
        { entry: MAX_ENTRIES - 1, choice: 'skip', as: '' },
        { entry: 4, choice: 'replace', as: '' },
      ],
    },
    chunks(7, 0, MAX_CHUNKS - 1),
  ]);
  await journal.append([
    { type: 'placed', entries: [1, 2, 3] },
    { type: 'lost', entries: [2, 5, 6] },
  ]);
  await journal.append([
    { type: 'placed', entries: [6] },
    { type: 'complete', bytes: 70_000 },
  ]);
  await journal.append([]);
  await journal.close();
  const state = await Journal.read(journalAt(path));
  assert.deepEqual(plain(state), {
    created: 1_700_000_000_123,
    chunkSize: CHUNK,
    pages: [PAGES[0], big].map((page) => page?.type === 'page' && Buffer.from(page.bytes)),
    choices: new Map([
      [3, { choice: 'rename', as: 'ä/b (1)' }],
      [MAX_ENTRIES - 1, { choice: 'skip', as: '' }],
      [4, { choice: 'replace', as: '' }],
    ]),
    chunks: Array.from({ length: 50 }, (_, i) => (i === 7 || i === 0 ? sha(i) : undefined)),
    placed: new Set([1, 3, 6]),
    lost: new Set([2, 5]),
    stream: false,
    hash: 'blake3',
    complete: 70_000,
  });
  assert.equal(state?.chunks.have.count, 3);
  assert.deepEqual(Buffer.from(state.chunks.get(MAX_CHUNKS - 1)!), sha(MAX_CHUNKS - 1));
  const opened = await goOn(path);
  assert.deepEqual(plain(opened?.records), plain(state));
  await opened?.journal.append([chunks(8)]);
  await opened?.journal.close();
  assert.equal((await Journal.read(journalAt(path)))?.chunks.have.count, 4);
});

test('long lists, longer than a record may be', async (t) => {
  const path = `${scratch(t)}/journal`;
  const journal = await Journal.replace(journalAt(path), FIRST);
  const many = Array.from({ length: 10_000 }, (_, i) => i);
  const as = (entry: number) => `${entry}${'/x'.repeat(50)}`;
  const choices = many.map((entry) => ({ entry, choice: 'rename' as const, as: as(entry) }));
  await journal.append([{ type: 'plan', choices }, chunks(...many), { type: 'lost', entries: many }]);
  await journal.close();
  const state = await Journal.read(journalAt(path));
  assert.deepEqual([state?.choices.size, state?.lost.size], [10_000, 10_000]);
  assert.deepEqual(state?.choices.get(9_999), { choice: 'rename', as: as(9_999) });
  assert.equal(state?.chunks.have.firstMissing, 10_000);
  for (const i of many) assert.ok(sha(i).equals(state!.chunks.get(i)!));
});

test('torn at any byte of its last record: what was before survives, the rest is cut, and it goes on', async (t) => {
  const path = `${scratch(t)}/journal`;
  const before = concat(MAGIC, encodeRecords([...FIRST, chunks(0, 1)]));
  const whole = concat(before, encodeRecords([chunks(2, 3)]));
  for (let length = before.length; length < whole.length; length++) {
    // Some file systems leave zeros where the data did not arrive.
    for (const tail of [0, whole.length - length]) {
      writeFileSync(path, concat(whole.subarray(0, length), new Uint8Array(tail)));
      assert.equal((await Journal.read(journalAt(path)))?.chunks.have.count, 2);
      assert.equal(statSync(path).size, length + tail);
      const opened = await goOn(path);
      assert.equal(opened?.records.chunks.have.firstMissing, 2);
      assert.equal(statSync(path).size, before.length);
      await opened.journal.append([chunks(4)]);
      await opened.journal.close();
      assert.equal((await Journal.read(journalAt(path)))?.chunks.have.has(4), true);
    }
  }
});

test('without its whole beginning it is no journal, and stays as it is', async (t) => {
  const path = `${scratch(t)}/journal`;
  const whole = concat(MAGIC, encodeRecords(FIRST));
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    assert.equal(await goOn(path), undefined);
    assert.equal(statSync(path).size, length);
  }
});

test('one damaged byte: the records before it are read, none from it on, and none that was not written', async (t) => {
  const path = `${scratch(t)}/journal`;
  const parts = [...FIRST, chunks(1, 2), { type: 'placed' as const, entries: [4] }, chunks(3), chunks(9)];
  const whole = concat(MAGIC, encodeRecords(parts));
  const ends = parts.map((_, i) => MAGIC.length + encodeRecords(parts.slice(0, i + 1)).length);
  const state = async (records: readonly JournalRecord[]) => {
    written(path, records);
    return plain(await Journal.read(journalAt(path)));
  };
  const states: Awaited<ReturnType<typeof state>>[] = [];
  for (let i = 0; i <= parts.length; i++) states.push(await state(parts.slice(0, i)));
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const damaged = whole.slice();
      damaged[at]! ^= flip;
      writeFileSync(path, damaged);
      const sound = at < MAGIC.length ? 0 : ends.filter((end) => end <= at).length;
      assert.deepEqual(plain(await Journal.read(journalAt(path))), states[sound]);
    }),
    { numRuns: Number(process.env.RUNS ?? 400) },
  );
});

/** A record whose checksum is right, whatever it says. */
function frame(type: number, body: Uint8Array): Uint8Array {
  const head = new Writer().u32(body.length).u8(type).raw(body).done();
  return new Writer().raw(head).u32(crc32(head)).done();
}

test('garbage, with right checksums too, is never a crash and never more than garbage', async (t) => {
  const path = `${scratch(t)}/journal`;
  const begin = encodeRecords(FIRST);
  const bytes = fc.uint8Array({ maxLength: 300 });
  const framed = fc.tuple(fc.nat(8), bytes).map(([type, body]) => frame(type, body));
  const file = fc.array(fc.oneof(bytes, framed, fc.constant(begin)), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(file, fc.boolean(), fc.boolean(), async (parts, magic, begun) => {
      writeFileSync(path, concat(magic ? MAGIC : new Uint8Array(), ...(begun ? [begin] : []), ...parts));
      const opened = await goOn(path);
      if (magic && begun) assert.ok(opened);
      await opened?.journal.close();
      // What was cut off is gone for good: all that is left is read again.
      if (opened) assert.deepEqual(plain(await Journal.read(journalAt(path))), plain(opened.records));
    }),
    { numRuns: Number(process.env.RUNS ?? 300) },
  );
});

test('records that contradict the bounds or each other end what is trusted', async (t) => {
  const path = `${scratch(t)}/journal`;
  const u32s = (...values: number[]) => {
    const writer = new Writer();
    for (const value of values) writer.u32(value);
    return writer.done();
  };
  const choice = (entry: number, which: number, as: string) =>
    frame(3, new Writer().varint(entry).u8(which).text(as).done());
  const bad: Uint8Array[] = [
    encodeRecords([BEGIN]),
    encodeRecords([PAGES[0]!]),
    encodeRecords([{ type: 'page', page: 2, bytes: new Uint8Array(1) }]),
    frame(4, concat(u32s(MAX_CHUNKS), new Uint8Array(32))),
    frame(4, new Uint8Array(40)),
    frame(5, u32s(MAX_ENTRIES)),
    frame(6, new Uint8Array(7)),
    frame(6, new Uint8Array(4 * 4097)),
    frame(7, new Uint8Array()),
    frame(7, new Uint8Array(2)),
    frame(8, new Uint8Array()),
    choice(MAX_ENTRIES, 0, ''),
    choice(1, 3, ''),
    choice(1, 0, 'x'),
    choice(1, 2, ''),
    choice(1, 2, '../x'),
    choice(1, 2, '/x'),
    u32s(0xffffffff, 0, 0),
  ];
  for (const [i, part] of bad.entries()) {
    writeFileSync(path, concat(MAGIC, encodeRecords(FIRST), part, encodeRecords([chunks(1)])));
    assert.equal((await Journal.read(journalAt(path)))?.chunks.have.count, 0, `part ${i}`);
  }
  for (const body of [
    new Writer()
      .varint(1)
      .varint(CHUNK + 1)
      .varint(0)
      .u8(0),
    new Writer().varint(1).varint(CHUNK).varint(5000).u8(0),
    new Writer().varint(1).varint(CHUNK).varint(0).u8(0).u8(2),
    new Writer().varint(1).varint(CHUNK).varint(0).u8(0).u8(1).u8(0),
    new Writer().varint(1).varint(CHUNK).varint(0),
    ...[
      '',
      'https://',
      'ftp://a/b',
      'https://a/\u001b[2J',
      'https://a/b c',
      `https://a/${'x'.repeat(600)}`,
    ].map((url) => new Writer().varint(1).varint(CHUNK).varint(0).u8(0).u8(1).text(url)),
    Array.from({ length: 21 }).reduce<Writer>(
      (body) => body.text('https://a/b'),
      new Writer().varint(1).varint(CHUNK).varint(0).u8(0).u8(1),
    ),
  ]) {
    writeFileSync(path, concat(MAGIC, frame(1, body.done())));
    assert.equal(await Journal.read(journalAt(path)), undefined);
  }
});

test('the URLs that something comes from are read again; what is none is not written', async (t) => {
  const path = `${scratch(t)}/journal`;
  const from = Array.from({ length: 20 }, (_, at) => `https://example.org/${at}?...`);
  written(path, [{ ...BEGIN, from }, ...PAGES, chunks(1)]);
  const read = await Journal.read(journalAt(path));
  assert.deepEqual(read?.from, from);
  assert.equal(read?.chunks.have.count, 1);
  written(path, FIRST);
  assert.equal((await Journal.read(journalAt(path)))?.from, undefined);
  for (const wrong of [[...from, 'https://example.org/'], ['https://example.org/\n']])
    assert.throws(() => encodeRecords([{ ...BEGIN, from: wrong }]), failure('INTERNAL'));
});

test('a journal from before chunks could be hashed otherwise is read and gone on with: they are hashed with SHA-256', async (t) => {
  const path = `${scratch(t)}/journal`;
  // A `begin` as it was then, of the same things as BEGIN; its body ends with the byte for streams.
  const begin = Buffer.from('0000000b01fbd095ffbc318080400200f58dce58', 'hex');
  writeFileSync(path, concat(MAGIC, begin, encodeRecords([...PAGES, chunks(3)])));
  const opened = await goOn(path);
  assert.ok(opened);
  assert.deepEqual(plain(opened.records), {
    ...{ created: 1_700_000_000_123, chunkSize: CHUNK, stream: false, hash: 'sha256', complete: undefined },
    pages: PAGES.map((page) => page.type === 'page' && Buffer.from(page.bytes)),
    ...{ choices: new Map(), placed: new Set(), lost: new Set() },
    chunks: Array.from({ length: 50 }, (_, i) => (i === 3 ? sha(i) : undefined)),
  });
  await opened.journal.append([chunks(4)]);
  await opened.journal.close();
  assert.equal((await Journal.read(journalAt(path)))?.chunks.have.count, 2);
});

test('chunks strewn thinly over the whole range do not cost gigabytes', async (t) => {
  const path = `${scratch(t)}/journal`;
  const strewn = Array.from({ length: 16_384 }, (_, i) => i * 4096);
  written(path, [...FIRST, chunks(...strewn)]);
  const before = process.memoryUsage().arrayBuffers;
  const state = await Journal.read(journalAt(path));
  assert.ok(process.memoryUsage().arrayBuffers - before < 150e6);
  assert.ok(state && state.chunks.have.count >= 256 && state.chunks.have.count < 600);
});

test('what could not be read again is not written', async (t) => {
  const path = `${scratch(t)}/journal`;
  const journal = await Journal.replace(journalAt(path), FIRST);
  const size = statSync(path).size;
  const bad: JournalRecord[] = [
    BEGIN,
    { type: 'page', page: 0, bytes: new Uint8Array(MAX_PAGE + 1) },
    { type: 'chunks', chunks: [{ index: MAX_CHUNKS, hash: sha(0) }] },
    { type: 'chunks', chunks: [{ index: 0, hash: new Uint8Array(31) }] },
    { type: 'placed', entries: [-1] },
    { type: 'lost', entries: [0.5] },
    { type: 'plan', choices: [{ entry: 0, choice: 'rename', as: '../x' }] },
    { type: 'plan', choices: [{ entry: 0, choice: 'skip', as: 'x' }] },
  ];
  for (const record of bad) await assert.rejects(journal.append([chunks(1), record]), failure('INTERNAL'));
  await assert.rejects(Journal.replace(journalAt(`${path}2`), []), failure('INTERNAL'));
  assert.equal(statSync(path).size, size);
  await journal.close();
  await assert.rejects(journal.append([chunks(1)]), failure('INTERNAL'));
});

test('only a regular file of this user under one name is a journal', async (t) => {
  const folder = scratch(t);
  const path = `${folder}/journal`;
  assert.equal(await goOn(path), undefined);
  assert.equal(await goOn(folder), undefined);
  written(`${folder}/real`, FIRST);
  fs.symlinkSync('real', path);
  assert.equal(await goOn(path), undefined);
  fs.unlinkSync(path);
  fs.linkSync(`${folder}/real`, path);
  assert.equal(await goOn(path), undefined);
  assert.equal(await Journal.read(journalAt(path)), undefined);
  fs.unlinkSync(`${folder}/real`);
  assert.ok(await Journal.read(journalAt(path)));
  patch(t, {
    fstatSync: (...args: [number]) =>
      Object.assign(Object.create(statSync(path)), { uid: (process.getuid?.() ?? 0) + 1, args }),
  });
  if (process.getuid) assert.equal(await Journal.read(journalAt(path)), undefined);
});

test('appends land in the order of their calls, each as it was when called, and close waits for them', async (t) => {
  const path = `${scratch(t)}/journal`;
  const journal = await Journal.replace(journalAt(path), FIRST);
  const done: number[] = [];
  const hash = Buffer.alloc(32);
  const all = Array.from({ length: 40 }, (_, i) => {
    hash.fill(i);
    const record: JournalRecord = { type: 'chunks', chunks: [{ index: 0, hash }] };
    return journal.append([record, chunks(i + 1)], { sync: i % 3 > 0 }).then(() => done.push(i));
  });
  await journal.close();
  await Promise.all(all);
  assert.deepEqual(
    done,
    [...done].sort((a, b) => a - b),
  );
  const state = await Journal.read(journalAt(path));
  assert.equal(state?.chunks.have.firstMissing, 41);
  assert.equal(state.chunks.get(0)?.[0], 39);
});

type Done = (error: Error | null, bytes?: number) => void;
type Write = (fd: number, data: Uint8Array, at: number, length: number, position: number, done: Done) => void;

test('short writes are gone on with; a full disk and a failed sync leave a journal to go on with', async (t) => {
  const path = `${scratch(t)}/journal`;
  const { write, fdatasync } = fs;
  const short: Write = (fd, data, at, length, position, done) =>
    write(fd, data, at, Math.min(length, 7), position, done);
  let restore = patch(t, { write: short });
  const journal = await Journal.replace(journalAt(path), FIRST);
  await journal.append([chunks(1)]);
  restore();
  let size = statSync(path).size;

  let room = 20;
  const full: Write = (fd, data, at, length, position, done) => {
    const fit = Math.min(length, room);
    room -= fit;
    if (fit === 0) done(fault('ENOSPC'));
    else write(fd, data, at, fit, position, done);
  };
  await journal.append([chunks(2)], { sync: false });
  size = statSync(path).size;
  restore = patch(t, { write: full });
  const failing = journal.append([chunks(3)]);
  const behind = failing.catch(() => {}).then(() => assert.equal(statSync(path).size, size));
  await assert.rejects(failing, coded('ENOSPC'));
  await behind;
  restore();
  await journal.append([chunks(4)]);
  size = statSync(path).size;

  restore = patch(t, { fdatasync: (_fd: number, done: Done) => done(fault('EIO')) });
  await journal.append([chunks(5)], { sync: false });
  await assert.rejects(journal.append([chunks(6)]), coded('EIO'));
  assert.equal(statSync(path).size, size);
  restore();
  assert.equal(fs.fdatasync, fdatasync);
  await Promise.all([journal.append([chunks(7)]), journal.append([chunks(8)])]);
  await journal.close();
  const have = (await Journal.read(journalAt(path)))!.chunks.have;
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].filter((i) => have.has(i)),
    [1, 2, 4, 7, 8],
  );
});

test('when a failed append cannot be taken back either, every later one rejects', async (t) => {
  const path = `${scratch(t)}/journal`;
  const journal = await Journal.replace(journalAt(path), FIRST);
  const restore = patch(t, {
    fdatasync: (_fd: number, done: Done) => done(fault('EIO')),
    ftruncate: (_fd: number, _length: number, done: Done) => done(fault('EROFS')),
  });
  await assert.rejects(journal.append([chunks(1)]), coded('EIO'));
  restore();
  const size = statSync(path).size;
  await assert.rejects(journal.append([chunks(2)]), coded('EROFS'));
  assert.equal(statSync(path).size, size);
  await journal.close();
});

test('every synced append is on the disk before it resolves, with one write and one sync', async (t) => {
  const path = `${scratch(t)}/journal`;
  const journal = await Journal.replace(journalAt(path), FIRST);
  const { write, fdatasync } = fs;
  const calls: string[] = [];
  patch(t, {
    write: (...args: Parameters<Write>) => {
      calls.push('write');
      write(...args);
    },
    fdatasync: (fd: number, done: Done) => {
      calls.push('sync');
      fdatasync(fd, done);
    },
  });
  await journal.append([chunks(1), { type: 'placed', entries: [1] }]);
  assert.deepEqual(calls, ['write', 'sync']);
  await journal.append([chunks(2)], { sync: false });
  assert.deepEqual(calls, ['write', 'sync', 'write']);
  // Nothing new to write, but something to sync.
  await journal.append([]);
  assert.deepEqual(calls, ['write', 'sync', 'write', 'sync']);
  await journal.close();
});

test('a new journal that cannot be written leaves no file', async (t) => {
  const folder = scratch(t);
  const restore = patch(t, { fdatasync: (_fd: number, done: Done) => done(fault('ENOSPC')) });
  await assert.rejects(Journal.replace(journalAt(`${folder}/journal`), FIRST), coded('ENOSPC'));
  restore();
  assert.deepEqual(readdirSync(folder), []);
});

test('replace leaves the old or the new, whatever fails', async (t) => {
  const folder = scratch(t);
  const path = `${folder}/journal`;
  const other: JournalRecord[] = [
    { type: 'begin', created: 5, chunkSize: CHUNK, pages: 0, stream: false, hash: 'sha256' },
  ];
  await (await Journal.replace(journalAt(path), FIRST)).close();
  const old = readFileSync(path);
  const faults = {
    write: (...args: Parameters<Write>) => args[5](fault('ENOSPC')),
    fdatasync: (_fd: number, done: Done) => done(fault('EIO')),
    renameSync: () => {
      throw fault('EACCES');
    },
  };
  for (const [name, fail] of Object.entries(faults)) {
    const restore = patch(t, { [name]: fail });
    await assert.rejects(Journal.replace(journalAt(path), other));
    restore();
    assert.deepEqual(readFileSync(path), old);
    assert.deepEqual(readdirSync(folder), ['journal']);
  }
  const order: string[] = [];
  const { fdatasync, renameSync, fsync } = fs;
  const restore = patch(t, {
    fdatasync: (fd: number, done: Done) => order.push('fdatasync') && fdatasync(fd, done),
    renameSync: (from: string, to: string) => order.push('rename') && renameSync(from, to),
    fsync: (fd: number, done: Done) => order.push('fsync') && fsync(fd, done),
  });
  writeFileSync(`${path}.next`, 'left by a run that was killed');
  const journal = await Journal.replace(journalAt(path), other);
  restore();
  assert.deepEqual(order, ['fdatasync', 'rename', 'fsync']);
  await journal.append([chunks(1)]);
  await journal.close();
  assert.ok(!existsSync(`${path}.next`));
  const state = await Journal.read(journalAt(path));
  assert.deepEqual([state?.created, state?.pages.length, state?.chunks.have.count], [5, 0, 1]);
  await (await Journal.replace(journalAt(`${folder}/fresh`), other)).close();
  assert.ok(await Journal.read(journalAt(`${folder}/fresh`)));
});

test('100,000 chunks are replayed', async (t) => {
  const path = `${scratch(t)}/journal`;
  const journal = await Journal.replace(journalAt(path), FIRST);
  const hash = sha(0);
  for (let at = 0; at < 100_000; at += 64)
    await journal.append(
      [{ type: 'chunks', chunks: Array.from({ length: 64 }, (_, i) => ({ index: at + i, hash })) }],
      { sync: false },
    );
  await journal.close();
  const start = performance.now();
  const state = await Journal.read(journalAt(path));
  t.diagnostic(`${(performance.now() - start).toFixed(1)} ms for ${statSync(path).size} bytes`);
  assert.equal(state?.chunks.have.firstMissing, 100_032);
});
