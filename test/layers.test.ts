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
  ],
  'index.ts': ['peer', 'identity', 'protocol'],
  cli: ['index.ts', 'peer', 'identity', 'server', 'protocol', 'transfer'],
};
/** Layers that must run in a browser as they are: no node:, and of packages only these. */
const PURE: Record<string, readonly string[]> = { protocol: [], transfer: ['@noble/hashes'] };

const files = readdirSync('src', { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts'));

function imports(file: string): string[] {
  const text = readFileSync(join('src', file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
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

test('the pure layers import nothing that a browser lacks', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const allowed = PURE[file.split(sep)[0]!];
    if (!allowed) continue;
    for (const name of imports(file).filter((name) => !name.startsWith('.'))) {
      if (!allowed.some((start) => name.startsWith(start))) wrong.push(`${file} imports ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('no source file is longer than 300 lines', () => {
  const long = files.filter((file) => readFileSync(join('src', file), 'utf8').split('\n').length > 300);
  assert.deepEqual(long, []);
});
