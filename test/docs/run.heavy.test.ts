/**
 * Every command of every page, run as it stands there: by a shell, in a terminal, from the packed package, page by page. What cannot
 * be run here is listed in lines.ts with the reason.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { whyNoNamespaces } from '../../lab/namespaces.ts';
import { isLeftOut, LEFT_OUT, linesOf, typedBlocks } from './lines.ts';
import { tracked } from './pages.ts';
import { Reader } from './reader.ts';
import { Town } from './town.ts';

const PAGES = tracked('.md');
/** What somebody new to Beeline reads. */
const FIRST = PAGES.filter((path) => path === 'README.md' || path.startsWith('docs/manual/'));
const linesIn = (pages: readonly string[]) => pages.flatMap(typedBlocks).flatMap(linesOf);

const missing = whyNoNamespaces();
const skip = missing !== undefined && !process.env.CI ? missing : false;

describe('docs: every page, command by command', { skip }, () => {
  let town: Town;

  before(() => {
    assert.equal(missing, undefined);
    town = new Town();
  });
  afterEach(() => town.quiet());
  after(() => town?.remove());

  for (const page of PAGES) {
    const blocks = typedBlocks(page);
    if (blocks.flatMap(linesOf).every(isLeftOut)) continue;
    it(page, { timeout: 540_000 }, async () => {
      const reader = new Reader(town, page);
      await reader.read(blocks);
      assert.ok(reader.ran > 0);
    });
  }

  it('what is not run is in a page, and is little', () => {
    const lines = linesIn(PAGES);
    for (const begun of LEFT_OUT)
      assert.ok(
        lines.some(({ text }) => text.startsWith(begun)),
        begun,
      );
    const left = (pages: readonly string[]) => linesIn(pages).filter(isLeftOut);
    const told = (pages: readonly string[]) => left(pages).map(({ text }) => text);
    assert.ok(left(FIRST).length <= 7, told(FIRST).join('\n'));
    assert.ok(left(PAGES).length <= 24, told(PAGES).join('\n'));
    const run = lines.length - left(PAGES).length;
    assert.ok(run > 120, `${run} lines are run`);
  });
});
