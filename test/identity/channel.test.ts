import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { KeyedChannel, MAX_PLAIN, MAX_SEALED } from '../../src/identity/channel.ts';

const isCode = (code: string) => (thrown: unknown) => thrown instanceof BeelineError && thrown.code === code;
const refused = isCode('AUTHENTICATION');
const KEY = new Uint8Array(16).fill(9);

function pair() {
  return {
    sender: new KeyedChannel(KEY, 'sender', 'test'),
    receiver: new KeyedChannel(KEY, 'receiver', 'test'),
  };
}

test('both directions carry text, in order and with losses', () => {
  const { sender, receiver } = pair();
  const texts = ['', 'one', 'lost', 'caf\u00e9 \u{1f680}'];
  const sealed = texts.map((text) => sender.seal(text));
  for (const i of [0, 1, 3]) assert.equal(receiver.open(sealed[i]!), texts[i]);
  assert.equal(sender.open(receiver.seal('back')), 'back');
});

test('replayed, reordered and reflected messages are refused and change nothing', () => {
  const { sender, receiver } = pair();
  const [first, second, third] = ['1', '2', '3'].map((text) => sender.seal(text));
  assert.equal(receiver.open(second!), '2');
  assert.throws(() => receiver.open(second!), refused);
  assert.throws(() => receiver.open(first!), refused);
  assert.throws(() => sender.open(third!), refused, 'own message sent back');
  assert.equal(receiver.open(third!), '3');
});

test('another key or context does not open it', () => {
  const sealed = pair().sender.seal('x');
  assert.throws(() => new KeyedChannel(new Uint8Array(16), 'receiver', 'test').open(sealed), refused);
  assert.throws(() => new KeyedChannel(KEY, 'receiver', 'tes').open(sealed), refused);
  assert.throws(() => new KeyedChannel(new Uint8Array(15), 'receiver', 'test'), isCode('INTERNAL'));
});

test('one changed character anywhere is refused, and the true message still opens', () => {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), fc.nat(), fc.integer({ min: 1, max: 63 }), (text, at, step) => {
      const { sender, receiver } = pair();
      const sealed = sender.seal(text);
      const i = at % sealed.length;
      const other = ALPHABET[(ALPHABET.indexOf(sealed[i]!) + step) % 64];
      assert.throws(() => receiver.open(sealed.slice(0, i) + other + sealed.slice(i + 1)), refused);
      assert.equal(receiver.open(sealed), text);
    }),
  );
});

test('garbage is refused with AUTHENTICATION, whatever it is', () => {
  const { sender, receiver } = pair();
  const genuine = sender.seal('genuine');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
        fc.constantFrom(`${genuine}=`, `${genuine}A`, ` ${genuine}`, genuine.slice(0, -1), genuine.slice(4)),
      ),
      (text) => {
        assert.throws(() => receiver.open(text), refused);
      },
    ),
  );
  assert.throws(() => receiver.open('A'.repeat(MAX_SEALED + 1)), refused);
  assert.equal(receiver.open(genuine), 'genuine');
});

test('a sealed message never exceeds what a rendezvous carries', () => {
  const { sender, receiver } = pair();
  const largest = 'x'.repeat(MAX_PLAIN);
  const sealed = sender.seal(largest);
  assert.ok(sealed.length <= MAX_SEALED);
  assert.equal(receiver.open(sealed), largest);
  assert.throws(() => sender.seal(`${largest}x`), isCode('INTERNAL'));
  assert.throws(() => sender.seal('\u00e9'.repeat(MAX_PLAIN / 2 + 1)), isCode('INTERNAL'));
});

test('the same text is sealed differently each time', () => {
  const { sender, receiver } = pair();
  const sealed = [sender.seal('x'), sender.seal('x'), receiver.seal('x')];
  assert.equal(new Set(sealed).size, 3);
});
