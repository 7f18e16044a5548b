import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import * as engine from '../../src/browser/index.ts';
import {
  codeIn,
  codeProblem,
  elsewhere,
  linkTo,
  otherHost,
  plainCode,
  questionAbout,
} from '../../web/model/code.ts';

test('a code is found bare, in a link, and in a fragment', () => {
  for (const text of [
    '7-velvet-canyon',
    '  7-velvet-canyon\n',
    '#7-velvet-canyon',
    'https://beeline.example/#7-velvet-canyon',
    'HTTP://[::1]:8080/#7-velvet-canyon',
    'localhost:4848/#7-velvet-canyon',
    'https://beeline.example/page?x=1#7-velvet-canyon',
    'https://beeline.example/#7%2Dvelvet-canyon',
  ])
    assert.equal(codeIn(text), '7-velvet-canyon', text);
});

test('a password of the person’s own keeps its signs', () => {
  assert.equal(codeIn('7-my#secret'), '7-my#secret');
  assert.equal(codeIn('7-100% sure'), '7-100% sure');
  assert.equal(codeIn('#7-100% sure'), '7-100% sure');
});

test('a link leads back to its code, whatever is in it', () => {
  const code = fc.tuple(
    fc.stringMatching(/^[a-z0-9]{1,8}$/),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  );
  fc.assert(
    fc.property(code, ([nameplate, password]) => {
      const text = `${nameplate}-${password}`.trim();
      assert.equal(codeIn(linkTo('https://beeline.example', text)), text);
    }),
  );
});

test('what was pasted around a code goes, and what looks mistyped is asked about before it is tried', () => {
  assert.equal(plainCode('<https://beeline.example/#7-Alpha-zoo>.'), '7-alpha-zoo');
  assert.equal(plainCode('7 alpha zoo'), '7-alpha-zoo');
  assert.equal(plainCode('beeline receive \u201c7-alpha-zoo\u201d'), '7-alpha-zoo');
  assert.equal(questionAbout(engine, '7-alpha-zoo'), undefined);
  const one = questionAbout(engine, '7-alpah-zoo');
  assert.match(one!.text, /'alpah' is not a word of a code. Did you mean 'alpha'\?/);
  assert.equal(one!.meant, '7-alpha-zoo');
  assert.equal(questionAbout(engine, '7-xat-zoo')!.meant, undefined);
  for (const lacking of ['velvet-canyon', 'velvt-canyon', 'velvet-canyon-7', '7velvet-canyon'])
    assert.match(
      questionAbout(engine, lacking)!.text,
      /The number at the front of the code is missing/,
      lacking,
    );
});

test('a link of another server is told from those of this one, and its code is not to be tried here', () => {
  const here = new URL('https://beeline.example/');
  for (const text of [
    '7-velvet-canyon',
    '#7-velvet-canyon',
    'https://beeline.example/#7-velvet-canyon',
    'HTTPS://Beeline.Example:443/#7-velvet-canyon',
    'wss://beeline.example#7-velvet-canyon',
    'beeline.example/#7-velvet-canyon',
    'https://other.example/',
    'see you at https://other.example/',
  ])
    assert.equal(otherHost(text, here), undefined, text);
  for (const [text, host] of [
    ['https://other.example/#7-velvet-canyon', 'other.example'],
    ['<https://other.example/page?x=1#7-velvet-canyon>.', 'other.example'],
    ['https://beeline.example:4848/#7-velvet-canyon', 'beeline.example:4848'],
    ['https://beeline.example@other.example/#7-a', 'other.example'],
    ['other.example/#7-a', 'other.example'],
    ['https://bücher.example/#7-a', 'xn--bcher-kva.example'],
  ] as const)
    assert.equal(otherHost(text, here), host, text);
  const long = otherHost(`https://${'beeline.example.'.repeat(30)}other.example/#7-a`, here)!;
  assert.ok(long.length < 70 && long.endsWith('.other.example'), long);
  assert.match(elsewhere('https://other.example/#7-a', here)!, /other\.example/);
});

test('what is no code is said in words that do not repeat it', () => {
  assert.equal(codeProblem('7-velvet-canyon'), undefined);
  assert.equal(codeProblem('https://beeline.example/#7-velvet-canyon'), undefined);
  assert.match(codeProblem('')!, /Type or paste the code/);
  assert.match(codeProblem('https://beeline.example/')!, /has no code in it/);
  assert.match(codeProblem('canyon')!, /two parts/);
  assert.match(codeProblem('7-')!, /nothing after its first dash/);
  assert.doesNotMatch(codeProblem('Sécret-words')!, /Sécret/);
});
