/** What a path may be long on each system: the rest of what does not fit is tried on the disk itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Abilities } from '../../../src/node/files/abilities.ts';
import { fit } from '../../../src/node/files/fit.ts';
import { ANY_NAME } from '../../../src/offer/fitting.ts';
import { Notices } from '../../../src/wire/notices.ts';
import { on } from '../../platform.ts';
import { file } from './helpers.ts';

const ANY: Abilities = {
  ...{ ...ANY_NAME, folds: false, modes: true, links: true },
  ...{ step: 1, earliest: Number.NEGATIVE_INFINITY, latest: Number.POSITIVE_INFINITY },
};
const ROOT = '/Users/somebody/Downloads';
/** Of so many bytes in all, in parts that any disk takes. */
const long = (bytes: number) => 'a'.repeat(200).concat('/').repeat(20).slice(0, bytes).replace(/\/$/, 'b');

for (const [platform, most] of [
  ['linux', 4095],
  ['darwin', 1023],
  ['win32', Number.POSITIVE_INFINITY],
] as const)
  test(`on ${platform} a path has at most ${most} bytes, the folder's before it included`, async () => {
    const room = Math.min(most - ROOT.length - 1, 3900);
    const said: string[] = [];
    const { left } = await on(platform, () =>
      fit(
        ROOT,
        [file(long(room)), file(long(room + 1))],
        ANY,
        'safe',
        new Notices((notice) => void said.push(String(notice))),
      ),
    );
    const second = room + 1 + ROOT.length + 1 > most;
    assert.deepEqual([...left], second ? [1] : []);
  });
