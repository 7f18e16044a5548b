/** Two commands on machines of which each has the native module, or has not: with what they hash, and what their receipts say. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { fastest } from '../../src/threads/digests.ts';
import { event, workspace } from './workspace.ts';

const without = { env: { NODE_OPTIONS: `--require "${resolve('test/node/no-blake.cjs')}"` } };
/** So much that the choice pays. */
const BYTES = 40_000_000;

describe('what two commands hash with', () => {
  for (const { what, sender = {}, receiver = {}, bytes = BYTES, expected = 'sha256' } of [
    { what: 'both have the native module', expected: fastest()[0] },
    { what: 'only the receiver has it', sender: without },
    { what: 'only the sender has it', receiver: without },
    { what: 'there is little to hash', bytes: 1_000_000 },
  ])
    it(`is ${expected} where ${what}`, async (t) => {
      const work = workspace(t);
      makeFile(work.path('one.bin'), bytes);
      const { sent, received } = await work.deliver([work.path('one.bin')], { sender, receiver });
      sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
      for (const side of [sent, received]) {
        const path = String(event(side, 'done').receipt);
        const [head = ''] = readFileSync(path, 'utf8').split('\n');
        assert.equal(JSON.parse(head).hash, expected);
        for (const options of [{}, without]) {
          await work.start(['verify', path, work.path('out', 'one.bin')], options).ends(0);
        }
      }
    });
});
