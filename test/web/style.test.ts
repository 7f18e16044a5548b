/** The style names sides by the direction of reading, so that a language from right to left mirrors the page. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const PHYSICAL =
  /(?:^|[;{\s])(?:(?:margin|padding|border|inset)-(?:left|right)(?:-\w+)?|left|right|float|clear|border-(?:top|bottom)-(?:left|right)-radius)\s*:|text-align\s*:\s*(?:left|right)|\b(?:background-position|transform-origin|object-position)\s*:[^;]*\b(?:left|right)\b/;

const styles = readdirSync('web').filter((name) => name.endsWith('.css'));

test('no declaration of the page names the left or the right', () => {
  assert.ok(styles.length > 0);
  for (const name of styles) {
    const text = readFileSync(`web/${name}`, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    const found = text.split('\n').filter((line) => PHYSICAL.test(line));
    assert.deepEqual(found, [], name);
  }
});

test('a physical side would be found', () => {
  for (const line of ['  margin-left: 1rem;', '  left: 0;', 'a { float: right }', '  text-align: left;'])
    assert.ok(PHYSICAL.test(line), line);
  for (const line of ['  margin-inline-start: 1rem;', '#left:not(:empty)::before {', '  text-align: start;'])
    assert.ok(!PHYSICAL.test(line), line);
});
