/** A standing server introduces two peers that know only its address. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { freePort } from '../ports.ts';
import type { Line } from './command.ts';
import { errorCode, event, workspace } from './workspace.ts';

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

  it('a server that is killed and started again while its relay carries costs little more than it was away', async (t) => {
    const work = workspace(t);
    const port = String(await freePort());
    const serve = async () => {
      const server = work.start(['server', '--host', '127.0.0.1', '--port', port]);
      const { url } = await server.until((line) => typeof line.url === 'string');
      return { server, url: String(url) };
    };
    const { server, url } = await serve();
    makeFile(work.path('file'), 16_000_000);
    const meet = ['--server', url, '--no-lan', '--relay', 'only'];
    const sender = work.start(['send', work.path('file'), '--limit', '2M', ...meet]);
    const { code } = await sender.until('code');
    const to = ['--to', work.folder('out'), '--yes'];
    const receiver = work.start(['receive', String(code), ...meet, ...to]);
    const carried = (more: number) => (line: Line) => line.event === 'progress' && Number(line.bytes) > more;
    await receiver.until(carried(2_000_000));
    await server.kill();
    await receiver.until((line) => line.event === 'state' && line.from === 'transferring');
    await sleep(4000);
    const lanes = receiver.events.length;
    await serve();
    const back = performance.now();
    await receiver.until((line) => line.event === 'lane' && receiver.events.indexOf(line) >= lanes);
    console.log(`# ${t.name}: a lane after ${((performance.now() - back) / 1000).toFixed(1)} s`);
    const received = await receiver.ends(0);
    const sent = await sender.ends(0);
    assert.equal(event(sent, 'done').root, event(received, 'done').root);
    sameFile(work.path('file'), work.path('out', 'file'));
  });

  it('a server that is told to end lets the relay carry on, and ends with 0 when it is done', async (t) => {
    const work = workspace(t);
    const port = String(await freePort());
    writeFileSync(work.path('server.yaml'), `port: ${port}\nhost: 127.0.0.1\nno-stun: true\ndrain: 100s\n`);
    const server = work.start(['server', '--config', work.path('server.yaml')]);
    const { url } = await server.until('listening');
    assert.equal(url, `http://127.0.0.1:${port}`);
    const ready = async () => (await fetch(`${url}/readyz`)).status;
    assert.equal(await ready(), 200);
    makeFile(work.path('file'), 8_000_000);
    const meet = ['--server', String(url), '--no-lan', '--relay', 'only'];
    const sender = work.start(['send', work.path('file'), '--limit', '2M', ...meet]);
    const { code } = await sender.until('code');
    const receiver = work.start(['receive', String(code), ...meet, '--to', work.folder('out'), '--yes']);
    await receiver.until((line) => line.event === 'progress' && Number(line.bytes) > 1_000_000);
    server.signal('SIGTERM');
    while ((await ready()) === 200);
    const refused = await work
      .start(['receive', '9-velvet-canyon', '--server', String(url), '--no-lan', '--yes'])
      .ends(6);
    assert.equal(errorCode(refused), 'SERVER');
    await receiver.ends(0);
    await sender.ends(0);
    await server.ends(0);
    sameFile(work.path('file'), work.path('out', 'file'));
  });

  it('a second signal ends it at once, and what was received is kept', async (t) => {
    const work = workspace(t);
    const server = work.start(['server', '--host', '127.0.0.1', '--port', '0', '--no-stun']);
    const { url } = await server.until('listening');
    makeFile(work.path('file'), 40_000_000);
    const meet = ['--server', String(url), '--no-lan', '--relay', 'only'];
    const sender = work.start(['send', work.path('file'), '--limit', '1M', ...meet]);
    const { code } = await sender.until('code');
    const receiver = work.start(['receive', String(code), ...meet, '--to', work.folder('out'), '--yes']);
    await receiver.until((line) => line.event === 'progress' && Number(line.bytes) > 1_000_000);
    server.signal('SIGTERM');
    while ((await fetch(`${url}/readyz`)).status === 200);
    server.signal('SIGTERM');
    await server.ends(130);
    await receiver.until((line) => line.event === 'state' && line.from === 'transferring');
    for (const each of [sender, receiver]) each.signal('SIGTERM');
    await Promise.all([sender.ends(130), receiver.ends(130)]);
  });

  it('the receiver may start first: an empty mailbox is not there yet, and nobody at all is NO_PEER', async (t) => {
    const work = workspace(t);
    const server = work.start(['server', '--port', '0']);
    const { url } = await server.until((line) => typeof line.url === 'string');
    const meet = ['--server', String(url), '--no-lan'];
    makeFile(work.path('one'), 3_000_000);
    const receive = (code: string, ...more: string[]) =>
      work.start(['receive', code, ...meet, '--yes', '--to', work.folder('out'), ...more]);
    // It looks for 10 s unless it is told otherwise, and a busy machine takes longer to start the sender.
    const receiver = receive('7-velvet-canyon', '--wait', '10m');
    const lost = receive('8-velvet-canyon');
    const word = await receiver.until('warning');
    assert.match(String(word.message), /at that server yet; still looking/);
    const sender = work.start(['send', work.path('one'), '--code', '7-velvet-canyon', ...meet]);
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
