import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import * as engine from '../../src/browser/index.ts';
import { codeIn, codeProblem, linkTo, plainCode, questionAbout } from '../../web/model/code.ts';

test('a code is found bare, in a link, and in a fragment', () => {
  for (const text of [
    '7-crossover-clockwork',
    '  7-crossover-clockwork\n',
    '#7-crossover-clockwork',
    'https://beeline.example/#7-crossover-clockwork',
    'HTTP://[::1]:8080/#7-crossover-clockwork',
    'localhost:4848/#7-crossover-clockwork',
    'https://beeline.example/page?x=1#7-crossover-clockwork',
    'https://beeline.example/#7%2Dcrossover-clockwork',
  ])
    assert.equal(codeIn(text), '7-crossover-clockwork', text);
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
});

test('what is no code is said in words that do not repeat it', () => {
  assert.equal(codeProblem('7-crossover-clockwork'), undefined);
  assert.equal(codeProblem('https://beeline.example/#7-crossover-clockwork'), undefined);
  assert.match(codeProblem('')!, /Type or paste the code/);
  assert.match(codeProblem('https://beeline.example/')!, /has no code in it/);
  assert.match(codeProblem('clockwork')!, /two parts/);
  assert.match(codeProblem('7-')!, /nothing after its first dash/);
  assert.doesNotMatch(codeProblem('Sécret-words')!, /Sécret/);
});
