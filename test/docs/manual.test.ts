/** The manual is whole: each page is listed, and each error code has its paragraph. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ErrorCode } from '../../src/base/errors.ts';
import { exitCode } from '../../src/cli/exit.ts';
import { readPage, tracked } from './pages.ts';

test('each page of the manual is one question, and the list has it', () => {
  const pages = tracked('.md').filter(
    (path) => path.startsWith('docs/manual/') && !path.endsWith('README.md'),
  );
  const listed = readPage('docs/manual/README.md').links;
  assert.deepEqual(listed.sort(), pages.map((path) => path.replace('docs/manual/', '')).sort());
  for (const path of pages) assert.match(readFileSync(path, 'utf8'), /^# [^\n]+\?\n/, path);
});

test('what the manual shows of nginx is what docs/server.md has, which is run', () => {
  const [short, long] = ['docs/manual/host-a-server.md', 'docs/server.md'].map((path) => {
    const block = readPage(path).blocks.find(({ language }) => language === 'nginx');
    return block!.text
      .trim()
      .split('\n')
      .map((line) => line.trim());
  });
  assert.ok(short!.length > 6);
  assert.deepEqual(
    short!.filter((line) => !long!.includes(line)),
    [],
  );
});

test('each error code says what to do, and its exit code', () => {
  const codes = [...readFileSync('src/base/error-codes.ts', 'utf8').matchAll(/\| '([A-Z_]+)'/g)].map(
    ([, code]) => code as ErrorCode,
  );
  assert.ok(codes.length > 20);
  const text = readFileSync('docs/manual/troubleshooting.md', 'utf8');
  const told = [...text.matchAll(/^## ([A-Z_]+)\n\n[^\n]+\. Exit code (\d+)\.\n\n[^\n]{10,}\n/gm)];
  assert.deepEqual(told.map(([, code]) => code).sort(), [...codes].sort());
  for (const [, code, exit] of told) assert.equal(exitCode(code as ErrorCode), Number(exit), code);
});
