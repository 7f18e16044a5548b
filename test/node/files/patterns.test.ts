/** Patterns as in a .gitignore, beside git itself where it is installed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PatternList, parsePattern } from '../../../src/node/files/patterns.ts';
import { scratch } from './helpers.ts';

const letters = (path: string) => path.split('/').map((name) => Array.from(name));

/** Whether it is left out, with all folders above it. */
function isOut(list: PatternList, path: string): boolean {
  const names = letters(path);
  return names.some((_, i) => list.says(names.slice(0, i + 1), i < names.length - 1) === true);
}

const out = (pattern: string, path: string) => isOut(new PatternList(pattern.split('\n')), path);

describe('node: patterns', () => {
  it('mean what a .gitignore means', () => {
    for (const [pattern, taken, left] of [
      ['*.log', 'a.log sub/b.log sub/c.log/x', 'a.logs log'],
      ['/a', 'a a/x', 'b/a'],
      ['b/a', 'b/a b/a/x', 'a x/b/a'],
      ['cache/', 'cache/x sub/cache/y', 'cache'],
      ['**/x/y', 'x/y a/b/x/y', 'y'],
      ['a/**/z', 'a/z a/b/z a/b/c/z', 'z b/a/z'],
      ['a/**', 'a/b a/b/c', 'b/a'],
      ['*.txt\n!keep.txt', 'a.txt', 'keep.txt sub/keep.txt'],
      ['sub\n!sub/keep', 'sub/keep', 'keep'],
      ['?.c', 'a.c é.c 😀.c', 'ab.c .c'],
      ['[a-c]x', 'ax cx', 'dx -x'],
      ['[!a-c]x', 'dx', 'ax'],
      ['[[:digit:]]*', '1 2a', 'a1'],
      ['[]]x', ']x', 'ax'],
      ['\\!a\n\\#b', '!a #b', 'a b'],
      ['a\\*', 'a*', 'ab'],
      ['*', 'a a/b', ''],
      ['# a\n\n   \n[a\na\\', '', 'a #'],
    ] as const) {
      for (const path of taken.split(' ').filter((path) => path !== ''))
        assert.ok(out(pattern, path), `${pattern} takes ${path}`);
      for (const path of left.split(' ').filter((path) => path !== ''))
        assert.ok(!out(pattern, path), `${pattern} leaves ${path}`);
    }
    assert.ok(out('a\\ ', 'a ') && !out('a\\ ', 'a'));
    assert.ok(out('a   ', 'a') && !out('a   ', 'a '));
  });

  it('do not hold the process, whatever is in them', () => {
    const name = 'a'.repeat(255);
    const evil = [
      `${'*a'.repeat(120)}*b`,
      `${'*a*'.repeat(80)}c`,
      `${'**/'.repeat(400)}b`,
      '*'.repeat(4000),
      `[${'a-'.repeat(2000)}]`,
    ];
    const list = new PatternList(evil);
    const deep = Array(200).fill(name).join('/');
    // Counted and not timed: a regular expression that backtracks would not come back here at all.
    assert.equal(list.says(letters(deep), true), true, 'the plain stars take it');
    assert.equal(new PatternList([evil[0]!, evil[1]!]).says([Array.from(name)], false), undefined);
    assert.equal(new PatternList([`${'a/**/'.repeat(100)}b`]).says(Array(250).fill(['a']), false), undefined);
  });

  it('that are too long match nothing', () => {
    assert.equal(parsePattern('a'.repeat(5000)), undefined);
  });

  const git = (() => {
    try {
      return execFileSync('git', ['--version']).length > 0;
    } catch {
      return false;
    }
  })();

  it('agree with git', { skip: !git && 'git is not installed' }, (t) => {
    const dir = scratch(t);
    const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
    execFileSync('git', ['init', '-q', dir], { env });
    const paths: string[] = [];
    for (const one of ['a', 'b', 'ab', '-', 'x.c'])
      for (const two of ['', 'a', 'ab', 'x.c', 'b/a', 'b/x.c']) {
        const path = two === '' ? `${one}.f` : `${one}/${two}`;
        if (!paths.some((other) => other.startsWith(`${path}/`))) paths.push(path);
      }
    for (const path of paths) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), '');
    }
    const part = fc.array(
      fc.constantFrom(
        'a',
        'b',
        '*',
        '?',
        '**',
        'x.c',
        '[ab]',
        '[!a]',
        '[a-b]',
        '[[:alpha:]]',
        '\\a',
        '-',
        '.f',
      ),
      { minLength: 1, maxLength: 3 },
    );
    const pattern = fc
      .record({
        not: fc.boolean(),
        first: fc.boolean(),
        last: fc.boolean(),
        parts: fc.array(part, { minLength: 1, maxLength: 3 }),
      })
      .map(
        ({ not, first, last, parts }) =>
          `${not ? '!' : ''}${first ? '/' : ''}${parts.map((pieces) => pieces.join('')).join('/')}${last ? '/' : ''}`,
      )
      // What stars beside other characters mean differs between versions of git.
      .filter((text) => !/[^/*!]\*\*|\*\*[^/*]/.test(text));
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 4 }), (patterns) => {
        writeFileSync(join(dir, '.gitignore'), `${patterns.join('\n')}\n`);
        const listed = execFileSync('git', ['-C', dir, 'ls-files', '-o', '-z', '--exclude-from=.gitignore'], {
          env,
        })
          .toString()
          .split('\0');
        const list = new PatternList(patterns);
        for (const path of paths)
          assert.equal(isOut(list, path), !listed.includes(path), `${JSON.stringify(patterns)} and ${path}`);
      }),
      { numRuns: 150, seed: Number(process.env.SEED ?? 1) },
    );
  });
});
