import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MOST_RANGES, readRange } from '../../../src/http/serving/ranges.ts';

test('what a Range header means (RFC 9110, 14.1.2)', () => {
  const table: [header: string | undefined, size: number, means: ReturnType<typeof readRange>][] = [
    [undefined, 10, 'whole'],
    ['bytes=0-4', 10, [{ from: 0, end: 5 }]],
    ['bytes=0-99', 10, [{ from: 0, end: 10 }]],
    ['bytes=9-', 10, [{ from: 9, end: 10 }]],
    ['bytes=10-', 10, 'none'],
    ['bytes=-3', 10, [{ from: 7, end: 10 }]],
    ['bytes=-99', 10, [{ from: 0, end: 10 }]],
    ['bytes=-0', 10, 'none'],
    ['bytes=0-', 0, 'none'],
    ['Bytes=1-1', 10, [{ from: 1, end: 2 }]],
    [
      'bytes=0-1, 4-5',
      10,
      [
        { from: 0, end: 2 },
        { from: 4, end: 6 },
      ],
    ],
    [
      'bytes=4-5,0-1',
      10,
      [
        { from: 4, end: 6 },
        { from: 0, end: 2 },
      ],
    ],
    ['bytes=0-5,3-7', 10, [{ from: 0, end: 8 }]],
    ['bytes=0-1,2-3', 10, [{ from: 0, end: 4 }]],
    ['bytes=,0-1,,', 10, [{ from: 0, end: 2 }]],
    ['bytes=50-,0-1', 10, [{ from: 0, end: 2 }]],
    ['bytes=5-4', 10, 'whole'],
    ['bytes=0-1,5-4', 10, 'whole'],
    ['bytes=', 10, 'whole'],
    ['bytes=-', 10, 'whole'],
    ['bytes=a-b', 10, 'whole'],
    ['bytes=0x1-5', 10, 'whole'],
    ['bytes=1e1-', 100, 'whole'],
    ['bytes=--1', 10, 'whole'],
    ['bytes 0-1', 10, 'whole'],
    ['lines=0-1', 10, 'whole'],
    [`bytes=0-${'9'.repeat(400)}`, 10, [{ from: 0, end: 10 }]],
    [`bytes=${'9'.repeat(400)}-`, 10, 'none'],
  ];
  for (const [header, size, means] of table) assert.deepEqual(readRange(header, size), means, `${header}`);
});

test('so many ranges make an answer of parts, and one more the whole file', () => {
  const ranges = (count: number) =>
    `bytes=${Array.from({ length: count }, (_, i) => `${2 * i}-${2 * i}`).join()}`;
  assert.equal(readRange(ranges(MOST_RANGES), 1000).length, MOST_RANGES);
  assert.equal(readRange(ranges(MOST_RANGES + 1), 1000), 'whole');
  // The same range a thousand times is one.
  assert.deepEqual(readRange(`bytes=${'0-,'.repeat(1000)}`, 5), [{ from: 0, end: 5 }]);
});

test('whatever is asked for, spans are inside the file, apart from each other, and hold exactly what was asked for', () => {
  const spec = fc.record({ from: fc.nat(40), to: fc.option(fc.nat(40)), suffix: fc.boolean() });
  fc.assert(
    fc.property(fc.array(spec, { minLength: 1, maxLength: 8 }), fc.nat(32), (specs, size) => {
      const asked = new Set<number>();
      const texts = specs.map(({ from, to, suffix }) => {
        const end = to === null ? undefined : from + to;
        if (suffix) {
          for (let at = Math.max(0, size - from); at < size; at++) asked.add(at);
          return `-${from}`;
        }
        for (let at = from; at < Math.min(size, (end ?? size) + 1); at++) asked.add(at);
        return `${from}-${end ?? ''}`;
      });
      const spans = readRange(`bytes=${texts.join(',')}`, size);
      if (spans === 'none') return void assert.equal(asked.size, 0);
      assert.notEqual(spans, 'whole');
      const got = new Set<number>();
      for (const { from, end } of spans as { from: number; end: number }[])
        for (let at = from; at < end; at++) {
          assert.ok(!got.has(at), 'twice');
          got.add(at);
        }
      assert.deepEqual([...got].sort(), [...asked].sort());
    }),
  );
});
