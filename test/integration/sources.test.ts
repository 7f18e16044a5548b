/** Sources that are missing, unreadable or change under the sender: named, and nothing wrong is delivered. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { makeFile } from '../../bench/files.mjs';
import { snapshot } from './tree.ts';
import { errorCode, event, workspace } from './workspace.ts';

const SIZE = 24 << 20;

/** Root reads anything; without these two capabilities it is bound by modes like everybody. */
const unprivileged =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : undefined;

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

const CHANGES: Record<string, (path: string) => void> = {
  grows: (path) => appendFileSync(path, 'more'),
  shrinks: (path) => truncateSync(path, SIZE / 2),
  'is replaced by another': (path) => {
    makeFile(`${path}.new`, SIZE);
    renameSync(`${path}.new`, path);
  },
  vanishes: (path) => rmSync(path),
};

describe('integration: sources', () => {
  for (const [what, change] of Object.entries(CHANGES)) {
    it(`a file that ${what} while it is sent is named, and never delivered as a mix`, async (t) => {
      const work = workspace(t);
      const path = work.path('changing.bin');
      makeFile(path, SIZE);
      const before = sha256(path);
      const { sender, code, port } = await work.sender([path, '--limit', String(3 << 20)]);
      const receiver = work.receiver(code, port, ['--to', work.folder('out')]);
      await receiver.until('progress');
      change(path);
      const sent = await sender.ends(1);
      assert.equal(errorCode(sent), 'SOURCE_CHANGED');
      assert.match(String(event(sent, 'error').message), /changing\.bin/);
      const received = await receiver.ends(1);
      assert.match(String(event(received, 'error').message), /changing\.bin/);
      // An open file outlives its name, so it may have been read to its end as it was; anything else is a mix.
      const delivered = work.path('out', 'changing.bin');
      if (existsSync(delivered)) assert.equal(sha256(delivered), before);
    });
  }

  it('no such path ends with 2 before anybody is asked to come', async (t) => {
    const work = workspace(t);
    const sent = await work.start(['send', work.path('not here'), '--no-lan']).ends(2);
    assert.equal(errorCode(sent), 'NO_SUCH_PATH');
    assert.match(String(event(sent, 'error').message), /not here/);
    assert.equal(
      sent.events.some((line) => line.event === 'code'),
      false,
    );
  });

  it('an unreadable file is named, and nothing moves', async (t) => {
    const work = workspace(t);
    const tree = work.folder('tree');
    writeFileSync(work.path('tree', 'fine'), 'fine');
    writeFileSync(work.path('tree', 'locked'), 'locked');
    chmodSync(work.path('tree', 'locked'), 0);
    const args = ['send', tree, '--no-lan'];
    const sent = await work.start(args, { prefix: unprivileged }).ends(1);
    assert.equal(errorCode(sent), 'UNREADABLE');
    assert.match(String(event(sent, 'error').message), /locked/);
  });

  it('a destination that cannot be written is named before the code is spent, and the sender waits on', async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('note.txt'), 'hello');
    const out = work.folder('out');
    chmodSync(out, 0o555);
    const { sender, code, port } = await work.sender([work.path('note.txt')]);
    const refused = work.receiver(code, port, ['--to', out], { prefix: unprivileged });
    assert.equal(errorCode(await refused.ends(1)), 'WRITE_FAILED');
    assert.deepEqual(snapshot(out), {});
    await work.receiver(code, port, ['--to', work.folder('better')]).ends(0);
    const { events } = await sender.ends(0);
    assert.ok(!events.some((line) => line.event === 'state' && line.by === 'peer'), 'the sender was met');
  });
});
