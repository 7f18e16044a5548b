/** Transfers that end early and go on, as a person sees them: through the commands and what they print. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Command, Line } from './command.ts';
import { errorCode, event, journaled, type Workspace, workspace } from './workspace.ts';

const SIZE = 36 << 20;
/** More than all chunks that can be under way in part: one at least is whole. */
const SOME = 8 << 20;
const LIMIT = ['--limit', String(6 << 20)];
const staged = (path: string) => readdirSync(path).filter((name) => name.startsWith('.beeline-'));

/** A receiver in the middle of one file, of which some is certainly here: its sender stands still until SIGCONT. */
async function underway(work: Workspace): Promise<{
  sender: Command;
  receiver: Command;
  to: string;
  again: (...args: string[]) => Command;
}> {
  makeFile(work.path('one.bin'), SIZE);
  const { sender, code, port } = await work.sender([work.path('one.bin'), ...LIMIT]);
  const to = work.folder('out');
  const again = (...args: string[]) => work.receiver(code, port, ['--to', to, ...args]);
  const receiver = again();
  const some = (line: Line) => line.event === 'progress' && Number(line.bytes) >= SOME;
  await Promise.all([receiver.until(some), sender.until(some)]);
  // What has come is committed meanwhile, however long the disk takes.
  sender.signal('SIGSTOP');
  await journaled(to);
  return { sender, receiver, to, again };
}

describe('integration: resume', () => {
  it('lists what a killed receiver left; the same code goes on; both sides have one receipt', async (t) => {
    const work = workspace(t);
    const { sender, receiver, to, again } = await underway(work);
    await receiver.kill();

    const [found] = (await work.start(['resume', to]).ends(0)).events;
    const { names, files, bytes, here, active, damaged } = found!;
    assert.deepEqual([names, files, bytes, active, damaged], [['one.bin'], 1, SIZE, false, false]);
    assert.ok(Number(here) > 0 && Number(here) < SIZE, String(here));
    const text = (await work.start(['resume', to], { json: false }).ends(0)).stdout.toString();
    assert.match(text, /^one\.bin: 1 file, 37\.7 MB$/m);

    sender.signal('SIGCONT');
    const received = await again().ends(0);
    const sent = await sender.ends(0);
    assert.equal(event(received, 'resumed').bytes, here);
    assert.equal(event(received, 'done').resumed, here);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    assert.deepEqual(staged(to), []);
    assert.deepEqual((await work.start(['resume', to]).ends(0)).events, []);

    const receipt = String(event(received, 'done').receipt);
    assert.ok(receipt.startsWith(work.path('state', 'receipts')), receipt);
    assert.equal(event(sent, 'done').receipt, receipt);
    assert.equal(event(await work.start(['verify', receipt, to]).ends(0), 'verified').bytes, SIZE);
  });

  it('clean leaves what is being received, and removes it once its receiver was interrupted', async (t) => {
    const work = workspace(t);
    const { sender, receiver, to } = await underway(work);
    assert.equal((await work.start(['resume', to]).ends(0)).events[0]!.active, true);
    const busy = await work.start(['resume', 'clean', to, '--yes']).ends(1);
    assert.equal(event(busy, 'left').reason, 'locked');

    receiver.signal('SIGINT');
    const ended = await receiver.ends(130);
    assert.equal(errorCode(ended), 'INTERRUPTED');
    assert.match(
      ended.stderr,
      /What has arrived is kept: receive again into the same folder to go on, with the same/,
    );
    assert.equal(existsSync(work.path('out', 'one.bin')), false);
    assert.equal(staged(to).length, 1);

    assert.equal(errorCode(await work.start(['resume', 'clean', to]).ends(7)), 'REFUSED');
    assert.equal(
      event(await work.start(['resume', 'clean', to, '--yes']).ends(0), 'removed').event,
      'removed',
    );
    assert.deepEqual(readdirSync(to), []);

    sender.signal('SIGCONT');
    sender.signal('SIGINT');
    assert.match(
      (await sender.ends(130)).stderr,
      /The receiver keeps what has arrived: send again for a new code/,
    );
  });

  it('a second receiver in the same folder is refused while the first is at work', async (t) => {
    const work = workspace(t);
    const { sender, receiver, to } = await underway(work);
    const { code, port } = await work.sender([work.path('one.bin')]);
    const second = await work.receiver(code, port, ['--to', to]).ends(1);
    assert.equal(errorCode(second), 'LOCKED');
    sender.signal('SIGCONT');
    await receiver.ends(0);
    await sender.ends(0);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });
});

describe('integration: update', () => {
  it('refreshes what was sent before, moving what differs; elsewhere it is named as the way', async (t) => {
    const work = workspace(t);
    work.folder('tree');
    makeFile(work.path('tree', 'large.bin'), SIZE);
    writeFileSync(work.path('tree', 'same.txt'), 'same');
    writeFileSync(work.path('tree', 'note.txt'), 'old');
    await work.deliver([work.path('tree')]);
    const kept = statSync(work.path('out', 'tree', 'same.txt'));

    writeFileSync(work.path('tree', 'note.txt'), 'a new note');
    writeFileSync(work.path('tree', 'large.bin'), Buffer.alloc(1, 255), { flag: 'r+' });
    utimesSync(work.path('tree', 'large.bin'), 2_000_000_000, 2_000_000_000);

    const { sender, code, port } = await work.sender([work.path('tree'), '--update']);
    const received = await work.receiver(code, port, ['--to', work.path('out')]).ends(1);
    assert.equal(errorCode(received), 'EXISTS');
    assert.match(received.stderr, /calls this a refresh: receive with --update/);
    await sender.kill();
    assert.equal(readFileSync(work.path('out', 'tree', 'note.txt'), 'utf8'), 'old');

    const own = work.path('own.jsonl');
    const refresh = { send: ['--update', '--no-receipt'], receive: ['--update', '--receipt', own] };
    const pair = await work.deliver([work.path('tree')], refresh);
    assert.equal(event(pair.received, 'done').receipt, own);
    assert.equal('receipt' in event(pair.sent, 'done'), false);
    assert.ok(existsSync(own));
    sameFile(work.path('tree', 'large.bin'), work.path('out', 'tree', 'large.bin'));
    assert.equal(readFileSync(work.path('out', 'tree', 'note.txt'), 'utf8'), 'a new note');
    assert.equal(statSync(work.path('out', 'tree', 'same.txt')).ino, kept.ino);
    assert.deepEqual(staged(work.path('out')), []);
  });
});
