/** `--to` with placeholders, by the real command: where it goes, and where it goes on after kill -9. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { Post } from './post.ts';
import { errorCode, event, journaled, workspace } from './workspace.ts';

const DAY = String.raw`\d{4}-\d{2}-\d{2}`;

describe('integration: a folder for each offer', { concurrency: 2 }, () => {
  it('a receiver that was killed goes on in the folder that it began with, at another time', async (t) => {
    const work = workspace(t);
    const big = work.path('big.bin');
    makeFile(big, 40_000_000);
    const { sender, code, port } = await work.sender([big, '--limit', '2M']);
    const to = ['--to', `${work.folder('out')}/{name} {date} {time}`];
    const first = work.receiver(code, port, to);
    const { within } = await first.until('offer');
    assert.match(String(within), new RegExp(`^big\\.bin ${DAY} \\d{2}-\\d{2}-\\d{2}$`));
    await first.until(({ event: name, bytes }) => name === 'progress' && Number(bytes) > 0);
    await journaled(work.path('out', String(within)));
    await first.kill();
    // A second later at least, for the time of the second is another one.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const second = work.receiver(code, port, to);
    assert.equal((await second.until('offer')).within, within);
    assert.ok(Number((await second.until('resumed')).bytes) > 0);
    await second.kill();
    await sender.kill();
    const fast = await work.sender([big]);
    const third = await work.receiver(fast.code, fast.port, to).ends(0);
    assert.ok(Number(event(third, 'done').resumed) > 0);
    await fast.sender.ends(0);
    assert.deepEqual(readdirSync(work.path('out')), [within]);
    sameFile(big, work.path('out', String(within), 'big.bin'));
  });

  it('what it does not know is told before the code is tried', async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('note.txt'), 'hello');
    const { sender, code, port } = await work.sender([work.path('note.txt')]);
    const wrong = await work.receiver(code, port, ['--to', `${work.path('out')}/{who}`]).ends(2);
    assert.equal(errorCode(wrong), 'USAGE');
    assert.match(wrong.stderr, /there is no \{who\}, but \{date\}, \{time\}, \{sender\}, \{name\}/);
    assert.ok(!existsSync(work.path('out')));
    await work.receiver(code, port, ['--to', `${work.path('out')}/{{who}}`]).ends(0);
    assert.deepEqual(readdirSync(work.path('out', '{who}')), ['note.txt']);
    await sender.ends(0);
  });

  it('an inbox puts what each device sends into a folder of its own', async (t) => {
    const post = await new Post(workspace(t)).open('ada', 'bob', 'eve');
    const { work } = post;
    await post.trust('inbox', 'set', 'eve', '--to', work.path('of eve'));
    await post.trust('inbox', 'set', 'bob', '--to', `${work.path('of bob')}/{name}`);
    mkdirSync(work.path('photos'));
    writeFileSync(work.path('photos', 'a'), 'a');
    const listener = await post.listen('--to', `${work.path('in')}/{sender}/{date}`);
    for (const name of ['ada', 'bob', 'eve']) {
      await post.send(name, work.path('photos')).ends(0);
      await listener.until(({ event: done, device }) => done === 'done' && device === name);
    }
    assert.deepEqual(readdirSync(work.path('in')), ['ada']);
    assert.deepEqual(readdirSync(work.path('of bob', 'photos')), ['photos'], 'a template of its own');
    const [day = ''] = readdirSync(work.path('in', 'ada'));
    assert.match(day, new RegExp(`^${DAY}$`));
    assert.deepEqual(readdirSync(work.path('in', 'ada', day)), ['photos']);
    assert.deepEqual(readdirSync(work.path('of eve')), ['photos'], 'its own folder is meant as it is');
  });
});
