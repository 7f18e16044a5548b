/** The page as it was built. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { REASONS } from '../../src/base/reasons.ts';

const ASSETS = 'dist/web/assets';

test('the page has the text of every reason that it names, and of no other', () => {
  const script = readdirSync(ASSETS).find((name) => /^index-.*\.js$/.test(name));
  assert.ok(script, `no script in ${ASSETS}: run npm run build first`);
  const code = readFileSync(`${ASSETS}/${script}`, 'utf8');
  const names = Object.keys(REASONS);
  const count = (pattern: string) => code.match(new RegExp(pattern, 'g'))?.length ?? 0;
  const named = names.filter((name) => count(`\\b${name}\\b`) > 0);
  assert.ok(named.includes('WEBRTC_FAILED') && named.length < names.length, `${named.length} are named`);
  for (const name of named) {
    const texts = count(`\\b${name}:["'\`]`);
    assert.equal(texts, 1, `${name} has its text`);
    assert.ok(count(`\\b${name}\\b`) > texts, `${name} is named`);
  }
});
