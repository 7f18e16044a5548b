/** How a code that is being typed may go on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { completionOf } from '../../src/identity/completion.ts';

test('a word that is begun goes on as those of the list do, so many as are asked for', () => {
  const { before, words } = completionOf('7-cro');
  assert.equal(before, '7-');
  assert.deepEqual(
    words,
    ['crop', 'cross', 'crouch', 'crowd', 'crucial'].filter((word) => word.startsWith('cro')),
  );
  assert.deepEqual(completionOf('7-cross-zo'), { before: '7-cross-', words: ['zone', 'zoo'] });
  assert.deepEqual(completionOf('7 Cross ZO'), { before: '7 Cross ', words: ['zone', 'zoo'] });
  assert.equal(completionOf('7-st', 5).words.length, 5);
  assert.ok(completionOf('7-st').words.length > 5);
  assert.deepEqual(completionOf('7-velvet-cloc').words, ['clock']);
});

test('a word that no listed one begins with is corrected, where it is near to one', () => {
  assert.deepEqual(completionOf('7-alpah').words, ['alpha']);
  assert.deepEqual(completionOf('7-crossz').words, ['cross']);
});

test('what is right, too short, no word or no code gets nothing', () => {
  for (const text of [
    '',
    '7',
    '7-',
    '7-c',
    '7-zoo',
    '7-alpha-zoo',
    'cross',
    '7-xqzvkj',
    'https://x.example/#7-cr',
    '7-cr0',
    `7-${'a'.repeat(99)}`,
  ])
    assert.deepEqual(completionOf(text).words, [], text);
});

test('a long text that is no code is looked through in no time', () => {
  for (const text of [
    '1-'.repeat(50_000),
    `7-${'-a'.repeat(50_000)}`,
    ' '.repeat(100_000),
    `7${' '.repeat(100_000)}`,
  ])
    assert.deepEqual(completionOf(text).words, []);
});
