import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../../src/base/errors.ts';
import { encodeText, TextReader } from '../../../src/meeting/dht/frames.ts';
import { MAX_RENDEZVOUS_TEXT } from '../../../src/wire/rendezvous.ts';

const malformed = (error: unknown) =>
  error instanceof BeelineError && error.reason === 'MEETING_STREAM_MALFORMED';

test('texts come out as they went in, however the stream is cut', () => {
  const texts = fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 20 });
  fc.assert(
    fc.property(texts, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (texts, cuts) => {
      const all = Buffer.concat(texts.map(encodeText));
      const reader = new TextReader();
      const read: string[] = [];
      for (let at = 0, i = 0; at < all.length; i++) {
        const next = at + cuts[i % cuts.length]!;
        read.push(...reader.read(all.subarray(at, next)));
        at = next;
      }
      assert.deepEqual(read, texts);
    }),
  );
});

test('a length of nothing, or of more than any message has, ends it before anything is kept', () => {
  for (const length of [0, MAX_RENDEZVOUS_TEXT + 1, 2 ** 24, 2 ** 32 - 1]) {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    assert.throws(() => new TextReader().read(head), malformed);
  }
  const longest = 'x'.repeat(MAX_RENDEZVOUS_TEXT);
  assert.deepEqual(new TextReader().read(encodeText(longest)), [longest]);
});

test('what is no UTF-8 ends it', () => {
  assert.throws(() => new TextReader().read(Uint8Array.of(0, 0, 0, 2, 0xc3, 0x28)), malformed);
});

test('any bytes give texts or an error, and no more is held than was sent', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        const texts = new TextReader().read(bytes);
        assert.ok(texts.join('').length <= bytes.length);
      } catch (error) {
        assert.ok(malformed(error));
      }
    }),
  );
});
