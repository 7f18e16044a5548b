/** `beeline verify` as a command: what it prints where, and with which exit code. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { dispatch } from '../../src/cli/dispatch.ts';
import { writeReceipt } from '../../src/node/files/receipt-file.ts';
import { receiptOf } from '../node/files/receipt-of.ts';
import { fakeHost, Sink } from './fakes.ts';

/** With two bidi characters. */
const HOSTILE = 'a\u202e\u2066b';

async function received(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'beeline-cli-'));
  t.after(() => rmSync(root, { recursive: true }));
  const at = (name: string) => join(root, 'in', name);
  mkdirSync(join(root, 'in'));
  for (const name of ['one', 'two', HOSTILE]) writeFileSync(at(name), name);
  const receipt = await receiptOf([join(root, 'in')]);
  const path = await writeReceipt(receipt, join(root, 'receipt'));
  return { root, at, path, receipt };
}

describe('cli: verify', () => {
  it('says so when all is well, on stdout, and nothing on stderr', async (t) => {
    const { root, path } = await received(t);
    const host = fakeHost();
    assert.equal(await dispatch(['verify', path, root], host), 0);
    assert.match(
      host.stdout.text,
      /^All is as it was received: 3 files, 1 folder, \d+ B\. Verified, root [0-9a-f ]{19}\.\n$/,
    );
    assert.equal(host.stderr.text, '');
    const quiet = fakeHost();
    assert.equal(await dispatch(['verify', path, root, '--quiet'], quiet), 0);
    assert.equal(quiet.stdout.text + quiet.stderr.text, '');
  });

  it('takes a bare ~ for a folder of that name, which * has found', async (t) => {
    const { root, path } = await received(t);
    const before = process.cwd();
    t.after(() => process.chdir(before));
    process.chdir(root);
    mkdirSync('~');
    renameSync(join(root, 'in'), join(root, '~', 'in'));
    assert.equal(await dispatch(['verify', path, '~'], fakeHost()), 0);
    assert.equal(await dispatch(['verify', path, '~/'], fakeHost()), 0);
  });

  it('names what differs, escaped, and ends with 5', async (t) => {
    const { root, at, path } = await received(t);
    rmSync(at('one'));
    appendFileSync(at(HOSTILE), '!');
    const host = fakeHost();
    assert.equal(await dispatch(['verify', path, root], host), 5);
    assert.equal(
      host.stdout.text,
      [
        "'in/a\\u{202e}\\u{2066}b' has 9 bytes instead of 8.",
        "'in/one' is not there.",
        'Not checked, because a file in them is missing or unreadable: 1 chunk.',
        'Not as it was received: 2 differences.',
        '',
      ].join('\n'),
    );
    const quiet = fakeHost();
    assert.equal(await dispatch(['verify', path, root, '-q'], quiet), 5);
    assert.deepEqual(quiet.stdout.text.split('\n'), host.stdout.text.split('\n').toSpliced(2, 2));
  });

  it('--json gives one object a difference and one at the end', async (t) => {
    const { root, at, path, receipt } = await received(t);
    const fine = fakeHost();
    assert.equal(await dispatch(['verify', '--json', path, root], fine), 0);
    const { bytes } = receipt;
    const counts = { files: 3, folders: 1, links: 0, bytes, notMoved: 0, unchecked: 0, root: receipt.root };
    assert.deepEqual(JSON.parse(fine.stdout.text), { event: 'verified', differences: 0, ...counts });
    rmSync(at(HOSTILE));
    const host = fakeHost();
    assert.equal(await dispatch(['verify', '--json', path, root], host), 5);
    assert.match(host.stdout.text, /^[\x20-\x7e\n]*$/);
    assert.deepEqual(
      host.stdout.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { event: 'difference', path: `in/${HOSTILE}`, problem: 'missing', detail: 'is not there' },
        { event: 'differs', differences: 1, ...counts, bytes: 0, unchecked: 1 },
      ],
    );
  });

  it('shows how far it is on a terminal only, and clears it away', async (t) => {
    const { root, path } = await received(t);
    const host = fakeHost({ stderr: new Sink(true) });
    assert.equal(await dispatch(['verify', path, root], host), 0);
    assert.match(
      host.stderr.text,
      /Checking: \d+ B of \d+ B\n\x1b\[\?2026l\x1b\[\?2026h\x1b\[1A\x1b\[J\x1b\[\?2026l$/,
    );
    const json = fakeHost({ stderr: new Sink(true) });
    assert.equal(await dispatch(['verify', path, root, '--json'], json), 0);
    assert.equal(json.stderr.text, '');
  });

  it('ends with 2 on wrong usage and on a path that is not there, with 1 on what is no receipt', async (t) => {
    const { root, path, at } = await received(t);
    for (const [argv, says, exit = 2] of [
      [[], /needs a receipt and what to check/],
      [[path], /needs a receipt and what to check/],
      [[path, root, root], /needs a receipt and what to check/],
      [[path, join(root, 'none')], /There is no file or folder/],
      [[join(root, 'none'), root], /There is no receipt/],
      [[at('one'), root], /is not a receipt/, 1],
      [[path, root, '--to', 'x'], /There is no --to/],
    ] as const) {
      const host = fakeHost();
      assert.equal(await dispatch(['verify', ...argv], host), exit, String(says));
      assert.match(host.stderr.text, says);
      assert.equal(host.stdout.text, '');
    }
  });
});
