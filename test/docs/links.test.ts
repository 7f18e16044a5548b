/** No link of a page leads nowhere, in the repository and in the package. Nothing is asked of the network. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { BLOB, type Page, readPage, tracked } from './pages.ts';

const PAGES = new Map<string, Page>(tracked('.md').map((path) => [path, readPage(path)]));

/** What is wrong with the links of a page. @param there whether a path of the repository is there */
function problems({ path, links }: Page, there: (path: string) => boolean): string[] {
  const wrong: string[] = [];
  for (const link of links) {
    const own = link.startsWith(BLOB);
    // Other people's pages are not ours to keep.
    if (/^[a-z]+:/i.test(link) && !own) continue;
    const [target, anchor] = (own ? link.slice(BLOB.length) : link).split('#') as [string, string?];
    const file = target === '' ? path : normalize(own ? target : join(dirname(path), decodeURI(target)));
    const asked = own ? existsSync : there;
    if (!asked(file)) wrong.push(`${path}: ${link}: there is no ${file}`);
    else if (anchor === undefined || (existsSync(file) && statSync(file).isDirectory())) continue;
    else if (!(PAGES.get(file) ?? readPage(file)).anchors.has(anchor))
      wrong.push(`${path}: ${link}: ${file} has no heading for it`);
  }
  return wrong;
}

test('every link between the pages leads to a file that is there, and to a heading that is there', () => {
  const links = [...PAGES.values()].flatMap(({ links }) => links);
  assert.ok(links.length > 150, `${links.length} links`);
  assert.deepEqual(
    [...PAGES.values()].flatMap((page) => problems(page, existsSync)),
    [],
  );
});

test('a link that leads nowhere is found', () => {
  const page = { path: 'docs/x.md', prose: '', blocks: [], anchors: new Set<string>() };
  const links = [
    'nat.md',
    'nat.md#kinds-of-lane',
    '../README.md',
    `${BLOB}docs/nat.md#kinds-of-lane`,
    'https://example.org/',
  ];
  assert.deepEqual(problems({ ...page, links }, existsSync), []);
  const bad = ['none.md', 'nat.md#none', `${BLOB}none`, `${BLOB}README.md#none`];
  assert.equal(problems({ ...page, links: bad }, existsSync).length, bad.length);
});

test('the pages in the package link to what is in the package, or to the repository', () => {
  const [{ files }] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    }),
  );
  const packed = new Set<string>(files.map(({ path }: { path: string }) => path));
  const there = (path: string) =>
    packed.has(path) || [...packed].some((each) => each.startsWith(`${path.replace(/\/$/, '')}/`));
  const pages = [...packed].filter((path) => path.endsWith('.md'));
  assert.ok(pages.includes('README.md'));
  assert.deepEqual(
    pages.flatMap((path) => problems(readPage(path), there)),
    [],
  );
});
