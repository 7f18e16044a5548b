/** The package's name stands in many places, and is the same in each. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { exports, homepage, name, readPage, tracked } from './pages.ts';

const PACKAGE = JSON.parse(readFileSync('package.json', 'utf8'));
const entries = Object.keys(exports).map((entry) => name + entry.slice(1));

test('the package has a scoped name, the command its own, and all addresses are of one repository', () => {
  assert.match(name, /^@[a-z-]+\/beeline$/);
  assert.deepEqual(Object.keys(PACKAGE.bin), ['beeline']);
  const repository = homepage.replace('#readme', '');
  assert.deepEqual([PACKAGE.repository.url, PACKAGE.bugs], [`git+${repository}.git`, `${repository}/issues`]);
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  assert.deepEqual([lock.name, lock.packages[''].name], [name, name]);
});

test('what is imported in pages, examples and programs is what the package exports', () => {
  let found = 0;
  for (const path of tracked('.md', '.mjs', '.js', '.ts', '.tsx', '.yml', '.html')) {
    for (const [, imported] of readFileSync(path, 'utf8').matchAll(
      /^[^*/\n]*\b(?:from |import |import\(|require\()['"]((?:@[\w-]+\/)?beeline(?:\/[\w./-]+)?)['"]/gm,
    )) {
      found++;
      assert.ok(entries.includes(imported!), `${path}: ${imported}`);
    }
  }
  assert.ok(found > 8, `${found} imports`);
});

test('what is installed is the package, and never the name that is somebody else’s', () => {
  let found = 0;
  for (const path of tracked('.md', '.yml', '.yaml', 'Dockerfile', '.service', '.plist'))
    for (const [line, what] of readFileSync(path, 'utf8').matchAll(
      /\b(?:npm (?:install|i)(?: --?[\w-]+)* |npx (?:--yes |-y )?|npm root -g\)"?\/)((?:@[\w-]+\/)?beeline\b)(?![\w.-]*\.tgz)/g,
    )) {
      found++;
      assert.equal(what, name, `${path}: ${line}`);
    }
  assert.ok(found >= 3, `${found} times`);
  assert.ok(
    readPage('README.md').blocks.some(({ text }) => text.includes(`npm install --global ${name}\n`)),
    'README has the line',
  );
});
