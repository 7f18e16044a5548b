/** Standard input, standard output and texts. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFile } from '../../bench/files.mjs';
import { event, workspace } from './workspace.ts';

describe('integration: streams and texts', () => {
  const data = randomBytes(9_000_123);

  it('standard input arrives as a named file', async (t) => {
    const work = workspace(t);
    const { received } = await work.deliver(['-', '--name', 'from stdin.bin'], { sender: { stdin: data } });
    assert.deepEqual(readFileSync(work.path('out', 'from stdin.bin')), data);
    assert.equal(event(received, 'done').bytes, data.length);
  });

  it('standard input arrives on standard output, byte for byte and nothing else', async (t) => {
    const work = workspace(t);
    const { received } = await work.deliver(['-'], {
      sender: { stdin: data },
      receive: ['--to', '-', '--quiet'],
      receiver: { json: false },
    });
    assert.deepEqual(received.stdout, data);
  });

  it('an empty standard input is a whole transfer', async (t) => {
    const work = workspace(t);
    await work.deliver(['-', '--name', 'empty'], { sender: { stdin: '' } });
    assert.equal(readFileSync(work.path('out', 'empty')).length, 0);
  });

  it('a file arrives on standard output', async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('one.bin'), data);
    const { received } = await work.deliver([work.path('one.bin')], {
      receive: ['--to', '-'],
      receiver: { json: false },
    });
    assert.deepEqual(received.stdout, data);
  });

  it("a reader that takes its time does not fill anybody's memory", async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 400 << 20);
    const { sender, code, port } = await work.sender([work.path('one.bin')], { measure: work.dir });
    const options = { json: false, measure: work.dir, sink: true };
    const receiver = work.receiver(code, port, ['--to', '-'], options);
    receiver.stdout.pause();
    await delay(3000);
    receiver.stdout.resume();
    await receiver.ends(0);
    await sender.ends(0);
    assert.equal(receiver.bytes, 400 << 20);
    for (const side of [sender, receiver]) {
      assert.ok(side.usage().rss <= 200 * 2 ** 20, `${side.usage().rss / 2 ** 20} MiB resident`);
    }
  });

  it('a text is shown, and no file is made', async (t) => {
    const work = workspace(t);
    const text = 'Grüße 🐝\nsecond line';
    const { received } = await work.deliver(['--text', text]);
    assert.equal(event(received, 'text').text, text);
  });

  it('a text for a person stands alone on standard output', async (t) => {
    const work = workspace(t);
    const { received } = await work.deliver(['--text', 'just this'], { receiver: { json: false } });
    assert.equal(received.stdout.toString().trim(), 'just this');
  });
});
