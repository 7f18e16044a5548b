import assert from 'node:assert/strict';
import { posix, win32 } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { escapeName } from '../../src/base/printable.ts';
import { atOnce } from '../../src/base/slices.ts';
import type { Entry, EntryKind } from '../../src/offer/manifest.ts';
import { checkEntries, foldKey, type NameRules, unsafeLinks } from '../../src/offer/names.ts';

const entry = (path: string, kind: EntryKind = 'file', target = ''): Entry => ({
  path,
  kind,
  size: 0,
  mode: 0o644,
  mtime: 0,
  target,
  version: '',
});
const folder = (path: string) => entry(path, 'folder');
const link = (path: string, target: string) => entry(path, 'link', target);

function refused(entries: Entry[], rules?: Parameters<typeof checkEntries>[1]): void {
  assert.throws(
    () => checkEntries(entries, rules),
    (error: BeelineError) => error instanceof BeelineError && error.code === 'UNSAFE_NAME',
  );
}

const windows = { platform: 'windows' } as const;
const everywhere = [{ platform: 'posix' } as const, windows];

describe('names that are refused everywhere', () => {
  const names: Record<string, string> = {
    empty: '',
    absolute: '/etc/passwd',
    'parent alone': '..',
    'parent inside': 'a/../b',
    'this folder': './a',
    'empty part': 'a//b',
    'trailing slash': 'a/',
    NUL: 'a\0b',
    newline: 'a\nb',
    escape: 'a\x1b[31mb',
    DEL: 'a\x7f',
    C1: 'a\x9bb',
    'line separator': 'a\u2028b',
    'paragraph separator': 'a\u2029b',
    'lone high surrogate': 'a\ud800',
    'lone low surrogate': '\udc00a',
    'long component': 'x'.repeat(256),
    'long component in bytes': 'é'.repeat(128),
    'long path': Array.from({ length: 20 }, () => 'x'.repeat(250)).join('/'),
    deep: Array.from({ length: 1001 }, () => 'a').join('/'),
    staging: '.beeline-0123',
  };
  for (const [what, name] of Object.entries(names)) {
    test(what, () => {
      for (const rules of everywhere) refused([entry(name)], rules);
    });
  }
});

describe('names that only Windows gives another meaning', () => {
  const names = [
    ...['..\\evil', 'a\\b', 'C:evil', 'C:', 'file.txt:stream', 'CON', 'con.txt', 'NUL', 'aux.tar.gz', 'Com1'],
    ...[
      'LPT9.log',
      'COM¹',
      'CONIN$',
      'nul .txt',
      'trailing.',
      'trailing ',
      'what?',
      'a*b',
      '<a>',
      'LONGNA~1.TXT',
    ],
  ];
  for (const name of names) {
    test(JSON.stringify(name), () => {
      refused([entry(name)], windows);
      refused([folder('d'), entry(`d/${name}`)], windows);
      checkEntries([entry(name)], { platform: 'posix' });
    });
  }
});

test('names in any script are taken on both platforms', () => {
  const names = [
    'naïve.txt',
    'Ελλάδα',
    'файл',
    'قائمة',
    'हिन्दी',
    '日本語.txt',
    '👩‍👩‍👧',
    '.hidden',
    'console',
    'a b',
    '~x',
    'com',
  ];
  for (const rules of everywhere) for (const name of names) checkEntries([entry(name)], rules);
  checkEntries([entry('x'.repeat(255)), entry('a\u202eb')]);
});

describe('entries that contradict each other', () => {
  test('twice the same', () => {
    for (const rules of everywhere) refused([entry('a'), entry('a')], rules);
  });
  test('twice the same folder', () => refused([folder('a'), folder('a')]));
  test('a file where a folder must be', () => refused([entry('a'), entry('a/b')]));
  test('an entry below a link', () => refused([folder('d'), link('d/l', '.'), entry('d/l/x')]));
  test('an entry before or without its folder', () => {
    refused([entry('a/b')]);
    refused([entry('a/b'), folder('a')]);
  });
  for (const [what, one, two] of [
    ['case', 'Read.me', 'READ.ME'],
    ['normalisation', 'caf\u00e9', 'cafe\u0301'],
    ['sharp s', 'stra\u00dfe', 'STRASSE'],
    ['kelvin sign', '\u212a', 'k'],
    ['zero-width joiner', 'a\u200db', 'ab'],
  ] as const) {
    test(`${what} collides where the file system folds`, () => {
      refused([entry(one), entry(two)], windows);
      refused([entry(one), entry(two)], { platform: 'posix', foldsCase: true });
      checkEntries([entry(one), entry(two)], { platform: 'posix' });
    });
  }
  test('a folder that differs in case from the parent of an entry', () => {
    refused([folder('Dir'), entry('dir/a')], { platform: 'posix', foldsCase: true });
    refused([folder('dir'), link('Dir', 'x')], { platform: 'posix', foldsCase: true });
  });
  test('the staging name in another case, and below', () => {
    refused([entry('.Beeline-x')], { platform: 'posix', foldsCase: true });
    refused([folder('d'), entry('d/.beeline-x')]);
    refused([folder('d'), folder('d/.beeline-x'), entry('d/.beeline-x/journal')]);
    checkEntries([folder('d'), entry('d/beeline-x'), entry('d/x.beeline-'), entry('.beeline')]);
  });
});

describe('links', () => {
  const unsafe = (entries: Entry[], rules?: NameRules) => {
    checkEntries(entries, rules);
    const found = atOnce(unsafeLinks(entries, rules));
    assert.ok(found.size > 0, JSON.stringify(entries.map(({ path, target }) => [path, target])));
    return found;
  };
  const refusedLink = (target: string, path = 'l') =>
    unsafe([folder('d'), entry('f'), link(path, target)]).get(2)!;
  test('empty', () => void refusedLink(''));
  test('absolute', () => assert.equal(refusedLink('/etc/passwd').outward, true));
  test('out of the destination', () => void refusedLink('../x'));
  test('out of the destination by a detour', () => void refusedLink('d/../../x'));
  test('out of the destination from a folder', () => void refusedLink('../../x', 'd/l'));
  test('control characters', () => assert.equal(refusedLink('a\x1bb').outward, false));
  test('absurdly long', () => void refusedLink('a/'.repeat(3000)));
  test('climbing behind another link', () => {
    unsafe([folder('d'), folder('d/e'), link('b', 'd/e'), link('a', 'b/../../x')]);
    unsafe([folder('d'), folder('d/e'), link('a', 'b/..'), link('b', 'd/e')]);
    unsafe([link('a', 'a/..')]);
  });
  test('climbing behind a link under another case', () =>
    void unsafe([folder('d'), link('B', 'd'), link('a', 'b/../x')], { platform: 'posix', foldsCase: true }));
  test('Windows separators and drives', () => {
    for (const target of ['..\\x', 'C:\\x', '\\\\host\\share', '.. /x', 'd/. ./x'])
      unsafe([folder('d'), link('l', target)], windows);
  });
  test('inside the destination they are taken', () => {
    const safe = (entries: Entry[], rules?: NameRules) =>
      assert.equal(atOnce(unsafeLinks(entries, rules)).size, 0);
    const tree = [folder('usr'), folder('usr/lib'), link('lib', 'usr/lib'), link('so', 'lib/x.so')];
    for (const rules of everywhere)
      safe([...tree, link('usr/up', '..'), link('usr/back', '../usr/lib/./gone'), link('self', '.')], rules);
    safe([link('loop', 'loop'), link('colon', 'a:b\\c')]);
  });
});

test('the error names the entry, escaped', () => {
  assert.throws(
    () => checkEntries([entry('ok'), entry('e\x1b[31m\u202evil')]),
    (error: BeelineError) =>
      error.message.includes('e\\u{1b}[31m\\u{202e}vil') && error.paths[0] === 'e\x1b[31m\u202evil',
  );
});

/** Names of pieces that attackers put together. */
const part = fc.oneof(
  fc.constantFrom('..', '.', '', 'a', 'b', 'A', 'C:', '\\', '..\\', 'CON', '.. ', '/', '\0', '\u200b', '...'),
  fc.string({ maxLength: 4, unit: 'binary' }),
);
const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));

test('no path is let through that would resolve outside the root', () => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 4 }), (paths) => {
      for (const [rules, { resolve, sep }, root] of [
        [{ platform: 'posix' }, posix, '/root/dir'],
        [windows, win32, 'C:\\root\\dir'],
      ] as const) {
        try {
          checkEntries(
            paths.map((p) => folder(p)),
            rules,
          );
        } catch {
          continue;
        }
        for (const p of paths) {
          const resolved = resolve(root, p);
          assert.ok(resolved.startsWith(root + sep), p);
          // And is exactly what it says, without anything dropped on the way.
          assert.equal(resolved, root + sep + p.replaceAll('/', sep));
        }
      }
    }),
    { numRuns: Number(process.env.RUNS ?? 2000) },
  );
});

/** What a kernel does with a path on a disk that holds just these links; undefined where it gives up. */
function follow(start: string[], path: string, links: Map<string, string>): string[] | 'outside' | undefined {
  const at = [...start];
  const left = path.split('/');
  for (let hops = 0; left.length > 0; ) {
    const next = left.shift()!;
    if (next === '' || next === '.') continue;
    if (next === '..') {
      if (at.pop() === undefined) return 'outside';
      continue;
    }
    at.push(next);
    const target = links.get(at.join('/'));
    if (target === undefined) continue;
    if (++hops > 40) return undefined;
    at.pop();
    left.unshift(...target.split('/'));
  }
  return at;
}

test('no chain of links that is let through leaves the root', () => {
  const target = fc
    .array(fc.constantFrom('..', 'a', 'b', 'c', 'd'), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join('/'));
  const names = ['a', 'b', 'd/a', 'd/b', 'd/c/a'];
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(target, { minLength: names.length, maxLength: names.length }), (targets) => {
      const used = names.slice(0, 2 + (targets[0]!.length % 4));
      const entries = [folder('d'), folder('d/c'), ...used.map((name, i) => link(name, targets[i]!))];
      const unsafe = atOnce(unsafeLinks(entries));
      const kept = entries.filter(({ kind }, i) => kind === 'link' && !unsafe.has(i));
      if (kept.length > 1) accepted++;
      const links = new Map(kept.map(({ path, target }) => [path, target]));
      for (const name of links.keys())
        assert.notEqual(follow([], name, links), 'outside', JSON.stringify([...links]));
    }),
    { numRuns: Number(process.env.RUNS ?? 5000) },
  );
  assert.ok(accepted > 20, `only ${accepted} were accepted at all`);
});

const DANGEROUS =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]|\p{Cs}/u;

describe('escapeName', () => {
  test('nothing that steers a terminal is left, and twice is once', () => {
    const character = fc.oneof(
      fc.string({ maxLength: 3, unit: 'binary' }),
      fc.constantFrom(
        '\x1b',
        '\u202e',
        '\u2066',
        '\u200f',
        '\u061c',
        '\u{e0041}',
        '\u200b',
        '\ud800',
        '\udc00',
        '\ufeff',
      ),
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    );
    fc.assert(
      fc.property(fc.array(character), (parts) => {
        const escaped = escapeName(parts.join(''));
        assert.doesNotMatch(escaped, DANGEROUS);
        assert.equal(escapeName(escaped), escaped);
      }),
      { numRuns: Number(process.env.RUNS ?? 2000) },
    );
  });
  test('what is printable stays', () => {
    for (const text of [
      'a\\b',
      'naïve',
      'Ελ',
      'файл',
      'قائمة',
      'हिन्दी',
      '日本語',
      '❤️',
      '👍🏽',
      '葛\u{e0100}',
      '\u0600',
    ])
      assert.equal(escapeName(text), text);
  });
  test('what is not becomes visible', () => {
    assert.equal(escapeName('a\u202eb\u{e0041}\ud800\x9b'), 'a\\u{202e}b\\u{e0041}\\u{d800}\\u{9b}');
  });
});

test('foldKey makes equal what some file system holds to be equal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(foldKey(text), foldKey(text.normalize('NFD')));
      assert.equal(foldKey(text), foldKey(text.normalize('NFC')));
      assert.equal(foldKey(text), foldKey(text.toUpperCase()));
    }),
  );
});
