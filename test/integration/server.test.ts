/** A standing server introduces two peers that know only its address. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { errorCode, event, freePort, workspace } from './workspace.ts';

describe('integration: a standing server', { concurrency: 2 }, () => {
  it('two pairs meet at one server, each by its own code', async (t) => {
    const work = workspace(t);
    const server = work.start(['server', '--port', '0']);
    const { url } = await server.until((line) => typeof line.url === 'string');
    const meet = ['--server', String(url), '--no-lan'];
    await Promise.all(
      ['one', 'two'].map(async (name) => {
        makeFile(work.path(name), 3_000_000);
        const sender = work.start(['send', work.path(name), ...meet]);
        const { code } = await sender.until('code');
        const to = ['--to', work.folder(`out-${name}`), '--yes'];
        const received = await work.start(['receive', String(code), ...meet, ...to]).ends(0);
        const sent = await sender.ends(0);
        assert.equal(event(sent, 'done').root, event(received, 'done').root);
        sameFile(work.path(name), work.path(`out-${name}`, name));
      }),
    );
    server.signal('SIGTERM');
    assert.equal(
      typeof (await server.exited).status,
      'number',
      'the server ends by itself when it is told to',
    );
  });

  it('the receiver may start first: an empty mailbox is not there yet, and nobody at all is NO_PEER', async (t) => {
    const work = workspace(t);
    const server = work.start(['server', '--port', '0']);
    const { url } = await server.until((line) => typeof line.url === 'string');
    const meet = ['--server', String(url), '--no-lan'];
    makeFile(work.path('one'), 3_000_000);
    const receive = (code: string) =>
      work.start(['receive', code, ...meet, '--yes', '--to', work.folder('out')]);
    const receiver = receive('7-crossover-clockwork');
    const lost = receive('8-crossover-clockwork');
    const word = await receiver.until('warning');
    assert.match(String(word.message), /at that server yet; still looking/);
    const sender = work.start(['send', work.path('one'), '--code', '7-crossover-clockwork', ...meet]);
    await receiver.ends(0);
    await sender.ends(0);
    assert.equal(errorCode(await lost.ends(6)), 'NO_PEER');
  });

  it('no server at the address ends with 6', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one'), 10);
    const url = `ws://127.0.0.1:${await freePort()}`;
    const sent = await work.start(['send', work.path('one'), '--server', url, '--no-lan']).ends(6);
    assert.equal(errorCode(sent), 'SERVER');
  });
});
