/** The real command over a real tree and a receipt made by hand: intact, then altered. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeFile } from '../../bench/files.mjs';
import { writeReceipt } from '../../src/node/files/receipt-file.ts';
import { around, receiptOf } from '../node/files/receipt-of.ts';
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

    // The file is random: a byte of one's own choice may be the one that is there.
    const changed = Buffer.of(readFileSync(at('large.bin'))[0]! ^ 255);
    writeFileSync(at('large.bin'), changed, { flag: 'r+' });
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

  it('knows by the receipt which links were written: all of them, none, or those that stay inside', async (t) => {
    const work = workspace(t);
    const tree = work.folder('tree');
    writeFileSync(join(tree, 'file'), 'content');
    symlinkSync('file', join(tree, 'inside'));
    symlinkSync('/etc/passwd', join(tree, 'outside'));
    const verified = async (receipt: string, to: string, status: number) =>
      (await work.start(['verify', receipt, to]).ends(status)).events.flatMap((line) =>
        'path' in line ? [`${line.event} ${line.problem ?? line.note} ${line.path}`] : [],
      );
    const left = {
      all: [],
      safe: ['note left out tree/outside'],
      skip: ['note left out tree/inside', 'note left out tree/outside'],
    };
    for (const [links, notes] of Object.entries(left)) {
      const to = work.folder(`out-${links}`);
      // Of its own: both sides on one machine give their receipts the same name, and the sender's says nothing of links.
      const receiver = { env: { BEELINE_STATE_DIR: work.folder('receiver') } };
      const { received } = await work.deliver([tree], { receive: ['--links', links, '--to', to], receiver });
      const receipt = String(event(received, 'done').receipt);
      assert.deepEqual(await verified(receipt, to, 0), notes, links);
      if (links !== 'all') continue;
      // What was written and is gone is missing, wherever it led.
      unlinkSync(join(to, 'tree', 'outside'));
      assert.deepEqual(await verified(receipt, to, 5), ['difference missing tree/outside']);
    }
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
    assert.equal(await refused(1), 'DAMAGED');
    const outside = { ...receipt.entries[0]!, path: '../../etc/shadow' };
    await writeReceipt(around([outside], receipt.chunks), path);
    assert.equal(await refused(1), 'UNSAFE_NAME');
  });
});
