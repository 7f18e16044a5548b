/** A destination that exists already: each policy does what it says. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { errorCode, type Workspace, workspace } from './workspace.ts';

function clash(work: Workspace): string {
  writeFileSync(work.path('note.txt'), 'new');
  writeFileSync(work.path('other.txt'), 'other');
  work.folder('out');
  writeFileSync(work.path('out', 'note.txt'), 'old');
  return work.path('out');
}

type Placed = { event: 'placed'; path: string; size: number; as?: string };

const both = (work: Workspace): string[] => [work.path('note.txt'), work.path('other.txt')];
const read = (out: string): Record<string, string> =>
  Object.fromEntries(readdirSync(out).map((name) => [name, readFileSync(`${out}/${name}`, 'utf8')]));

describe('integration: overwrite policies', () => {
  it('skip keeps what is there', async (t) => {
    const work = workspace(t);
    const out = clash(work);
    await work.deliver(both(work), { receive: ['--overwrite', 'skip'] });
    assert.deepEqual(read(out), { 'note.txt': 'old', 'other.txt': 'other' });
  });

  it('replace puts the new one in its place', async (t) => {
    const work = workspace(t);
    const out = clash(work);
    await work.deliver(both(work), { receive: ['--overwrite', 'replace'] });
    assert.deepEqual(read(out), { 'note.txt': 'new', 'other.txt': 'other' });
  });

  it('--list tells what was offered and where each file was put, and not of what was skipped', async (t) => {
    const other: Placed = { event: 'placed', path: 'other.txt', size: 5 };
    const policies: [string, Placed[]][] = [
      ['skip', [other]],
      ['rename', [{ event: 'placed', path: 'note.txt', size: 3, as: 'note (1).txt' }, other]],
    ];
    for (const [policy, wanted] of policies) {
      const work = workspace(t);
      const out = clash(work);
      const { received } = await work.deliver(both(work), { receive: ['--overwrite', policy, '--list'] });
      const { events } = received;
      assert.deepEqual(
        events.filter(({ event }) => event === 'placed'),
        wanted,
      );
      for (const { path, as } of wanted) assert.ok(readdirSync(out).includes(as ?? path));
      const [offer, ...others] = events.filter(({ event }) => event === 'offer');
      assert.deepEqual(others, []);
      const what = { kind: 'files', files: 2, folders: 0, links: 0, bytes: 8, update: false };
      const names = { names: ['note.txt', 'other.txt'], tops: 2, sizes: [3, 5] };
      assert.deepEqual(offer, { event: 'offer', accepted: true, ...what, ...names });
    }
  });

  it('rename keeps both', async (t) => {
    const work = workspace(t);
    const out = clash(work);
    await work.deliver(both(work), { receive: ['--overwrite', 'rename'] });
    const found = read(out);
    assert.equal(found['note.txt'], 'old');
    assert.deepEqual(Object.values(found).sort(), ['new', 'old', 'other']);
  });

  it('without a policy and without anybody to ask nothing is touched, and the sender waits for a receive that says how', async (t) => {
    const work = workspace(t);
    const out = clash(work);
    const { sender, code, port } = await work.sender(both(work));
    const received = await work.receiver(code, port, ['--to', out]).ends(1);
    assert.equal(errorCode(received), 'EXISTS');
    assert.deepEqual(read(out), { 'note.txt': 'old' });
    await work.receiver(code, port, ['--to', out, '--overwrite', 'replace']).ends(0);
    await sender.ends(0);
    assert.deepEqual(read(out), { 'note.txt': 'new', 'other.txt': 'other' });
  });

  it('a file where the folder should be ends the receiver, and the sender waits for another folder', async (t) => {
    const work = workspace(t);
    clash(work);
    const { sender, code, port } = await work.sender(both(work));
    const received = await work.receiver(code, port, ['--to', work.path('other.txt')]).ends(1);
    assert.equal(errorCode(received), 'EXISTS');
    await work.receiver(code, port, ['--to', work.path('new')]).ends(0);
    await sender.ends(0);
  });
});
