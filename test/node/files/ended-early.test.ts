/** Ends that come while a sink is being opened, or opened anew: what an earlier run left is not theirs to harm. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { CHUNK, failure, folder, scratch, spaceOf } from './helpers.ts';
import {
  assertTree,
  Files,
  interrupted,
  journaled,
  linux,
  move,
  noise,
  open,
  receive,
  stagingOf,
} from './resuming.ts';

/** Two offers with the same name at the top, of which the second has nothing of the first. */
const first = () => new Files().other(folder('top')).add('top/huge', noise(4 * CHUNK, 'huge'));
const second = () => new Files().other(folder('top')).add('top/other', noise(10, 'other'));

async function left(t: Parameters<typeof scratch>[0]): Promise<string> {
  const to = scratch(t);
  await interrupted(to, first(), (chunk) => chunk < 3);
  mkdirSync(join(to, 'top'));
  writeFileSync(join(to, 'top/other'), 'mine');
  return to;
}

/** The earlier offer still goes on from all that it had. */
async function goesOn(to: string): Promise<void> {
  assert.deepEqual((await receive(to, first(), { overwrite: 'update' })).held, [0, 1, 2]);
  assertTree(to, first(), ['top/other']);
}

describe('another offer of the same name leaves what is unfinished as it was', () => {
  test('when it ends with a conflict', async (t) => {
    const to = await left(t);
    await assert.rejects(open(to, second()), failure('EXISTS', "'top/other' exists"));
    await goesOn(to);
  });

  test('when it is cancelled at a question', async (t) => {
    const to = await left(t);
    let answer: (choice: 'skip') => void = () => {};
    let asked = () => {};
    const question = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const onConflict = () =>
      new Promise<'skip'>((resolve) => {
        answer = resolve;
        asked();
      });
    const sink = new StagingSink({ to, overwrite: 'ask', onConflict });
    const opening = assert.rejects(
      sink.open(second().entries, spaceOf(second().entries), 'sha256'),
      failure('CANCELLED', 'given up'),
    );
    await question;
    await sink.close('discard');
    answer('skip');
    await opening;
    await goesOn(to);
  });
});

/** What this process has open below a folder. */
function opened(to: string): string[] {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return targets.filter((path) => path.startsWith(to));
}

describe('an end while a failing disk is begun anew', linux, () => {
  for (const turns of [0, 1, 2, 4, 8, 16, 32])
    test(`leaves nothing at work behind its lock, after ${turns} turns`, async (t) => {
      const to = scratch(t);
      const session = await open(to, first());
      await move(session, (chunk) => chunk < 2);
      await journaled(to, 2);
      const reopening = session.sink.reopen().catch((error) => assert.equal(error.code, 'CANCELLED'));
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      await session.sink.close('keep');
      assert.equal(existsSync(join(stagingOf(to), 'lock')), false);
      assert.deepEqual(opened(to), []);
      await reopening;
      assert.deepEqual(opened(to), []);
      assert.deepEqual((await receive(to, first())).held, [0, 1]);
    });
});
