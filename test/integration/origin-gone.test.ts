/** A sender that is killed while several receive: what is somewhere among them all of them get, and what is not comes once it is back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { errorCode, workspace } from './workspace.ts';

const SIZE = 6_000_000;
const SLOW = 250_000;

describe('a sender that is killed while three receive', () => {
  it('is not missed until its last word, once all is somewhere among them', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code, port } = await work.sender([work.path('one.bin'), '--receivers', '3']);
    const receive = (to: string, ...more: string[]) =>
      work.receiver(code, port, ['--to', work.folder(to), '--wait', '5', ...more]);
    const slow = ['b', 'c'].map((to) => receive(to, '--limit', String(SLOW)));
    for (const each of slow) await each.until((line) => line.event === 'progress' && Number(line.bytes) > 0);
    const first = receive('a');
    // It has everything, and goes on giving it.
    await first.until('done');
    for (const each of slow) await each.until((line) => line.event === 'lane' && line.peer !== 1);
    // With so many bytes have come the hashes of all chunks, which are small and go before bytes. What is left takes longer than the wait.
    for (const each of slow)
      await each.until((line) => line.event === 'progress' && Number(line.bytes) > 0.4 * SIZE);
    sender.signal('SIGKILL');
    const ends = await Promise.all(slow.map((each) => each.ends(6)));
    await first.ends(0);
    for (const ended of ends) {
      assert.equal(errorCode(ended), 'NO_PATH');
      assert.match(
        ended.stderr,
        /Everything arrived and is checked; only the sender's last word is missing\./,
      );
    }
    for (const to of ['a', 'b', 'c']) sameFile(work.path('one.bin'), work.path(to, 'one.bin'));
  });

  it('serves all to the end when it is started again with the same code', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), SIZE);
    const args = ['--receivers', '3'];
    const slow = ['--limit', String(2 * SLOW)];
    const { sender, code, port } = await work.sender([work.path('one.bin'), ...args, ...slow]);
    const all = ['a', 'b', 'c'].map((to) => work.receiver(code, port, ['--to', work.folder(to)]));
    for (const each of all) await each.until((line) => line.event === 'progress' && Number(line.bytes) > 0);
    // Not even a copy of it has gone out.
    sender.signal('SIGKILL');
    await sender.exited;
    const again = work.start([
      ...['send', work.path('one.bin'), ...args, '--code', code, '--no-lan', '--port', String(port)],
    ]);
    for (const each of all) await each.ends(0);
    await again.ends(0);
    for (const to of ['a', 'b', 'c']) sameFile(work.path('one.bin'), work.path(to, 'one.bin'));
  });
});
