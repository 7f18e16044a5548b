// tsc writes the types; esbuild writes the code as a few bundled modules, because loading several hundred small ones
// is most of a short command's time (docs/decisions.md has the figures).
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TYPESCRIPT } from './typescript.mjs';

// npm builds by `prepare`: also where nothing is installed, as on `npm pack` in a new clone, or only what runs, as on
// `npm install --omit=dev` and on `npm install --global` of a git address.
const missing = ['esbuild', 'typescript-7', 'vite'].filter(
  (name) => !existsSync(`node_modules/${name}/package.json`),
);
if (missing.length > 0) {
  const what = `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed`;
  console.error(`Beeline cannot be built: ${what}. Run \`npm ci\` first, with the development packages.`);
  // What npm installs globally from a git address, it installs without them.
  if (process.env.npm_config_global === 'true')
    console.error('From a git address: `npm pack ADDRESS`, then `npm install --global FILE.tgz`.');
  process.exit(1);
}
const { build: esbuild } = await import('esbuild');
const { build: buildPage } = await import('vite');

rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, [TYPESCRIPT, '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
const { exports: EXPORTS } = JSON.parse(readFileSync('package.json', 'utf8'));
keepTypesOf(Object.values(EXPORTS).flatMap(({ types }) => types ?? []));
const FOR_NODE = {
  bundle: true,
  platform: 'node',
  mainFields: ['module', 'main'],
  target: 'node20.19',
  legalComments: 'none',
  // pino starts worker threads from its own files; udx-native, node-datachannel, koffi and hyperdht find their binaries beside theirs; what only
  // few need would make the script longer for all. All are loaded when needed.
  external: [
    'pino',
    'udx-native',
    'node-datachannel',
    'koffi',
    'hyperdht',
    'prom-client',
    'yaml',
    'ioredis',
    'socks',
  ],
};
await esbuild({
  ...FOR_NODE,
  entryPoints: {
    index: 'src/index.ts',
    'server/index': 'src/server/index.ts',
    'transports/index': 'src/transports/index.ts',
    stores: 'src/stores.ts',
    // Loaded by file: src/threads/threads.ts looks for it there.
    'threads/worker': 'src/threads/worker.ts',
  },
  outdir: 'dist',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  banner: {
    js: "import{createRequire as beelineRequire}from'node:module';const require=beelineRequire(import.meta.url);",
  },
});
// The command is one script and not of modules, which Node finds and links one by one, and which it cannot load compiled
// (src/cli/code-cache.ts).
await esbuild({
  ...FOR_NODE,
  entryPoints: ['src/cli/main.ts', 'src/cli/process.ts'],
  outdir: 'dist/cli',
  format: 'cjs',
  // What is loaded later is required: a script that was loaded compiled cannot import yet without a warning.
  supported: { 'dynamic-import': false },
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 120,
  define: { 'import.meta.url': 'beelineUrl' },
  banner: { js: "'use strict';const beelineUrl=require('node:url').pathToFileURL(__filename).href;" },
});
// It is read as ASCII, of which V8 needs half the room. esbuild makes strings ASCII, but no regular expressions.
const [stray] = readFileSync('dist/cli/process.js', 'utf8').match(/.{0,40}[^\x00-\x7f].{0,40}/) ?? [];
if (stray !== undefined) throw new Error(`Write \\u escapes in the regular expression at: ${stray}`);
writeFileSync('dist/cli/package.json', '{"type":"commonjs"}\n');
chmodSync('dist/cli/main.js', 0o755);
// The manual page is made of the help's own texts, by the command itself.
writeFileSync('dist/beeline.1', execFileSync(process.execPath, ['dist/cli/main.js', 'help', '--man']));

// The page's code as a library, with its workers beside it.
await esbuild({
  entryPoints: {
    index: 'src/browser/index.ts',
    'storage.worker': 'src/browser/files/storage.worker.ts',
    'download.worker': 'src/browser/files/download.worker.ts',
  },
  outdir: 'dist/browser',
  bundle: true,
  platform: 'browser',
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
});
// The script of an inbox's page, which src/http/uploads/page.ts reads there.
await esbuild({
  entryPoints: { 'beeline-upload': 'src/http/uploads/page-script.ts' },
  outdir: 'dist/uploads',
  bundle: true,
  minify: true,
  platform: 'browser',
  format: 'iife',
  target: 'es2022',
  legalComments: 'none',
});
// The page itself.
await buildPage({ configFile: 'web/vite.config.ts', logLevel: 'warn' });

/** Removes the types of modules that nothing which is exported names: nobody could import them. */
function keepTypesOf(entries) {
  const kept = new Set();
  const keep = (path) => {
    if (kept.has(path)) return;
    kept.add(path);
    for (const [, other] of readFileSync(path, 'utf8').matchAll(
      /(?:from |import\()['"](\.[^'"]+)\.[jt]s['"]/g,
    ))
      keep(join(dirname(path), `${other}.d.ts`));
  };
  for (const entry of entries) keep(join(entry));
  for (const name of readdirSync('dist', { recursive: true }))
    if (name.endsWith('.d.ts') && !kept.has(join('dist', name))) rmSync(join('dist', name));
}
