/** The React recipe as an application of somebody's: bundled from the packed package, served from a site of its own, used by a person. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { build } from 'esbuild';
import { installPacked, name, ROOT } from '../integration/packed.ts';
import { inBrowser } from './harness/suite.ts';

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };
const PAGE =
  '<!doctype html><title>React</title><link rel="icon" href="data:,"><main></main><script type="module" src="/app.js"></script>';

/** What the author of an application writes around the recipe. React's strict mode mounts each component twice. */
const app = (server: string) => `
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Receive, Send } from './react.tsx';
const server = ${JSON.stringify(server)};
createRoot(document.querySelector('main')!).render(
  <StrictMode><Send server={server} /><Receive server={server} /></StrictMode>,
);
`;

inBrowser('chromium', 'the React recipe', ({ test }) => {
  test('one component sends to the other, and what came is saved', async (stage) => {
    const { work } = stage;
    const bytes = randomBytes(2_000_000);
    writeFileSync(work.path('one.bin'), bytes);
    const dir = installPacked();
    for (const beside of ['react', 'react-dom'])
      if (!existsSync(join(dir, 'node_modules', beside)))
        symlinkSync(join(ROOT, 'node_modules', beside), join(dir, 'node_modules', beside));
    const files = new Map<string, string | Buffer>([['/', PAGE]]);
    const site = createServer(({ url = '/' }, response) => {
      const found = files.get(url);
      response.writeHead(found === undefined ? 404 : 200, {
        'content-type': TYPES[extname(url) || '.html'] ?? 'text/plain',
      });
      response.end(found);
    });
    try {
      await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
      const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
      const { origin: server } = await stage.serve(0, '--allow-origin', origin);
      copyFileSync(join(ROOT, 'docs/recipes/react.tsx'), join(dir, 'react.tsx'));
      writeFileSync(join(dir, 'app.tsx'), app(server));
      const { outputFiles } = await build({
        ...{
          entryPoints: [join(dir, 'app.tsx')],
          bundle: true,
          format: 'esm',
          write: false,
          jsx: 'automatic',
        },
        ...{ define: { 'process.env.NODE_ENV': '"development"' }, logLevel: 'silent' },
        tsconfigRaw: {},
      });
      files.set('/app.js', outputFiles[0]!.text);
      for (const worker of ['storage', 'download'])
        files.set(
          `/beeline/${worker}.worker.js`,
          readFileSync(join(dir, 'node_modules', name, `dist/browser/${worker}.worker.js`)),
        );

      const page = await stage.tab(origin);
      await page.page.goto(origin);
      await page.page.locator('input[type=file]').wait();
      await (await page.page.$('input[type=file]'))!.uploadFile(work.path('one.bin'));
      await page.says(/The code is \S/);
      const code = await page.text('output');
      await page.fill('Code of the sender', code);
      await page.press('See what it is');
      await page.says(/one\.bin/, 'section[aria-label=Receive]');
      await page.press('Receive');
      for (const side of ['Send', 'Receive']) await page.says(/It is there\./, `section[aria-label=${side}]`);
      const [saved] = await stage.downloads(() => page.press('Save'));
      assert.ok(readFileSync(saved!).equals(bytes));

      // A wrong code is an error in words, and the component takes another one.
      await page.fill('Code of the sender', '1-abandon-abandon');
      await page.press('See what it is');
      await page.says(/nobody|no sender|No /i, 'section[aria-label=Receive] [role=status]');
    } finally {
      site.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
