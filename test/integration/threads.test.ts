/** The command with threads at either side: what it does without them, it does with them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeFile, makeTree, sameFile, sameTree } from '../../bench/files.mjs';
import { event, journaled, workspace } from './workspace.ts';

const MiB = 2 ** 20;

describe('integration: threads', () => {
  for (const [send, receive] of [
    [2, 2],
    [3, 0],
    [0, 1],
  ] as const)
    it(`${send} at the sender and ${receive} at the receiver: a file and a tree arrive, and both sides agree`, async (t) => {
      const work = workspace(t);
      makeFile(work.path('one.bin'), 40 * MiB + 12_345);
      makeTree(work.path('tree'), 300, 3000);
      await work.deliver([work.path('one.bin'), work.path('tree')], {
        send: ['--threads', String(send)],
        receive: ['--threads', String(receive)],
      });
      sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
      sameTree(work.path('tree'), work.path('out', 'tree'));
    });

  it('a sender that named its port has lanes on that one only', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 8 * MiB);
    const { sender, code, port } = await work.sender([work.path('one.bin'), '--threads', '2']);
    const received = await work.receiver(code, port, ['--to', work.folder('out')]).ends(0);
    await sender.ends(0);
    const lanes = received.events.filter(({ event, status }) => event === 'lane' && status === 'open');
    const ports = lanes.map(({ remote }) => /:(\d+)$/.exec(String(remote))![1]);
    assert.deepEqual([...new Set(ports)], [String(port)]);
  });

  it('a receiver that is killed goes on where it was', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 60 * MiB);
    const { sender, code, port } = await work.sender([work.path('one.bin'), '--threads', '2']);
    const args = ['--to', work.folder('out'), '--threads', '2'];
    const first = work.receiver(code, port, [...args, '--limit', '6M']);
    await journaled(work.path('out'));
    await first.kill();
    const received = await work.receiver(code, port, args).ends(0);
    await sender.ends(0);
    assert.ok(Number(event(received, 'resumed').bytes) > 0);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  it('several receivers help each other', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 24 * MiB);
    const { sender, code, port } = await work.sender([
      ...[work.path('one.bin'), '--threads', '2', '--receivers', '3'],
    ]);
    const all = ['a', 'b', 'c'].map((name) =>
      work.receiver(code, port, ['--to', work.folder(name), '--threads', '1']),
    );
    await Promise.all(all.map((receiver) => receiver.ends(0)));
    await sender.ends(0);
    for (const name of ['a', 'b', 'c']) sameFile(work.path('one.bin'), work.path(name, 'one.bin'));
  });

  it('a number of threads that cannot be is refused', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 1);
    const refused = await work.start(['send', work.path('one.bin'), '--threads', '17']).ends(2);
    assert.match(refused.stderr, /--threads/);
  });
});
