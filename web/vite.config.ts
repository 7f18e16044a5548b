/**
 * Builds the page into dist/web: no inline script or style and no data: address, as its content security policy demands. The
 * service workers are scripts of their own, each in one file at a fixed address: a scope ends where the script's folder does, and not
 * every browser lets one import modules.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { minify } from 'terser';
import { build, defineConfig, type InlineConfig, type Plugin } from 'vite';
import { REASONS } from '../src/base/reasons.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const OUT = here('../dist/web');
/** Chromium, Firefox and Safari of 2023: the first with OPFS handles, top-level await and `:has` all together. */
const TARGET = ['chrome111', 'firefox115', 'safari16.4'];

export default defineConfig({
  root: here('.'),
  publicDir: here('public'),
  // Relative addresses would depend on the address by which the page was opened.
  base: '/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  worker: { format: 'es' },
  plugins: [
    nothingToPreload(),
    onlyItsReasons(),
    smallerStill(),
    serviceWorker('../src/browser/files/download.worker.ts', 'download.worker.js'),
    serviceWorker('./shell.worker.ts', 'shell.worker.js', shellOf),
  ],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: TARGET,
    assetsInlineLimit: 0,
    modulePreload: false,
    // One script has it all: each more would be a request more, and compressed for itself.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'index', tags: ['$initial'] }] } } },
    reportCompressedSize: false,
  },
});

/** A part that is loaded later needs nothing but itself, so what Vite adds to every `import()` would have nothing to do. It is 1.3 kB, compressed. */
function nothingToPreload(): Plugin {
  return {
    name: 'beeline-nothing-to-preload',
    enforce: 'pre',
    load: (id) =>
      id === '\0vite/preload-helper.js' ? 'export const __vitePreload = (load) => load();' : undefined,
  };
}

/** The table of reasons is the whole program's. Those that nothing in the page names are more than half of it: 5 kB, compressed. */
function onlyItsReasons(): Plugin {
  return {
    name: 'beeline-only-its-reasons',
    renderChunk(code, _chunk, _options, { chunks }) {
      const named = new Map<string, number>();
      // The table is in one part of the page, and what names its reasons in others.
      const all = Object.values(chunks).flatMap(({ modules }) => Object.values(modules));
      for (const { code } of all)
        for (const [name] of (code ?? '').matchAll(/\b[A-Z][A-Z0-9_]+\b/g))
          named.set(name, (named.get(name) ?? 0) + 1);
      const unused = (name: string) => Object.hasOwn(REASONS, name) && named.get(name) === 1;
      return code.replace(/^\t+([A-Z][A-Z0-9_]+): "[^\n]*",?\n/gm, (line, name) =>
        unused(name) ? '' : line,
      );
    },
  };
}

/** What Vite's own minifier leaves is 1.7 kB more, compressed; terser alone, without that one before, leaves 3 kB more. */
function smallerStill(): Plugin {
  return {
    name: 'beeline-smaller-still',
    apply: 'build',
    enforce: 'post',
    async generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        const { code } = await minify(chunk.code, { module: true, ecma: 2020, compress: { passes: 1 } });
        chunk.code = code ?? chunk.code;
      }
    },
  };
}

/** What the shell's worker keeps: all that a page opens with. Pictures for systems are theirs, and each worker is fetched by the browser itself. */
function shellOf(folder: string): Record<string, string> {
  const assets = readdirSync(join(folder, 'assets')).map((name) => `/assets/${name}`);
  const paths = ['/', '/icon.svg', '/manifest.webmanifest', ...assets.sort()];
  const hash = createHash('sha256');
  for (const path of paths)
    hash.update(path).update(readFileSync(join(folder, path === '/' ? 'index.html' : path)));
  return {
    SHELL: JSON.stringify(paths),
    SHELL_VERSION: JSON.stringify(hash.digest('base64url').slice(0, 22)),
  };
}

/** @param define constants that follow from what was built, in its folder */
function serviceWorker(
  input: string,
  name: string,
  define: (folder: string) => Record<string, string> = () => ({}),
): Plugin {
  let outDir = OUT;
  return {
    name: 'beeline-service-worker',
    apply: 'build',
    configResolved(config) {
      outDir = config.build.outDir;
    },
    async closeBundle() {
      const config: InlineConfig = {
        configFile: false,
        publicDir: false,
        logLevel: 'warn',
        define: define(outDir),
        build: {
          ...{ outDir, emptyOutDir: false, target: TARGET, reportCompressedSize: false },
          rolldownOptions: { input: here(input), output: { format: 'iife', entryFileNames: name } },
        },
      };
      await build(config);
    },
  };
}
