/** The programs in the pages: each block that imports the package is compiled, strictly, against the packed package. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { installPacked, ROOT } from '../integration/packed.ts';
import { name, readPage, tracked } from './pages.ts';

/** What a page leaves to whoever reads it. */
const GIVEN = {
  node: 'declare const code: string; declare const server: import("node:http").Server;',
  page: 'declare const file: File; declare function show(code: string): void;',
};
/** In Node, and in a page. */
const LIBRARIES = {
  node: { lib: ['ES2023'], types: ['node'] },
  page: { lib: ['ES2023', 'DOM', 'DOM.Iterable'], types: [] },
};

describe('docs: the programs in the pages', { timeout: 300_000 }, () => {
  let dir: string;
  const programs = tracked('.md').flatMap((path) =>
    readPage(path)
      .blocks.filter(({ language, text }) => /^[jt]s$/.test(language) && text.includes(`'${name}`))
      .map(({ text, line }) => ({
        text,
        where: `${path.replace(/\W+/g, '-')}-${line}.ts`,
        world: text.includes(`'${name}/browser'`) ? ('page' as const) : ('node' as const),
      })),
  );

  before(() => {
    dir = installPacked();
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  for (const world of ['node', 'page'] as const)
    it(`compile in a ${world === 'node' ? 'Node program' : 'page'}`, () => {
      const mine = programs.filter((program) => program.world === world);
      assert.ok(mine.length > (world === 'node' ? 6 : 0), `${mine.length} programs`);
      for (const { where, text } of mine) writeFileSync(join(dir, where), text);
      writeFileSync(join(dir, 'given.d.ts'), GIVEN[world]);
      const compilerOptions = {
        ...{ module: 'NodeNext', moduleResolution: 'NodeNext', target: 'ES2023', noEmit: true },
        ...{ ...LIBRARIES[world], strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true },
      };
      const files = ['given.d.ts', ...mine.map(({ where }) => where)];
      writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
      writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
      try {
        execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript-7/bin/tsc'), '-p', dir], {
          ...{ cwd: dir, encoding: 'utf8' },
        });
      } catch (error) {
        assert.fail((error as { stdout: string }).stdout);
      }
    });
});
