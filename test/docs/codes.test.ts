/** The codes that the pages, the help and the page show are ones that Beeline could have made, so nobody is corrected who types one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { tracked } from './pages.ts';

const SHOWN = [
  ...tracked('.md', '.1').filter((path) => !path.startsWith('docs/decisions')),
  ...tracked('.ts', '.tsx', '.mjs').filter((path) => /^(src|web|docs|examples|scripts)\//.test(path)),
];
/** A number, and two words or three; what stands before or after it is no part of a longer name. */
const CODE = /(?<![\w./:-])\d{1,7}-([a-z]{3,}-[a-z]{3,}(?:-[a-z]{3,})?)(?![\w/-]|\.\w)/g;
/** Somebody's own words are nobody's on the list, and are shown as that. */
const OWN = ['my-own-words'];

test('words that no list has are found too', () => {
  assert.deepEqual('beeline receive 7-crossover-clockwork'.match(CODE), ['7-crossover-clockwork']);
});

test('each code that is shown is made of listed words', () => {
  const codes = SHOWN.flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(CODE)].map(([code, words]) => ({ path, code, words: words! })),
  ).filter(({ words }) => !OWN.includes(words));
  assert.ok(codes.length > 50, `${codes.length} codes`);
  const wrong = codes.filter(({ words }) => words.split('-').some((word) => !wordlist.includes(word)));
  assert.deepEqual(
    wrong.map(({ path, code }) => `${path}: ${code}`),
    [],
  );
});
