/** Names that a destination cannot hold as they are. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { atOnce } from '../../src/base/slices.ts';
import { ANY_NAME, fitName, fitPaths, fitTarget, PLAIN_NAMES } from '../../src/offer/fitting.ts';
import { foldKey, nameProblem } from '../../src/offer/names.ts';

const RUNS = Number(process.env.RUNS ?? 1000);
const fat = { ...PLAIN_NAMES, aliases: false };

describe('names for a destination that refuses some', () => {
  for (const [name, fitted] of Object.entries({
    'b:c': 'b_c',
    '<a|b>?*"\\': '_a_b_____',
    'a.': 'a_',
    'a. . ': 'a____',
    'aux.txt': 'aux_.txt',
    CON: 'CON_',
    'report.txt': 'report.txt',
    'caf\u00e9 \u{1f600}': 'caf\u00e9 \u{1f600}',
  }))
    test(`${name} becomes ${fitted}`, () => assert.equal(fitName(name, fat), fitted));

  test('a long name is cut at its stem, by whole characters', () => {
    const can = { ...ANY_NAME, longest: 143 };
    assert.equal(fitName(`${'x'.repeat(250)}.txt`, can), `${'x'.repeat(139)}.txt`);
    assert.equal(fitName('\u{1f600}'.repeat(60), can), '\u{1f600}'.repeat(35));
  });

  test('two that would be one keep different names, and no other name is taken for it', () => {
    const at = (...paths: string[]) => atOnce(fitPaths(paths, fat));
    assert.deepEqual(at('a', 'a.'), ['a', 'a_']);
    assert.deepEqual(at('a:b', 'a?b', 'a_b'), ['a_b (1)', 'a_b (2)', 'a_b']);
    assert.deepEqual(at('Readme.md', 'README.md', 'README (1).md'), [
      'Readme.md',
      'README (2).md',
      'README (1).md',
    ]);
    assert.deepEqual(at('S', 'S/x', 's', 's/x', 's/y:z'), ['S', 'S/x', 's (1)', 's (1)/x', 's (1)/y_z']);
    assert.deepEqual(at('caf\u00e9', 'cafe\u0301'), ['caf\u00e9', 'cafe\u0301 (1)']);
    assert.deepEqual(at('.Beeline-x'), ['_.Beeline-x']);
  });

  test('whatever the names, all are different there, can be held, and fit the same way again', () => {
    const name = fc.oneof(
      fc.constantFrom(
        'a',
        'A',
        'a.',
        'a ',
        'a:',
        'a_',
        'a (1)',
        'aux',
        'aux.txt',
        '\u00e9',
        'e\u0301',
        'x~1',
        '.beelinE-1',
      ),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 90 }),
    );
    const names = fc
      .uniqueArray(name, { maxLength: 30 })
      .map((all) => all.filter((one) => !one.includes('/') && nameProblem(one, 'posix') === undefined));
    fc.assert(
      fc.property(names, fc.integer({ min: 20, max: 255 }), (tops, longest) => {
        const can = { ...PLAIN_NAMES, longest };
        const paths = tops.flatMap((top) => [top, ...tops.slice(0, 4).map((below) => `${top}/${below}`)]);
        const fitted = atOnce(fitPaths(paths, can));
        assert.equal(new Set(fitted.map(foldKey)).size, paths.length);
        for (const path of fitted) {
          for (const part of path.split('/')) assert.ok(Buffer.byteLength(part) <= longest, part);
          assert.equal(nameProblem(path, 'windows'), undefined, path);
          assert.ok(!foldKey(path).startsWith('.BEELINE-'), path);
        }
        assert.deepEqual(atOnce(fitPaths(paths, can)), fitted);
      }),
      { numRuns: RUNS },
    );
  });

  test('many names that become one cost no more than many that do not', () => {
    const paths = Array.from({ length: 50_000 }, (_, i) =>
      [...i.toString(4)].map((d) => ':?*|'[Number(d)]).join(''),
    );
    const unlike = [...new Set(paths.map((path) => path.padStart(9, ':')))];
    const started = performance.now();
    assert.equal(new Set(atOnce(fitPaths(unlike, fat))).size, unlike.length);
    assert.ok(performance.now() - started < 20_000);
  });
});

test('a link goes on pointing at what was given another name', () => {
  const of = (path: string) =>
    new Map([
      ['d/b:c', 'd/b_c'],
      ['e.', 'e_'],
    ]).get(path);
  assert.equal(fitTarget('l', 'd/b:c', 'l', of), 'd/b_c');
  assert.equal(fitTarget('d/l', './b:c', 'd/l', of), 'b_c');
  assert.equal(fitTarget('e./l', '../d/b:c', 'e_/l', of), '../d/b_c');
  assert.equal(fitTarget('l', 'd/other', 'l', of), 'd/other');
});
