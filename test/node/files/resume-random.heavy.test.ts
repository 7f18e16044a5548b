/** Runs that end anywhere, with a sender that changes its files in between: what comes out is always its last state. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK, folder, link, scratch, spaceOf } from './helpers.ts';
import { assertTree, complete, crashed, Files, journaled, linux, move, noise, open } from './resuming.ts';

const names = ['a', 'b', 'c', 'd/e', 'd/f', 'g'];

/** One name's state: nothing, a link, or a file of a size and content; times and versions follow from both. */
const slot = fc.oneof(
  { weight: 1, arbitrary: fc.constant('none' as const) },
  { weight: 1, arbitrary: fc.constantFrom('link a', 'link b') },
  {
    weight: 8,
    arbitrary: fc.record({
      size: fc.constantFrom(0, 1, 70_000, 300_000, 900_000, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 9),
      seed: fc.constantFrom('x', 'y', 'zero'),
      mode: fc.constantFrom(0o644, 0o444, 0o755),
      flip: fc.constantFrom(undefined, 0, 1, 2),
    }),
  },
);
const tree = fc.tuple(...names.map(() => slot));

function filesOf(slots: (typeof slot extends fc.Arbitrary<infer T> ? T : never)[], known: boolean): Files {
  const files = new Files().other(folder('top', 0o750));
  for (const [i, name] of names.entries()) {
    if (name === 'd/e') files.other(folder('top/d', 0o711));
    const state = slots[i]!;
    if (typeof state === 'string') {
      if (state !== 'none')
        files.other(link(`top/${name}`, name.includes('/') ? `../${state.at(-1)}` : state.at(-1)!));
      continue;
    }
    const { size, seed, mode, flip } = state;
    const bytes = seed === 'zero' ? Buffer.alloc(size) : noise(size, seed);
    if (flip !== undefined && flip * CHUNK < size) bytes[flip * CHUNK]! ^= 1;
    // A changed file has another time, as a rule that versions rest upon, and `update` where there are none.
    const content = ['x', 'y', 'zero'].indexOf(seed) * 10 + (flip ?? 7);
    const mtime = 1_700_000_000_000_000 + size * 1000 + content * 10;
    // Who says no versions, as a page, says no modes either; an update goes by size and time, and leaves the mode as it is.
    files.add(`top/${name}`, bytes, known ? mode : 0o644, mtime);
  }
  // By a file that stays as it is, the sender is known again. Where none does, an update goes by size and time too.
  files.add('top/same', noise(10, 'same'));
  return known ? files : files.unknown();
}

const run = fc.record({
  /** What the sender has then; undefined: as before. */
  slots: fc.option(tree, { nil: undefined, freq: 2 }),
  part: fc.array(fc.nat(30), { maxLength: 12 }),
  end: fc.constantFrom('suspend', 'crash', 'reopen'),
});

test('whatever happens in between', linux, async (t) => {
  let resumed = 0;
  const dir = scratch(t);
  await fc.assert(
    fc.asyncProperty(
      tree,
      fc.array(run, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (first, runs, known) => {
        let to = join(dir, 'to');
        rmSync(to, { recursive: true, force: true });
        let slots = first;
        let files = filesOf(slots, known);
        // What the sender no longer has may stay in place from an earlier run.
        for (const { slots: changed, part, end } of runs) {
          slots =
            (changed?.map((state, i) =>
              state === 'none' || typeof state !== typeof slots[i] ? slots[i]! : state,
            ) as typeof slots) ?? slots;
          files = filesOf(slots, known);
          const session = await open(to, files, { overwrite: 'update' });
          resumed += session.log.held.length + session.log.kept.length;
          const { chunks } = spaceOf(files.entries);
          await move(session, (chunk) => part.some((pick) => pick % Math.max(1, chunks) === chunk));
          if (end === 'crash' && session.down.size > 0) {
            await journaled(to, session.down.size);
            const copy = crashed(t, to);
            await session.sink.close('discard');
            to = copy;
          } else {
            if (end === 'reopen') await session.sink.reopen();
            await session.sink.close('keep');
          }
        }
        await complete(await open(to, files, { overwrite: 'update' }));
        assertTree(to, files);
      },
    ),
    { numRuns: 40, endOnFailure: false },
  );
  t.diagnostic(`${resumed} chunks were held again`);
  // How many is chance.
  assert.ok(resumed > 0, 'nothing was ever held');
});
