// Runs test files on node's own runner, and ends with one closing line: `N passed, N failed, N skipped`.
//
//   node scripts/test.mjs               the quick tests: every test/**/*.test.ts that is not a heavy one
//   node scripts/test.mjs --heavy       the heavy tests: every test/**/*.heavy.test.ts
//   node scripts/test.mjs browser -lab  of both, the files whose path has one of the words, and none of those after a '-'
//
// All that is asked for is bundled first, source and tests, with everything that both import: to compile it and find its
// modules anew in each of over 200 processes took half of the processor's time (docs/decisions.md has the figures).
// Before the closing line come the skips with their reasons, so that CI can tell which suites ran, the failures with their
// diagnoses, and each failure once more on a line, so that the end of a log is enough.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** Milliseconds after which a file is ended. */
const FILE_DEADLINE = 600_000;
/** Packages that start threads from files of their own, find binaries beside them, or are tools that only some tests load. */
const LOADED_FROM_THEIR_FILES = [
  ...['pino', 'ioredis', 'udx-native', 'node-datachannel', 'koffi', 'hyperdht', 'puppeteer-core', 'axe-core'],
  ...['esbuild', 'vite', 'typescript', 'tsx', 'fastify', 'express', 'hono', '@hono/node-server'],
];

const words = process.argv.slice(2);
const heavyOnly = words.includes('--heavy');
/** Files at once: more than there are cores, because many wait. A heavy one starts browsers, or programs that keep a core busy. */
const CONCURRENCY = heavyOnly ? 3 : 5;
const wanted = words.filter((word) => !word.startsWith('-'));
const unwanted = words.filter((word) => /^-[^-]/.test(word)).map((word) => word.slice(1));
const unknown = words.find((word) => word.startsWith('--') && word !== '--heavy');
if (unknown !== undefined) {
  console.error(`There is no option ${unknown}; the head of scripts/test.mjs tells what there is.`);
  process.exit(2);
}

function isAskedFor(name) {
  if (!name.endsWith('.test.ts') || unwanted.some((word) => name.includes(word))) return false;
  const heavy = name.endsWith('.heavy.test.ts');
  if (wanted.length === 0) return heavy === heavyOnly;
  return wanted.some((word) => name.includes(word)) && (heavy || !heavyOnly);
}

/** Modules that tests in these folders start in processes of their own (test/child.ts). */
function childModules(folders) {
  const sources = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const texts = sources.filter((name) => name.endsWith('.ts')).map((name) => readFileSync(name, 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(/\bchildModule\(\s*'([^']+)'/g)].map(([, path]) => path));
}

const files = readdirSync('test', { recursive: true })
  .map((name) => join('test', String(name)))
  .filter(isAskedFor)
  .sort();
if (files.length === 0) {
  console.error('No test file has such a path.');
  process.exit(2);
}

/** Characters of a failed test's error that its closing line shows. */
const SHOWN_OF_ERROR = 400;

/** The failed tests of a TAP text, each with its diagnosis; not those that failed only for a test within them. */
function failures(text) {
  const lines = text.split('\n');
  const suites = [];
  return lines.flatMap((line, at) => {
    const opened = /^( *)# Subtest: (.*)$/.exec(line);
    if (opened) suites.splice(opened[1].length / 4, Number.POSITIVE_INFINITY, opened[2]);
    if (!/^\s*not ok /.test(line)) return [];
    const end = lines.findIndex((other, index) => index > at && other.trim() === '...');
    const block = lines.slice(at, end < 0 ? at + 40 : Math.min(end, at + 40));
    if (block.some((other) => other.includes("failureType: 'subtestsFailed'"))) return [];
    const depth = /^ */.exec(line)[0].length / 4;
    const name = [...suites.slice(0, depth), line.replace(/^\s*not ok \d+ - /, '')].join(': ');
    return [{ name, error: firstOfError(block), diagnosis: block.join('\n').trim() }];
  });
}

/** The first lines of the error in a diagnosis, on one line. */
function firstOfError(block) {
  const at = block.findIndex((line) => /^\s*error: /.test(line));
  if (at < 0) return 'no error is told';
  const said = block[at].trim().slice('error: '.length);
  const indent = /^ */.exec(block[at])[0].length;
  const after = block.slice(at + 1);
  const end = after.findIndex((line) => line.trim() !== '' && /^ */.exec(line)[0].length <= indent);
  const told = said.startsWith('|') ? after.slice(0, end < 0 ? undefined : end).join(' ') : said;
  return told.replace(/\s+/g, ' ').trim().slice(0, SHOWN_OF_ERROR);
}

/**
 * What a TAP text says was left out: tests and whole suites. Node's own total counts the tests only, so a suite that is
 * skipped with all that is in it would count as nothing. In names TAP writes `\#`. A test marked as "todo" cannot fail, so it
 * counts as left out.
 */
const skips = (text) => text.match(/^\s*(?:not )?ok \d+ .*(?<!\\)# (?:SKIP|TODO)\b.*$/gm) ?? [];

/** In a bundle a module still finds what stands beside its source: its `import.meta` tells where that is. */
const sourcePlaces = {
  name: 'source places',
  setup({ onLoad }) {
    onLoad({ filter: /\.tsx?$/ }, ({ path }) => {
      if (path.includes('node_modules')) return undefined;
      const places = [pathToFileURL(path).href, path, dirname(path)].map((place) => JSON.stringify(place));
      const head = `const __url = ${places[0]}, __filename = ${places[1]}, __dirname = ${places[2]};`;
      return { contents: head + readFileSync(path, 'utf8'), loader: path.endsWith('x') ? 'tsx' : 'ts' };
    });
  },
};

/** Bundles the files into a folder of this run's own, since two may run at once. Gives their new paths; throws what esbuild says. */
async function bundle(folder) {
  await build({
    entryPoints: [...new Set([...files, ...childModules([...new Set(files.map(dirname))])])],
    outbase: '.',
    outdir: folder,
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[hash]',
    platform: 'node',
    mainFields: ['module', 'main'],
    format: 'esm',
    target: 'node20.19',
    sourcemap: 'linked',
    sourcesContent: false,
    define: {
      'import.meta.url': '__url',
      'import.meta.filename': '__filename',
      'import.meta.dirname': '__dirname',
    },
    plugins: [sourcePlaces],
    external: LOADED_FROM_THEIR_FILES,
    banner: {
      js: "import{createRequire as beelineRequire}from'node:module';const require=beelineRequire(import.meta.url);",
    },
  });
  return files.map((name) => join(folder, name.replace(/\.ts$/, '.js')));
}

// Within the work tree, because what is not bundled is looked for in the folders above.
mkdirSync('build', { recursive: true });
const folder = mkdtempSync(resolve('build/tests-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const bundled = await bundle(folder).catch(() => process.exit(1));

const runner = spawn(
  process.execPath,
  [
    ...['--enable-source-maps', '--test', '--test-reporter=tap'],
    ...[`--test-concurrency=${CONCURRENCY}`, `--test-timeout=${FILE_DEADLINE}`],
    ...bundled,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, BEELINE_TEST_BUNDLE: folder } },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => runner.kill(signal));
let text = '';
runner.stdout.setEncoding('utf8');
runner.stdout.on('data', (part) => {
  text += part;
  process.stdout.write(part);
});
runner.on('close', (status) => {
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  const skipped = skips(text);
  for (const line of skipped) console.log(`skipped: ${line.trim()}`);
  const all = failures(text);
  for (const { diagnosis } of all) console.log(`failed: ${diagnosis}`);
  for (const { name, error } of all) console.log(`FAILED: ${name}: ${error}`);
  console.log(`${count('pass')} passed, ${failed} failed, ${skipped.length} skipped`);
  process.exitCode = status === 0 && failed === 0 && count('pass') > 0 ? 0 : 1;
});
