import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import test from 'node:test';

/** What each layer may import besides itself. Arrows point one way: docs/architecture.md draws them. */
const MAY: Record<string, readonly string[]> = {
  protocol: [],
  transfer: ['protocol'],
  identity: ['protocol'],
  rendezvous: ['protocol', 'websocket'],
  lan: ['protocol'],
  stun: ['protocol'],
  websocket: ['protocol'],
  lanes: ['protocol', 'transfer', 'stun', 'websocket'],
  files: ['protocol', 'transfer'],
  server: ['protocol', 'stun'],
  session: ['protocol', 'transfer', 'identity', 'rendezvous', 'lanes'],
  peer: [
    'protocol',
    'transfer',
    'identity',
    'rendezvous',
    'lan',
    'stun',
    'websocket',
    'lanes',
    'files',
    'server',
    'session',
  ],
  browser: ['protocol', 'transfer', 'identity', 'rendezvous', 'websocket', 'lanes', 'session'],
  'index.ts': ['peer', 'identity', 'protocol'],
  cli: ['index.ts', 'peer', 'session', 'identity', 'server', 'protocol', 'transfer'],
};
/** What runs in a browser: whole layers, and with the page's entry everything that it is built of. */
const PURE_LAYERS: ReadonlySet<string> = new Set(['protocol', 'transfer', 'session', 'browser']);
const PURE_PACKAGES = ['@noble/', '@scure/bip39', 'client-zip', 'ipaddr.js', 'valibot'];
const GLOBALS_OF_NODE = /\b(?:Buffer|process|NodeJS|setImmediate)\b\s*[.(]/;

const files = readdirSync('src', { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts'));

function imports(file: string): string[] {
  const text = readFileSync(join('src', file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

function imported(code: string): { name: string; typeOnly: boolean }[] {
  const all = code.matchAll(/(import|export)\s+(type\s)?[^;'"]*?from\s*'([^']+)'|import\s*\(?\s*'([^']+)'/g);
  return [...all].map(([, , type, from, bare]) => ({ name: (from ?? bare)!, typeOnly: type !== undefined }));
}

test('every import goes the way the layers allow', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const layer = file.split(sep)[0]!;
    assert.ok(MAY[layer], `src/${layer} is not a known layer`);
    for (const target of imports(file).filter((name) => name.startsWith('.'))) {
      const other = normalize(join(dirname(file), target)).split(sep)[0]!;
      if (other !== layer && !MAY[layer].includes(other)) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('what a page is built of needs nothing that a browser lacks', () => {
  const wrong: string[] = [];
  const seen = new Set<string>();
  const look = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const code = readFileSync(join('src', file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    if (GLOBALS_OF_NODE.test(code)) wrong.push(`${file} uses a global of Node`);
    for (const { name, typeOnly } of imported(code)) {
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

test('the page knows the library by its entry alone', () => {
  const page = readdirSync('web', { recursive: true }).map(String);
  const wrong: string[] = [];
  for (const file of page.filter((name) => /\.tsx?$/.test(name))) {
    for (const { name } of imported(readFileSync(join('web', file), 'utf8'))) {
      const own = name.startsWith('.') && !join('web', dirname(file), name).startsWith('src');
      // The workers' addresses, which are no code.
      const worker = file === 'trusted.ts' && name.endsWith('?worker&url');
      const entry = name.endsWith('src/browser/index.ts');
      const known = /^(?:preact(?:\/hooks)?|uqr|vite|node:.*)$/.test(name);
      if (!own && !worker && !entry && !known) wrong.push(`${file} imports ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});
