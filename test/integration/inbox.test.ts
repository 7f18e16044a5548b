/** `beeline listen` as a process: nobody is at the receiving end, whoever comes, whatever is killed. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Line } from './command.ts';
import { Post } from './post.ts';
import { errorCode, journaled, workspace } from './workspace.ts';

const doneFrom = (device: string) => (line: Line) => line.event === 'done' && line.device === device;

describe('integration: an inbox that stays', { concurrency: 2 }, () => {
  it('takes from three devices at once, and again, and ends with 0 when it is told to', async (t) => {
    const post = await new Post(workspace(t)).open('ada', 'bob', 'eve');
    const { work } = post;
    const listener = await post.listen();
    const devices = ['ada', 'bob', 'eve'];
    const senders = devices.map((name, i) => {
      mkdirSync(work.path(`of ${name}`, 'photos'), { recursive: true });
      makeFile(work.path(`of ${name}`, 'photos', 'same.bin'), 3_000_000 + i);
      return post.send(name, work.path(`of ${name}`, 'photos'));
    });
    for (const sender of senders) await sender.ends(0);
    for (const name of devices) await listener.until(doneFrom(name));
    // Folders of one name become one, and no file in it replaces another.
    assert.deepEqual(readdirSync(work.path('in')), ['photos']);
    const same = readdirSync(work.path('in', 'photos')).sort();
    assert.deepEqual(same, ['same (1).bin', 'same (2).bin', 'same.bin']);
    for (const [i, name] of devices.entries()) {
      const found = same.find((each) => statSync(work.path('in', 'photos', each)).size === 3_000_000 + i);
      sameFile(work.path(`of ${name}`, 'photos', 'same.bin'), work.path('in', 'photos', found!));
    }
    const arrivals = listener.events.filter((line) => line.event === 'arrival');
    // They may be in each other's way, since all send `photos`.
    const failed = listener.events.filter(({ event, code }) => event === 'error' && code !== 'LOCKED');
    assert.deepEqual(failed, []);
    assert.deepEqual([...new Set(arrivals.map(({ device }) => device))].sort(), devices);
    assert.deepEqual(
      arrivals.map(({ arrival }) => arrival),
      arrivals.map((_, i) => i + 1),
    );
    for (const offer of listener.events.filter((line) => line.event === 'offer')) {
      assert.equal(offer.accepted, true);
      assert.deepEqual(offer.names, ['photos/']);
    }
    // One after the other from one device, at once.
    for (let i = 0; i < 3; i++) {
      writeFileSync(work.path('note.txt'), `note ${i}`);
      await post.send('bob', work.path('note.txt')).ends(0);
    }
    const notes = () => listener.events.filter(({ event }) => event === 'done').length - devices.length;
    await listener.until(() => notes() === 3);
    assert.ok(readdirSync(work.path('in')).includes('note (2).txt'));
    listener.signal('SIGTERM');
    await listener.ends(0);
  });

  it('kill -9 of the inbox, of the server and of the sender: each goes on where it was', async (t) => {
    const post = await new Post(workspace(t)).open('ada');
    const { work } = post;
    const big = work.path('big.bin');
    makeFile(big, 60_000_000);
    const first = await post.listen();
    // Slow enough that it is not done before it is killed, on a busy machine neither.
    const sender = post.send('ada', big, '--limit', '3M');
    await journaled(work.folder('in'));
    await first.kill();
    const second = await post.listen();
    const resumed = await second.until('resumed');
    assert.ok(Number(resumed.bytes) > 0);
    // The server comes back as one that has forgotten everything.
    const { port } = new URL(post.url);
    await post.server.kill();
    await post.serve(port);
    await second.until(({ event, reachable }) => event === 'server' && reachable === true);
    const last = second.events.findLast(({ event }) => event === 'progress');
    const before = Number((last ?? resumed).bytes) + 2_000_000;
    await second.until(({ event, bytes }) => event === 'progress' && Number(bytes) > before);
    await sender.kill();
    await post.send('ada', big).ends(0);
    const done = await second.until(doneFrom('ada'));
    assert.ok(Number(done.resumed) > 0);
    sameFile(big, work.path('in', 'big.bin'));
    assert.deepEqual(readdirSync(work.path('in')), ['big.bin'], 'nothing is left beside it');
  });

  it('rules decide, the sender is told, and the next offer counts again', async (t) => {
    const post = await new Post(workspace(t)).open('ada', 'bob');
    const { work } = post;
    await post.trust('inbox', 'set', 'ada', '--max-size', '1000', '--to', work.path('of ada'));
    await post.trust('inbox', 'set', 'bob', '--quota', '2500');
    const listener = await post.listen();
    makeFile(work.path('large'), 1001);
    makeFile(work.path('small'), 1000);
    const declined = await post.send('ada', work.path('large')).ends(7);
    assert.match(declined.stderr, /declined.*`beeline trust`/);
    const offer = await listener.until('offer');
    assert.equal(offer.accepted, false);
    assert.match(String(offer.message), /1001 bytes.*no more than 1000/);
    await post.send('ada', work.path('small')).ends(0);
    sameFile(work.path('small'), work.path('of ada', 'small'));
    for (const status of [0, 0, 7]) await post.send('bob', work.path('small')).ends(status);
    assert.deepEqual(readdirSync(work.path('in')).sort(), ['small', 'small (1)']);
    // To ask needs somebody.
    const before = listener.events.length;
    await post.trust('inbox', 'set', 'ada', '--ask');
    await listener.until((line) => line.event === 'watching' && listener.events.indexOf(line) >= before);
    await post.send('ada', work.path('small')).ends(7);
    await listener.until(({ message }) => /nobody can be/.test(String(message)));
  });

  it('a device that is trusted or not while it runs is noticed', async (t) => {
    const post = await new Post(workspace(t)).open('ada');
    const { work } = post;
    const listener = await post.listen('--once');
    await post.pair('bob');
    await listener.until(({ event, devices }) => event === 'watching' && devices === 2);
    await post.trust('inbox', 'remove', 'ada');
    await listener.until(
      (line) => line.event === 'watching' && line.devices === 1 && line !== listener.events[0],
    );
    const unwanted = post.send('ada', work.path('inbox', 'devices.json'));
    await post.send('bob', work.path('inbox', 'devices.json')).ends(0);
    await listener.ends(0);
    assert.deepEqual(
      listener.events.filter(({ event }) => event === 'arrival').map(({ device }) => device),
      ['bob'],
    );
    await unwanted.kill();
  });

  it('a second inbox for the same devices, and one without any, are told what is wrong', async (t) => {
    const post = await new Post(workspace(t)).open('ada');
    const { work } = post;
    await post.listen();
    const again = ['listen', '--to', work.path('in'), '--config-dir', work.path('inbox'), '--no-lan'];
    const second = await work.start([...again, '--server', post.url]).ends(1);
    assert.equal(errorCode(second), 'LOCKED');
    assert.match(second.stderr, /Another process.*at that server/);
    const alone = await work.start(['listen', '--config-dir', work.path('nobody')]).ends(2);
    assert.match(alone.stderr, /No device is trusted.*`beeline trust`/);
    const nowhere = await work.start(again).ends(2);
    assert.equal(errorCode(nowhere), 'USAGE');
  });
});
