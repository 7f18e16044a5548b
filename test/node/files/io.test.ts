import assert from 'node:assert/strict';
import { lstatSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromMicros, toMicros } from '../../../src/node/files/io.ts';
import { randomFrom, seed } from '../../seed.ts';
import { scratch } from './helpers.ts';

const posix = { skip: process.platform === 'win32' && 'NTFS counts in steps of 100 ns' };

test('a time comes back to the microsecond, whatever doubles it passes through', posix, (t) => {
  const path = join(scratch(t), 'f');
  writeFileSync(path, '');
  const random = randomFrom(seed);
  for (let i = 0; i < 2000; i++) {
    // Up to the year 2100.
    const time = Math.floor(random() * 4.1e15);
    const given = fromMicros(time);
    utimesSync(path, given, given);
    assert.equal(toMicros(lstatSync(path, { bigint: true })), time);
  }
});

test('times are rounded down, before 1970 too', () => {
  for (const [mtimeNs, micros] of [
    [1999n, 1],
    [1000n, 1],
    [0n, 0],
    [-1n, -1],
    [-1000n, -1],
    [-1001n, -2],
  ] as const)
    assert.equal(toMicros({ mtimeNs }), micros);
});
