import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Reader, Writer } from '../../src/base/bytes.ts';
import { BeelineError } from '../../src/base/errors.ts';
import {
  BLOCK_BYTES,
  MAX_CHUNK,
  MAX_CHUNKS,
  MAX_CONTROL_FRAME,
  MAX_STATUS_SEQ,
} from '../../src/base/limits.ts';
import { HASH_NAMES } from '../../src/offer/hashing.ts';
import { decodePage, type Entry, encodePages } from '../../src/offer/manifest.ts';
import { FrameReader } from '../../src/wire/framing.ts';
import type { Message } from '../../src/wire/messages.ts';
import { decodeHeader, encodeMessage } from '../../src/wire/messages.ts';
import { decodeHello, decodeSignal, encodeSignal } from '../../src/wire/signal.ts';
import { helloOf } from '../hello.ts';

const runs = Number(process.env.RUNS ?? 1000);
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const natural = fc.maxSafeNat();
const hashes = fc.array(fc.record({ index: natural, hash }), { maxLength: 20 });

const range = fc
  .tuple(natural, fc.nat(100), fc.integer({ min: 1, max: 100 }))
  .map(([index, from, count]) => ({ index, from, to: from + count }));

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant('offer' as const),
    version: fc.nat(100),
    kind: fc.constant('files' as const),
    entries: fc.integer({ min: 10, max: 1000 }),
    pages: fc.integer({ min: 1, max: 10 }),
    bytes: natural,
    chunkSize: fc.constantFrom(1 << 20, 1 << 21, 1 << 22),
    hash: fc.constantFrom(...HASH_NAMES),
    sha256: fc.boolean(),
    update: fc.boolean(),
  }),
  fc.record({ type: fc.constant('get-page' as const), page: fc.nat(4096) }),
  fc.record({ type: fc.constant('page' as const), page: fc.nat(4096), bytes: fc.uint8Array() }),
  fc.record({
    type: fc.constant('get' as const),
    spare: fc.boolean(),
    ranges: fc.array(range, { maxLength: 256 }),
  }),
  fc.record({
    type: fc.constant('given' as const),
    first: fc.nat(MAX_CHUNKS),
    bits: fc.uint8Array(),
    hashed: fc.uint8Array(),
  }),
  fc.record({ type: fc.constant('get-hash' as const), chunks: fc.array(natural, { maxLength: 256 }) }),
  fc.record({ type: fc.constant('hash' as const), index: natural, length: fc.nat(MAX_CHUNK), hash }),
  fc.record({
    type: fc.constant('arrived' as const),
    bytes: natural,
    kept: natural,
    chunks: fc.array(natural, { maxLength: 256 }),
  }),
  fc.record({ type: fc.constant('written' as const), below: natural }),
  fc.record({
    type: fc.constant('status' as const),
    seq: fc.integer({ min: 0, max: MAX_STATUS_SEQ }),
    state: fc.constantFrom('running' as const, 'paused' as const, 'cancelled' as const, 'failed' as const),
    code: fc.string({ maxLength: 10 }),
    text: fc.string({ maxLength: 100 }),
  }),
  fc.record({ type: fc.constant('pong' as const), bearsLosses: fc.boolean() }),
  fc.record({ type: fc.constant('want-lanes' as const), count: fc.nat(64) }),
  fc.record({ type: fc.constant('finish' as const), root: hash, gone: fc.array(natural, { maxLength: 20 }) }),
  fc.record({ type: fc.constant('finished' as const), root: hash, started: natural, ended: natural }),
  fc.record({ type: fc.constantFrom('ping' as const, 'confirmed' as const, 'share' as const) }),
  fc.record({
    type: fc.constant('members' as const),
    seq: fc.nat(),
    all: fc.array(fc.record({ id: fc.nat(), dials: fc.boolean() }), { maxLength: 8 }),
  }),
  fc.record({
    type: fc.constant('signal' as const),
    ...{ member: fc.nat(), seq: fc.nat(), body: fc.string({ maxLength: 1000 }) },
  }),
  fc.record({ type: fc.constant('refuse' as const), member: fc.nat() }),
  fc.record({ type: fc.constant('have' as const), chunks: hashes }),
  fc.record({
    type: fc.constant('gone' as const),
    entry: natural,
    code: fc.string({ maxLength: 10 }),
    text: fc.string({ maxLength: 100 }),
  }),
);

/** Feeds bytes in pieces and collects what comes out. */
function read(bytes: Uint8Array, piece: number) {
  const messages: Message[] = [];
  const errors: BeelineError[] = [];
  const reader = new FrameReader({
    message: (m) => messages.push(m),
    land: (header) => {
      const data = new Uint8Array(header.bytes);
      let at = 0;
      return {
        put: (part) => {
          data.set(part, at);
          at += part.length;
          if (at === data.length) messages.push({ type: 'blocks', ...header, data });
        },
        take: () => false,
        cut: () => {},
      };
    },
    fail: (error) => errors.push(error),
  });
  for (let at = 0; at < bytes.length; at += piece) reader.feed(bytes.subarray(at, at + piece));
  return { messages, errors };
}

test('every message survives its encoding, however it is cut into pieces', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.integer({ min: 1, max: 300 }), (list, piece) => {
      const { messages, errors } = read(Buffer.concat(list.map((m) => encodeMessage(m))), piece);
      assert.deepEqual(errors, []);
      assert.deepEqual(messages.map(plain), list.map(plain));
    }),
    { numRuns: runs },
  );
});

test('blocks survive their encoding, their data behind their header', () => {
  fc.assert(
    fc.property(
      natural,
      fc.uint8Array({ minLength: 1, maxLength: 3000 }),
      fc.nat(3),
      hash,
      fc.integer({ min: 1, max: 99 }),
      (index, data, block, hash, piece) => {
        const offset = block * BLOCK_BYTES;
        const chunk = {
          type: 'blocks' as const,
          index,
          length: offset + data.length,
          form: 'data' as const,
          hash,
          offset,
          bytes: data.length,
          data,
        };
        const { messages, errors } = read(Buffer.concat([encodeMessage(chunk), data]), piece);
        assert.deepEqual(errors, []);
        assert.deepEqual(messages.map(plain), [plain(chunk)]);
      },
    ),
    { numRuns: runs },
  );
});

test('garbage on a lane gives messages or one BeelineError, never anything else', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.nat(16),
      fc.integer({ min: 1, max: 50 }),
      (noise, type, piece) => {
        // Half of the cases get a plausible header, so that the bodies' decoders are reached.
        const framed = Buffer.concat([
          Buffer.from([0, 0, noise.length >> 8, noise.length & 255, type]),
          noise,
        ]);
        for (const bytes of [noise, framed]) {
          const { errors } = read(bytes, piece);
          assert.ok(errors.length <= 1);
          for (const error of errors)
            assert.ok(error instanceof BeelineError && error.code !== 'INTERNAL', String(error));
        }
      },
    ),
    { numRuns: runs },
  );
});

test('an oversized frame is refused from its header, before anything is allocated', () => {
  for (const type of [0, 1, 2, 3, 5, 6]) {
    const header = new Writer()
      .u32(MAX_CONTROL_FRAME + 1)
      .u8(type)
      .done();
    assert.throws(() => decodeHeader(header), { code: 'PROTOCOL' });
  }
  const chunk = new Writer()
    .u32(MAX_CHUNK + 50)
    .u8(4)
    .done();
  assert.throws(() => decodeHeader(chunk), { code: 'PROTOCOL' });
  assert.throws(() => decodeHeader(new Writer().u32(1).u8(200).done()), { code: 'PROTOCOL' });
});

test('an absurd offer is refused', () => {
  const offer = {
    type: 'offer' as const,
    version: 1,
    kind: 'files' as const,
    entries: 5,
    pages: 1,
    bytes: 9,
    chunkSize: 1 << 20,
    hash: 'sha256' as const,
    sha256: false,
    update: false,
  };
  const bad = [
    { entries: 0 },
    { entries: 3_000_000 },
    { pages: 0 },
    { pages: 6 },
    { chunkSize: 3 << 20 },
    { chunkSize: 1 << 30 },
    { chunkSize: 0 },
    { bytes: undefined },
  ];
  for (const change of bad) {
    const { errors } = read(encodeMessage({ ...offer, ...change }), 7);
    assert.equal(errors[0]?.code, 'BAD_MANIFEST', JSON.stringify(change));
  }
});

test('an offer that is hashed in an unknown way is refused, as is a hello that names one, none or too many', () => {
  const offer: Message = {
    ...{ type: 'offer', version: 1, kind: 'files', entries: 5, pages: 1, bytes: 9, chunkSize: 1 << 20 },
    ...{ hash: 'blake3', sha256: false, update: false },
  };
  assert.deepEqual(read(encodeMessage(offer), 7).messages, [offer]);
  const bytes = encodeMessage(offer);
  // The flags are last, and the hash before them.
  bytes[bytes.length - 2] = HASH_NAMES.length;
  const [error] = read(bytes, 7).errors;
  assert.deepEqual([error?.code, error?.reason], ['PROTOCOL', 'PEER_MALFORMED']);
  const hello = (hashes: unknown) => () => decodeHello(JSON.stringify({ ...helloOf(), hashes }));
  for (const hashes of [['blake3'], ['sha256', 'blake3'], undefined])
    assert.deepEqual(hello(hashes)().hashes, hashes);
  for (const hashes of [[], ['md5'], ['sha256', 'blake3', 'sha256'], 'sha256', null, [1]])
    assert.throws(hello(hashes), { code: 'PROTOCOL' });
});

const entry: fc.Arbitrary<Entry> = fc
  .record({
    path: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    kind: fc.constantFrom('file' as const, 'folder' as const, 'link' as const),
    size: natural,
    mode: fc.nat(0o777),
    mtime: fc.oneof(
      fc.maxSafeInteger(),
      fc.integer({ min: -(2 ** 42), max: 2 ** 42 }).map((seconds) => seconds * 1e6),
    ),
    nanos: fc.nat(999),
    target: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    version: fc.constantFrom('', '0123456789abcdef', 'ffffffffffffffff'),
  })
  .map(({ nanos, ...e }) => ({
    ...e,
    // Where a number of microseconds is not exact there is nothing below them.
    ...(nanos > 0 && Number.isSafeInteger(e.mtime) && { nanos }),
    size: e.kind === 'file' ? e.size : 0,
    target: e.kind === 'link' ? e.target : '',
    version: e.kind === 'file' ? e.version : '',
  }));

test('manifest pages survive their encoding', () => {
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 50 }), (entries) => {
      assert.deepEqual(encodePages(entries).flatMap(decodePage), entries);
    }),
    { numRuns: runs },
  );
});

test('times of any year cross: 1601, before 1970 with a fraction, 2106, 2150, the year 9999', () => {
  for (const text of ['1601-01-01T00:00:00Z', '1969-12-31T23:59:59.999Z', '1970-01-01T00:00:00Z'])
    times(text);
  for (const text of ['2038-01-19T03:14:08Z', '2106-02-07T06:28:16.123Z', '2150-06-01T00:00:00.5Z'])
    times(text);
  times('9999-12-31T23:59:59Z');

  function times(text: string) {
    for (const nanos of [undefined, 1, 999]) {
      const mtime = Date.parse(text) * 1000 + (text.includes('.') ? 1 : 0);
      const exact = Number.isSafeInteger(mtime);
      const e: Entry = { path: 'a', kind: 'folder', size: 0, mode: 0, mtime, target: '', version: '' };
      if (nanos && exact) e.nanos = nanos;
      assert.deepEqual(encodePages([e]).flatMap(decodePage), [e], text);
    }
  }
});

test('a time that no sender writes is refused', () => {
  const page = (seconds: number, fraction: number) =>
    new Writer().u8(1).text('a').varint(0).varint(0).varint(seconds).varint(fraction).done();
  assert.equal(decodePage(page(2 ** 43, 999_999_999)).length, 1);
  assert.throws(() => decodePage(page(2 ** 43 + 2, 0)), { code: 'BAD_MANIFEST' });
  assert.throws(() => decodePage(page(0, 1e9)), { code: 'BAD_MANIFEST' });
});

test('garbage pages end in a BeelineError or in entries with sane fields', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
      try {
        for (const e of decodePage(noise))
          assert.ok(Number.isSafeInteger(e.size) && e.size >= 0 && e.mode <= 0o777);
      } catch (error) {
        assert.ok(error instanceof BeelineError, String(error));
      }
    }),
    { numRuns: runs },
  );
});

test('integers have one encoding and never leave the safe range', () => {
  fc.assert(
    fc.property(natural, (value) => {
      assert.equal(new Reader(new Writer().varint(value).done()).varint(), value);
    }),
    { numRuns: runs },
  );
  for (const bytes of [[0x80, 0], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], [0x80]]) {
    assert.throws(() => new Reader(Uint8Array.from(bytes)).varint(), { code: 'PROTOCOL' });
  }
});

test('signals survive their encoding; garbage and other versions are refused', () => {
  const share = new Uint8Array(65).fill(4);
  const confirmation = new Uint8Array(32).fill(7);
  for (const signal of [
    { k: 'share' as const, v: 1, share },
    { k: 'answer' as const, v: 1, share, confirmation, sealed: 'abc' },
    { k: 'accept' as const, confirmation, sealed: 'x' },
    { k: 'sealed' as const, sealed: 'y' },
    { k: 'refuse' as const, code: 'WRONG_CODE' as const },
  ]) {
    assert.deepEqual(decodeSignal(encodeSignal(signal), 1), signal);
  }
  assert.throws(() => decodeSignal(encodeSignal({ k: 'share', v: 2, share }), 1), { code: 'VERSION' });
  assert.throws(() => decodeSignal(encodeSignal({ k: 'share', v: 0, share }), 1), { code: 'VERSION' });
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (noise) => {
      assert.throws(
        () => decodeSignal(noise, 1),
        (error) => error instanceof BeelineError,
      );
      assert.throws(
        () => decodeHello(noise),
        (error) => error instanceof BeelineError,
      );
    }),
    { numRuns: runs },
  );
});

test('a hello with names instead of addresses, or too many of anything, is refused', () => {
  const hello = helloOf({
    hosts: ['192.0.2.1', '2001:db8::1'],
    transports: { tcp: ['10.0.0.1:1'], own: { what: 'ever' } },
  });
  assert.deepEqual(decodeHello(JSON.stringify(hello)), hello);
  for (const change of [
    { hosts: ['evil.example'] },
    { hosts: Array.from({ length: 41 }, () => '10.0.0.1') },
    { hosts: 'x' },
    { transports: [] },
    { transports: { 'not a kind': 1 } },
    { transports: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 1])) },
    { fingerprint: 'A'.repeat(64) },
    { lanes: -1 },
    { seal: 'ef'.repeat(31) },
    { tls: 'yes' },
  ]) {
    assert.throws(() => decodeHello(JSON.stringify({ ...hello, ...change })), { code: 'PROTOCOL' });
  }
});

/** Typed arrays of different classes compare equal. */
function plain(value: Message): unknown {
  return JSON.parse(JSON.stringify(value, (_key, v) => (v instanceof Uint8Array ? [...v] : v)));
}
