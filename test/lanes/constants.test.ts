/** docs/lanes.md has every number that decides about lanes, with its value. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const FILES = ['tuner', 'measure', 'dials', 'supervisor'];
const rows = new Map(
  [...readFileSync('docs/lanes.md', 'utf8').matchAll(/^\| `([A-Z_]+)` \| ([^|]+?) \|/gm)].map(
    ([, name, value]) => [name!, value!],
  ),
);
const constants = FILES.flatMap((file) =>
  [...readFileSync(`src/lanes/${file}.ts`, 'utf8').matchAll(/^const ([A-Z_]+) = ([\d._e]+);/gm)].map(
    ([, name, value]) => ({ name: name!, value: value! }),
  ),
);

test('docs/lanes.md explains every number of the tuner, the measuring and the supervisor', () => {
  assert.ok(constants.length > 35, 'the constants are found');
  for (const { name, value } of constants) assert.equal(rows.get(name), value, name);
});

test('docs/lanes.md explains no number that is gone', () => {
  const known = new Set(['FIRST', 'MOST', 'SHARED', ...constants.map(({ name }) => name)]);
  assert.deepEqual(
    [...rows.keys()].filter((name) => !known.has(name)),
    [],
  );
});

test('numbers of time and rate say their unit in their name', () => {
  const bare = new Set([
    'GAIN',
    'UDX_GAIN',
    'GROWTH',
    'EASED',
    'SAME',
    'POOR',
    'RICH',
    'EVEN',
    'EVEN_START',
    'EVEN_SHARE',
    'WELL',
    'LATELY',
    'TRICKLE',
  ]);
  const counts = new Set(['RESERVE', 'TURNS']);
  const unit = /_(?:S|MS|BYTES_PER_S|PER_S|ROUND_TRIPS|SAMPLES|LANES)$/;
  const without = constants.map(({ name }) => name).filter((name) => !unit.test(name));
  assert.deepEqual(
    without.filter((name) => !bare.has(name) && !counts.has(name)),
    [],
  );
});
