// tsc writes the types; esbuild writes the code as a few bundled modules, because loading several hundred small ones
// is most of a short command's time (docs/decisions.md has the figures).
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
await build({
  entryPoints: {
    index: 'src/index.ts',
    'server/index': 'src/server/index.ts',
    'cli/main': 'src/cli/main.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  mainFields: ['module', 'main'],
  format: 'esm',
  target: 'node20.19',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  // pino starts worker threads from its own files; udx-native finds its binary beside its own. Both are loaded when needed.
  external: ['pino', 'udx-native'],
  banner: {
    js: "import{createRequire as beelineRequire}from'node:module';const require=beelineRequire(import.meta.url);",
  },
});
chmodSync('dist/cli/main.js', 0o755);
