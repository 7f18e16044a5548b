/** The receipt's text: what is written is read back, and nothing else is read. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodePages } from '../../src/offer/manifest.ts';
import { chunkLeaf, merkleRoot, pageLeaf } from '../../src/offer/merkle.ts';
import { encodeReceipt, receiptRoot, receiptSpace } from '../../src/offer/receipt.ts';
import { decodeReceipt, MAX_RECEIPT_LINE, ReceiptReader } from '../../src/offer/receipt-reader.ts';
import { CHUNK, failure, file, folder, link } from '../node/files/helpers.ts';
import { around, sha256 } from '../node/files/receipt-of.ts';

const hash = (value: number) => sha256(Uint8Array.of(value & 255, value >> 8));
const ENTRIES = [
  folder('a'),
  { ...file('a/one', 3 * CHUNK + 5), version: '0123456789abcdef' },
  { ...file('a/two', 7), mtime: -1 },
  link('b', 'a/one'),
];
const RECEIPT = around(ENTRIES, [hash(0), undefined, hash(2), hash(3)]);
const LINES = [...encodeReceipt(RECEIPT)];

/** The receipt's lines with one replaced by what `change` makes of its object. */
function altered(line: number, change: (value: Record<string, unknown>) => unknown): string[] {
  return LINES.with(line, JSON.stringify(change(JSON.parse(LINES[line]!))));
}

describe('receipt', () => {
  it('comes back as it was, and has the same text again', async () => {
    const read = await decodeReceipt(LINES);
    assert.deepEqual(read, RECEIPT);
    assert.deepEqual([...encodeReceipt(read)], LINES);
  });

  it('has the root of the transfer: over pages, chunks, and what was not moved', () => {
    const pages = encodePages(ENTRIES).map((page) => pageLeaf(sha256(page)));
    const chunks = RECEIPT.chunks.map((one) => chunkLeaf('sha256', one));
    assert.deepEqual(receiptRoot(RECEIPT), merkleRoot([...pages, ...chunks]));
  });

  it('says what the hashes are made with, and its root fits nothing else', async () => {
    const other = around(ENTRIES, RECEIPT.chunks, { hash: 'blake3' });
    assert.notEqual(other.root, RECEIPT.root);
    assert.deepEqual(await decodeReceipt(encodeReceipt(other)), other);
    const lines = altered(0, (head) => ({ ...head, hash: 'blake3' }));
    await assert.rejects(decodeReceipt(lines), failure('VERIFICATION', 'was changed'));
  });

  it('has lines of 256 hashes, and one of a stream has as many as its length needs', async () => {
    const bytes = 600 * CHUNK + 1;
    const chunks = Array.from({ length: 601 }, (_, i) => (i % 7 ? hash(i) : undefined));
    const stream = around([file('stdin')], chunks, { kind: 'stream', bytes });
    const lines = [...encodeReceipt(stream)];
    assert.deepEqual(
      lines.slice(3).map((line) => JSON.parse(line).chunks.length),
      [256, 256, 89],
    );
    assert.deepEqual(await decodeReceipt(lines), stream);
    assert.equal(receiptSpace(stream).chunks, 601);
  });

  it('any entries come back, in lines that no terminal obeys', async () => {
    const name = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 40 })
      .filter((text) => !/\p{Cs}/u.test(text));
    const entry = fc.oneof(
      fc
        .record({
          path: name,
          mode: fc.nat(0o777),
          mtime: fc.integer(),
          nanos: fc.integer({ min: 1, max: 999 }),
        })
        .map((more) => ({ ...folder('x'), ...more })),
      fc.record({ path: name, target: name }).map((more) => ({ ...link('x', 'y'), ...more })),
      fc
        .record({
          path: name,
          size: fc.nat(CHUNK),
          mtime: fc.maxSafeInteger(),
        })
        .map((more) => ({ ...file('x'), ...more })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 8 }), async (entries) => {
        const { chunks } = receiptSpace({ entries, chunkSize: CHUNK, kind: 'files', bytes: 0 });
        const receipt = around(
          entries,
          Array.from({ length: chunks }, (_, i) => hash(i)),
        );
        const lines = [...encodeReceipt(receipt)];
        for (const line of lines) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u3164]/u);
        assert.deepEqual(await decodeReceipt(lines), receipt);
      }),
    );
  });

  it('names several receivers, each with its own root; one receiver has the root of the whole', async () => {
    const [only] = RECEIPT.receivers;
    const other = { fingerprint: 'ef'.repeat(32), root: '12'.repeat(32), started: 1, ended: 2 };
    const several = { ...RECEIPT, receivers: [only!, other] };
    const lines = [...encodeReceipt(several)];
    assert.deepEqual(JSON.parse(lines[2]!), {
      ...{ receiver: other.fingerprint, root: other.root, started: 1, ended: 2 },
    });
    assert.deepEqual(await decodeReceipt(lines), several);
    const alone = [...encodeReceipt({ ...RECEIPT, receivers: [other] })];
    await assert.rejects(decodeReceipt(alone), failure('VERIFICATION', 'was changed'));
  });

  it('is not read where a line is missing, doubled, or in another place', async () => {
    for (let line = 0; line < LINES.length; line++) {
      await assert.rejects(
        decodeReceipt(LINES.toSpliced(line, 1)),
        failure('DAMAGED', 'not a receipt'),
        `${line}`,
      );
      const doubled = LINES.toSpliced(line, 0, LINES[line]!);
      await assert.rejects(decodeReceipt(doubled), failure('DAMAGED', 'not a receipt'), `${line} twice`);
    }
    await assert.rejects(decodeReceipt([]), failure('DAMAGED', 'ends too early'));
    const swapped = [LINES[0]!, LINES[1]!, LINES[3]!, LINES[2]!, ...LINES.slice(4)];
    await assert.rejects(decodeReceipt(swapped), failure('VERIFICATION', 'root'));
  });

  it('is not read where something was changed that the root covers', async () => {
    const other = `${'0'.repeat(63)}1`;
    for (const lines of [
      altered(0, (head) => ({ ...head, root: other })),
      altered(2, (entry) => ({ ...entry, path: 'c' })),
      altered(3, (entry) => ({ ...entry, version: '' })),
      altered(4, (entry) => ({ ...entry, mtime: 0 })),
      altered(5, (entry) => ({ ...entry, target: 'a/two' })),
      altered(6, ({ chunks }) => ({ chunks: (chunks as string[]).with(1, other) })),
      altered(6, ({ chunks }) => ({ chunks: (chunks as (string | null)[]).with(0, null) })),
    ])
      await assert.rejects(decodeReceipt(lines), failure('VERIFICATION', 'was changed'));
  });

  it('refuses absurd fields before anything is made of them', async () => {
    const head = (more: object) => altered(0, (value) => ({ ...value, ...more }));
    const entry = (more: object) => altered(3, (value) => ({ ...value, ...more }));
    const receiver = (more: object) => altered(1, (value) => ({ ...value, ...more }));
    const hashes = (chunks: unknown) => altered(6, () => ({ chunks }));
    for (const lines of [
      head({ beeline: 'invoice' }),
      head({ root: 'AB'.repeat(32) }),
      head({ kind: 'text' }),
      head({ chunkSize: 12_345 }),
      head({ hash: 'md5' }),
      head({ hash: undefined }),
      head({ chunkSize: 2 ** 40 }),
      head({ chunks: 2 ** 40 }),
      head({ bytes: -1 }),
      head({ bytes: RECEIPT.bytes + 1 }),
      head({ files: 2 ** 31, folders: 2 ** 31 }),
      head({ files: 3, folders: 0 }),
      head({ files: 0, folders: 0, links: 0 }),
      head({ kind: 'stream' }),
      head({ sender: 'x'.repeat(257) }),
      head({ receivers: 0 }),
      head({ receivers: 2 }),
      head({ receivers: 10_001 }),
      receiver({ started: 1.5 }),
      receiver({ ended: '2026' }),
      receiver({ receiver: null }),
      receiver({ root: 'x' }),
      entry({ path: '' }),
      entry({ path: 'x'.repeat(4097) }),
      entry({ path: ['a'] }),
      entry({ kind: 'device' }),
      entry({ kind: 'link' }),
      entry({ kind: 'folder' }),
      entry({ size: -1 }),
      entry({ size: 2 ** 60 }),
      entry({ mode: 0o4755 }),
      entry({ mtime: 1.5 }),
      entry({ mtime: 2 ** 63 }),
      entry({ nanos: 1000 }),
      entry({ target: 'x' }),
      entry({ version: '0123' }),
      hashes([]),
      hashes(Array(5).fill(null)),
      hashes('ff'),
      hashes([null, null, null, 'zz'.repeat(32)]),
      hashes([null, null, null, 7]),
      LINES.with(2, '[]'),
      LINES.with(2, 'null'),
      LINES.with(2, '{'),
      LINES.with(2, `{"a":"${'x'.repeat(MAX_RECEIPT_LINE)}"}`),
    ])
      await assert.rejects(decodeReceipt(lines), failure('DAMAGED', 'not a receipt'));
    await assert.rejects(decodeReceipt(head({ version: 2 })), failure('DAMAGED', 'another version'));
  });

  it('stops at the first wrong line, whatever follows', () => {
    const reader = new ReceiptReader("'x'");
    assert.throws(() => reader.push('#!/bin/sh'), failure('DAMAGED', "'x' is not a receipt", 'line 1'));
  });

  it('survives any change of its text', async () => {
    const text = LINES.join('\n');
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length - 1),
        fc.string({ maxLength: 4 }),
        fc.nat(6),
        async (at, put, cut) => {
          const changed = text.slice(0, at) + put + text.slice(at + cut);
          try {
            const read = await decodeReceipt(changed.split('\n'));
            assert.equal(receiptSpace(read).chunks, read.chunks.length);
          } catch (error) {
            const { code } = error as { code?: string };
            assert.ok(code === 'DAMAGED' || code === 'VERIFICATION', String(error));
          }
        },
      ),
      { numRuns: Number(process.env.RUNS ?? 2000) },
    );
  });
});
