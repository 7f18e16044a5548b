/** Meeting by a code: right, wrong, unknown, in use, and every way to hand it over. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { fromPsk } from '../../src/identity/standing-secret.ts';
import { openMailbox } from '../../src/meeting/mailbox.ts';
import { freePort } from '../ports.ts';
import { snapshot } from './tree.ts';
import { errorCode, listening, type Workspace, workspace } from './workspace.ts';

const at = (port: number): string[] => ['--at', `127.0.0.1:${port}`, '--no-lan', '--yes'];

/** A sender of one small file under a code of the test's own. */
async function small(work: Workspace): Promise<Awaited<ReturnType<Workspace['sender']>>> {
  writeFileSync(work.path('note.txt'), 'hello');
  return work.sender([work.path('note.txt'), '--code', '7-velvet-canyon']);
}

describe('integration: codes', { concurrency: 2 }, () => {
  it('a wrong code burns it: both sides are told, both exit 4', async (t) => {
    const work = workspace(t);
    const { sender, port } = await small(work);
    const wrong = work.receiver('7-velvet-velvet', port, ['--to', work.folder('out')]);
    const [there, here] = [await wrong.ends(4), await sender.ends(4)];
    assert.deepEqual([errorCode(there), errorCode(here)], ['WRONG_CODE', 'WRONG_CODE']);
    // Only the sender can make another code.
    assert.match(JSON.stringify(there.events.at(-1)), /Ask the sender for a new one/);
    assert.match(JSON.stringify(here.events.at(-1)), /Send again for a new one/);
    assert.deepEqual(snapshot(work.path('out')), {});
  });

  it('an unknown nameplate ends with 6', async (t) => {
    const work = workspace(t);
    const { sender, port } = await small(work);
    const lost = work.receiver('9-velvet-canyon', port, ['--to', work.folder('out')]);
    assert.equal(errorCode(await lost.ends(6)), 'NO_PEER');
    // The sender is none the worse for it.
    await work.receiver('7-velvet-canyon', port, ['--to', work.folder('out')]).ends(0);
    await sender.ends(0);
  });

  it('nobody at the address ends with 6', async (t) => {
    const work = workspace(t);
    const lost = work.receiver('7-velvet-canyon', await freePort(), ['--to', work.folder('out')]);
    await lost.ends(6);
  });

  it('the receiver may start first with --at: a refused connection is not there yet', async (t) => {
    const work = workspace(t);
    const port = await freePort();
    // It looks for 10 s unless it is told otherwise, and a busy machine takes longer to start the sender.
    const patient = ['--wait', '10m', '--to', work.folder('out')];
    const receiver = work.receiver('7-velvet-canyon', port, patient);
    const word = await receiver.until('warning');
    assert.equal(word.code, 'NO_PEER');
    writeFileSync(work.path('note.txt'), 'hello');
    const own = ['--code', '7-velvet-canyon', '--no-lan', '--port', String(port)];
    const sender = work.start(['send', work.path('note.txt'), ...own]);
    await receiver.ends(0);
    await sender.ends(0);
  });

  it('140 silent connections of one host keep no receiver out, of that very host either', async (t) => {
    const work = workspace(t);
    const { sender, port } = await small(work);
    const silent = Array.from({ length: 140 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    t.after(() => {
      for (const socket of silent) socket.destroy();
    });
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    await work.receiver('7-velvet-canyon', port, ['--to', work.folder('out')]).ends(0);
    await sender.ends(0);
  });

  it('a stranger does not end a sender whose key nobody can guess', async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('note.txt'), 'hello');
    const psk = Buffer.from('0123456789abcdef0123456789abcdef');
    writeFileSync(work.path('key'), psk, { mode: 0o600 });
    const port = await freePort();
    const key = ['--psk-file', work.path('key'), '--no-lan'];
    const sender = work.start(['send', work.path('note.txt'), ...key, '--port', String(port)]);
    await listening(port);
    const share = Buffer.alloc(33, 2).toString('base64');
    const guesses = [
      'junk',
      JSON.stringify({ k: 'share', v: 99, share }),
      JSON.stringify({ k: 'answer', v: 1, share, confirmation: share, sealed: share }),
      JSON.stringify({ k: 'refuse', code: 'WRONG_CODE' }),
    ];
    for (const guess of guesses) {
      let putOut = (_code: string) => {};
      const put = new Promise<string>((resolve) => {
        putOut = resolve;
      });
      const stranger = await openMailbox({
        ...{ role: 'guest', nameplate: fromPsk(psk).nameplate, deadline: 20_000, reconnect: false },
        find: async () => [{ host: '127.0.0.1', port }],
        waitForHost: true,
        onMessage: () => {},
        onPeer: () => {},
        onLost: (error) => putOut(error.code),
      });
      stranger.send(guess);
      assert.equal(await put, 'REFUSED', 'it is put out');
    }
    const receiver = work.start([
      ...['receive', ...key, '--at', `127.0.0.1:${port}`],
      ...['--yes', '--to', work.folder('out')],
    ]);
    await receiver.ends(0);
    await sender.ends(0);
  });

  it('a third party is refused, and the pair goes on', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 24 << 20);
    const limit = ['--limit', String(3 << 20)];
    const { sender, code, port } = await work.sender([work.path('one.bin'), ...limit]);
    const receiver = work.receiver(code, port, ['--to', work.folder('out')]);
    await receiver.until('progress');
    // The transfer is not over before the third has come.
    receiver.signal('SIGSTOP');
    const third = work.receiver(code, port, ['--to', work.folder('third')]);
    assert.equal(errorCode(await third.ends(6)), 'CROWDED');
    receiver.signal('SIGCONT');
    await receiver.ends(0);
    await sender.ends(0);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    assert.deepEqual(snapshot(work.path('third')), {});
  });

  for (const how of ['BEELINE_CODE', 'standard input'] as const) {
    it(`the code comes by ${how}`, async (t) => {
      const work = workspace(t);
      const { sender, code, port } = await small(work);
      const options = how === 'BEELINE_CODE' ? { env: { BEELINE_CODE: code } } : { stdin: `${code}\n` };
      const receiver = work.start(['receive', ...at(port), '--to', work.folder('out')], options);
      await receiver.ends(0);
      await sender.ends(0);
      sameFile(work.path('note.txt'), work.path('out', 'note.txt'));
    });
  }

  it('a code in capitals, with spaces around it, is the same code', async (t) => {
    const work = workspace(t);
    const { sender, port } = await small(work);
    const receiver = work.receiver(' 7-Velvet-CANYON ', port, ['--to', work.folder('out')]);
    await receiver.ends(0);
    await sender.ends(0);
  });

  it('--to is checked before the code is spent: a file, /proc and what is no folder end the receiver alone', async (t) => {
    const work = workspace(t);
    const { sender, port } = await small(work);
    writeFileSync(work.path('file'), 'mine');
    const places: [string, string][] = [
      [work.path('file'), 'EXISTS'],
      [work.path('file', 'below'), 'EXISTS'],
      ...(process.platform === 'linux' ? [['/proc/x', 'WRITE_FAILED'] as [string, string]] : []),
    ];
    for (const [to, code] of places) {
      const ended = await work.receiver('7-velvet-canyon', port, ['--to', to]).exited;
      assert.notEqual(ended.status, 0, to);
      assert.equal(errorCode(ended), code, to);
      assert.ok(!ended.events.some((line) => line.event === 'peer'), 'it never met the sender');
    }
    assert.equal(existsSync(work.path('new')), false);
    await work.receiver('7-velvet-canyon', port, ['--to', work.path('new', 'deep')]).ends(0);
    await sender.ends(0);
    sameFile(work.path('note.txt'), work.path('new', 'deep', 'note.txt'));
  });

  it('wrong calls end with 2 and say why', async (t) => {
    const work = workspace(t);
    const calls = [
      ['send'],
      ['receive', '--to'],
      ['fly'],
      ['send', 'x', '--lanes', 'many'],
      ['receive', 'no code'],
    ];
    for (const call of calls) {
      const { stderr, events } = await work.start(call).ends(2);
      assert.ok(stderr.length > 0 || events.some((line) => line.event === 'error'), call.join(' '));
    }
  });
});
