/** The real command over a real tree and a receipt made by hand: intact, then altered. */
import assert from 'node:assert/strict';
import { appendFileSync, renameSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeFile } from '../../bench/files.mjs';
import { writeReceipt } from '../../src/files/receipt-file.ts';
import { around, receiptOf } from '../files/receipt-of.ts';
import { errorCode, event, workspace } from './workspace.ts';

describe('integration: verify', () => {
  it('accepts an intact tree, and names every way in which an altered one differs', async (t) => {
    const work = workspace(t);
    work.folder('in', 'tree', 'sub');
    const at = (...parts: string[]) => work.path('in', 'tree', ...parts);
    makeFile(at('large.bin'), 9_000_000);
    for (let i = 0; i < 50; i++) writeFileSync(at('sub', `small-${i}`), `small ${i}`);
    symlinkSync('large.bin', at('link'));
    const receipt = await receiptOf([work.path('in', 'tree')]);
    const path = await writeReceipt(receipt, work.path('receipt.jsonl'));

    for (const tree of [work.path('in'), at()]) {
      const { bytes, root } = event(await work.start(['verify', path, tree]).ends(0), 'verified');
      assert.deepEqual([bytes, root], [receipt.bytes, receipt.root]);
    }

    const middle = Buffer.alloc(1, 255);
    writeFileSync(at('large.bin'), middle, { flag: 'r+' });
    appendFileSync(at('sub', 'small-7'), 'x');
    unlinkSync(at('link'));
    const ended = await work.start(['verify', path, work.path('in')]).ends(5);
    assert.deepEqual(
      ended.events.map(({ event, problem, path }) => [event, problem, path].join(' ').trim()),
      [
        'difference missing tree/link',
        'difference size tree/sub/small-7',
        'difference content tree/large.bin',
        'differs',
      ],
    );
    assert.equal(event(ended, 'differs').differences, 3);

    renameSync(at('sub'), work.path('elsewhere'));
    symlinkSync(work.path('elsewhere'), at('sub'));
    const swapped = await work.start(['verify', path, work.path('in')], { json: false }).ends(5);
    const text = swapped.stdout.toString();
    assert.match(text, /^'tree\/sub' is a link instead of a folder\.$/m);
    assert.equal(text.match(/is in a folder that is a link/g)?.length, 50);
  });

  it('refuses a receipt that is cut, changed, or names what is outside', async (t) => {
    const work = workspace(t);
    work.folder('in');
    makeFile(work.path('in', 'a'), 100_000);
    const receipt = await receiptOf([work.path('in', 'a')]);
    const path = await writeReceipt(receipt, work.path('receipt.jsonl'));
    const refused = async (status: number) =>
      errorCode(await work.start(['verify', path, work.path('in')]).ends(status));
    await writeReceipt({ ...receipt, root: '0'.repeat(64) }, path);
    assert.equal(await refused(5), 'VERIFICATION');
    await writeReceipt(receipt, path);
    truncateSync(path, 700);
    assert.equal(await refused(2), 'USAGE');
    const outside = { ...receipt.entries[0]!, path: '../../etc/shadow' };
    await writeReceipt(around([outside], receipt.chunks), path);
    assert.equal(await refused(1), 'UNSAFE_NAME');
  });
});
