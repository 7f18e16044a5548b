/** `send --later` and `beeline outbox`: what is sent when the other side is there, whatever is killed meanwhile. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { KnownDevices, OutboxStore } from '../../src/index.ts';
import { Post } from './post.ts';
import { errorCode, event, journaled, workspace } from './workspace.ts';

/** Puts something in, as `send --later` does, without its ten seconds. */
async function queue(post: Post, from: string, to: string, ...paths: string[]): Promise<number> {
  const configDir = post.work.path(from);
  const { name, key } = (await KnownDevices.open(configDir)).find(to)!;
  const store = new OutboxStore(join(post.state(from), 'outbox'));
  const options = { configDir, server: post.url, lan: false };
  return (await store.add({ device: name, key, paths, options, since: Date.now() })).id;
}

describe('integration: what is sent later', { concurrency: 2 }, () => {
  it('a device that is not there gets it when it is, though the delivery is killed in the middle', async (t) => {
    const post = await new Post(workspace(t)).open('ada');
    const { work } = post;
    makeFile(work.path('big.bin'), 40_000_000);
    // A path as it was typed.
    const sent = await post
      .run(
        'ada',
        ['send', 'big.bin', '--device', 'inbox', '--later', '--limit', '4M', ...post.there('ada')],
        { cwd: work.dir },
      )
      .ends(0);
    const queued = event(sent, 'queued');
    assert.deepEqual([queued.item, queued.device, queued.delivered], [1, 'inbox', false]);
    assert.deepEqual(queued.paths, [work.path('big.bin')]);
    const listed = event(await post.run('ada', ['outbox']).ends(0), 'item');
    assert.deepEqual([listed.id, listed.bytes, listed.failed], [1, 40_000_000, false]);
    // There is none before: the listener comes afterwards.
    const first = post.run('ada', ['outbox', 'send']);
    await first.until('waiting');
    await post.listen();
    await journaled(work.folder('in'));
    await first.kill();
    const second = post.run('ada', ['outbox', 'send']);
    await second.ends(0);
    sameFile(work.path('big.bin'), work.path('in', 'big.bin'));
    assert.deepEqual((await post.run('ada', ['outbox']).ends(0)).events, []);
  });

  it('an item that cannot be sent says why, and the others go on; one that is cancelled is gone', async (t) => {
    const post = await new Post(workspace(t)).open('ada');
    const { work } = post;
    for (const name of ['one', 'two', 'three']) writeFileSync(work.path(name), name);
    const one = await queue(post, 'ada', 'inbox', work.path('one'), work.path('two'));
    const two = await queue(post, 'ada', 'inbox', work.path('two'));
    const three = await queue(post, 'ada', 'inbox', work.path('three'));
    rmSync(work.path('one'));
    const delivery = post.run('ada', ['outbox', 'send']);
    const unsent = await delivery.until('unsent');
    assert.deepEqual([unsent.item, unsent.code, unsent.final], [one, 'NO_SUCH_PATH', true]);
    await delivery.until(({ event, item }) => event === 'waiting' && item === two);
    // It is being waited for when it is cancelled.
    await post.run('ada', ['outbox', 'cancel', String(two)]).ends(0);
    await delivery.until(({ event, item }) => event === 'waiting' && item === three);
    const again = await post.run('ada', ['outbox', 'send']).ends(1);
    assert.equal(errorCode(again), 'LOCKED');
    await post.listen();
    await delivery.ends(1);
    assert.deepEqual(readdirSync(work.path('in')), ['three']);
    const [left, ...others] = (await post.run('ada', ['outbox']).ends(0)).events;
    assert.deepEqual([left?.id, left?.failed, others], [one, true, []]);
    assert.match(String(left?.why), /one/);
    writeFileSync(work.path('one'), 'one');
    await post.run('ada', ['outbox', 'retry']).ends(0);
    await post.run('ada', ['outbox', 'send']).ends(0);
    assert.deepEqual(readdirSync(work.path('in')).sort(), ['one', 'three', 'two']);
    await post.run('ada', ['outbox', 'cancel', '99']).ends(2);
  });

  it('a listener delivers too, and who sends by hand goes first', async (t) => {
    const post = await new Post(workspace(t)).open('ada');
    const { work } = post;
    for (const name of ['waits', 'now']) writeFileSync(work.path(name), name);
    await queue(post, 'ada', 'inbox', work.path('waits'));
    const both = post.run('ada', ['listen', '--to', work.path('of ada'), ...post.there('ada')]);
    await both.until('waiting');
    const byHand = post.send('ada', work.path('now'));
    await byHand.until('listening');
    const listener = await post.listen();
    await byHand.ends(0);
    await both.until('sent');
    await listener.until(({ event, arrival }) => event === 'done' && arrival === 2);
    const names = listener.events.filter((line) => line.event === 'offer').map((line) => line.names);
    assert.deepEqual(names, [['now'], ['waits']]);
    // And it takes what comes, at the same time.
    mkdirSync(work.path('back'));
    await post.run('inbox', ['send', work.path('back'), '--device', 'ada', ...post.there('inbox')]).ends(0);
    assert.deepEqual(readdirSync(work.path('of ada')), ['back']);
  });
});
