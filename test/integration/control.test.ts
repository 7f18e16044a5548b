/** Pause, resume, cancel and interrupt, through the library on one side and seen by the command on the other. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { receive, send, type Transfer } from '../../src/index.ts';
import { freePort } from '../ports.ts';
import { type Command, type Line, within } from './command.ts';
import { errorCode, type Workspace, workspace } from './workspace.ts';

const SIZE = 24 << 20;
const LIMIT = 8 << 20;

const reached = (state: string, after = 0) => {
  let seen = 0;
  return (line: Line): boolean => line.event === 'state' && line.to === state && seen++ >= after;
};

/** A sender in this process and a receiver as a command, with bytes moving. */
async function librarySends(
  t: TestContext,
  work: Workspace,
): Promise<{ transfer: Transfer; receiver: Command; again: () => Command }> {
  makeFile(work.path('one.bin'), SIZE);
  const port = await freePort();
  const options = { port, lan: false, limit: LIMIT, configDir: work.folder('library') };
  const transfer = send([work.path('one.bin')], options);
  // Each test awaits the end it expects; this keeps a failure before that from being an unhandled one.
  transfer.done.catch(() => {});
  // It would wait for a day if a test failed before its end.
  t.after(() => transfer.cancel());
  const code = new Promise<string>((resolve) => {
    transfer.subscribe((event) => event.event === 'code' && resolve(event.code));
  });
  const shown = await within(30_000, code);
  assert.ok(shown);
  const again = () => work.receiver(shown, port, ['--to', work.folder('out')]);
  const receiver = again();
  await receiver.until('progress');
  return { transfer, receiver, again };
}

describe('integration: control', () => {
  it('a pause by the sender holds everything, is told to the receiver, and a resume goes on', async (t) => {
    const work = workspace(t);
    const { transfer, receiver } = await librarySends(t, work);
    transfer.pause();
    const paused = await receiver.until(reached('paused'));
    assert.equal(paused.by, 'peer');
    assert.equal(transfer.state, 'paused');
    // Longer than the whole transfer takes at its limit: only a pause that holds nothing could finish meanwhile.
    await delay(((SIZE / LIMIT) * 1000 * 4) / 3);
    assert.equal(
      receiver.events.some((line) => line.event === 'done'),
      false,
    );
    transfer.resume();
    await receiver.until(reached('transferring', 1));
    const result = await transfer.done;
    await receiver.ends(0);
    assert.equal(result.bytes, SIZE);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  it('a cancel by the sender ends the receiver with 3, and leaves nothing', async (t) => {
    const work = workspace(t);
    const { transfer, receiver } = await librarySends(t, work);
    transfer.cancel();
    await assert.rejects(transfer.done, { code: 'CANCELLED' });
    assert.equal(transfer.state, 'cancelled');
    assert.equal(errorCode(await receiver.ends(3)), 'CANCELLED');
    assert.equal(existsSync(work.path('out', 'one.bin')), false);
  });

  it('a pause and a cancel by the receiver are told to the sender', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code, port } = await work.sender([work.path('one.bin'), '--limit', String(LIMIT)]);
    const at = `127.0.0.1:${port}`;
    const to = work.folder('out');
    const transfer = receive({ accept: 'all', code, at, lan: false, to, configDir: work.folder('library') });
    transfer.done.catch(() => {});
    await sender.until('progress');
    transfer.pause();
    assert.equal((await sender.until(reached('paused'))).by, 'peer');
    transfer.cancel();
    assert.equal(errorCode(await sender.ends(3)), 'CANCELLED');
    await assert.rejects(transfer.done, { code: 'CANCELLED' });
    assert.equal(existsSync(work.path('out', 'one.bin')), false);
  });

  it('an aborted signal interrupts', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 10);
    const stop = new AbortController();
    const options = { lan: false, signal: stop.signal, configDir: work.folder('library') };
    const transfer = send([work.path('one.bin')], options);
    stop.abort();
    await assert.rejects(transfer.done, { code: 'INTERRUPTED' });
  });

  it('Ctrl-C ends a receiver with 130, and the sender waits until it is started again', async (t) => {
    const work = workspace(t);
    const { transfer, receiver, again } = await librarySends(t, work);
    receiver.signal('SIGINT');
    const ended = await receiver.ends(130);
    assert.equal(errorCode(ended), 'INTERRUPTED');
    assert.equal(existsSync(work.path('out', 'one.bin')), false);
    assert.equal(transfer.state, 'connecting');
    await again().ends(0);
    await transfer.done;
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  it('receivers that are killed and interrupted, and at last one that is not: both commands end with 0', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), SIZE);
    const slow = ['--limit', String(LIMIT / 2)];
    const { sender, code, port } = await work.sender([work.path('one.bin'), ...slow]);
    const to = work.folder('out');
    for (const signal of ['SIGKILL', 'SIGINT', 'SIGKILL'] as const) {
      const receiver = work.receiver(code, port, ['--to', to]);
      await receiver.until('progress');
      const before = sender.events.length;
      receiver.signal(signal);
      await receiver.exited;
      // A connection of a killed one that still waited to be accepted may bring it back for a moment.
      const by = signal === 'SIGINT' ? 'peer' : undefined;
      await sender.until(
        (line) =>
          line.event === 'state' &&
          line.to === 'connecting' &&
          line.by === by &&
          sender.events.indexOf(line) >= before,
      );
    }
    await work.receiver(code, port, ['--to', to]).ends(0);
    await sender.ends(0);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  it('a side that was killed is waited for as long as --wait says', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), SIZE);
    for (const killed of ['sender', 'receiver'] as const) {
      const slow = [work.path('one.bin'), '--limit', String(LIMIT), '--wait', '1'];
      const { sender, code, port } = await work.sender(slow);
      const receiver = work.receiver(code, port, ['--to', work.folder(killed), '--wait', '1s']);
      await receiver.until('progress');
      const [dead, left] = killed === 'sender' ? [sender, receiver] : [receiver, sender];
      dead.signal('SIGKILL');
      const ended = await left.ends(6);
      assert.equal(errorCode(ended), 'NO_PATH');
      assert.match(ended.stderr, /did not come back within 1 second\./);
    }
  });
});
