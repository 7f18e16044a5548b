/** Pause, resume, cancel and interrupt, through the library on one side and seen by the command on the other. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { receive, send, type Transfer } from '../../src/index.ts';
import type { Line } from './command.ts';
import { within } from './command.ts';
import { errorCode, freePort, type Workspace, workspace } from './workspace.ts';

const SIZE = 24 << 20;
const LIMIT = 8 << 20;

const reached = (state: string, after = 0) => {
  let seen = 0;
  return (line: Line): boolean => line.event === 'state' && line.to === state && seen++ >= after;
};

/** A sender in this process and a receiver as a command, with bytes moving. */
async function librarySends(
  work: Workspace,
): Promise<{ transfer: Transfer; receiver: ReturnType<Workspace['receiver']> }> {
  makeFile(work.path('one.bin'), SIZE);
  const port = await freePort();
  const options = { port, lan: false, limit: LIMIT, configDir: work.folder('library') };
  const transfer = send([work.path('one.bin')], options);
  // Each test awaits the end it expects; this keeps a failure before that from being an unhandled one.
  transfer.done.catch(() => {});
  const code = new Promise<string>((resolve) => {
    transfer.subscribe((event) => event.event === 'code' && resolve(event.code));
  });
  const shown = await within(30_000, code);
  assert.ok(shown);
  const receiver = work.receiver(shown, port, ['--to', work.folder('out')]);
  await receiver.until('progress');
  return { transfer, receiver };
}

describe('integration: control', () => {
  it('a pause by the sender holds everything, is told to the receiver, and a resume goes on', async (t) => {
    const work = workspace(t);
    const { transfer, receiver } = await librarySends(work);
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
    const { transfer, receiver } = await librarySends(work);
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
    const transfer = receive({ code, at, lan: false, to, configDir: work.folder('library') });
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

  it('Ctrl-C ends with 130', async (t) => {
    const work = workspace(t);
    const { receiver } = await librarySends(work);
    receiver.signal('SIGINT');
    const ended = await receiver.ends(130);
    assert.equal(errorCode(ended), 'INTERRUPTED');
    assert.equal(existsSync(work.path('out', 'one.bin')), false);
  });
});
