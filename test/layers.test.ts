import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import test from 'node:test';

/**
 * Lowest first: a folder may import those before it, and the ones in the same line nothing of each other. docs/architecture.md
 * draws it.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['base', 'crypto'],
  ['offer', 'archive'],
  ['wire'],
  ['sync', 'identity', 'websocket'],
  ['meeting', 'nat'],
  ['secure'],
  ['transports'],
  ['lanes', 'threads'],
  ['session'],
  ['server'],
  ['http'],
  ['node', 'browser'],
  ['index.ts', 'stores.ts'],
  ['cli'],
];
const RANK = new Map(LAYERS.flatMap((names, rank) => names.map((name) => [name, rank] as const)));
/** What runs in a browser: whole layers, and with the page's entry everything that it is built of. */
const PURE_LAYERS: ReadonlySet<string> = new Set(['base', 'offer', 'wire', 'sync', 'session', 'browser']);
const PURE_PACKAGES = ['@noble/', '@scure/bip39', 'client-zip', 'ipaddr.js', 'valibot'];
const GLOBALS_OF_NODE = /\b(?:Buffer|process|NodeJS|setImmediate)\b\s*[.(]/;

const files = readdirSync('src', { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts'));

/** What `#crypto` is in a page, from the folder of a file. */
const inPage = (name: string, file: string) =>
  name === '#crypto' ? join(relative(dirname(file), '.'), './crypto/noble.ts') : name;

function imports(file: string): string[] {
  const text = readFileSync(join('src', file), 'utf8');
  const all = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
  return all.map((name) => inPage(name, file));
}

function imported(code: string): { name: string; typeOnly: boolean }[] {
  const all = code.matchAll(/(import|export)\s+(type\s)?[^;'"]*?from\s*'([^']+)'|import\s*\(?\s*'([^']+)'/g);
  return [...all].map(([, , type, from, bare]) => ({ name: (from ?? bare)!, typeOnly: type !== undefined }));
}

test('every import goes the way the layers allow', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const layer = file.split(sep)[0]!;
    const rank = RANK.get(layer);
    assert.ok(rank !== undefined, `src/${layer} is not a known layer`);
    for (const target of imports(file).filter((name) => name.startsWith('.'))) {
      const other = normalize(join(dirname(file), target)).split(sep)[0]!;
      if (other !== layer && !(RANK.get(other)! < rank)) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('inside a folder imports go one way, too: no module needs itself', () => {
  const rings: string[] = [];
  const done = new Set<string>();
  const look = (file: string, path: readonly string[]) => {
    if (path.includes(file))
      return void rings.push([...path.slice(path.indexOf(file)), file].join(' imports '));
    if (done.has(file)) return;
    for (const target of imports(file).filter((name) => name.startsWith('.')))
      look(normalize(join(dirname(file), target)), [...path, file]);
    done.add(file);
  };
  for (const file of files.filter((name) => !name.endsWith('.d.ts'))) look(file, []);
  assert.deepEqual(rings, []);
});

test('what a page is built of needs nothing that a browser lacks', () => {
  const wrong: string[] = [];
  const seen = new Set<string>();
  const look = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const code = readFileSync(join('src', file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    if (GLOBALS_OF_NODE.test(code)) wrong.push(`${file} uses a global of Node`);
    for (const { name: said, typeOnly } of imported(code)) {
      const name = inPage(said, file);
      if (name.startsWith('.')) {
        const other = normalize(join(dirname(file), name.replace(/\?.*$/, '')));
        if (!typeOnly) look(other);
      } else if (!typeOnly && !PURE_PACKAGES.some((start) => name.startsWith(start))) {
        wrong.push(`${file} imports ${name}`);
      }
    }
  };
  for (const file of files) if (PURE_LAYERS.has(file.split(sep)[0]!)) look(file);
  assert.ok(seen.size > PURE_LAYERS.size);
  assert.deepEqual(wrong, []);
});

test('the page knows the library by its two entries alone', () => {
  const page = readdirSync('web', { recursive: true }).map(String);
  const wrong: string[] = [];
  // How it is built is no part of the page.
  for (const file of page.filter((name) => /\.tsx?$/.test(name) && name !== 'vite.config.ts')) {
    for (const { name } of imported(readFileSync(join('web', file), 'utf8'))) {
      const own = name.startsWith('.') && !join('web', dirname(file), name).startsWith('src');
      // The workers' addresses, which are no code.
      const worker = file === 'trusted.ts' && name.endsWith('?worker&url');
      const entry = /src\/browser\/(?:index|light)\.ts$/.test(name);
      const known = /^(?:preact(?:\/hooks)?|uqr|qr\/decode\.js|vite|node:.*)$/.test(name);
      if (!own && !worker && !entry && !known) wrong.push(`${file} imports ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every package that is imported is declared, not only brought by another', () => {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readFileSync('package.json', 'utf8'),
  );
  const declared = new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }));
  const undeclared = new Set<string>();
  const page = readdirSync('web', { recursive: true }).map(String);
  for (const file of [
    ...files,
    ...page.filter((name) => /\.tsx?$/.test(name)).map((name) => `../web/${name}`),
  ]) {
    const code = readFileSync(join('src', file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    for (const { name } of imported(code)) {
      if (/^(?:\.|node:|#)/.test(name)) continue;
      const [first, second] = name.split('/');
      const owner = first!.startsWith('@') ? `${first}/${second}` : first!;
      if (!declared.has(owner)) undeclared.add(`${owner} in ${file}`);
    }
  }
  assert.deepEqual([...undeclared], []);
});
