import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import test from 'node:test';
import { blake3 } from '@noble/hashes/blake3.js';
import { HASH_NAMES, type HashName } from '../../src/offer/hashing.ts';
import { digestOf, fastest } from '../../src/threads/digests.ts';
import { childModule } from '../child.ts';

const hex = async (hash: HashName, data: Uint8Array) =>
  Buffer.from(await digestOf(hash)(data)).toString('hex');

/** Published vectors: FIPS 180-2, and the BLAKE3 team's of one byte and of 1025 bytes that count up to 250 again and again. */
const VECTORS: [HashName, Uint8Array, string][] = [
  ['sha256', Buffer.from('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['blake3', new Uint8Array(), 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
  ['blake3', new Uint8Array(1), '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
  [
    'blake3',
    Uint8Array.from({ length: 1025 }, (_, i) => i % 251),
    'd00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444',
  ],
];

test('each function gives what is published of it', async () => {
  for (const [hash, data, expected] of VECTORS) assert.equal(await hex(hash, data), expected);
});

test('of views into larger buffers too, shared or not, it hashes just the view', async () => {
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) & 255);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  for (const [from, to] of [
    [0, 0],
    [1, 65_537],
    [64, 64 + (1 << 20)],
    [999_999, 3_000_000],
  ] as const) {
    const part = bytes.slice(from, to);
    const expected = {
      sha256: createHash('sha256').update(part).digest('hex'),
      blake3: Buffer.from(blake3(part)).toString('hex'),
    };
    for (const hash of HASH_NAMES) assert.equal(await hex(hash, bytes.subarray(from, to)), expected[hash]);
    assert.equal(await hex('blake3', shared.subarray(from, to)), expected.blake3);
  }
});

test('what is fast is said the same each time, SHA-256 always among it, and alone where there is little', () => {
  assert.ok(fastest().includes('sha256'));
  assert.deepEqual(fastest(), fastest());
  assert.deepEqual(fastest(1), ['sha256']);
  assert.deepEqual(new Set(fastest(1 << 30)), new Set(fastest()));
});

const { url, node } = childModule('src/threads/digests.ts');

/** What a process says that imports the module anew. */
function said(script: string, ...flags: string[]): unknown {
  const code = `import { digestOf, fastest } from ${JSON.stringify(url)};
    import { createRequire } from 'node:module';
    const loaded = () => Object.keys(createRequire(${JSON.stringify(url)}).cache).some((name) => name.includes('@napi-rs'));
    console.log(JSON.stringify(await (async () => { ${script} })()));`;
  const args = [...node, ...flags, '--input-type=module', '--eval', code];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

test('nothing is loaded before it matters', () => {
  assert.deepEqual(said('digestOf("sha256"); fastest(1000); return loaded()'), false);
});

test('without the native module this side asks for SHA-256, and checks BLAKE3 all the same', () => {
  const hidden = resolve('test/node/no-blake.cjs');
  const [, data, expected] = VECTORS[3]!;
  const script = `const hash = await digestOf('blake3')(Uint8Array.from(${JSON.stringify([...data])}));
    return { fast: fastest(), hash: Buffer.from(hash).toString('hex'), loaded: loaded() };`;
  assert.deepEqual(said(script, '--require', hidden), { fast: ['sha256'], hash: expected, loaded: false });
});
