/** Sizes, durations, exit codes and words as people and scripts see them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ErrorCode } from '../../src/base/errors.ts';
import { exitCode } from '../../src/cli/exit.ts';
import {
  contents,
  escapeText,
  formatBytes,
  formatDuration,
  groups,
  shellWord,
} from '../../src/cli/format.ts';
import { rate, size } from '../../src/cli/values.ts';

describe('cli: numbers', () => {
  const sizes: [string, number][] = [
    ['1', 1],
    ['800k', 800_000],
    ['800K', 800_000],
    ['10M', 10_000_000],
    ['10MB', 10_000_000],
    ['1.5MiB', 1_572_864],
    ['1.5Mi', 1_572_864],
    ['2 GiB', 2 ** 31],
    ['0.5k', 500],
    ['1T', 1e12],
    ['512B', 512],
    ['512b', 512],
  ];
  for (const [text, bytes] of sizes) it(`reads ${text}`, () => assert.equal(size('--limit', text), bytes));

  for (const text of [
    '',
    'M',
    '-1',
    '0',
    '0.1',
    '1e6',
    '10X',
    '10Mb',
    '10mb',
    '10Mbit',
    '10Mbps',
    '1i',
    '1,5M',
    `${'9'.repeat(15)}T`,
    '9'.repeat(16),
    '∞',
  ])
    it(`refuses the size '${text}'`, () => assert.throws(() => size('--limit', text), { code: 'USAGE' }));

  it('reads a rate as a size, also with /s, and calls each by its name', () => {
    assert.deepEqual([rate('--limit', '10MB/s'), rate('--limit', '800k')], [10_000_000, 800_000]);
    assert.throws(() => rate('--limit', 'abc'), /this is not a rate\..*bytes a second/);
    assert.throws(() => size('--max-size', 'abc'), /this is not a size\..*\(bytes\)/);
    assert.throws(() => size('--max-size', '10M/s'), /this is not a size/);
  });

  it('says what to do about bits', () => {
    assert.throws(() => size('--limit', '10Mbit'), /divide by 8/);
    assert.throws(() => size('--limit', '10Mb'), /means bits/);
  });

  it('writes bytes', () => {
    const written = [0, 999, 1000, 9_994, 9_996, 99_960, 999_499, 999_500, 1_234_567, 1e9, 107_374_182_400];
    assert.deepEqual(written.map(formatBytes), [
      ...['0 B', '999 B', '1.00 kB', '9.99 kB', '10.0 kB', '100 kB', '999 kB', '1.00 MB', '1.23 MB'],
      ...['1.00 GB', '107 GB'],
    ]);
  });

  it('writes any number of bytes in at most 7 characters, and reads it back within 1 %', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        const text = formatBytes(bytes);
        assert.ok(text.length <= 7, text);
        if (bytes > 0 && !text.includes('P'))
          assert.ok(Math.abs(size('--limit', text) - bytes) <= bytes / 100, text);
      }),
    );
  });

  it('writes durations', () => {
    assert.deepEqual(
      [-1, 0.42, 9.94, 9.96, 59.4, 59.6, 3599, 3600, 86_399, 86_400, 400_000, Number.POSITIVE_INFINITY].map(
        formatDuration,
      ),
      [
        '0.0s',
        '0.4s',
        '9.9s',
        '10s',
        '59s',
        '1m 00s',
        '59m 59s',
        '1h 00m',
        '23h 59m',
        '1d 00h',
        '4d 15h',
        '?',
      ],
    );
  });

  it('says what an offer holds', () => {
    assert.equal(
      contents({ files: 1, folders: 2, links: 1, bytes: 1500 }),
      '1 file, 2 folders, 1 link, 1.50 kB',
    );
    assert.equal(contents({ files: 0, folders: 1, links: 0, bytes: 0 }), '1 folder, 0 B');
    assert.equal(contents({ files: 1, folders: 0, links: 0, bytes: null }), '1 file, of unknown size');
  });

  it('groups hex, and leaves what is not hex alone', () => {
    assert.equal(groups('0123456789abcdef0123'), '0123 4567 89ab cdef');
    assert.equal(groups('bl1xyz'), 'bl1xyz');
  });

  it('quotes for the shell only what needs it', () => {
    assert.equal(shellWord('7-velvet-canyon'), '7-velvet-canyon');
    assert.equal(shellWord("7-it's $HOME"), "'7-it'\\''s $HOME'");
    assert.equal(shellWord(''), "''");
  });

  it('lets a text keep its lines and nothing else', () => {
    assert.equal(escapeText('a\r\n\tb'), 'a\n\tb');
    assert.doesNotMatch(
      escapeText('\x1b[31m\x9b\u202e\u2066\r\0'),
      /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/,
    );
  });
});

describe('cli: exit codes', () => {
  const table: Record<number, ErrorCode[]> = {
    1: [
      'UNREADABLE',
      'SOURCE_CHANGED',
      'EXISTS',
      'DISK_FULL',
      'WRITE_FAILED',
      'UNSAFE_NAME',
      'DAMAGED',
      'TIMEOUT',
      'INTERNAL',
    ],
    2: ['USAGE', 'NO_SUCH_PATH'],
    3: ['CANCELLED'],
    4: ['WRONG_CODE', 'AUTHENTICATION'],
    5: ['VERIFICATION'],
    6: ['NO_PEER', 'NO_PATH', 'CROWDED', 'SERVER'],
    7: ['REFUSED'],
    130: ['INTERRUPTED'],
  };
  for (const [code, errors] of Object.entries(table))
    for (const error of errors) it(`${error} is ${code}`, () => assert.equal(exitCode(error), Number(code)));

  it('a code from a newer library is a failure', () => {
    assert.equal(exitCode('NEW' as ErrorCode), 1);
  });
});
