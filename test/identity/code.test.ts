import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import fc from 'fast-check';
import { editDistance } from '../../src/base/distance.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { codeIn, formatCode, generatePassword, MAX_PASSWORD, parseCode } from '../../src/identity/code.ts';
import { describeDoubt, doubtAbout, hintAtDoubt } from '../../src/identity/doubt.ts';
import { seed } from '../seed.ts';

const isUsage = (thrown: unknown) => thrown instanceof BeelineError && thrown.code === 'USAGE';

test('the first dash splits; case, space, dashes and Unicode form do not matter', () => {
  const code = { nameplate: '7', password: 'velvet-canyon' };
  for (const text of [
    '7-velvet-canyon',
    ' 7-Velvet  CANYON\n',
    '7 - velvet -- canyon-',
    '7\u2011velvet\u2014canyon',
    '7-velvet\u00a0canyon',
  ])
    assert.deepEqual(parseCode(text), code, JSON.stringify(text));
  assert.deepEqual(parseCode('Ab9-x'), { nameplate: 'ab9', password: 'x' });
  assert.equal(parseCode('7-caf\u00e9').password, parseCode('7-CAFE\u0301').password);
  assert.equal(parseCode('7-stra\u00dfe').password, parseCode('7-STRASSE').password);
  assert.equal(parseCode('7-\u1e9e').password, parseCode('7-ss').password);
});

test('what is not a code is refused with USAGE and without quoting it', () => {
  const secret = 'hunter2hunter2';
  for (const text of [
    '',
    secret,
    `-${secret}`,
    '7-',
    '7- - ',
    `7_8-${secret}`,
    `${'n'.repeat(33)}-${secret}`,
    `\u00e9-${secret}`,
    `7-${secret}\u0000`,
    `7-${secret}\u202e`,
    `7-${secret}\ud800`,
    `7-${secret.repeat(30)}`,
    `7-${secret.repeat(300)}`,
  ])
    assert.throws(
      () => parseCode(text),
      (thrown) => isUsage(thrown) && !String(thrown).includes(secret),
      JSON.stringify(text),
    );
});

test('a password may have 256 bytes and no more', () => {
  assert.equal(parseCode(`7-${'x'.repeat(MAX_PASSWORD)}`).password.length, MAX_PASSWORD);
  assert.throws(() => parseCode(`7-${'x'.repeat(MAX_PASSWORD + 1)}`), isUsage);
  assert.throws(() => parseCode(`7-${'\u00e9'.repeat(MAX_PASSWORD / 2 + 1)}`), isUsage);
});

test('any text either is refused with USAGE or parses to a code that parses to itself', () => {
  const part = fc.string({ unit: 'binary', maxLength: 40 });
  const anything = fc.oneof(
    part,
    part.map((text) => `7-${text}`),
    fc.string({
      unit: fc.constantFrom('-', ' ', 'A', '\u00df', '\u0130', '\u03a3', '\u0345', '\u0301', '7', '\ud83d'),
      maxLength: 20,
    }),
  );
  fc.assert(
    fc.property(anything, (text) => {
      let code: ReturnType<typeof parseCode>;
      try {
        code = parseCode(text);
      } catch (thrown) {
        assert.ok(isUsage(thrown), String(thrown));
        return;
      }
      assert.match(code.nameplate, /^[a-z0-9]{1,32}$/);
      const size = Buffer.byteLength(code.password);
      assert.ok(size >= 1 && size <= MAX_PASSWORD);
      assert.deepEqual(parseCode(formatCode(code)), code);
    }),
    { numRuns: 1000 },
  );
});

test('every letter that has cases folds to one form', () => {
  for (let point = 0x21; point < 0x20000; point++) {
    const letter = String.fromCodePoint(point);
    if (!/\p{L}/u.test(letter)) continue;
    const { password } = parseCode(`7-${letter}`);
    assert.equal(parseCode(`7-${password}`).password, password, point.toString(16));
    assert.equal(parseCode(`7-${letter.toUpperCase()}`).password, password, point.toString(16));
  }
});

test('generated passwords are list words that survive a round trip, and differ', async () => {
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const password = await generatePassword();
    const words = password.split('-');
    assert.equal(words.length, 2);
    for (const word of words) {
      assert.ok(wordlist.includes(word));
      seen.add(word);
    }
    assert.equal(parseCode(formatCode({ nameplate: '7', password })).password, password);
  }
  // 400 draws from 2048 words give 364 different ones, give or take 6.
  assert.ok(seen.size > 300, String(seen.size));
  assert.equal((await generatePassword(5)).split('-').length, 5);
  for (const words of [0, 17, 1.5, Number.NaN]) await assert.rejects(generatePassword(words), isUsage);
});

test('what stands around a code when people type, paste or dictate it is no part of it', () => {
  for (const text of [
    '7-alpha-zoo.',
    '7 alpha zoo',
    '7 - alpha - zoo',
    '7. Alpha. Zoo.',
    '7, alpha, zoo!',
    '\u201c7-alpha-zoo\u201d',
    '\u201e7-alpha-zoo\u201c,',
    '\u00ab 7-alpha-zoo \u00bb',
    "'7-alpha-zoo'",
    '`7-alpha-zoo`',
    '**7-alpha-zoo**',
    '(7-alpha-zoo)',
    '7\u00a0alpha\u00a0zoo',
    '\u200b7-alpha-zoo\u200b',
    '\uff17\uff0d\uff41lpha\uff0dzoo',
    'Code: 7-alpha-zoo',
    '#7-alpha-zoo',
    'https://x.example/#7-alpha-zoo.',
    '<https://x.example:4848/#7-alpha-zoo>',
    '(https://x.example/#7-alpha-zoo)',
    '[here](https://x.example/#7-alpha-zoo)',
    'Take it: https://x.example/#7-alpha-zoo, until noon',
    'x.example/#7-alpha-zoo\u3002',
    'beeline receive 7-alpha-zoo',
    '    beeline receive 7-alpha-zoo --at 192.0.2.1:4848',
    '$ beeline receive "7-alpha-zoo"',
    'npx beeline receive --code=7-alpha-zoo',
    'beeline receive 7 alpha zoo \u2014server https://x.example',
  ])
    assert.deepEqual(parseCode(text), { nameplate: '7', password: 'alpha-zoo' }, JSON.stringify(text));
  assert.deepEqual(parseCode('7-don\u2019t-ask'), parseCode("7-don't-ask"));
  for (const sentence of ['no code', 'beeline receive', 'https://x.example/', 'https://x.example/#'])
    assert.throws(() => parseCode(sentence), isUsage, sentence);
});

test('looking for a code in a text takes time in proportion to it', () => {
  for (const part of ['http://', 'beeline receive ', 'x.', ' #', 'a/#', '.,', '- ', '\u201c']) {
    const before = performance.now();
    codeIn(part.repeat(5e5));
    try {
      parseCode(part.repeat(Math.floor(4000 / part.length)));
    } catch (thrown) {
      assert.ok(isUsage(thrown));
    }
    assert.ok(performance.now() - before < 2000, JSON.stringify(part));
  }
});

test('a typo is told with what was meant, anything else is left alone', async () => {
  const meant = (password: string) => doubtAbout(password)?.meant;
  assert.equal(meant('abandn-zoo'), 'abandon-zoo');
  assert.equal(meant('umberlla-zebar'), 'umbrella-zebra');
  const several = doubtAbout('abandon-xat')!;
  assert.deepEqual(several, { word: 'xat', near: ['cat', 'fat', 'hat'], meant: undefined });
  assert.equal(describeDoubt(several), "'xat' is not a word of a code. Did you mean 'cat', 'fat' or 'hat'?");
  assert.equal(hintAtDoubt(several, 'abandon-xat'), "'xat' is not a word of a code.");
  for (const right of [
    'abandon-zoo',
    'abandon-qqqqqqqq',
    'my-own-words',
    'cats-dogs',
    'crossover-clockwork',
    'cat',
    'x-y',
    'alpha-beta',
    '',
    '-'.repeat(256),
  ])
    assert.equal(doubtAbout(right), undefined, right);
  assert.equal(doubtAbout('a'.repeat(256)), undefined);
});

test('one word that is short, a plural or has a letter doubled is a mistyped one beside a listed one', () => {
  for (const [password, meant] of [
    ['ga-zoo', 'gas'],
    ['gass-zoo', 'gas'],
    ['secret-words', 'word'],
    ['zoo-ict', 'act'],
    ['zoo-cta', 'cat'],
    ['abandonzoo', 'abandon-zoo'],
    ['aban-don-zoo', 'abandon'],
    ['zoo-zoo-aban-don', 'abandon'],
  ] as const)
    assert.ok(doubtAbout(password)?.near.includes(meant), password);
  assert.equal(doubtAbout('zoo-zoo-aban-don')?.meant, 'zoo-zoo-abandon');
});

test('one slip anywhere in the words of a generated code makes other listed words, or is noticed', async () => {
  const letters = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0159'-");
  const words = fc.array(fc.constantFrom(...wordlist), { minLength: 2, maxLength: 4 });
  const kinds = fc.constantFrom('insert', 'delete', 'replace', 'swap');
  fc.assert(
    fc.property(words, kinds, fc.nat(), letters, (words, kind, where, letter) => {
      const right = words.join('-');
      const at = where % right.length;
      const [before, here, after] = [right.slice(0, at), right[at]!, right.slice(at + 1)];
      const slip = {
        insert: before + letter + here + after,
        delete: before + after,
        replace: before + letter + after,
        swap: before + after.slice(0, 1) + here + after.slice(1),
      }[kind];
      const { password } = parseCode(`7-${slip}`);
      if (password.split('-').every((word) => wordlist.includes(word))) return;
      const doubt = doubtAbout(password);
      assert.ok(doubt, `${right} ${kind}: ${password}`);
      assert.ok(
        doubt.meant === undefined || doubt.meant === right,
        `${password} for ${right}: ${doubt.meant}`,
      );
      const hint = hintAtDoubt(doubt, password);
      for (const one of [right, password]) assert.ok(!hint.includes(one), `${password}: ${hint}`);
    }),
    { seed, numRuns: 3000 },
  );
});

test('edit distance counts insertions, deletions, substitutions and swaps', () => {
  for (const [a, b, distance] of [
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', 'abc', 0],
    ['abc', 'ab', 1],
    ['abc', 'acb', 1],
    ['abc', 'axc', 1],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
  ] as const) {
    assert.equal(editDistance(a, b), distance, `${a} ${b}`);
    assert.equal(editDistance(b, a), distance, `${b} ${a}`);
  }
});
