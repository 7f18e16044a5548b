/** Trees against receipts, and receipts on the disk. */
import assert from 'node:assert/strict';
import fs, {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  readReceipt,
  receiptFolder,
  receiptName,
  writeReceipt,
} from '../../../src/node/files/receipt-file.ts';
import { type Problem, verifyTree } from '../../../src/node/files/verify.ts';
import { encodeReceipt, type Receipt } from '../../../src/offer/receipt.ts';
import { CHUNK, failure, file, folder, link, scratch } from './helpers.ts';
import { around, receiptOf, sha256 } from './receipt-of.ts';

const NAMES = ['a', 'b', 'c', 'd'];

/** Four small files in one chunk, a large one whose tail shares a chunk with nothing, a folder, a link. */
function tree(t: TestContext): string {
  const root = join(scratch(t), 'in');
  mkdirSync(join(root, 'top', 'sub'), { recursive: true });
  for (const name of NAMES) writeFileSync(join(root, 'top', name), `content of ${name}`);
  writeFileSync(join(root, 'top', 'empty'), '');
  writeFileSync(join(root, 'top', 'large'), Buffer.alloc(3 * CHUNK + 17, 'large'));
  writeFileSync(join(root, 'top', 'sub', 'tiny'), 'tiny');
  symlinkSync('../a', join(root, 'top', 'sub', 'link'));
  return root;
}

async function check(receipt: Receipt, path: string, concurrency = 3) {
  const problems: Problem[] = [];
  const onProblem = (problem: Problem) => problems.push(problem);
  const digest = sha256;
  const result = await verifyTree(receipt, path, { digest, onProblem, concurrency });
  assert.equal(result.problems, problems.length);
  return { ...result, found: problems.map(({ path, problem }) => `${problem} ${path}`), details: problems };
}

/** Other content of the same length, under the same time if asked. */
function corrupt(path: string, at = 0, keepTime = true): void {
  const { atime, mtime } = statSync(path);
  const data = readFileSync(path);
  data[at]! ^= 1;
  writeFileSync(path, data);
  if (keepTime) utimesSync(path, atime, mtime);
  else utimesSync(path, 1, 1);
}

/** Times that an utimes of whole milliseconds does not change. */
function settle(root: string): void {
  for (const name of readdirSync(root, { recursive: true }).map(String))
    if (!name.endsWith('link')) utimesSync(join(root, name), 1_700_000_000, 1_700_000_000);
}

async function made(t: TestContext) {
  const root = tree(t);
  settle(root);
  return {
    root,
    receipt: await receiptOf([join(root, 'top')]),
    at: (...parts: string[]) => join(root, 'top', ...parts),
  };
}

describe('verifyTree', () => {
  it('finds nothing in an intact tree, one chunk at a time or several', async (t) => {
    const { root, receipt } = await made(t);
    for (const concurrency of [1, 2, 8]) {
      const { found, bytes, notMoved, unchecked } = await check(receipt, root, concurrency);
      assert.deepEqual(found, []);
      assert.deepEqual([bytes, notMoved, unchecked], [receipt.bytes, 0, 0]);
    }
  });

  it('takes the received folder itself for its parent, unless there is one of that name in it', async (t) => {
    const { root, receipt, at } = await made(t);
    assert.deepEqual((await check(receipt, at())).found, []);
    renameSync(root, `${root}-old`);
    mkdirSync(join(root, 'top'), { recursive: true });
    renameSync(join(`${root}-old`, 'top'), join(root, 'top', 'top'));
    assert.deepEqual((await check(receipt, join(root, 'top'))).found, []);
  });

  it('takes a file under any name where the receipt has just one, and a link of its name', async (t) => {
    const root = tree(t);
    const one = await receiptOf([join(root, 'top', 'large')]);
    renameSync(join(root, 'top', 'large'), join(root, 'other'));
    assert.deepEqual((await check(one, join(root, 'other'))).found, []);
    assert.deepEqual((await check(one, join(root, 'top'))).found, ['missing large']);
    symlinkSync('nowhere', join(root, 'l'));
    assert.deepEqual((await check(around([link('l', 'nowhere')], []), join(root, 'l'))).found, []);
  });

  it('names what is missing, of other size, kind or target, and does so in the order of the receipt', async (t) => {
    const { root, receipt, at } = await made(t);
    rmSync(at('a'));
    appendFileSync(at('b'), '!');
    truncateSync(at('large'), CHUNK);
    rmSync(at('empty'));
    mkdirSync(at('empty'));
    rmSync(at('sub', 'link'));
    symlinkSync('../b', at('sub', 'link'));
    const { found, details, unchecked } = await check(receipt, root);
    assert.deepEqual(found, [
      'missing top/a',
      'size top/b',
      'kind top/empty',
      'size top/large',
      'target top/sub/link',
    ]);
    assert.deepEqual(
      details.map(({ detail }) => detail),
      [
        'is not there',
        'has 13 bytes instead of 12',
        'is a folder instead of a file',
        `has ${CHUNK} bytes instead of ${3 * CHUNK + 17}`,
        "points to '../b' instead of '../a'",
      ],
    );
    // That of the small files beside the missing one, and the large one's last, which it shares with `tiny`.
    assert.equal(unchecked, 2);
  });

  it('names all below a folder that is missing, and below one that is a link, which it does not follow', async (t) => {
    const { root, receipt, at } = await made(t);
    renameSync(at('sub'), join(root, 'moved'));
    assert.deepEqual((await check(receipt, root)).found, [
      'missing top/sub',
      'missing top/sub/link',
      'missing top/sub/tiny',
    ]);
    symlinkSync(join(root, 'moved'), at('sub'));
    const { details } = await check(receipt, root);
    assert.deepEqual(
      details.map(({ path, problem, detail }) => [path, problem, detail]),
      [
        ['top/sub', 'kind', 'is a link instead of a folder'],
        ['top/sub/link', 'kind', 'is in a folder that is a link instead of a folder'],
        ['top/sub/tiny', 'kind', 'is in a folder that is a link instead of a folder'],
      ],
    );
  });

  it('does not follow a link in the place of a file, though it leads to the same bytes', async (t) => {
    const { root, receipt, at } = await made(t);
    renameSync(at('large'), join(root, 'elsewhere'));
    symlinkSync(join(root, 'elsewhere'), at('large'));
    assert.deepEqual((await check(receipt, root)).found, ['kind top/large']);
  });

  it('counts the chunks of a large file that differ, in one problem', async (t) => {
    const { root, receipt, at } = await made(t);
    corrupt(at('large'), CHUNK + 5);
    corrupt(at('large'), 2 * CHUNK);
    const { details, bytes } = await check(receipt, root);
    assert.deepEqual(details, [
      {
        path: 'top/large',
        problem: 'content',
        detail: `has other content in 2 of 4 chunks, first after byte ${CHUNK}`,
      },
    ]);
    assert.equal(bytes, receipt.bytes - 2 * CHUNK);
  });

  it('narrows a chunk of small files down to those whose time differs, else names them as a group', async (t) => {
    const { root, receipt, at } = await made(t);
    corrupt(at('c'), 0, false);
    assert.deepEqual((await check(receipt, root)).found, ['content top/c']);
    settle(root);
    const { found, details } = await check(receipt, root);
    assert.deepEqual(found, ['content top/a']);
    assert.equal(details[0]!.detail, "or another of the 4 files from it to 'top/d' has other content");
  });

  it('still checks what stands beside a file that has only grown', async (t) => {
    const { root, receipt, at } = await made(t);
    appendFileSync(at('b'), ' and more');
    const { found, unchecked } = await check(receipt, root);
    assert.deepEqual([found, unchecked], [['size top/b'], 0]);
    corrupt(at('c'));
    const after = await check(receipt, root);
    assert.deepEqual([after.found, after.unchecked], [['size top/b'], 1]);
  });

  it('says of files that were not moved only that they are missing, and counts their chunks', async (t) => {
    const root = tree(t);
    const receipt = await receiptOf([join(root, 'top', 'large')], (chunk) => chunk === 9);
    rmSync(join(root, 'top', 'large'));
    const { found, notMoved } = await check(receipt, join(root, 'top'));
    assert.deepEqual([found, notMoved], [['missing large'], 4]);
    writeFileSync(join(root, 'top', 'large'), 'another, which stood there');
    assert.deepEqual((await check(receipt, join(root, 'top'))).found, []);
    writeFileSync(join(root, 'top', 'large'), Buffer.alloc(2 * CHUNK, 1));
    const partly = await receiptOf([join(root, 'top', 'large')], (chunk) => chunk === 0);
    corrupt(join(root, 'top', 'large'), CHUNK);
    assert.deepEqual((await check(partly, join(root, 'top'))).found, []);
    corrupt(join(root, 'top', 'large'), 0);
    assert.deepEqual((await check(partly, join(root, 'top'))).found, ['content large']);
  });

  it('checks a stream by the length that the receipt gives it', async (t) => {
    const root = scratch(t);
    const data = Buffer.alloc(CHUNK + 9, 'stream');
    writeFileSync(join(root, 'stdin'), data);
    const hashes = [sha256(data.subarray(0, CHUNK)), sha256(data.subarray(CHUNK))];
    const receipt = around([file('stdin')], hashes, { kind: 'stream', bytes: data.length });
    assert.deepEqual((await check(receipt, root)).found, []);
    corrupt(join(root, 'stdin'), CHUNK);
    assert.deepEqual((await check(receipt, root)).found, ['content stdin']);
    truncateSync(join(root, 'stdin'), 5);
    assert.deepEqual((await check(receipt, root)).found, ['size stdin']);
  });

  it('refuses a receipt that names what no transfer may, before it looks at anything', async (t) => {
    const outside = scratch(t);
    const root = join(outside, 'in');
    mkdirSync(root);
    writeFileSync(join(outside, 'shadow'), 'secret');
    symlinkSync(outside, join(root, 'link'));
    const hash = sha256(Buffer.from('secret'));
    for (const entries of [
      [file('../shadow', 6)],
      [file('../../etc/shadow', 6)],
      [file(join(outside, 'shadow'), 6)],
      [folder('a'), file('a/../../shadow', 6)],
      [link('link', '..'), file('link/shadow', 6)],
      [file('x\0y', 6)],
      [file('same', 3), file('same', 3)],
    ]) {
      const receipt = around(entries, entries.some(({ size }) => size > 0) ? [hash] : []);
      await assert.rejects(check(receipt, root), failure('UNSAFE_NAME', 'Nothing was checked'));
    }
    // The name is harmless here; the disk has a link in the folder's place.
    const through = around([folder('link'), file('link/shadow', 6)], [hash]);
    assert.deepEqual((await check(through, root)).found, ['kind link', 'kind link/shadow']);
  });

  it('reports what cannot be read and goes on', async (t) => {
    const { root, receipt, at } = await made(t);
    // Root reads everything, so that the system is made to refuse.
    const { openSync } = fs;
    t.after(() => {
      fs.openSync = openSync;
      syncBuiltinESMExports();
    });
    fs.openSync = (path, ...rest) => {
      if (path === at('large')) throw Object.assign(new Error('refused'), { code: 'EACCES' });
      return openSync(path, ...rest);
    };
    syncBuiltinESMExports();
    assert.deepEqual((await check(receipt, root)).found, ['unreadable top/large']);
  });

  it('stops when it is told to', async (t) => {
    const { root, receipt } = await made(t);
    const signal = AbortSignal.abort();
    const options = { digest: sha256, onProblem: () => assert.fail(), signal };
    await assert.rejects(verifyTree(receipt, root, options), failure('INTERRUPTED'));
  });

  it('says when PATH is nothing, or no folder', async (t) => {
    const { root, receipt, at } = await made(t);
    await assert.rejects(check(receipt, join(root, 'nowhere')), failure('NO_SUCH_PATH', 'nowhere'));
    await assert.rejects(check(receipt, at('a')), failure('USAGE', 'not a folder'));
  });
});

describe('receipt files', () => {
  const receipt = around([file('x', 3)], [sha256(Buffer.from('abc'))]);

  it('come back, are private, have a name by time and root, and leave nothing else', async (t) => {
    const state = join(scratch(t), 'state', 'receipts');
    const path = await writeReceipt(receipt, undefined, state);
    assert.equal(path, join(state, receiptName(receipt)));
    assert.match(
      receiptName(receipt),
      new RegExp(`^2026-11-23T00-22-57Z-${receipt.root.slice(0, 8)}[0-9a-f]{12}\\.jsonl$`),
    );
    assert.deepEqual(await readReceipt(path), receipt);
    assert.equal(readFileSync(path, 'utf8'), [...encodeReceipt(receipt), ''].join('\n'));
    if (process.platform !== 'win32') {
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(statSync(state).mode & 0o777, 0o700);
    }
    // The other side's, on the same machine.
    assert.equal(await writeReceipt(receipt, undefined, state), path);
    assert.equal(readdirSync(state).length, 1);
  });

  it('replace what stands at a path of their own, and never write through it', async (t) => {
    const path = join(scratch(t), 'receipt.jsonl');
    writeFileSync(path, 'old');
    linkSync(path, `${path}.link`);
    assert.equal(await writeReceipt(receipt, path), path);
    assert.deepEqual(await readReceipt(path), receipt);
    assert.equal(readFileSync(`${path}.link`, 'utf8'), 'old');
  });

  const ENDED = receipt.receivers[0]!.ended;
  const endedAt = (ended: number) => ({
    ...receipt,
    receivers: receipt.receivers.map((each) => ({ ...each, ended })),
  });

  it("are kept to the newest hundred by this machine's clock, and nothing else is touched", async (t) => {
    const state = scratch(t);
    for (let i = 0; i < 110; i++) {
      const path = await writeReceipt(endedAt(ENDED - i * 1000), undefined, state);
      utimesSync(path, 1_000 + i, 1_000 + i);
    }
    const temporary = join(state, `.beeline-receipt-${crypto.randomUUID()}.tmp`);
    writeFileSync(temporary, '');
    utimesSync(temporary, 1, 1);
    writeFileSync(join(state, 'notes.txt'), 'mine');
    const last = await writeReceipt(endedAt(0), undefined, state);
    const left = readdirSync(state).filter((name) => name.endsWith('.jsonl'));
    assert.equal(left.length, 100);
    assert.ok(existsSync(last));
    assert.ok(!left.includes(receiptName(receipt)), 'the first one written is the oldest');
    assert.ok(existsSync(join(state, 'notes.txt')));
    assert.ok(!existsSync(temporary));
  });

  it('of one offer that end in one second and are kept by one machine do not replace each other', async (t) => {
    const state = scratch(t);
    const [one, two] = ['1', '2'].map((digit) => ({
      ...receipt.receivers[0]!,
      fingerprint: digit.repeat(64),
    }));
    const written = [];
    for (const receivers of [[one!], [two!], [one!, two!], [one!]])
      written.push(await writeReceipt({ ...receipt, receivers }, undefined, state));
    assert.equal(written[3], written[0], 'both sides of one receiver have one');
    assert.equal(new Set(written).size, 3);
    assert.equal((await readReceipt(written[2]!)).receivers.length, 2);
    const names = Array.from({ length: 2000 }, (_, at) =>
      receiptName({ ...receipt, receivers: [{ ...one!, fingerprint: at.toString(16).padStart(64, '0') }] }),
    );
    assert.equal(new Set(names).size, 2000);
  });

  it("have a name whatever the sender's clock says", () => {
    assert.match(
      receiptName({ ...endedAt(Number.MAX_SAFE_INTEGER), root: 'ab'.repeat(32) }),
      /^9999-12-31T23-59-59Z-abababab[0-9a-f]{12}\.jsonl$/,
    );
  });

  it('of many lines are read across blocks, with characters cut in two', async (t) => {
    const entries = Array.from({ length: 5000 }, (_, i) => file(`${'é写'.repeat(30)}${i}`));
    const path = join(scratch(t), 'many');
    await writeReceipt(around(entries, []), path);
    assert.ok(statSync(path).size > 1_000_000);
    assert.deepEqual((await readReceipt(path)).entries, entries);
  });

  it('are told from what is none: nothing, a folder, a line without end, other text', async (t) => {
    const root = scratch(t);
    const path = join(root, 'r');
    await assert.rejects(readReceipt(path), failure('NO_SUCH_PATH', path));
    await assert.rejects(readReceipt(root), failure('DAMAGED', 'not a receipt'));
    for (const bad of ['', 'hello\n', Buffer.alloc(3_000_000, 'x'), Buffer.from([0x7b, 0xff, 0x0a])]) {
      writeFileSync(path, bad);
      await assert.rejects(readReceipt(path), failure('DAMAGED', 'not a receipt'));
    }
    await writeReceipt(receipt, path);
    truncateSync(path, statSync(path).size - 20);
    await assert.rejects(readReceipt(path), failure('DAMAGED', 'not a receipt'));
  });

  it('that cannot be written say so', async (t) => {
    const path = join(scratch(t), 'none', 'r');
    await assert.rejects(writeReceipt(receipt, path), failure('WRITE_FAILED', dirname(path)));
  });

  it('stand where the system keeps state', () => {
    assert.equal(
      receiptFolder({ BEELINE_STATE_DIR: '/s', XDG_STATE_HOME: '/x' }, 'linux'),
      join('/s', 'receipts'),
    );
    assert.equal(receiptFolder({ XDG_STATE_HOME: '/x' }, 'linux'), join('/x', 'beeline', 'receipts'));
    assert.match(receiptFolder({ XDG_STATE_HOME: 'x' }, 'linux'), /\.local.state.beeline.receipts$/);
    assert.equal(receiptFolder({ LOCALAPPDATA: '/l' }, 'win32'), join('/l', 'beeline', 'receipts'));
  });
});
