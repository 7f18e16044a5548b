/** The page as it was built. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { REASONS } from '../../src/base/reasons.ts';

const ASSETS = 'dist/web/assets';

test('the page has the text of every reason that it names, and of no other', () => {
  const scripts = readdirSync(ASSETS).filter((name) => name.endsWith('.js') && !name.includes('worker'));
  assert.ok(scripts.length > 0, `no script in ${ASSETS}: run npm run build first`);
  const code = scripts.map((script) => readFileSync(`${ASSETS}/${script}`, 'utf8')).join('\n');
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

test('the engine comes behind the first picture, at once and whole: the server may be gone at any time after', () => {
  const modules = readdirSync('web', { recursive: true }).map(String);
  const sources = modules.filter((name) => /\.tsx?$/.test(name) && name !== 'vite.config.ts');
  const text = (name: string) => readFileSync(`web/${name}`, 'utf8');
  const naming = sources.filter((name) => text(name).includes('src/browser/index.ts'));
  assert.deepEqual(naming, ['engine.ts'], 'values and types are in src/browser/light.ts');
  assert.match(text('engine.ts'), /^import type \* as browser from '[./]*src\/browser\/index\.ts';$/m);
  const later = sources.filter((name) => /\bimport\(/.test(text(name)));
  // The decoder of pictures is for those who receive, who need the server anyway. Of languages one is fetched, before the first
  // picture; another one when a person chooses it. Of devices nearby only the server tells, and their part comes at once behind the engine.
  assert.deepEqual(later.sort(), ['engine.ts', 'page.ts', 'scanner.ts', 'words/index.ts']);
});
